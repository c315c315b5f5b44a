"""Which agent works for which campaign: through reloads, takeovers, and when a campaign has nothing to dial."""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from dispatch_support import START, at, reservation
from test_ledgers import Desk, plan
from test_runner import List, Node

from dialer_engine.core import attempt as life
from dialer_engine.core import seat as chair
from dialer_engine.core.attempt import Attempt, Phase
from dialer_engine.core.pacing import make_pacer
from dialer_engine.core.pacing.learning import Learning
from dialer_engine.core.preview import Preview
from dialer_engine.core.seat import SeatState
from dialer_engine.engine.call import Call
from dialer_engine.engine.campaigns import Campaigns
from dialer_engine.engine.pacers import Pacers, _Team
from dialer_engine.engine.plan import CampaignPlan
from dialer_engine.engine.previews import Previews, Showing
from dialer_engine.engine.queues import QueueWatch
from dialer_engine.engine.runner import Runner
from dialer_engine.engine.sharing import Sharing
from dialer_engine.engine.tasks import Tasks
from dialer_engine.engine.trunks import Trunks
from dialer_engine.settings.models import Trunk

pytestmark = pytest.mark.unit

SPRING, SUMMER = plan("spring", 1), plan("summer", 2)
BOTH = {"spring": SPRING, "summer": SUMMER}
NODES = {"main": Node(), "other": Node("other")}
NOBODY: Any = None


class Still(Tasks):
    """Begins nothing: the test makes the passes."""

    def spawn(self, doing: Coroutine[Any, Any, Any], what: str) -> Any:
        doing.close()
        return asyncio.get_running_loop().create_future()


class Shop:
    """Campaigns with their real runners, whose passes the test makes, and agents who work for all of them."""

    def __init__(self, directory: Path) -> None:
        self.desk, self.around, self.tasks = Desk(), List(directory), Still()
        self.dispatcher = self.desk.dispatcher
        self.trunks = Trunks({"main": Trunk(host="127.0.0.1", calls_per_second=500, max_channels=100)})
        self.previews = Previews(
            *(self.dispatcher, NOBODY, self.tasks, NOBODY, "main", NOBODY, NOBODY, NOBODY, NOBODY, NOBODY),
            NOBODY,
        )
        self.pacers = Pacers(self.desk.ledgers, NOBODY)
        self.campaigns = Campaigns(self.dispatcher, self.tasks, self._runner)
        self.dispatcher.on_seat = self.dispatcher.on_move = self.pacers.seat_stepped
        self.dispatcher.on_change = self.campaigns.changed
        self.dispatcher.on_finished = lambda call: self.campaigns.finished(call.campaign)
        self.dispatcher.lend = self.campaigns.lend

    def _runner(self, of: CampaignPlan) -> Runner:
        desk = self.desk
        return Runner(
            *(
                of,
                self.dispatcher,
                self.trunks,
                self.around,
                NODES,
                1,
                desk.ledgers,
                self.pacers,
                self.previews,
            )
        )

    def apply(self, plans: dict[str, CampaignPlan] | None = None, agents: str = "alice bob") -> None:
        self.campaigns.apply(BOTH if plans is None else plans, dict.fromkeys(agents.split()))

    def of(self, agent: str) -> str | None:
        return self.dispatcher.campaign_of(agent)

    def talk(self, attempt_id: str, campaign: str) -> str:
        """The longest ready agent of a campaign gets a customer; returns who that is."""
        self.desk.ring(attempt_id, campaign)
        self.desk.answer(attempt_id)
        self.desk.join(attempt_id)
        return self.dispatcher.calls[attempt_id].attempt.agent or ""

    def left(self, attempt_id: str, campaign: str, agent: str, node: str = "main") -> Call:
        """A talk that an earlier engine left with an agent, who is not in it yet."""
        talk = Attempt(
            attempt_id, Phase.BRIDGED, originated_at=at(1), answered_at=at(2), joined_at=at(3), agent=agent
        )
        call = Call(reservation(attempt_id, node=node), campaign, talk, START)
        self.dispatcher.adopt(call)
        return call

    def learns(self, campaign: str) -> Learning:
        """What the pacing of a campaign learns from now on."""
        team = self.pacers._teams[campaign] = _Team("predictive")
        team.pools["main"] = make_pacer("predictive", team.lessons)
        return team.lessons.learning


@pytest.fixture
async def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


