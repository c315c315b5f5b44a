"""What a campaign's own calls say, and the simulated day that is made of it."""

from dataclasses import replace
from random import Random

import pytest

from dialer_engine.core.pacing import PacingEvent
from dialer_engine.core.pacing.learning import Learning
from dialer_engine.core.pacing.measured import (
    ENOUGH,
    Past,
    SeenCall,
    answered_by,
    measure,
    share_error,
    spread,
)
from dialer_engine.lab.pacing.plan import workload

pytestmark = pytest.mark.unit

TALK = SeenCall("bridged", True, True, 2.0, 6.0, 68.0, 60.0)
MACHINE = replace(TALK, person=False, talked_s=8.0)
RINGS = SeenCall("no_answer", False, True, 3.0, 20.0, 23.0, None)
BUSY = SeenCall("busy", False, True, None, None, 1.0, None)
CUT = SeenCall("cancelled", False, True, 2.0, 15.0, 17.0, None)
UNSENT = SeenCall("cancelled", False, True, None, None, 0.2, None)


def test_shares_and_durations() -> None:
    calls = [*[TALK] * 50, *[MACHINE] * 20, *[RINGS] * 80, *[BUSY] * 50]
    seen = measure(calls, [10.0, 20.0] * 20, 25.0)
    assert seen is not None
    assert (seen.answer_rate, seen.machine_rate, seen.fail_rate) == pytest.approx((0.25, 0.1, 0.25))
    assert [s and s.mean_s for s in (seen.ring, seen.fail, seen.talk, seen.machine, seen.wrap)] == [
        *(6.0, 1.0, 60.0, 8.0, 15.0)
    ]
    assert seen.wrap is not None
    assert seen.wrap.cv == pytest.approx(1 / 3)


def test_too_few_calls_are_not_believed() -> None:
    assert measure([TALK] * (ENOUGH - 1), [], 25.0) is None
    assert measure([*[TALK] * (ENOUGH - 1), *[UNSENT] * 500], [], 25.0) is None
    assert measure([TALK] * ENOUGH, [], 25.0) is not None


def test_lines_cut_short_do_not_lower_the_share_of_answers() -> None:
    """Half of all phones that nobody answered by 10 s are cut there; the others ring on."""
    dice = Random(5)  # noqa: S311
    whole, cut = [], []
    for _ in range(20_000):
        answers_at = dice.uniform(0.0, 100.0)
        rings = TALK if answers_at < 25.0 else RINGS
        call = replace(rings, rang_s=min(answers_at, 25.0))
        whole.append(call)
        cut.append(replace(CUT, rang_s=10.0) if answers_at > 10.0 and dice.random() < 0.5 else call)
    assert answered_by(whole, 25.0, person=True) == pytest.approx(0.25, abs=0.01)
    assert answered_by(cut, 25.0, person=True) == pytest.approx(0.25, abs=0.015)
    naive = sum(call.answered for call in cut) / len(cut)
    assert naive < 0.19


def test_only_answers_within_the_time_of_ringing_count() -> None:
    calls = [replace(TALK, rang_s=float(n)) for n in range(20)]
    assert answered_by(calls, 9.0, person=True) == pytest.approx(0.5)
    assert answered_by(calls, 9.0, person=False) == 0.0


