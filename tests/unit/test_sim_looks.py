"""Agents of the simulator who look at each contact before they dial it (mode preview)."""

from dataclasses import replace

import pytest

from dialer_engine.core.pacing.measured import ENOUGH_LOOKS, measure_looks
from dialer_engine.lab.pacing.plan import with_looks, workload
from dialer_engine.lab.pacing.tally import Day
from dialer_engine.lab.pacing.workload import BREAKS, HOUR_S, LOOK_S, Workload
from tests.unit.sim_support import logged, short_day

pytestmark = pytest.mark.unit


def day(work: Workload, mode: str = "preview") -> Day:
    """One day of a mode."""
    simulator, _ = logged(mode, work)
    return simulator.tally.days[0]


def test_looking_takes_its_time_of_every_attempt() -> None:
    """Each attempt costs the look more: attempts an hour follow from those of agents who look at nothing."""
    work = short_day(5, hours=4.0, look_cv=0.05)
    glance, look = day(replace(work, look_mean_s=0.0)), day(replace(work, look_mean_s=20.0))
    free = glance.staffed_s / glance.attempts
    assert look.staffed_s / look.attempts == pytest.approx(free + 20.0, rel=0.05)
    assert glance.attempts == pytest.approx(day(work, "progressive").attempts, rel=0.03)
    assert look.talk_s / look.staffed_s < glance.talk_s / glance.staffed_s
    assert look.abandoned == 0


def test_who_is_skipped_is_looked_at_and_not_called() -> None:
    work = short_day(5, hours=4.0, skip_share=0.4)
    some, all_called = day(work), day(replace(work, skip_share=0.0))
    assert some.skipped / (some.skipped + some.attempts) == pytest.approx(0.4, abs=0.05)
    assert all_called.skipped == 0
    assert some.attempts < all_called.attempts


def test_whoever_answers_gets_the_agent_who_dialed_and_nobody_is_called_for_an_agent_on_a_break() -> None:
    simulator, log = logged("preview", replace(short_day(4, hours=8.0), breaks=BREAKS))
    states: dict[str, str] = {}
    reserved = 0
    for event in log:
        if event.kind == "agent" and event.agent is not None:
            if event.result == "in_call":
                assert states[event.agent] == "reserved"
            reserved += event.result == "reserved"
            states[event.agent] = event.result or ""
    placed = [event.call for event in log if event.kind == "placed"]
    assert reserved == len(placed) == len(set(placed)) > 500
    assert simulator.floor.views == {}
    assert max(simulator.tally.agent_waits) > LOOK_S


def test_only_preview_looks() -> None:
    work = short_day(3)
    for mode in ("progressive", "power", "predictive"):
        assert day(work, mode) == day(replace(work, look_mean_s=300.0), mode)


def test_what_was_measured_is_taken_and_what_is_said_goes_before() -> None:
    usual = workload(3, 1.0, None, 25.0)
    assert usual.shift_s == HOUR_S
    looks = [(10.0 + number % 21, number % 4 > 0) for number in range(ENOUGH_LOOKS)]
    assert measure_looks(looks[1:]) is None
    seen = measure_looks(looks)
    assert seen is not None
    assert (with_looks(usual, None, None, 60.0).look_mean_s, usual.skip_share) == (LOOK_S, 0.0)
    assert with_looks(usual, None, None, 10.0).look_mean_s == 10.0, (
        "nobody looks longer than the campaign lets"
    )
    taken = with_looks(usual, seen, None, 60.0)
    assert taken.look_mean_s == pytest.approx(sum(s for s, _ in looks) / len(looks))
    assert taken.skip_share == pytest.approx(8 / 30)
    said = with_looks(usual, seen, 3.0, 60.0)
    assert (said.look_mean_s, said.skip_share) == (3.0, taken.skip_share)