# --- a reload ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("left", ["summer", "spring-2"])
async def test_a_campaign_that_a_reload_removes_or_renames_keeps_its_agents_while_its_lines_ring(
    shop: Shop, left: str
) -> None:
    shop.apply()
    shop.campaigns.start("spring")
    shop.desk.on_duty("alice")
    shop.desk.ring("x", "spring")
    other = SUMMER if left == "summer" else replace(SPRING, settings=_named(SPRING, left))
    shop.apply({left: other})
    shop.desk.answer("x")
    assert (shop.desk.state("alice"), shop.of("alice")) == (SeatState.RESERVED, "spring")
    shop.desk.join("x")
    assert shop.of("alice") == "spring", "if the phone dies now another agent goes on"
    shop.desk.hang_up("x")
    assert (shop.of("alice"), shop.of("bob")) == (left, left)


async def test_a_campaign_that_a_reload_removes_has_no_agents_when_nothing_of_it_is_up(shop: Shop) -> None:
    shop.apply()
    shop.campaigns.start("spring")
    shop.apply({"summer": SUMMER})
    assert shop.of("alice") == "summer"


@pytest.mark.parametrize("how", ["removed", "paused"])
async def test_a_talk_keeps_only_its_own_agent_when_its_campaign_ends(shop: Shop, how: str) -> None:
    shop.apply()
    shop.campaigns.start("spring")
    shop.campaigns.start("summer")
    for agent in ("alice", "bob"):
        shop.desk.on_duty(agent)
    assert shop.talk("x", "spring") == "alice"
    shop.desk.ring("y", "spring")
    if how == "removed":
        shop.apply({"summer": SUMMER})
    else:
        shop.campaigns.halt("spring", "paused")
    assert (shop.of("alice"), shop.of("bob")) == ("spring", "spring"), "bob for who answers"
    shop.desk.hang_up("y")
    assert (shop.of("alice"), shop.of("bob")) == ("spring", "summer")
    shop.desk.hang_up("x")
    assert (shop.of("alice"), shop.desk.state("alice")) == ("summer", SeatState.WRAP)


async def test_the_last_line_that_is_joined_frees_who_is_ready(shop: Shop) -> None:
    shop.apply()
    shop.campaigns.start("spring")
    shop.campaigns.start("summer")
    for agent in ("alice", "bob"):
        shop.desk.on_duty(agent)
    shop.desk.ring("x", "spring")
    shop.campaigns.halt("spring", "paused")
    shop.desk.answer("x")
    assert shop.of("bob") == "spring", "the join may fail"
    shop.desk.join("x")
    assert (shop.of("alice"), shop.of("bob")) == ("spring", "summer")


async def test_who_talks_for_a_campaign_that_starts_again_stays_with_it(shop: Shop) -> None:
    shop.apply(agents="alice")
    shop.campaigns.start("spring")
    shop.campaigns.start("summer")
    shop.desk.on_duty("alice")
    shop.talk("x", "spring")
    shop.campaigns.halt("spring", "paused")
    shop.campaigns.start("spring")
    shop.desk.hang_up("x")
    assert shop.of("alice") == "spring"


@pytest.mark.parametrize("how", ["removed", "paused", "not wanted"])
async def test_a_customer_of_a_halted_campaign_whose_agent_is_lost_gets_one_of_another(
    shop: Shop, how: str
) -> None:
    only = SPRING.settings.model_copy(update={"agents": ["alice"]})
    spring = replace(SPRING, settings=only) if how == "not wanted" else SPRING
    shop.apply({"spring": spring, "summer": SUMMER})
    shop.campaigns.start("spring")
    shop.campaigns.start("summer")
    shop.desk.on_duty("alice")
    shop.desk.ring("x", "spring")
    shop.dispatcher.calls["x"].plan = spring
    shop.desk.answer("x")
    shop.desk.join("x")
    shop.desk.on_duty("bob")
    if how == "removed":
        shop.apply({"summer": SUMMER})
    else:
        shop.campaigns.halt("spring", "paused")
    assert shop.of("bob") == "summer"
    shop.dispatcher.feed_seat("alice", chair.LegDown(at(30), vanished=True))
    if how == "not wanted":
        assert (shop.of("bob"), ("drop", "x") in shop.desk.book.asked) == ("summer", True)
        return
    assert (shop.of("bob"), shop.desk.state("bob")) == ("spring", SeatState.RESERVED)
    shop.dispatcher.feed("x", life.Joined(at(31)))
    shop.desk.hang_up("x")
    assert (shop.of("bob"), shop.desk.state("bob")) == ("summer", SeatState.WRAP)


