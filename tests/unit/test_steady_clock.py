"""A stepped clock is noticed at once, stops dialing, and is right again when a person says so or it is back."""

from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from dialer_engine.engine.clock import GateClock, utc_now
from dialer_engine.engine.steady_clock import STEP_S, SteadyClock
from dialer_engine.engine.surroundings import Blockers

pytestmark = pytest.mark.unit

NOON = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)


class Machine:
    """Both clocks in the test's hands."""

    def __init__(self) -> None:
        self.boot = 1000.0
        self.stepped = timedelta(0)

    def passes(self, seconds: float) -> None:
        self.boot += seconds

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.boot) + self.stepped

    def since_boot(self) -> float:
        return self.boot


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def clock(machine: Machine) -> SteadyClock:
    return SteadyClock(machine.now, machine.since_boot)


def test_time_that_passes_and_small_corrections_are_no_step(machine: Machine, clock: SteadyClock) -> None:
    machine.passes(86_400)
    machine.stepped = timedelta(seconds=STEP_S - 1)
    assert clock.steady


@pytest.mark.parametrize("hours", [1, -1])
def test_a_step_stops_dialing_at_once_and_until_it_is_confirmed(
    machine: Machine, clock: SteadyClock, hours: int
) -> None:
    blockers = Blockers(asterisk_away=False, clock_steady=lambda: clock.steady)
    assert blockers.why_not() is None
    machine.stepped = timedelta(hours=hours)
    assert "the clock was stepped" in str(blockers.why_not())
    machine.passes(3600)
    assert not clock.steady
    clock.confirm()
    assert blockers.why_not() is None


def test_a_step_that_is_taken_back_needs_nobody(machine: Machine, clock: SteadyClock) -> None:
    machine.stepped = timedelta(hours=1)
    assert not clock.steady
    machine.stepped = timedelta(0)
    assert clock.steady


def test_each_change_is_said_once_with_its_remedy(machine: Machine, clock: SteadyClock) -> None:
    changes: list[bool] = []
    clock.on_change = lambda: changes.append(clock.steady)
    with capture_logs() as logs:
        clock.look()
        machine.stepped = timedelta(hours=1)
        clock.look()
        clock.look()
        clock.confirm()
        clock.look()
    assert changes == [False, True]
    said = [entry for entry in logs if entry["log_level"] == "critical"]
    assert [(entry["by_s"], "dialer reload" in entry["remedy"]) for entry in said] == [(3600, True)]


def test_a_lab_may_step_the_gates_clock() -> None:
    gate = GateClock()
    clock = SteadyClock(gate.now)
    gate.step_to(utc_now() + timedelta(hours=1))
    assert clock.off_s == pytest.approx(3600, abs=5)
