"""The forecast's parts: durations against slow counting, rows against simulation, chances against enumeration."""

import random
from itertools import product
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer_engine.core.pacing import PacingEvent
from dialer_engine.core.pacing.durations import Durations
from dialer_engine.core.pacing.forecast import EXACT_TERMS, GRACE, HORIZON, RARE, UNLIKELY, Crowd, Forecast
from dialer_engine.core.pacing.learning import TALK_STEP_S, Learning, _rows, _talk_rows
from dialer_engine.core.pacing.segments import MOST_SEGMENTS, Segments

pytestmark = pytest.mark.unit

FOREVER = 1e12


def test_hazards_are_what_counting_by_hand_gives() -> None:
    lasting = Durations(5, 1.0, (0.0, 0.0), 0.0, FOREVER)
    for seconds, kind in ((0.5, 0), (1.5, 0), (1.7, 1), (2.5, None), (2.9, 0), (9.0, 1)):
        lasting.add(seconds, kind)
    first, second = lasting.hazards()
    assert first == pytest.approx([1 / 6, 1 / 5, 1 / 3, 0.0, 0.0])
    assert second == pytest.approx([0.0, 1 / 5, 0.0, 0.0, 1.0])


def test_what_was_seen_long_ago_counts_less() -> None:
    lasting = Durations(3, 1.0, (0.0, 0.0), 0.0, 10.0)
    for _ in range(100):
        lasting.add(0.0, 0)
    for _ in range(10):
        lasting.add(0.0, 1)
    first, second = lasting.hazards()
    assert first[0] == pytest.approx(0.5, abs=0.01)
    assert second[0] == pytest.approx(0.5, abs=0.01)


def test_a_million_observations_neither_overflow_nor_grow() -> None:
    lasting = Durations(61, 1.0, (0.02, 0.03), 4.0, 50.0)
    for number in range(20_000):
        lasting.add(number % 30, number % 2)
    assert all(0.0 <= hazard <= 1.0 for hazards in lasting.hazards() for hazard in hazards)
    assert sum(lasting.hazards()[0]) > 0.1


def test_the_prior_is_believed_until_something_was_seen() -> None:
    first, second = Durations(10, 1.0, (0.1, 0.2), 4.0, 100.0).hazards()
    assert first[:9] == pytest.approx([0.1] * 9)
    assert second[:9] == pytest.approx([0.2] * 9)


def learned(calls: int, answer: float, seed: int = 1) -> Learning:
    """A model that has seen calls: 2 s of dialing, then 3 to 12 s of ringing, or 20 s and nobody."""
    chance, learning = random.Random(seed), Learning()  # noqa: S311 - the same calls every time
    for number in range(calls):
        call, at = f"c{number}", 100.0 * number
        learning.observe(PacingEvent("placed", at, call=call))
        learning.observe(PacingEvent("ringing", at + 2.0, call=call))
        if chance.random() < answer:
            learning.observe(PacingEvent("answered", at + 2.0 + chance.uniform(3, 12), call=call))
        else:
            learning.observe(PacingEvent("ended", at + 22.0, call=call, result="no_answer"))
    learning.refresh()
    return learning


def test_rows_tell_the_share_of_answers_and_when_they_come() -> None:
    learning = learned(3000, 0.3)
    row = learning.new_call()
    assert len(row) == HORIZON
    assert list(row) == sorted(row)
    assert row[-1] == pytest.approx(0.3, abs=0.05)
    assert row[3] < 0.03, "nobody answers within the first seconds"
    assert learning.ring_row(4.0)[-1] == pytest.approx(0.29, abs=0.06)
    assert learning.ring_row(15.0)[-1] < 0.02, "after 12 s nobody ever answered"


def test_a_cancelled_call_says_nothing_about_an_answer() -> None:
    learning = learned(500, 0.3)
    before = learning.new_call()[-1]
    for number in range(300):
        learning.observe(PacingEvent("placed", 1e6 + number, call=f"x{number}"))
        learning.observe(PacingEvent("ringing", 1e6 + number + 2, call=f"x{number}"))
        learning.observe(PacingEvent("ended", 1e6 + number + 2.5, call=f"x{number}", result="cancelled"))
    learning.refresh()
    assert learning.new_call()[-1] == pytest.approx(before, abs=0.03)


