"""The simulated floor: same seed same day, same people for all, the ledger, the guard, the ring time."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest

from dialer_engine.core.ledger import AbandonLimit, allowed
from dialer_engine.core.pacing import MODES, Decision, Goals, PacingEvent
from dialer_engine.lab.pacing.floor import Floor
from dialer_engine.lab.pacing.policies import USUAL, make_policy
from dialer_engine.lab.pacing.policy import ModePolicy, Policy
from dialer_engine.lab.pacing.scenarios import SCENARIOS, scenario
from dialer_engine.lab.pacing.simulator import Simulator
from dialer_engine.lab.pacing.workload import HOUR_S, Break, Segment, Swings
from tests.unit.sim_support import Canceller, Greedy, logged, recount, short_day

pytestmark = pytest.mark.unit

LIMIT = AbandonLimit(Fraction(3, 100), "days")
RESULTS = {"bridged", "abandoned", "no_answer", "busy", "cancelled"}


@pytest.mark.parametrize("policy", [*MODES, "vicidial-hard", "issabel-over", "oracle", "clairvoyant"])
def test_the_same_seed_gives_the_same_day(policy: str) -> None:
    work = short_day(hours=0.2)
    first, log = logged(policy, work, seed=7)
    second, again = logged(policy, work, seed=7)
    assert (first.tally, log) == (second.tally, again)
    assert logged(policy, work, seed=8)[1] != log


def times(log: list[PacingEvent]) -> dict[str, dict[str, float]]:
    """When each call was placed, rang, was answered, bridged and ended."""
    found: dict[str, dict[str, float]] = {}
    for event in log:
        if event.call:
            found.setdefault(event.call, {})[event.kind] = event.at
    return found


def test_every_policy_meets_the_same_people() -> None:
    work = short_day(10)
    one, other = (times(logged(policy, work)[1]) for policy in ("progressive", "ratio-2"))
    both = one.keys() & other.keys()
    assert len(both) > 100
    compared = 0
    for call in both:
        for begins, ends in (("placed", "ringing"), ("ringing", "answered"), ("bridged", "ended")):
            if {begins, ends} <= one[call].keys() & other[call].keys():
                gap = one[call][ends] - one[call][begins]
                assert gap == pytest.approx(other[call][ends] - other[call][begins])
                compared += 1
    assert compared > 200


def test_breaks_are_due_at_the_same_times_for_every_policy() -> None:
    work = short_day(breaks=(Break(0.5 * HOUR_S, 300.0, 300.0),))
    for policy in ("progressive", "oracle"):
        simulator, log = logged(policy, work)
        paused = [event for event in log if event.result == "paused"]
        assert len(paused) == work.agents
        assert not any(agent.breaks for agent in simulator.floor.agents)
        assert all(1200 <= event.at <= 2100 + 1800 for event in paused)


def test_calls_and_agents_live_as_they_should() -> None:
    follows = {
        "placed": {"ringing", "ended"},
        "ringing": {"answered", "ended"},
        "answered": {"bridged", "ended"},
        "bridged": {"ended"},
    }
    simulator, log = logged("ratio-3", short_day(5))
    lives: dict[str, list[PacingEvent]] = {}
    for event in log:
        if event.call:
            lives.setdefault(event.call, []).append(event)
    for life in lives.values():
        assert life[0].kind == "placed"
        assert life[-1].kind == "ended"
        assert life[-1].result in RESULTS
        assert all(after.kind in follows[before.kind] for before, after in pairwise(life))
        if life[-1].result == "abandoned":
            assert life[-1].at - life[-2].at <= 2.0 + 1e-6
    assert not simulator.floor.calls
    assert simulator.floor.in_flight == 0
    day = simulator.tally.days[0]
    assert day.attempts == len(lives)
    assert day.answers == sum(any(e.kind == "answered" for e in life) for life in lives.values())
    assert day.abandoned == sum(life[-1].result == "abandoned" for life in lives.values())
    assert sum(slot.answers for slot in day.slots) == day.answers


def test_no_agent_has_two_calls_and_time_adds_up() -> None:
    work = short_day(4)
    simulator, log = logged("power", work)
    talking: dict[str, str] = {}
    for event in log:
        if event.kind == "bridged":
            assert event.agent not in talking
            talking[event.agent or ""] = event.call or ""
        elif event.kind == "ended" and event.result == "bridged":
            talking = {agent: call for agent, call in talking.items() if call != event.call}
    arrived = [event.at for event in log if event.kind == "agent" and event.result == "ready"][: work.agents]
    day = simulator.tally.days[0]
    assert day.staffed_s == pytest.approx(sum(work.shift_s - at for at in arrived), rel=1e-6)
    assert sum(slot.staffed_s for slot in day.slots) == pytest.approx(day.staffed_s)
    assert sum(slot.talk_s for slot in day.slots) == pytest.approx(day.talk_s)


class Recounting:
    """A policy that compares the floor with a slow recount of its log, now and then."""

    def __init__(self, inner: Policy, log: list[PacingEvent]) -> None:
        self.inner, self.log, self.compared = inner, log, 0
        self.guarded, self.eager, self.hears = inner.guarded, inner.eager, inner.hears
        self.interval, self.looks = inner.interval, inner.looks

    def observe(self, event: PacingEvent) -> None:
        """Pass it on."""
        self.inner.observe(event)

    def decide(self, floor: Floor) -> Decision:
        """Compare before deciding."""
        if self.log and len(self.log) % 61 == 0:
            _, live, abandoned, flying, ready = list(recount(self.log))[-1]
            assert (floor.ledger.live, floor.ledger.abandoned) == (live, abandoned)
            assert floor.ledger.left == allowed(LIMIT, live) - abandoned
            assert (floor.in_flight, len(floor.ready)) == (flying, ready)
            self.compared += 1
        return self.inner.decide(floor)


@pytest.mark.parametrize("name", ["power", "predictive", "ratio-4"])
def test_the_ledger_agrees_with_a_slow_recount(name: str) -> None:
    log: list[PacingEvent] = []
    policy = Recounting(make_policy(name), log)
    simulator = Simulator(short_day(5, 0.4, hours=0.25), policy, log=log)
    simulator.run(2)
    assert policy.compared > 5
    assert simulator.floor.ledger.live > 20


def test_the_ledger_goes_on_over_the_days() -> None:
    simulator, log = logged("ratio-3", short_day(), days=3)
    days = simulator.tally.days
    assert len(days) == 3
    assert simulator.floor.ledger.abandoned == sum(day.abandoned for day in days)
    assert simulator.floor.ledger.live == sum(day.answers for day in days)
    assert {int(event.at // 86400) for event in log} == {0, 1, 2}


@pytest.mark.parametrize("rate", [0.1, 0.6])
def test_the_guard_holds_whatever_a_mode_wants(rate: float) -> None:
    _, log = logged(Greedy(), short_day(5, rate, hours=2.0), days=2)
    abandoned = 0
    for event, live, lost, flying, ready in recount(log):
        if event.kind == "placed":
            assert flying <= max(0, allowed(LIMIT, live) - lost) + ready
        assert lost <= allowed(LIMIT, live)
        abandoned = lost
    assert abandoned >= 2


def test_what_a_mode_proves_covered_is_let_through() -> None:
    _, log = logged(Greedy(covers=20), short_day(5, hours=0.2))
    assert max(flying for *_, flying, _ in recount(log)) == 22


def rang_before_cancel(log: list[PacingEvent]) -> list[float]:
    """How long each cancelled call rang."""
    when = times(log)
    ends = [event for event in log if event.result == "cancelled"]
    return [event.at - when[event.call or ""].get("ringing", event.at) for event in ends]


def test_calls_ring_fifteen_seconds_before_they_are_cancelled() -> None:
    simulator, log = logged(Canceller(), short_day())
    rang = rang_before_cancel(log)
    assert len(rang) > 20
    assert min(rang) >= 15.0 - 1e-6
    assert simulator.tally.days[0].refused > 100
    assert simulator.tally.days[0].cancelled == len(rang)
    assert simulator.tally.days[0].rung_short == 0


def test_whoever_may_cancel_early_does() -> None:
    simulator, log = logged(Canceller(), short_day(hours=0.2), cancel_early=True)
    rang = rang_before_cancel(log)
    assert max(rang) < 15.0
    assert simulator.tally.days[0].rung_short == len(rang) > 0


class Watching(ModePolicy):
    """Progressive, keeping what it was shown."""

    def __init__(self) -> None:
        super().__init__("progressive", 2.0, Goals(), False)
        self.seen: list[tuple[float, int, int, int | None]] = []
        self.segments: set[str] = set()

    def decide(self, floor: Floor) -> Decision:
        shown = self.snapshot(floor)
        assert {view.id for view in shown.calls} == floor.calls.keys()
        for view in shown.calls:
            call = floor.calls[view.id]
            assert view.state == call.state
            if view.state == "ringing":
                assert view.rang == pytest.approx(shown.now - view.since)
                assert view.placed <= view.since <= shown.now
        self.seen.append((shown.now, len(shown.agents), len(shown.calls), shown.budget))
        self.segments.add(shown.segments[0])
        return super().decide(floor)


def test_a_decision_every_second_at_least_and_once_per_moment() -> None:
    policy = Watching()
    simulator, _ = logged(policy, short_day(hours=0.3))
    moments = [now for now, *_ in policy.seen]
    within = [now for now in moments if now < simulator.floor.closes]
    assert all(0 < later - sooner <= 1.0 + 1e-9 for sooner, later in pairwise(within))


def test_settling_keeps_decisions_apart() -> None:
    policy = Watching()
    logged(policy, short_day(10, hours=0.3), settle_s=0.4)
    moments = [now for now, *_ in policy.seen]
    assert all(later - sooner >= 0.4 - 1e-9 for sooner, later in pairwise(moments))


def test_segments_are_told_and_answer_by_their_factor() -> None:
    segments = (Segment("warm", 0.5, 1.6), Segment("cold", 0.5, 0.4))
    policy = Watching()
    _, log = logged(policy, short_day(10, hours=2.0, segments=segments))
    assert policy.segments == {"warm", "cold"}
    placed = {event.call: event.segments[0] for event in log if event.kind == "placed"}
    shares = {}
    for name in ("warm", "cold"):
        calls = [call for call, segment in placed.items() if segment == name]
        answered = {event.call for event in log if event.kind == "answered" and event.segments[0] == name}
        assert answered <= set(calls)
        shares[name] = len(answered) / len(calls)
    assert shares["warm"] > 2 * shares["cold"] > 0


def test_every_scenario_runs() -> None:
    for name in SCENARIOS:
        work = replace(scenario(name, 4, 0.25), shift_s=3.2 * HOUR_S)
        day = logged("ratio-1", work)[0].tally.days[0]
        assert day.answers > 30
        assert (day.machine_s > 0) == (name in ("machines", "sorted"))


def test_half_of_the_agents_leave_at_once() -> None:
    _, log = logged("progressive", short_day(6, hours=1.0, half_leave_s=1800.0))
    left = [event for event in log if event.result == "off" and event.at < 3600]
    assert {event.agent for event in left} == {"a0", "a1", "a2"}
    after = [event for event in log if event.kind == "bridged" and event.at > max(e.at for e in left)]
    assert after
    assert {event.agent for event in after} <= {"a3", "a4", "a5"}


def test_the_answer_rate_can_move_and_a_shorter_ring_loses_people() -> None:
    swings = Swings((0.0, 1.0), 1800.0)
    assert [swings(second) for second in (0, 1799, 1800, 3600)] == [0.0, 0.0, 1.0, 0.0]
    _, log = logged("progressive", short_day(5, rate_factor=swings))
    answered = [event.at for event in log if event.kind == "answered"]
    assert answered
    assert min(answered) >= 1800
    shares = []
    for timeout in (25.0, 10.0):
        day = logged("progressive", short_day(5, ring_timeout_s=timeout))[0].tally.days[0]
        shares.append(day.answers / day.attempts)
    assert shares[1] < 0.8 * shares[0]


def test_machines_take_agents_time_but_are_no_live_answers() -> None:
    simulator, _ = logged("progressive", short_day(5, machine_share=0.8))
    day = simulator.tally.days[0]
    assert day.machines > 20
    assert day.bridged == day.machines + day.answers
    assert simulator.floor.ledger.live == day.answers


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="rate-swings"):
        scenario("rainy", 1, 0.1)
    with pytest.raises(ValueError, match=r"vicidial-hard.*oracle"):
        make_policy("vicidial")
    assert make_policy("power-2.5", USUAL).guarded
    assert not make_policy("ratio-2").guarded
