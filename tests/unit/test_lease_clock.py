"""How long an engine may rely on its lease by its own clock."""

import subprocess
import sys
import time

import pytest

from dialer_engine.core.lease import LeaseClock
from dialer_engine.engine import ownership

pytestmark = pytest.mark.unit

SLEPT = ("unshare", "--time", "--boottime", "1000", "--fork")
"""A machine that slept for so many seconds, as its processes see it."""


def clock(renewed: float | None = 100.0) -> LeaseClock:
    return LeaseClock(ttl=5.0, margin=1.0, renewed=renewed)


def test_a_lease_that_was_never_taken_holds_nothing() -> None:
    assert not clock(None).holds(100.0)
    assert clock(None).expired(100.0)


@pytest.mark.parametrize(
    ("now", "holds", "expired"),
    [
        (100.0, True, False),
        (103.99, True, False),
        (104.0, False, False),
        (104.99, False, False),
        (105.0, False, True),
        (130.0, False, True),
    ],
)
def test_it_holds_until_the_margin_before_others_may_take_it(now: float, holds: bool, expired: bool) -> None:
    assert clock().holds(now) is holds
    assert clock().expired(now) is expired


def test_a_renewal_counts_from_the_moment_it_was_asked_for() -> None:
    found = clock()
    found.renew(103.0)
    assert found.holds(106.9)
    assert not found.holds(107.0)


def test_an_answer_that_comes_late_does_not_shorten_a_younger_renewal() -> None:
    found = clock()
    found.renew(110.0)
    found.renew(104.0)
    assert found.renewed == 110.0


def test_a_clock_that_went_back_holds_nothing() -> None:
    assert not clock().holds(99.0)


def test_an_engine_stops_before_anybody_else_can_begin_however_slow_the_answer_was() -> None:
    """The database granted the renewal at some moment between the asking and the answer."""
    for took in (0.0, 0.5, 2.0, 4.5):
        granted = 200.0 + took
        found = clock()
        found.renew(200.0)
        others_from = granted + found.ttl
        last = max(moment / 100 for moment in range(20000, 21500) if found.holds(moment / 100))
        assert last <= others_from - found.margin


def test_an_engine_reads_a_clock_that_nobody_sets_and_that_goes_on_in_a_sleep() -> None:
    """The wall can be stepped, and another engine's time goes on while this machine sleeps."""
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    now = ownership.now()
    after = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= now <= after
    assert abs(now - time.time()) > 1e6, "this machine was not started in 1970, so these two are far apart"


def test_an_engine_counts_the_time_in_which_its_machine_slept() -> None:
    if subprocess.run([*SLEPT, "true"], check=False, capture_output=True).returncode:
        pytest.skip("only root may make a namespace with a time of its own")
    words = (
        "import time; from dialer_engine.engine import ownership; print(ownership.now() - time.monotonic())"
    )
    done = subprocess.run([*SLEPT, sys.executable, "-c", words], check=True, capture_output=True, text=True)
    assert float(done.stdout) >= 999.0