def test_agents_come_back_after_talk_and_wrap() -> None:
    learning = Learning()
    for number in range(300):
        at = 200.0 * number
        for state, after in (("in_call", 0.0), ("wrap", 60.0), ("ready", 70.0)):
            learning.observe(PacingEvent("agent", at + after, agent="a", result=state))
    learning.refresh()
    assert learning.wrap_row(0.0)[20] > 0.9
    assert learning.wrap_row(9.0)[2] > 0.8
    assert learning.talk_row(20.0)[-1] < 0.1
    assert learning.talk_row(58.0)[-1] > 0.8


def test_events_of_calls_never_placed_change_nothing() -> None:
    learning = Learning()
    before = learning.new_call()
    for kind in ("ringing", "answered", "bridged", "ended"):
        learning.observe(PacingEvent(kind, 5.0, call="unknown", result="no_answer"))  # type: ignore[arg-type]
    learning.refresh()
    assert (learning.calls_seen, learning.new_call()) == (0, before)


def test_segments_differ_only_when_there_are_several_and_enough_was_seen() -> None:
    segments = Segments()
    for _ in range(50):
        segments.add(("good",), answered=True, expected=0.5)
    assert segments.factor(("good",)) == 1.0
    for _ in range(50):
        segments.add(("bad",), answered=False, expected=0.5)
    assert segments.factor(("good",)) > 1.5
    assert segments.factor(("bad",)) < 0.5
    assert segments.factor(("new",)) == 1.0
    for number in range(2 * MOST_SEGMENTS):
        segments.add((f"s{number}",), answered=False, expected=0.1)
    assert len(segments._seen[0]) == MOST_SEGMENTS


def test_kinds_of_segments_share_what_they_explain() -> None:
    """A list that only holds people of a poor region is not poor once more; an unknown name says nothing."""
    segments = Segments()
    dice = random.Random(3)  # noqa: S311
    share = {"rich": 0.4, "poor": 0.1}
    for _ in range(4000):
        region, list_id = dice.choice((("rich", "1"), ("rich", "2"), ("poor", "2"), ("poor", "3")))
        segments.add((region, list_id), answered=dice.random() < share[region], expected=0.25)
    assert segments.factor(("rich", "1")) == pytest.approx(1.6, rel=0.25)
    assert segments.factor(("poor", "3")) == pytest.approx(0.4, rel=0.25)
    assert segments.factor(("", "")) == segments.factor(()) == 1.0
    known = segments.factor(("poor", ""))
    segments.add(("", "3"), answered=True, expected=0.25)
    assert segments.factor(("poor", "")) == known


# --- chances against enumeration ------------------------------------------------------------------

chances = st.floats(0.0, 1.0)


def flat(chance: float) -> tuple[float, ...]:
    """Something that happens in the first second or not at all."""
    return (chance,) * HORIZON


def enumerated(free: int, back: list[float], answers: list[float]) -> dict[int, float]:
    """The distribution of the free agents less the answers, by going through all cases."""
    found: dict[int, float] = {}
    for cases in product((0, 1), repeat=len(back) + len(answers)):
        chance = prod(p if case else 1 - p for case, p in zip(cases, back + answers, strict=True))
        value = free + sum(cases[: len(back)]) - sum(cases[len(back) :])
        found[value] = found.get(value, 0.0) + chance
    return found


@settings(max_examples=60)
@given(st.integers(-1, 3), st.lists(chances, max_size=3), st.lists(chances, max_size=4), chances)
def test_gain_and_cost_are_those_of_going_through_all_cases(
    free: int, back: list[float], answers: list[float], chance: float
) -> None:
    back, answers = [p for p in back if p > 0.01], [p for p in answers if p > 0.01]
    forecast = Forecast(
        free, Crowd([(flat(p), 1.0, 1) for p in back], GRACE), Crowd([(flat(p), 1.0, 1) for p in answers])
    )
    exact = enumerated(free, back, answers)
    nobody = sum(p for value, p in exact.items() if value <= 0)
    assert forecast.gain(flat(chance)) == pytest.approx(HORIZON * chance * (1 - nobody), abs=1e-9)
    assert forecast.cost(flat(chance)) == pytest.approx(chance * nobody, abs=1e-9)
    least = next(n for n in range(10) if sum(p for v, p in exact.items() if v < -n) <= 0.001)
    assert forecast.short(RARE) == least
    assert forecast.short(UNLIKELY) <= least


