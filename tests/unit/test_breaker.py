"""A trunk's breaker: opens on faults alone, probes at every pause, closes at the first good sign."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer_engine.core.breaker import FAULTS, FIRST_PAUSE_S, LONGEST_PAUSE_S, WINDOW_S, Breaker, BreakerState

pytestmark = pytest.mark.unit


def opened(at: float = 100.0) -> Breaker:
    """A breaker that opened at `at`."""
    breaker = Breaker()
    for number in range(FAULTS):
        moment = at - (FAULTS - 1 - number) * 0.1
        assert breaker.fault(moment, moment - 0.05, "503") is (number == FAULTS - 1)
    return breaker


def test_it_opens_after_so_many_faults_and_tells_the_last_code() -> None:
    breaker = opened()
    assert (breaker.state, breaker.last_code, breaker.opened) == (BreakerState.OPEN, "503", 1)
    assert breaker.allows(100.0) == 0
    assert breaker.opens_in(100.0) == FIRST_PAUSE_S


def test_one_call_that_the_carrier_handled_between_the_faults_keeps_it_closed() -> None:
    breaker = Breaker()
    for number in range(FAULTS * 3):
        assert not breaker.fault(number, number - 0.1, "403")
        if number % (FAULTS - 1) == 0:
            breaker.success(number + 0.5, number + 0.4)
    assert breaker.allows(99.0) is None


def test_faults_far_apart_do_not_open_it() -> None:
    breaker = Breaker()
    step = WINDOW_S / (FAULTS - 1) + 1
    assert not any(breaker.fault(n * step, n * step - 1, "503") for n in range(FAULTS * 2))


def test_a_probe_leaves_at_the_end_of_every_pause_which_doubles_up_to_a_bound() -> None:
    breaker, now, pauses = opened(), 100.0, []
    for _ in range(7):
        pauses.append(breaker.opens_in(now))
        now += breaker.opens_in(now)
        assert breaker.allows(now) == 1
        breaker.probe(now)
        assert breaker.state is BreakerState.HALF_OPEN
        assert breaker.allows(now) == 0
    assert pauses == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0]


def test_a_probe_that_found_nobody_to_call_is_not_lost() -> None:
    breaker = opened()
    breaker.probe(101.0)
    breaker.no_probe(101.2)
    assert (breaker.allows(101.2), breaker.state) == (1, BreakerState.OPEN)


def test_the_first_good_sign_of_a_probe_closes_it() -> None:
    breaker = opened()
    breaker.probe(101.0)
    assert breaker.success(101.5, 101.0)
    assert (breaker.state, breaker.allows(101.5), breaker.closed_at) == (BreakerState.CLOSED, None, 101.5)


def test_the_success_of_a_call_that_left_before_the_fault_proves_nothing() -> None:
    breaker = opened()
    assert not breaker.success(104.0, 95.0)
    assert breaker.state is BreakerState.OPEN


def test_faults_of_silent_calls_that_left_before_the_recovery_do_not_open_it_again() -> None:
    breaker = opened()
    breaker.probe(101.0)
    breaker.success(102.0, 101.0)
    assert not any(breaker.fault(110.0 + n, 90.0 + n, "no response") for n in range(FAULTS * 2))
    assert breaker.state is BreakerState.CLOSED


def test_a_busy_trunk_that_refuses_some_numbers_at_once_stays_closed() -> None:
    """Refusals are fast and ringing takes 4 s: every good sign is of a call that left before several of them."""
    breaker, rings_after, each = Breaker(), 4.0, 0.1
    for number in range(1000):
        now = 100.0 + number * each
        if number % 10 == 0:
            assert not breaker.fault(now, now - 0.3, "503")
        else:
            breaker.success(now, now - rings_after)
    assert breaker.opened == 0


@given(recovers=st.floats(0.0, 600.0), lag=st.floats(0.0, 1.0), silent_s=st.floats(0.1, 60.0))
def test_a_probe_reaches_the_carrier_soon_after_its_recovery(
    recovers: float, lag: float, silent_s: float
) -> None:
    """However long the carrier was away, and also while earlier probes still wait for a word."""
    breaker, now = opened(), 100.0
    while True:
        now += breaker.opens_in(now) + lag
        breaker.probe(now)
        if now >= 100.0 + recovers:
            break
        breaker.fault(now + silent_s, now, "no response")
    assert now - (100.0 + recovers) <= LONGEST_PAUSE_S + lag + 1e-6
    assert breaker.success(now + 0.1, now)