@pytest.mark.parametrize("how", ["ready", "with a line of their own that rings"])
async def test_who_answers_a_halted_campaign_whose_agent_left_gets_one_of_another(
    shop: Shop, how: str
) -> None:
    """And of those not one whose own campaign has a line that may be answered, while there is somebody else."""
    shop.apply(agents="alice bob carl")
    third = replace(plan("autumn", 3), settings=_named(SPRING, "autumn"))
    shop.apply({**BOTH, "autumn": third}, "alice bob carl")
    for name in ("spring", "summer", "autumn"):
        shop.campaigns.start(name)
    shop.campaigns.move({"bob": "summer", "carl": "autumn"})
    for agent in ("alice", "bob", "carl"):
        shop.desk.on_duty(agent)
    shop.desk.ring("x", "spring")
    if how != "ready":
        shop.desk.ring("y", "summer")
    shop.campaigns.halt("spring", "paused")
    assert shop.of("alice") == "spring"
    shop.dispatcher.feed_seat("alice", chair.LegDown(at(3)))
    shop.desk.answer("x")
    assert ("drop", "x") not in shop.desk.book.asked
    assert shop.dispatcher.calls["x"].attempt.agent == ("bob" if how == "ready" else "carl")


async def test_a_running_campaign_takes_no_agent_of_another_for_who_is_alone(shop: Shop) -> None:
    shop.apply(agents="alice")
    shop.campaigns.start("spring")
    shop.campaigns.start("summer")
    shop.desk.on_duty("alice")
    shop.talk("x", "spring")
    shop.apply(agents="alice bob")
    shop.campaigns.move({"bob": "summer"})
    shop.desk.on_duty("bob")
    shop.dispatcher.feed_seat("alice", chair.LegDown(at(30), vanished=True))
    assert (shop.of("bob"), shop.desk.state("bob")) == ("summer", SeatState.READY)


async def test_no_wrap_up_is_learned_of_who_was_given_another_campaign_in_it(shop: Shop) -> None:
    learned = shop.learns("spring")
    shop.apply(agents="alice")
    shop.campaigns.start("spring")
    shop.campaigns.start("summer")
    shop.desk.on_duty("alice")
    shop.talk("x", "spring")
    shop.campaigns.halt("spring", "paused")
    shop.desk.hang_up("x")
    assert (shop.of("alice"), shop.desk.state("alice")) == ("summer", SeatState.WRAP)
    shop.dispatcher.feed_seat("alice", chair.WrapOver(at(90), "x"))
    shop.campaigns.start("spring")
    shop.campaigns.move({"alice": "spring"})
    assert (learned.talks.seen, learned.wraps.seen) == (1, 0)
    shop.talk("y", "spring")
    shop.desk.hang_up("y")
    shop.dispatcher.feed_seat("alice", chair.WrapOver(at(190), "y"))
    assert (learned.talks.seen, learned.wraps.seen) == (2, 1)


async def test_no_talk_is_learned_of_who_is_gone_from_the_settings(shop: Shop) -> None:
    learned = shop.learns("spring")
    shop.apply(agents="alice")
    shop.campaigns.start("spring")
    shop.desk.on_duty("alice")
    shop.talk("x", "spring")
    shop.apply(agents="")
    shop.desk.hang_up("x")
    shop.dispatcher.feed_seat("alice", chair.WrapOver(at(90), "x"))
    shop.apply(agents="alice")
    assert (shop.of("alice"), learned.wraps.seen) == ("spring", 0)


def _named(of: CampaignPlan, name: str) -> Any:
    return of.settings.model_copy(update={"name": name})


# --- a takeover ----------------------------------------------------------------------------------------


async def test_adopted_lines_have_agents_before_their_campaign_runs_again(shop: Shop) -> None:
    shop.apply()
    shop.desk.on_duty("alice")
    shop.desk.ring("x", "summer")
    shop.campaigns.adopted("main")
    shop.desk.answer("x")
    assert (shop.desk.state("alice"), shop.of("alice")) == (SeatState.RESERVED, "summer")