@settings(max_examples=30)
@given(st.integers(0, 3), st.lists(chances, min_size=1, max_size=5))
def test_one_more_line_is_the_same_as_having_had_it(free: int, answers: list[float]) -> None:
    grown = Forecast(free, Crowd([], GRACE), Crowd([(flat(p), 1.0, 1) for p in answers[:-1]]))
    whole = Forecast(free, Crowd([], GRACE), Crowd([(flat(p), 1.0, 1) for p in answers]))
    if answers[-1] <= 0.01:
        return
    more = grown.plus(flat(answers[-1]))
    assert more.gain(flat(0.5)) == pytest.approx(whole.gain(flat(0.5)), abs=1e-9)
    assert more.cost(flat(0.5)) == pytest.approx(whole.cost(flat(0.5)), abs=1e-9)
    assert more.lines == whole.lines


def test_an_answer_that_takes_the_last_agent_from_a_later_one_is_counted() -> None:
    soon = tuple(0.5 if second >= 2 else 0.0 for second in range(HORIZON))
    late = tuple(0.5 if second >= 10 else 0.0 for second in range(HORIZON))
    forecast = Forecast(1, Crowd([], GRACE), Crowd([(late, 1.0, 1)]))
    assert forecast.cost(soon) == pytest.approx(0.25), "the one that rings later finds nobody"


def test_many_are_as_good_as_few() -> None:
    """Where exact and normal counting meet, they agree."""
    row = tuple(0.3 * (second + 1) / HORIZON for second in range(HORIZON))
    back = tuple(0.4 * (second + 1) / HORIZON for second in range(HORIZON))
    exact = Forecast(2, Crowd([(back, 1.0, 8)], GRACE), Crowd([(row, 1.0, EXACT_TERMS - 8)]))
    normal = Forecast(2, Crowd([(back, 1.0, 8)], GRACE), Crowd([(row, 1.0, EXACT_TERMS - 8)]))
    normal._exact = None
    normal._renew()
    assert normal.gain(row) == pytest.approx(exact.gain(row), rel=0.05)
    assert normal.cost(row) == pytest.approx(exact.cost(row), rel=0.15, abs=0.01)
    assert abs(normal.short(RARE) - exact.short(RARE)) <= 1


hazards = st.lists(st.tuples(st.floats(0, 0.5), st.floats(0, 0.5)), min_size=2, max_size=6)


def stepwise(ends: list[tuple[float, float]], then: tuple[float, ...], age: int) -> list[float]:
    """The same as a row, second by second: it lasts, ends in the first way, and what follows comes after that."""
    lasts, row = 1.0, [0.0] * HORIZON
    for start in range(HORIZON):
        first, second = ends[min(age + start, len(ends) - 1)]
        for ahead in range(HORIZON - start):
            row[start + ahead] += lasts * first * then[ahead]
        lasts *= 1.0 - first - second
    return row


@settings(max_examples=30)
@given(hazards, st.lists(st.floats(0, 1), min_size=HORIZON, max_size=HORIZON))
def test_rows_made_from_the_next_age_are_those_of_going_second_by_second(
    ends: list[tuple[float, float]], chances: list[float]
) -> None:
    then = tuple(sorted(chances))
    rows = _rows([[first for first, _ in ends], [second for _, second in ends]], then)
    assert len(rows) == len(ends)
    for age, row in enumerate(rows):
        assert row == pytest.approx(stepwise(ends, then, age), abs=1e-9)


@settings(max_examples=30)
@given(st.lists(st.floats(0, 0.9), min_size=2, max_size=6), st.floats(0, 0.5))
def test_a_talk_ends_in_any_second_of_its_step(ends: list[float], wrap: float) -> None:
    wraps = _rows([[wrap, wrap], [0.0, 0.0]])[0]
    for age, row in enumerate(_talk_rows(ends, wraps)):
        lasts, expected = 1.0, [0.0] * HORIZON
        for step in range(HORIZON // TALK_STEP_S):
            hazard = ends[min(age + step, len(ends) - 1)]
            for second in range(step * TALK_STEP_S, (step + 1) * TALK_STEP_S):
                for ahead in range(HORIZON - second):
                    expected[second + ahead] += lasts * hazard / TALK_STEP_S * wraps[ahead]
            lasts *= 1.0 - hazard
        assert row == pytest.approx(expected, abs=1e-9)
