"""The engine's clocks: the wall in UTC, and the gate's clock, which a lab may start at another moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


def utc_now() -> datetime:
    """Return the wall clock as an aware UTC datetime."""
    return datetime.now(UTC)


@dataclass(slots=True)
class GateClock:
    """The clock by which hours and caps are judged: the wall, or the lab's start plus the time since.

    A lab may step it while the engine runs, as others step the machine's.
    """

    offset: timedelta = field(default=timedelta(0))

    @classmethod
    def starting_at(cls, moment: datetime | None) -> GateClock:
        """Return the wall clock for None, else a clock that reads `moment` (aware) now."""
        return cls() if moment is None else cls(moment.astimezone(UTC) - utc_now())

    def step_to(self, moment: datetime) -> None:
        """Let the clock read `moment` (aware) now."""
        self.offset = moment.astimezone(UTC) - utc_now()

    def now(self) -> datetime:
        """Return the gate's time as an aware UTC datetime."""
        return utc_now() + self.offset
