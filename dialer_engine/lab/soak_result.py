"""What a soak saw, and what it says: is anything left behind, does anything grow by the call or by the hour?"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from dialer_engine.lab.growth import Growth, growth

WARM_UP = 0.25
"""The first quarter of the calls fills caches and pools: it says nothing about growth."""
SLACK = 5
"""Tasks, descriptors and threads that come and go by themselves, such as a question to Asterisk; what leaks comes by
dozens."""
MEMBER_CALLS_PER_S = 2.8
"""A busy Member's calls: 100 agents who have somebody every 145 s (120 s of talk, 20 s of wrap-up, 5 s free), with one
dial in four answered: the middle of what `dialer bench pacing` simulates. A soak makes some ten times as many."""
GOAL_MB_PER_HOUR = 1.0
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Sample:
    """The engine at one moment (monotonic seconds): calls at the carrier so far, memory in MB, open descriptors,
    tasks of its loop, threads."""

    at: float
    calls: int
    rss_mb: float
    descriptors: int
    tasks: int
    threads: int


@dataclass(frozen=True, slots=True)
class Still:
    """The system with nobody on the line: the engine, sessions at its database, Asterisk's channels and bridges.

    Asterisk's memory in MB is as it was, and after what was freed had been given back (`malloc trim`).
    """

    engine: Sample
    channels: int
    bridges: int
    sessions: int
    asterisk_mb: float
    asterisk_trimmed_mb: float


@dataclass(slots=True)
class SoakResult:
    """What was seen: `samples` while calls were made, `idle` ones with agents on duty and no calls."""

    before: Still
    after: Still
    calls: int
    records: int
    seconds: float
    samples: list[Sample] = field(default_factory=list)
    idle: list[Sample] = field(default_factory=list)

    @property
    def warm(self) -> list[Sample]:
        """The samples after the warm-up."""
        return [each for each in self.samples if each.calls >= WARM_UP * self.calls]

    @property
    def calls_per_second(self) -> float:
        """The run's rate."""
        return self.calls / self.seconds if self.seconds else 0.0

    # --- growth -----------------------------------------------------------------------------------

    @property
    def per_call(self) -> Growth:
        """The engine's growth after the warm-up, in kB per 1,000 calls, as if all of it came by the call."""
        return growth([(each.calls, each.rss_mb) for each in self.warm]).times(1e6)

    @property
    def per_hour(self) -> Growth:
        """The same growth in MB per hour at the run's rate, as if all of it came by time."""
        return growth([(each.at, each.rss_mb) for each in self.warm]).times(HOUR_S)

    @property
    def of_member(self) -> Growth:
        """The growth by the call in MB per hour at a busy Member's rate."""
        return self.per_call.times(MEMBER_CALLS_PER_S * HOUR_S / 1e6)

    @property
    def idle_per_hour(self) -> Growth:
        """The engine's growth without calls, in MB per hour: what comes by time alone."""
        return growth([(each.at, each.rss_mb) for each in self.idle]).times(HOUR_S)

    # --- the verdict ------------------------------------------------------------------------------

    @property
    def leaks(self) -> list[str]:
        """What is there after the last call and was not before, and what grows beyond chance, in words."""
        return [*self._left_behind(), *self._growing()]

    def _left_behind(self) -> list[str]:
        found = [
            f"{after - before} {name} more than before the first call"
            for name, before, after in (
                ("channels", self.before.channels, self.after.channels),
                ("bridges", self.before.bridges, self.after.bridges),
                ("sessions at the database", self.before.sessions, self.after.sessions),
            )
            if after > before
        ]
        start, last = self.warm[0] if self.warm else self.before.engine, self.after.engine
        for name, least, count in (
            ("tasks", min(start.tasks, self.before.engine.tasks), last.tasks),
            ("descriptors", start.descriptors, last.descriptors),
            ("threads", start.threads, last.threads),
        ):
            if count > least + SLACK:
                found.append(f"{count - least} {name} more than after the warm-up")
        if self.records != self.calls:
            found.append(f"{self.calls} calls at the carrier, {self.records} records")
        return found

    def _growing(self) -> list[str]:
        """Only what is surely above the goal counts: the whole interval lies there."""
        return [
            f"memory grows by {found.slope:.2f} ±{found.half:.2f} MB an hour {when}"
            for found, when in (
                (self.of_member, f"at {MEMBER_CALLS_PER_S:g} calls a second"),
                (self.idle_per_hour, "without calls"),
            )
            if found.half is not None and found.slope - found.half > GOAL_MB_PER_HOUR
        ]

    def as_json(self) -> dict[str, Any]:
        """The figures under the names that checks expect; growths as `slope` and `half` the 95 % interval."""
        return {
            "calls": self.calls,
            "records": self.records,
            "seconds": round(self.seconds, 1),
            "calls_per_second": round(self.calls_per_second, 1),
            "kb_per_1000_calls": self.per_call.as_json(),
            "mb_per_hour": self.per_hour.as_json(),
            "mb_per_hour_of_member": self.of_member.as_json(),
            "mb_per_hour_idle": self.idle_per_hour.as_json(),
            "leaks": self.leaks,
            "before": asdict(self.before),
            "after": asdict(self.after),
            "samples": [asdict(each) for each in self.samples],
            "idle": [asdict(each) for each in self.idle],
        }