def test_spreads_want_five_values() -> None:
    assert spread([1.0, None, 2.0, 3.0, 4.0]) is None
    assert spread([0.0] * 10) is None
    found = spread([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found is not None
    assert (found.mean_s, round(found.cv, 3)) == (3.0, 0.471)
    assert share_error(0.25, 300) == pytest.approx(0.049)
    assert share_error(0.25, 0) == 1.0


def test_the_simulated_day_is_made_of_what_was_measured() -> None:
    calls = [*[TALK] * 50, *[MACHINE] * 20, *[RINGS] * 80, *[BUSY] * 50]
    work = workload(7, 2.0, measure(calls, [10.0, 20.0] * 20, 22.0), 22.0)
    assert (work.agents, work.shift_s, work.breaks, work.ring_timeout_s) == (7, 7200.0, (), 22.0)
    assert work.answer_rate == pytest.approx(0.25)
    assert work.fail_share * (1 - work.answer_rate) == pytest.approx(0.25)
    assert work.machine_share * (1 - work.answer_rate) * (1 - work.fail_share) == pytest.approx(0.1)
    assert (work.talk_mean_s, work.wrap_mean_s, work.machine_mean_s) == (60.0, 15.0, 8.0)
    assert work.delay_mean_s == pytest.approx((70 * 2 + 80 * 3) / 150)


def test_what_was_not_measured_is_as_usual_and_extremes_stay_possible() -> None:
    assert workload(3, 1.0, None, 10.0).ring_timeout_s == 15.0
    nobody = workload(3, 1.0, measure([RINGS] * 300, [], 25.0), 25.0)
    assert (nobody.answer_rate, nobody.talk_mean_s) == (0.001, 120.0)
    everybody = workload(3, 1.0, measure([replace(TALK, rang_s=0.0)] * 300, [], 25.0), 25.0)
    assert everybody.answer_rate == 0.95
    slow = workload(3, 1.0, measure([replace(TALK, rang_s=25.0, dialed_s=60.0)] * 300, [], 25.0), 25.0)
    assert (slow.ring_mean_s, slow.delay_mean_s) == pytest.approx((20.0, 7.2))


def test_what_is_remembered_is_what_was_observed() -> None:
    """The same calls, seen as they happened or read from their records afterwards, give the same forecast."""
    dice = Random(7)  # noqa: S311
    live, read = Learning(), Learning()
    calls: list[SeenCall] = []
    for n in range(400):
        seen = replace(dice.choice((TALK, RINGS, BUSY, CUT, UNSENT)), npa=dice.choice(("212", "214")))
        if seen.rang_s is not None:
            seen = replace(seen, rang_s=dice.uniform(0.0, 20.0))
            assert seen.dialed_s is not None
            end = seen.dialed_s + (seen.rang_s or 0.0)
            seen = replace(seen, lasted_s=end) if not seen.answered else replace(seen, answered_s=end)
        calls.append(seen)
        at, name = 1000.0 * n, f"call {n}"
        live.observe(PacingEvent("placed", at, call=name, segments=(seen.npa,)))
        if seen.dialed_s is not None:
            live.observe(PacingEvent("ringing", at + seen.dialed_s, call=name))
        if seen.answered:
            assert seen.answered_s is not None
            live.observe(PacingEvent("answered", at + seen.answered_s, call=name))
        else:
            live.observe(PacingEvent("ended", at + seen.lasted_s, call=name, result=seen.result))
        live.refresh()
    read.remember(Past(calls), lambda seen: (seen.npa,))
    assert read.calls_seen == live.calls_seen == 400
    assert read.new_call() == pytest.approx(live.new_call(), abs=0.01)
    assert read.ring_row(5.0) == pytest.approx(live.ring_row(5.0), abs=0.01)
    assert abs(read.new_call()[-1] - Learning().new_call()[-1]) > 0.05, "it learned nothing"
    for npa in ("212", "214"):
        assert read.segments.factor((npa,)) == pytest.approx(live.segments.factor((npa,)), abs=0.1)


def test_talks_and_wrap_ups_are_remembered() -> None:
    learning = Learning()
    learning.remember(Past([replace(TALK, talked_s=20.0)] * 200, [5.0] * 200), lambda seen: ())
    assert learning.talk_row(18.0)[15] > 0.9
    assert learning.wrap_row(0.0)[4] < 0.1
    assert learning.wrap_row(0.0)[6] > 0.9


def test_an_empty_past_changes_nothing() -> None:
    learning = Learning()
    learning.remember(Past(), str)
    assert learning.calls_seen == 0
    assert learning.new_call() == Learning().new_call()