async def test_a_customer_whose_agent_is_gone_gets_one_who_is_ready(shop: Shop) -> None:
    shop.apply(agents="ana bob")
    for agent in ("ana", "bob"):
        shop.desk.on_duty(agent)
    assert shop.of("bob") == "spring", "nobody knows better yet"
    shop.dispatcher.reseat(shop.left("a", "spring", "ana"), "ana")
    shop.left("b", "summer", "carl")
    shop.campaigns.adopted("main")
    assert (shop.of("ana"), shop.of("bob")) == ("spring", "summer")
    shop.dispatcher.left_alone("b", at(10), vanished=True)
    assert (shop.desk.state("bob"), shop.dispatcher.calls["b"].attempt.agent) == (SeatState.RESERVED, "bob")
    shop.campaigns.start("summer")
    assert shop.of("ana") == "spring", "hers starts later"


async def test_who_has_another_customer_by_now_leaves_the_first_one_alone(shop: Shop) -> None:
    shop.apply(agents="ana bob")
    for agent in ("ana", "bob"):
        shop.desk.on_duty(agent)
    shop.dispatcher.reseat(shop.left("a", "spring", "ana"), "ana")
    shop.left("b", "summer", "ana")
    shop.campaigns.adopted("main")
    assert (shop.of("ana"), shop.of("bob")) == ("spring", "summer")


async def test_a_talk_that_is_taken_over_is_its_own_campaigns_from_the_first(shop: Shop) -> None:
    told: list[tuple[str, str | None]] = []
    written: list[tuple[str, str | None]] = []
    shop.dispatcher.on_seat = lambda seat, campaign: told.append((seat.state.value, campaign))
    shop.desk.book.seat_state = (  # type: ignore[method-assign]
        lambda seat, campaign, moment: written.append((seat.state.value, campaign))
    )
    shop.apply(agents="ana")
    shop.desk.on_duty("ana")
    shop.dispatcher.reseat(shop.left("a", "summer", "ana"), "ana")
    assert told == written == [("ready", "spring"), ("reserved", "summer"), ("in_call", "summer")]


async def test_calls_that_end_in_a_takeover_move_nobody_before_all_are_known(shop: Shop) -> None:
    shop.apply(agents="ana")
    shop.desk.on_duty("ana")
    with shop.campaigns.adopting("main"):
        shop.desk.ring("x", "summer")
        shop.desk.ring("y", "autumn")
        shop.desk.hang_up("y")
        assert shop.of("ana") == "spring"
    assert shop.of("ana") == "summer"


async def test_lines_keep_their_agents_when_campaigns_start_one_after_the_other(shop: Shop) -> None:
    shop.apply()
    for agent in ("alice", "bob"):
        shop.desk.on_duty(agent)
    for name in ("summer", "spring"):
        shop.desk.ring(f"{name}-x", name)
    shop.campaigns.adopted("main")
    shop.campaigns.start("spring")
    shop.campaigns.start("summer")
    shop.desk.answer("summer-x")
    shop.desk.answer("spring-x")
    assert shop.desk.state("alice") is shop.desk.state("bob") is SeatState.RESERVED
    assert {shop.of("alice"), shop.of("bob")} == {"spring", "summer"}


async def test_agents_of_a_node_that_comes_late_go_on_with_its_lines(shop: Shop) -> None:
    """The others work already; on the late node nobody was dialed yet for the campaign its agents were given."""
    shop.apply()
    shop.desk.on_duty("alice")
    shop.campaigns.start("spring")
    shop.campaigns.start("summer")
    shop.desk.on_duty("bob", node="other")
    shop.desk.ring("x", "summer", node="other")
    shop.campaigns.adopted("other")
    assert (shop.of("alice"), shop.of("bob")) == ("spring", "summer")


async def test_who_has_no_campaign_goes_to_lines_without_an_agent_then_to_what_runs(shop: Shop) -> None:
    shop.apply(agents="alice bob")
    shop.campaigns.start("summer")
    assert (shop.of("alice"), shop.of("bob")) == ("summer", "summer")
    shop.desk.ring("x", "spring")
    shop.desk.on_duty("carol")
    shop.desk.on_duty("dave")
    shop.apply(agents="alice bob carol dave")
    assert (shop.of("carol"), shop.of("dave")) == ("spring", "summer")


async def test_a_ready_agent_who_is_given_a_campaign_takes_who_waits_there(shop: Shop) -> None:
    shop.apply(agents="")
    shop.desk.on_duty("alice")
    shop.desk.ring("x", "summer")
    shop.desk.answer("x")
    assert shop.desk.state("alice") is SeatState.READY
    shop.apply(agents="alice")
    assert shop.desk.state("alice") is SeatState.RESERVED
    assert shop.desk.dispatcher.calls["x"].attempt.agent == "alice"


# --- a campaign that has nothing to dial ---------------------------------------------------------------

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
