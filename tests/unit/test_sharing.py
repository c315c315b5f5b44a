"""Idle agents leave a campaign that has nothing to dial for one that has."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from campaigns_support import BOTH, NOBODY, SPRING, SUMMER, Shop
from dispatch_support import START
from test_ledgers import plan

from dialer_engine.core import seat as chair
from dialer_engine.core.preview import Preview
from dialer_engine.core.seat import SeatState
from dialer_engine.engine.pacers import _Team
from dialer_engine.engine.previews import Showing
from dialer_engine.engine.queues import QueueWatch
from dialer_engine.engine.sharing import Sharing

pytestmark = pytest.mark.unit


DUE, NONE_DUE = {"due": 1, "unfilled": 0}, {"due": 0, "unfilled": 0}


class Shared(Shop):
    """Two running campaigns, all agents with the first, whose passes find what `fill` says."""

    def __init__(self, directory: Path, agents: str = "alice") -> None:
        super().__init__(directory)
        self.sharing = Sharing(self.campaigns)
        self.apply(agents=agents)
        for name in BOTH:
            self.campaigns.start(name)
        for agent in agents.split():
            self.desk.on_duty(agent)
        self.queues = {"spring": NONE_DUE, "summer": DUE}

    def ask(self, name: str, now: float, *, found: bool = False) -> None:
        """A reservation of a campaign came back at a moment (monotonic seconds)."""
        self.campaigns.runners[name].asked(now, found=found)

    def dry(self, name: str, begin: int, end: int) -> None:
        """A campaign asks every second and gets nothing; each time is looked at."""
        for second in range(begin, end + 1):
            self.ask(name, second)
            self.look(second)

    def look(self, now: float) -> None:
        self.sharing.look(now, self.queues)


@pytest.fixture
async def shared(tmp_path: Path) -> Shared:
    return Shared(tmp_path)


async def test_a_ready_agent_leaves_a_campaign_without_contacts_for_one_with(shared: Shared) -> None:
    shared.dry("spring", 0, 29)
    assert shared.of("alice") == "spring"
    shared.dry("spring", 30, 30)
    assert shared.of("alice") == "summer"
    written = shared.desk.book.seats
    assert written == [("alice", "ready")] * 2, "in the report the wait goes on for the other one"


async def test_nobody_leaves_for_a_campaign_that_has_nobody_either(shared: Shared) -> None:
    shared.queues["summer"] = NONE_DUE
    shared.dry("spring", 0, 60)
    shared.queues["summer"] = {"due": 0, "unfilled": 3}
    shared.campaigns.halt("summer", "paused")
    shared.dry("spring", 61, 62)
    assert shared.of("alice") == "spring"
    shared.campaigns.start("summer")
    shared.dry("spring", 63, 63)
    assert shared.of("alice") == "summer"


@pytest.mark.parametrize("what", ["a contact", "a call", "no answer", "no trunk there", "not wanted"])
async def test_an_agent_stays(shared: Shared, what: str) -> None:
    if what == "not wanted":
        only = SUMMER.settings.model_copy(update={"agents": ["bob"]})
        shared.apply({"spring": SPRING, "summer": replace(SUMMER, settings=only)}, "alice")
    elif what == "a call":
        shared.desk.ring("x", "spring")
    elif what == "no trunk there":
        shared.trunks.lines["main"].active = 100
    shared.dry("spring", 0, 25)
    if what == "a contact":
        shared.ask("spring", 26, found=True)
    if what != "no answer":
        shared.dry("spring", 27, 45)
    shared.look(46)
    assert shared.of("alice") == "spring"


@pytest.mark.parametrize("state", ["paused", "in_call", "wrap"])
async def test_only_who_is_ready_leaves(shared: Shared, state: str) -> None:
    if state == "paused":
        shared.dispatcher.feed_seat("alice", chair.PauseKey(START))
    else:
        shared.desk.ring("x", "spring")
        shared.desk.answer("x")
        shared.desk.join("x")
        if state == "wrap":
            shared.desk.hang_up("x")
    shared.dry("spring", 0, 60)
    assert shared.of("alice") == "spring"


async def test_agents_come_back_by_the_same_rule_and_stay_as_long(shared: Shared) -> None:
    shared.dry("summer", 0, 5)
    shared.dry("spring", 0, 30)
    assert shared.of("alice") == "summer"
    shared.queues = {"spring": DUE, "summer": NONE_DUE}
    shared.dry("summer", 31, 59)
    assert shared.of("alice") == "summer", "it has had nothing for a minute, but she came 29 s ago"
    shared.dry("summer", 60, 60)
    assert shared.of("alice") == "spring"


async def test_agents_go_where_fewest_are(tmp_path: Path) -> None:
    shared = Shared(tmp_path, "alice bob carol dave")
    autumn = replace(plan("autumn", 3), campaign_id=2)
    shared.apply({**BOTH, "autumn": autumn}, "alice bob carol dave")
    shared.campaigns.start("autumn")
    shared.queues["autumn"] = DUE
    shared.dry("spring", 0, 30)
    assert [shared.of(agent) for agent in ("alice", "bob", "carol", "dave")] == ["autumn", "summer"] * 2


async def test_an_agent_who_comes_takes_who_waits(shared: Shared) -> None:
    shared.desk.ring("x", "summer")
    shared.desk.answer("x")
    shared.dry("spring", 0, 30)
    assert (shared.of("alice"), shared.desk.state("alice")) == ("summer", SeatState.RESERVED)


async def test_while_a_reservation_is_under_way_nobody_leaves(shared: Shared) -> None:
    runner = shared.campaigns.runners["spring"]
    await runner._pass()
    assert shared.around.asked
    begun = time.monotonic()
    assert runner.dry_for(begun + 3) > 0
    runner._empty_until, shared.around.takes_s = 0.0, 0.05
    asking = asyncio.create_task(runner._pass())
    await asyncio.sleep(0.01)
    assert len(shared.around.asked) == 2
    assert runner.dry_for(begun + 3) == 0
    await asking
    assert runner.dry_for(begun + 3) > 0


async def test_a_contact_on_show_is_something_to_dial(shared: Shared) -> None:
    shown = SPRING.settings.model_copy(update={"mode": "preview"})
    shared.apply({**BOTH, "spring": replace(SPRING, settings=shown)}, "alice")
    runner = shared.campaigns.runners["spring"]
    runner.previews.showings["alice"] = Showing("alice", SPRING, NOBODY, Preview("p", START, False), 0.0)
    shared.dry("spring", 0, 40)
    assert shared.of("alice") == "spring"


async def test_the_time_without_contacts_begins_when_the_last_call_is_over(shared: Shared) -> None:
    shared.desk.ring("x", "spring")
    shared.dry("spring", 0, 39)
    shared.desk.hang_up("x")
    shared.dry("spring", 40, 69)
    assert shared.of("alice") == "spring"
    shared.dry("spring", 70, 70)
    assert shared.of("alice") == "summer"


async def test_a_call_that_was_taken_over_meanwhile_keeps_the_agents(shared: Shared) -> None:
    shared.dry("spring", 0, 29)
    shared.ask("spring", 30)
    shared.desk.ring("x", "spring", node="other")
    shared.look(30)
    assert shared.of("alice") == "spring"


async def test_a_wait_that_goes_on_elsewhere_is_none_of_the_campaign_that_was_left(shared: Shared) -> None:
    seen: list[tuple[str, str | None]] = []

    class Pool:
        def __init__(self, name: str) -> None:
            self.name = name

        def observe(self, event: Any) -> None:
            seen.append((self.name, event.result))

    for name in BOTH:
        shared.pacers._teams[name] = _Team("power", pools={"main": cast("Any", Pool(name))})
    shared.dry("spring", 0, 30)
    assert seen == [("spring", "moved"), ("summer", "ready")]


async def test_the_agents_are_looked_at_whenever_the_queues_were_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []

    class Counted(QueueWatch):
        async def look(self) -> None:
            done.append("counted")
            if len(done) > 2:
                raise OSError("the database is away")

    async def no_pause(seconds: float) -> None:
        if len(done) > 3:
            raise EOFError

    monkeypatch.setattr(asyncio, "sleep", no_pause)
    watch = Counted(NOBODY, NOBODY, list)
    watch.on_counts = lambda: done.append("shared")
    with pytest.raises(EOFError):
        await watch.run()
    assert done == ["counted", "shared", "counted", "counted"]
