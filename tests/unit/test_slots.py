"""Departures of a trunk: never more in a rolling period than the limit, as the carrier counts them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer_engine.core.slots import GUARD_S, CallSlots

pytestmark = pytest.mark.unit


def leave(slots: CallSlots, now: float, name: str, wire_after: float = 0.0) -> float:
    """Let a call leave as soon as it may and be on the wire later; return the moment it left."""
    moment = now + slots.wait(now)
    slots.leave(moment, name)
    slots.on_wire(moment + wire_after, name)
    return moment


def test_departures_are_evenly_apart() -> None:
    slots, now, left = CallSlots(10.0), 100.0, []
    for number in range(4):
        now = leave(slots, now, str(number))
        left.append(round(now - 100.0, 3))
    assert left == [0.0, 0.1, 0.2, 0.3]


def test_unused_time_is_not_saved_up() -> None:
    slots = CallSlots(2.0)
    leave(slots, 100.0, "a")
    assert slots.wait(200.0) == 0.0
    leave(slots, 200.0, "b")
    assert slots.wait(200.0) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("rate", "calls", "period"), [(10.0, 10, 1.0), (1.5, 1, 1.0), (0.5, 1, 2.0), (1.0, 1, 1.0)]
)
def test_a_rate_is_whole_calls_in_a_period(rate: float, calls: int, period: float) -> None:
    slots = CallSlots(rate)
    assert (slots.calls, slots.period) == (calls, period)


@pytest.mark.parametrize(
    ("rate", "horizon", "free"), [(10.0, 0.25, 3), (1.0, 0.25, 1), (100.0, 0.0, 1), (4.0, 0.55, 3)]
)
def test_free_counts_departures_within_the_horizon(rate: float, horizon: float, free: int) -> None:
    assert CallSlots(rate).free(50.0, horizon) == free


def test_free_is_none_beyond_the_horizon_and_what_is_queued_takes_its_share() -> None:
    slots = CallSlots(1.0)
    leave(slots, 50.0, "a")
    assert slots.free(50.0, 0.25) == 0
    assert slots.free(50.85, 0.25) == 1
    assert CallSlots(10.0).free(50.0, 0.25, queued=2) == 1


def test_nothing_leaves_while_nobody_knows_whether_an_earlier_call_is_out() -> None:
    """A frozen Asterisk may send everything at once when it thaws: so only a period's calls may lie there."""
    slots = CallSlots(2.0)
    slots.leave(10.0, "a")
    slots.leave(11.0, "b")
    assert slots.wait(60.0) == math.inf
    assert slots.free(60.0, 0.25) == 0
    slots.on_wire(60.0, "a")
    assert slots.wait(60.0) == pytest.approx(1.0 + GUARD_S)


def test_the_second_word_of_a_call_and_a_word_of_a_stranger_change_nothing() -> None:
    slots = CallSlots(1.0)
    leave(slots, 10.0, "a")
    slots.on_wire(90.0, "a")
    slots.on_wire(90.0, "never sent")
    assert slots.wait(90.0) == 0.0


def test_a_call_that_can_give_no_word_is_counted_as_out_until_word_comes_after_all() -> None:
    """Its node is cut off: the calls of other nodes go on, and later the limit holds from the real word on."""
    slots = CallSlots(2.0)
    slots.leave(10.0, "a")
    slots.leave(11.0, "b")
    for call in ("a", "b"):
        slots.no_word(20.0, call)
        slots.no_word(29.0, call)
    assert slots.wait(20.0) == pytest.approx(1.0 + GUARD_S)
    slots.on_wire(30.0, "a")
    slots.on_wire(40.0, "a")
    assert slots.wait(30.0) == pytest.approx(1.0 + GUARD_S)
    assert leave(slots, 30.0, "c") == pytest.approx(31.0 + GUARD_S)
    slots.on_wire(50.0, "a")
    assert (list(slots._sent), slots._taken) == (["b", "c"], {"b"})


def test_word_that_came_is_not_replaced_by_a_guess() -> None:
    slots = CallSlots(1.0)
    leave(slots, 10.0, "a")
    slots.no_word(60.0, "a")
    slots.no_word(60.0, "never sent")
    assert slots.wait(60.0) == 0.0


def test_a_lower_rate_holds_at_once_after_a_reload() -> None:
    slots, now = CallSlots(10.0), 0.0
    for number in range(10):
        now = leave(slots, now, str(number))
    slots.rate = 2.0
    assert slots.wait(now) == pytest.approx(1.0 + GUARD_S - 0.1), "two in the last second are enough now"


@given(
    rate=st.floats(0.3, 40.0),
    steps=st.lists(
        st.tuples(
            st.floats(0.0, 0.6),  # how late the engine looks after the moment it might have
            st.floats(0.0, 0.5),  # from leaving until the INVITE is on the wire
            st.floats(0.0, 0.3),  # from the wire until the engine knows it
        ),
        min_size=2,
        max_size=60,
    ),
    jitter=st.lists(st.floats(0.0, GUARD_S), min_size=60, max_size=60),
)
def test_no_rolling_period_at_the_carrier_holds_more_than_the_limit(
    rate: float, steps: list[tuple[float, float, float]], jitter: list[float]
) -> None:
    """Whatever is late: the engine's timers, Asterisk, its word, and the network within the guard."""
    slots, now, arrived = CallSlots(rate), 1000.0, []
    words: list[tuple[float, str]] = []
    for number, (late, to_wire, to_know) in enumerate(steps):
        while True:
            for moment, name in [each for each in words if each[0] <= now]:
                slots.on_wire(moment, name)
                words.remove((moment, name))
            wait = slots.wait(now)
            if wait == 0.0:
                break
            soonest = min((moment for moment, _ in words), default=math.inf)
            now = min(now + wait, soonest) if min(now + wait, soonest) > now else now + 1e-6
        now += late
        for moment, name in [each for each in words if each[0] <= now]:
            slots.on_wire(moment, name)
            words.remove((moment, name))
        slots.leave(now, str(number))
        wire = now + to_wire
        words.append((wire + to_know, str(number)))
        arrived.append(wire + jitter[number])
    arrived.sort()
    for first, after in zip(arrived, arrived[slots.calls :], strict=False):
        assert after - first >= slots.period - 1e-6


@pytest.mark.parametrize(("rate", "first"), [(4.0, 1.0 + GUARD_S), (0.5, 2.0 + GUARD_S)])
def test_what_left_before_an_engine_was_there_is_counted_as_if_it_had_left_just_now(
    rate: float, first: float
) -> None:
    """A standby that takes over within a second knows nothing of the other's calls; the carrier does."""
    slots = CallSlots(rate)
    slots.begin(100.0)
    assert slots.wait(100.0) == pytest.approx(first)
    earlier = [100.0] * slots.calls
    now, left = 100.0, []
    for number in range(3 * slots.calls):
        now = leave(slots, now, str(number))
        left.append(now)
    times = earlier + left
    assert all(sum(t <= each < t + slots.period for each in times) <= slots.calls for t in times)
