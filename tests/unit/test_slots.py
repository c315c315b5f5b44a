"""Departures of a trunk: never a burst, never more in a rolling second than the limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer_engine.core.slots import CallSlots

pytestmark = pytest.mark.unit


def test_departures_are_evenly_apart() -> None:
    slots = CallSlots(10.0)
    assert [round(slots.take(100.0), 3) for _ in range(4)] == [0.0, 0.1, 0.2, 0.3]


def test_unused_time_is_not_saved_up() -> None:
    slots = CallSlots(2.0)
    slots.take(100.0)
    assert [slots.take(200.0), slots.take(200.0)] == [0.0, 0.5]


@pytest.mark.parametrize(
    ("rate", "horizon", "free"), [(10.0, 0.25, 3), (1.0, 0.25, 1), (100.0, 0.0, 1), (4.0, 0.5, 3)]
)
def test_free_counts_departures_within_the_horizon(rate: float, horizon: float, free: int) -> None:
    assert CallSlots(rate).free(50.0, horizon) == free


def test_free_is_none_when_the_next_departure_is_beyond_the_horizon() -> None:
    slots = CallSlots(1.0)
    slots.take(50.0)
    assert slots.free(50.0, 0.25) == 0
    assert slots.opens_in(50.0) == pytest.approx(1.0)
    assert slots.free(50.8, 0.25) == 1


@given(
    rate=st.floats(0.5, 200.0),
    asks=st.lists(st.floats(0.0, 0.5), min_size=1, max_size=60),
)
def test_no_rolling_second_holds_more_than_the_rate(rate: float, asks: list[float]) -> None:
    slots, now, departures = CallSlots(rate), 1000.0, []
    for pause in asks:
        now += pause
        departures.append(now + slots.take(now))
    for start in departures:
        inside = [d for d in departures if start - 1e-9 <= d < start + 1.0 - 1e-6]
        assert len(inside) <= rate + 1 - 1e-9 or len(inside) == 1
