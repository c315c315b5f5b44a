"""The brake: quick to slow and stop, slow to release, and not tripped by one bad second or by a busy CPU."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer_engine.core.overload import (
    CLEAR,
    LIMITS,
    RELEASE_S,
    RESTART_S,
    SHARES,
    Brake,
    Sample,
    Verdict,
)

pytestmark = pytest.mark.unit

CALM = Sample(0.0, 0.01, 0.01, 0.0, 0.3)


def run(brake: Brake, *samples: Sample, start: float = 0.0) -> list[Verdict]:
    return [brake.decide(start + second, sample) for second, sample in enumerate(samples)]


@pytest.mark.parametrize(
    ("measure", "value", "seconds", "level"),
    [
        ("depth", 0.49, 60, "full"),
        ("depth", 0.5, 1, "full"),
        ("depth", 0.5, 2, "slowed"),
        ("depth", 1.0, 1, "stopped"),
        ("event_late_s", 0.74, 60, "full"),
        ("event_late_s", 30.0, 1, "full"),
        ("event_late_s", 0.75, 2, "slowed"),
        ("event_late_s", 1.5, 2, "stopped"),
        ("answer_s", 30.0, 1, "full"),
        ("answer_s", 0.8, 2, "slowed"),
        ("answer_s", 1.6, 2, "stopped"),
        ("loop_late_s", 30.0, 2, "full"),
        ("loop_late_s", 0.5, 3, "slowed"),
        ("loop_late_s", 1.5, 3, "stopped"),
        ("cpu", 0.98, 3000, "full"),
        ("cpu", 1.0, 599, "full"),
        ("cpu", 1.0, 600, "slowed"),
        ("cpu", 1.0, 3000, "slowed"),
    ],
)
def test_each_measure_brakes_from_its_value_and_time_on(
    measure: str, value: float, seconds: int, level: str
) -> None:
    last = run(Brake(), *[Sample(**{measure: value})] * seconds)[-1]
    assert last.level == level
    assert (last.reason is None) == (level == "full")


def test_one_bad_second_between_good_ones_never_counts() -> None:
    bad = Sample(event_late_s=9.0, answer_s=9.0, loop_late_s=9.0, cpu=1.0)
    assert {each.level for each in run(Brake(), *[bad, CALM] * 50)} == {"full"}


def test_what_lasts_slows_more_and_more_but_never_below_an_eighth() -> None:
    shares = [each.share for each in run(Brake(), *[Sample(depth=0.6)] * 30)]
    assert sorted(set(shares), reverse=True) == list(SHARES)
    assert shares == sorted(shares, reverse=True)


def test_a_stopped_brake_needs_calm_and_comes_back_step_by_step() -> None:
    brake = Brake()
    run(brake, Sample(depth=1.2))
    verdicts = run(brake, *[CALM] * 20, start=1.0)
    shares = [each.share for each in verdicts]
    assert shares[: int(RESTART_S)] == [0.0] * int(RESTART_S)
    assert list(dict.fromkeys(shares)) == [0.0, *reversed(SHARES)]
    for share in SHARES[1:]:
        assert shares.count(share) == RELEASE_S
    assert all(each.reason for each in verdicts if each.share < 1.0)
    assert verdicts[-1] == Verdict()


def test_between_calm_and_too_much_nothing_changes() -> None:
    brake = Brake()
    run(brake, *[Sample(depth=0.6)] * 2)
    between = Sample(depth=LIMITS["depth"].slow * (CLEAR + 1) / 2)
    assert {each.share for each in run(brake, *[between] * 100, start=2.0)} == {0.5}


def test_a_busy_machine_alone_halves_and_never_does_more() -> None:
    assert {each.share for each in run(Brake(), *[Sample(cpu=1.0)] * 900)} == {1.0, 0.5}


def test_a_busy_machine_does_not_hold_a_brake_that_something_else_pulled() -> None:
    brake = Brake()
    run(brake, Sample(depth=1.2))
    assert run(brake, *[Sample(depth=0.0, cpu=1.0)] * 20, start=1.0)[-1] == Verdict()


def test_a_value_that_only_slows_does_not_release_a_stop() -> None:
    brake = Brake()
    run(brake, Sample(depth=1.2))
    assert {each.level for each in run(brake, *[Sample(depth=0.7)] * 100, start=1.0)} == {"stopped"}


def test_the_reason_names_the_measure_and_its_value() -> None:
    assert run(Brake(), Sample(depth=1.25))[-1].reason == "Asterisk's task processors are 125% full"
    late = run(Brake(), *[Sample(answer_s=2.0)] * 2)[-1]
    assert late.reason == "Asterisk takes 2.0 s to answer"


measures = st.one_of(st.none(), st.floats(0.0, 5.0))
samples = st.lists(st.builds(Sample, measures, measures, measures, measures, measures), max_size=60)


@given(samples)
def test_any_history_gives_a_known_share_with_a_reason_and_never_releases_faster_than_promised(
    history: list[Sample],
) -> None:
    brake, before, moved = Brake(), 1.0, 0
    for second, sample in enumerate(history):
        verdict = brake.decide(float(second), sample)
        assert verdict.share in (*SHARES, 0.0)
        assert (verdict.reason is None) == (verdict.share == 1.0)
        if verdict.share > before:
            assert second - moved >= (RESTART_S if before == 0.0 else RELEASE_S)
            assert verdict.share <= max(SHARES[-1], before * 2)
        if verdict.share != before:
            moved = second
        before = verdict.share


@given(samples)
def test_after_any_history_calm_ends_in_full(history: list[Sample]) -> None:
    brake = Brake()
    run(brake, *history)
    assert run(brake, *[CALM] * 16, start=float(len(history)))[-1] == Verdict()


@given(samples)
def test_after_any_history_a_full_task_processor_stops_at_once(history: list[Sample]) -> None:
    brake = Brake()
    run(brake, *history)
    assert brake.decide(float(len(history)), Sample(depth=1.0)).level == "stopped"
