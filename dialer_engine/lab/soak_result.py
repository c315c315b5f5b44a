"""What a soak saw, and what it says: is anything left behind, does anything grow by the call or by the hour?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from dialer_engine.lab.growth import LEAST, Growth, growth

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
    """What was seen: `samples` while calls were made, `idle` ones with agents on duty and no calls.

    `placed` counts the calls at the carrier by number, `kept` the records of calls that left.
    """

    before: Still
    after: Still
    placed: Mapping[str, int]
    kept: Mapping[str, int]
    seconds: float
    samples: list[Sample] = field(default_factory=list)
    idle: list[Sample] = field(default_factory=list)

    @property
    def calls(self) -> int:
        """How many calls the carrier saw."""
        return sum(self.placed.values())

    @property
    def records(self) -> int:
        """How many records of calls that left the engine kept."""
        return sum(self.kept.values())

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
        return [*self._left_behind(), *self._of_numbers(), *self._growing()]

    @property
    def unshown(self) -> list[str]:
        """What this run cannot tell, in words: growth that may be above the goal or has no interval at all."""
        found = []
        for each, samples, when in self._judged():
            if each.half is None:
                why = (
                    f"{len(samples)} samples, {LEAST} are needed"
                    if len(samples) < LEAST
                    else "nothing moved for long"
                )
                found.append(f"how memory grows {when}: {why}; run longer")
            elif each.slope - each.half <= GOAL_MB_PER_HOUR < each.slope + each.half:
                found.append(
                    f"that memory grows by less than {GOAL_MB_PER_HOUR:g} MB an hour {when}: it may be "
                    f"{each.slope + each.half:.2f}, more samples are needed; run longer"
                )
        return found

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
        first, last = self.before.engine, self.after.engine
        start = self.warm[0] if self.warm else first
        for name, before, busy, count in (
            ("tasks", first.tasks, start.tasks, last.tasks),
            ("descriptors", first.descriptors, start.descriptors, last.descriptors),
            ("threads", first.threads, start.threads, last.threads),
        ):
            # What a busy moment holds for its calls must not hide what is left of them.
            least = min(before, busy)
            if count > least + SLACK:
                found.append(f"{count - least} {name} more than before the first call or after the warm-up")
        return found

    def _of_numbers(self) -> list[str]:
        """Each number is called once and has one record; sums would hide one that is missing behind one too many."""
        numbers = sorted(self.placed.keys() | self.kept.keys())
        twice = [each for each in numbers if self.placed.get(each, 0) > 1]
        other = [each for each in numbers if self.placed.get(each, 0) != self.kept.get(each, 0)]
        found = [f"{len(twice)} numbers were called more than once, such as {twice[0]}"] if twice else []
        if other:
            counts = (
                f"{self.placed.get(other[0], 0)} calls at the carrier, {self.kept.get(other[0], 0)} records"
            )
            found.append(
                f"{len(other)} numbers have not a record for each call, such as {other[0]}: {counts}"
            )
        return found

    def _growing(self) -> list[str]:
        """What is surely above the goal: the whole interval lies there."""
        return [
            f"memory grows by {each.slope:.2f} ±{each.half:.2f} MB an hour {when}"
            for each, _, when in self._judged()
            if each.half is not None and each.slope - each.half > GOAL_MB_PER_HOUR
        ]

    def _judged(self) -> tuple[tuple[Growth, list[Sample], str], ...]:
        """The growths that have a goal, each with its samples and when it happens."""
        return (
            (self.of_member, self.warm, f"at {MEMBER_CALLS_PER_S:g} calls a second"),
            (self.idle_per_hour, self.idle, "without calls"),
        )

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
            "unshown": self.unshown,
            "before": asdict(self.before),
            "after": asdict(self.after),
            "samples": [asdict(each) for each in self.samples],
            "idle": [asdict(each) for each in self.idle],
        }
