"""Trunks at run time: departures per second and channels in use."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from dialer_engine.core.slots import CallSlots
from dialer_engine.settings.models import Trunk

HORIZON_S = 0.25
"""How far ahead calls may be reserved for a departure, in seconds; the gate looks 60 s ahead."""


@dataclass(slots=True)
class TrunkLine:
    """One trunk's limits and what is in use of them."""

    name: str
    settings: Trunk
    slots: CallSlots
    active: int = 0
    registered: bool | None = None
    reachable: bool | None = None
    results: Counter[str] = field(default_factory=Counter)

    @property
    def usable(self) -> bool:
        """Whether the carrier answers us, as far as is known: a dead trunk must not burn the list."""
        return self.reachable is not False and self.registered is not False

    def channels_free(self) -> int:
        """Return how many more calls the carrier takes at once."""
        return max(0, self.settings.max_channels - self.active)

    def departures(self, now: float) -> int:
        """Return how many calls may be reserved now (monotonic seconds) without waiting long.

        None while more than half the horizon is taken: a few large reservations cost less than many small.
        """
        return 0 if self.opens_in(now) > 0 else self.slots.free(now, HORIZON_S)

    def opens_in(self, now: float) -> float:
        """Return the seconds until calls may be reserved again."""
        return max(0.0, self.slots.opens_in(now) - HORIZON_S / 2)


class Trunks:
    """All trunks by name; limits change with a reload, counts stay."""

    def __init__(self, settings: dict[str, Trunk]) -> None:
        self.lines: dict[str, TrunkLine] = {}
        self.apply(settings)

    def apply(self, settings: dict[str, Trunk]) -> None:
        """Take new settings; a trunk that is gone keeps its line until its last call has ended."""
        for name, trunk in settings.items():
            line = self.lines.get(name)
            if line is None:
                self.lines[name] = TrunkLine(name, trunk, CallSlots(trunk.calls_per_second))
            else:
                line.settings = trunk
                line.slots.rate = trunk.calls_per_second
        for name in [n for n in self.lines if n not in settings and self.lines[n].active == 0]:
            del self.lines[name]

    def first_free(self, names: list[str], now: float) -> TrunkLine | None:
        """Return the first of the campaign's trunks with a channel and a departure free now."""
        lines = [self.lines[name] for name in names if name in self.lines]
        able = (line for line in lines if line.usable and line.channels_free() and line.departures(now))
        return next(able, None)

    def down(self, names: list[str]) -> list[str]:
        """Return those of the campaign's trunks that cannot be used now."""
        return [name for name in names if name in self.lines and not self.lines[name].usable]

    def opens_in(self, names: list[str], now: float) -> float:
        """Return the seconds until any of these trunks has a departure free, for a timer."""
        waits = [self.lines[name].opens_in(now) for name in names if name in self.lines]
        return min(waits, default=1.0)
