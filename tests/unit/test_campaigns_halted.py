"""Lines of a campaign that does not run: when their agents leave they are ended, as those of a running one."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from campaigns_support import SPRING, SUMMER, Shop, named
from dispatch_support import at, reservation

from dialer_engine.core import attempt as life
from dialer_engine.core import seat as chair
from dialer_engine.core.attempt import Attempt
from dialer_engine.engine import runner
from dialer_engine.engine.call import Call
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.tasks import Tasks

pytestmark = pytest.mark.unit


class Hall(Shop):
    """A shop in which what winds up a campaign really runs; passes of running ones do not."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.winding_up = Tasks()

    def rings(self, *attempt_ids: str, campaign: str = "spring", for_s: float = 3.0) -> None:
        """Lines that have rung for so many seconds; the law's first calls allow two more than there are agents."""
        for attempt_id in attempt_ids:
            self.dispatcher.adopt(Call(reservation(attempt_id), campaign, Attempt(attempt_id), utc_now()))
            began = utc_now() - timedelta(seconds=for_s)
            self.dispatcher.feed(attempt_id, life.Sent(began, 22))
            self.dispatcher.feed(attempt_id, life.Ringing(began))

    def started(self, *agents: str) -> None:
        """Spring runs with agents who are ready."""
        self.apply(agents=" ".join(agents))
        self.campaigns.start("spring")
        for agent in agents:
            self.desk.on_duty(agent)
        self.campaigns.tasks = self.winding_up

    def leaves(self, agent: str) -> None:
        self.dispatcher.feed_seat(agent, chair.LegDown(at(30)))

    async def ended(self) -> list[str]:
        """Which lines were hung up by now."""
        await asyncio.sleep(0.1)
        return [asked[1] for asked in self.desk.book.asked if asked[0] == "hang_up"]


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    made = Hall(tmp_path)
    yield made
    await made.winding_up.close()


async def test_a_paused_campaigns_surplus_is_ended_at_once_when_an_agent_leaves(hall: Hall) -> None:
    hall.started("alice")
    hall.rings("x", "y", "z")
    hall.campaigns.halt("spring", "paused")
    assert await hall.ended() == [], "one agent, and the law leaves two"
    hall.leaves("alice")
    assert len(await hall.ended()) == 1


async def test_so_is_that_of_one_that_was_paused_and_is_stopped(hall: Hall) -> None:
    hall.started("alice")
    hall.rings("x", "y", "z")
    hall.campaigns.halt("spring", "paused")
    hall.campaigns.halt("spring", "stopped")
    assert len(hall.winding_up) == 1
    hall.leaves("alice")
    assert len(await hall.ended()) == 1


@pytest.mark.parametrize("left", ["summer", "spring-2"])
@pytest.mark.parametrize("when", ["while it runs", "while it is paused"])
async def test_so_is_that_of_one_that_a_reload_removes_or_renames(hall: Hall, left: str, when: str) -> None:
    hall.started("alice")
    hall.rings("x", "y", "z")
    if when != "while it runs":
        hall.campaigns.halt("spring", "paused")
    hall.apply({left: SUMMER if left == "summer" else replace(SPRING, settings=named(SPRING, left))}, "alice")
    assert await hall.ended() == []
    hall.leaves("alice")
    assert len(await hall.ended()) == 1


async def test_a_reload_gives_a_paused_campaigns_lines_the_newest_settings(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "SAFETY_NET_S", 0.02)
    hall.started("alice")
    hall.rings("x", "y")
    hall.campaigns.halt("spring", "paused")
    hall.leaves("alice")
    assert await hall.ended() == []
    early = SPRING.settings.model_copy(update={"cancel_before_15s": True})
    hall.apply({"spring": replace(SPRING, settings=early), "summer": SUMMER}, "alice")
    assert sorted(await hall.ended()) == ["x", "y"]


async def test_a_line_without_an_agent_is_ended_when_it_rang_long_enough_though_nothing_happens(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "SAFETY_NET_S", 0.02)
    hall.started("alice")
    hall.rings("x", for_s=14.6)
    hall.rings("y")
    hall.campaigns.halt("spring", "paused")
    hall.leaves("alice")
    assert await hall.ended() == []
    await asyncio.sleep(0.5)
    assert await hall.ended() == ["x"]


async def test_a_campaign_that_starts_again_decides_for_itself(hall: Hall) -> None:
    hall.started("alice")
    hall.rings("x", "y", "z")
    hall.campaigns.halt("spring", "paused")
    await hall.ended()
    assert len(hall.winding_up) == 1
    hall.campaigns.tasks = hall.tasks
    hall.campaigns.start("spring")
    hall.leaves("alice")
    assert await hall.ended() == []
    assert len(hall.winding_up) == 0


async def test_nothing_runs_on_for_a_campaign_without_lines(hall: Hall) -> None:
    hall.started("alice")
    hall.campaigns.halt("spring", "paused")
    await hall.ended()
    assert len(hall.winding_up) == 0
    hall.rings("x")
    hall.campaigns.halt("spring", "stopped")
    await hall.ended()
    assert len(hall.winding_up) == 1
    hall.dispatcher.feed("x", life.Gone(utc_now(), 17))
    await hall.ended()
    assert len(hall.winding_up) == 0


@pytest.mark.parametrize("state", ["paused", "stopped", "running", "autostart"])
async def test_lines_that_are_taken_over_of_a_campaign_that_is_not_to_run_are_looked_at(
    hall: Hall, state: str
) -> None:
    hall.campaigns.tasks = hall.winding_up
    soon = state in ("running", "autostart")
    hall.campaigns.states["spring"] = "draft" if state == "autostart" else state
    by_itself = SPRING.settings.model_copy(update={"autostart": state == "autostart"})
    hall.apply({"spring": replace(SPRING, settings=by_itself), "summer": SUMMER}, "alice")
    hall.desk.on_duty("alice")
    with hall.campaigns.adopting("main"):
        hall.rings("x", "y", "z")
    assert await hall.ended() == []
    hall.leaves("alice")
    assert len(await hall.ended()) == (not soon), "who is resumed soon decides then"
    if soon:
        hall.campaigns.halt("spring", "paused", "the database went back")
        assert len(await hall.ended()) == 1


async def test_lines_of_a_campaign_without_a_file_ring_on(hall: Hall) -> None:
    hall.campaigns.tasks = hall.winding_up
    hall.apply({"summer": SUMMER}, "alice")
    with hall.campaigns.adopting("main"):
        hall.rings("x", "y", "z")
    assert (await hall.ended(), len(hall.winding_up)) == ([], 0)
