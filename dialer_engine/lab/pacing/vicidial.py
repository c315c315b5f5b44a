"""VICIdial's three ADAPT methods with their loops and rules, as its own daemons run them.

Every second a sample of agents ready and people waiting is taken. Every 15 s the dial level is multiplied by
one plus (ready - waiting) / agents, as means of the last 15 samples, kept between 1 and the campaign's
maximum; then the rules on dropped calls lower it. The statistics those rules read are renewed every 60 s and
begin at midnight. Every 2.5 s calls are placed up to round(level x agents), agents in conversation included,
agents in wrap-up and on a break not.

Kind to the original: trunks and calls per second are never short, an answered call gets its agent at once,
and nothing is lost on the way.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from dialer_engine.core.pacing import Decision
from dialer_engine.lab.pacing.floor import Floor
from dialer_engine.lab.pacing.policy import NOTHING, Deaf

Method = Literal["hard", "tapered", "average"]

TICK_S = 0.5
DIAL_TICKS, SAMPLE_TICKS, LEVEL_TICKS, DROP_TICKS = 5, 2, 30, 120
SAMPLES = 15
FIRST_CALLS = 50
PANIC_CALLS, PANIC_PERCENT = 20, 50.0


@dataclass(frozen=True, slots=True)
class Drops:
    """What the drop rules read: calls, human-answered calls and drops today and in the last minute."""

    calls: int = 0
    answers: int = 0
    drops: int = 0
    calls_minute: int = 0
    drops_minute: int = 0

    @property
    def percent(self) -> float:
        """Dropped calls of today as a percentage of the human-answered ones."""
        return 100.0 * self.drops / self.answers if self.answers else 0.0

    @property
    def percent_minute(self) -> float:
        """Dropped calls of the last minute as a percentage of all its calls."""
        return 100.0 * self.drops_minute / self.calls_minute if self.calls_minute else 0.0


def stepped(level: float, ready: float, waiting: float, agents: float, maximum: float) -> float:
    """Return the level after one pass's step, before the rules on drops."""
    step = (ready - waiting) / agents if agents else 0.0
    return round(max(1.0, min(maximum, level * (1.0 + step))), 3)


def tapered_rate(clock: int, latest: int) -> float:
    """Return the factor of TAPERED at a clock time written HHMM; negative when the last hour is over.

    The two are subtracted as plain numbers, as the original does.
    """
    return min(1.0, (latest - clock) / 1000)


def braked(level: float, drops: Drops, method: Method, limit_percent: float, taper: float) -> float:
    """Return the level after the rules on dropped calls; never below 1."""
    if drops.calls_minute > PANIC_CALLS and drops.percent_minute > PANIC_PERCENT:
        level /= 2
    if drops.calls > FIRST_CALLS and drops.percent > limit_percent:
        if method == "hard" or (method == "tapered" and taper < 0):
            level = 1.0
        else:
            level *= 0.5 if method == "average" else taper
    return max(1.0, level)


@dataclass(slots=True)
class Vicidial(Deaf):
    """One campaign of VICIdial; the day begins at `opens_hour`, and TAPERED's last hour is `latest` (HHMM)."""

    method: Method = "hard"
    maximum: float = 3.0
    limit_percent: float = 3.0
    opens_hour: int = 9
    latest: int = 1700
    level: float = 1.0
    eager: bool = False
    interval: float = TICK_S
    _tick: int = 0
    _drops: Drops = Drops()
    _minute_began: tuple[int, int] = (0, 0)
    _day: float = -1.0
    _samples: deque[tuple[int, int, int]] = field(default_factory=lambda: deque(maxlen=SAMPLES))

    def decide(self, floor: Floor) -> Decision:
        """Run the loops that are due in this half second."""
        if floor.day_start != self._day:
            self._begin_day(floor)
        agents = len(floor.ready) + sum(a.state == "in_call" for a in floor.agents)
        if self._tick % SAMPLE_TICKS == 0:
            self._samples.append((len(floor.ready), len(floor.waiting), agents))
        if self._tick % DROP_TICKS == 0:
            self._count_drops(floor)
        if self._tick % LEVEL_TICKS == LEVEL_TICKS - 1:
            self._set_level(floor)
        dials = self._tick % DIAL_TICKS == 0
        self._tick += 1
        return self._place(floor, agents) if dials else NOTHING

    def _begin_day(self, floor: Floor) -> None:
        self._day, self._tick, self._minute_began = floor.day_start, 0, (0, 0)
        self._samples.clear()

    def _count_drops(self, floor: Floor) -> None:
        day = floor.day
        calls, drops = self._minute_began
        self._drops = Drops(
            day.attempts, day.answers, day.abandoned, day.attempts - calls, day.abandoned - drops
        )
        self._minute_began = (day.attempts, day.abandoned)

    def _set_level(self, floor: Floor) -> None:
        count = len(self._samples)
        ready, waiting, agents = (sum(sample[i] for sample in self._samples) / count for i in range(3))
        level = stepped(self.level, ready, waiting, agents, self.maximum)
        taper = tapered_rate(self._clock(floor), self.latest)
        self.level = braked(level, self._drops, self.method, self.limit_percent, taper)

    def _clock(self, floor: Floor) -> int:
        minutes = self.opens_hour * 60 + int(floor.second // 60)
        return minutes // 60 * 100 + minutes % 60

    def _place(self, floor: Floor, agents: int) -> Decision:
        bridged = len(floor.calls) - floor.in_flight
        goal = round(self.level * agents)
        return Decision(max(0, goal - floor.in_flight - bridged), (), ())
