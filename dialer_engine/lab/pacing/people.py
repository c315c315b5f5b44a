"""The people of a simulated list and the breaks of its agents, the same ones for every policy.

The n-th call of a run meets the n-th person whoever dials it and when; whether that person answers depends
on a throw of their own and on the hour. So two policies differ by what they do and not by whom they met.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt
from random import Random
from typing import NamedTuple

from dialer_engine.lab.pacing.workload import Block, Segment, Workload

_NO_SEGMENT = Segment("", 1.0, 1.0)


class Person(NamedTuple):
    """One contact: what happens when they are called, or looked at. Times in seconds, `dice` from 0 to 1."""

    number: int
    segment: Segment
    answer_dice: float
    fail_dice: float
    machine_dice: float
    delay_s: float
    ring_s: float
    fail_s: float
    talk_s: float
    wrap_s: float
    patience_s: float
    machine_s: float
    block: Block | None = None
    look_s: float = 0.0
    skip_dice: float = 1.0

    @property
    def segments(self) -> tuple[str, ...]:
        """What the engine knows of them beforehand: their segment and their list, empty where they have none."""
        return self.segment.name, self.block.list_name if self.block else ""

    @property
    def answer_after_s(self) -> float:
        """Seconds from dialing until the answer, of one who answers."""
        return self.delay_s + self.ring_s

    def answers(self, work: Workload, second: float) -> bool:
        """Return whether they would answer a call dialed at a second of the day."""
        if self.ring_s > work.ring_timeout_s:
            return False
        if self.block is not None:
            return self.answer_dice < self.block.answer_rate
        return self.answer_dice < work.rate_at(second, self.segment.factor)

    def fails(self, work: Workload) -> bool:
        """Return whether a call to them fails at once, when they do not answer."""
        return self.fail_dice < (work.fail_share if self.block is None else self.block.fail_share)

    def machine(self, work: Workload, second: float) -> bool:
        """Return whether a machine takes a call that would ring out otherwise."""
        share = work.machines_at(second) if self.block is None else self.block.machine_share
        return self.machine_dice < share and self.ring_s <= work.ring_timeout_s


def lognormal(random: Random, mean: float, cv: float) -> float:
    """Throw a lognormal number by its mean and coefficient of variation."""
    variance = log(1.0 + cv * cv)
    return random.lognormvariate(log(mean) - variance / 2, sqrt(variance))


class People:
    """An endless list of people, by the seed; `next` is the index of the one to be called next."""

    def __init__(self, work: Workload, seed: int) -> None:
        self.work = work
        self.next = 0
        self._random = Random(f"people {seed}")  # noqa: S311
        self._segments = Random(f"segments {seed}")  # noqa: S311
        self._looks = Random(f"looks {seed}")  # noqa: S311
        self._segment = _NO_SEGMENT
        self._ahead: list[Person] = []
        self._made = 0
        shape = (work.ring_mean_s / work.ring_sd_s) ** 2
        self._ring = (shape, work.ring_mean_s / shape)
        self._patience = work.patience_median_s / log(2.0) ** (1.0 / work.patience_shape)

    def peek(self) -> Person:
        """Return the person who will be called next."""
        if not self._ahead:
            self._ahead.append(self._make())
        return self._ahead[-1]

    def take(self) -> Person:
        """Return the next person and go on to the one after."""
        person = self._ahead.pop() if self._ahead else self._make()
        self.next = person.number + 1
        return person

    def give_back(self, person: Person) -> None:
        """Let somebody whom nobody called be the next one again."""
        self._ahead.append(person)

    def _make(self) -> Person:
        work, random = self.work, self._random
        if self._made % work.segment_block == 0 and work.segments:
            self._segment = self._pick_segment()
        block = work.block_at(self._made)
        person = Person(
            number=self._made,
            segment=self._segment,
            answer_dice=random.random(),
            fail_dice=random.random(),
            machine_dice=random.random(),
            delay_s=min(work.delay_max_s, lognormal(random, work.delay_mean_s, work.delay_cv)),
            ring_s=self._ring_s() * (block.ring_factor if block else 1.0),
            fail_s=work.fail_least_s + random.expovariate(1.0 / work.fail_mean_s),
            talk_s=lognormal(random, work.talk_mean_s, work.talk_cv),
            wrap_s=lognormal(random, work.wrap_mean_s, work.wrap_cv),
            patience_s=random.weibullvariate(self._patience, work.patience_shape),
            machine_s=lognormal(random, work.machine_mean_s, 0.5),
            block=block,
            look_s=self._look_s(),
            skip_dice=self._looks.random(),
        )
        self._made += 1
        return person

    def _ring_s(self) -> float:
        while True:
            rang = self._random.gammavariate(*self._ring)
            if rang <= self.work.full_ring_s:
                return rang

    def _look_s(self) -> float:
        work = self.work
        mean = work.look_mean_s
        return min(work.look_most_s, lognormal(self._looks, mean, work.look_cv)) if mean > 0.0 else 0.0

    def _pick_segment(self) -> Segment:
        segments = self.work.segments
        return self._segments.choices(segments, [segment.share for segment in segments])[0]


@dataclass(slots=True)
class Shift:
    """One agent's plan for a day: arrival, then breaks as (start, length), in seconds of the day."""

    arrives: float
    breaks: list[tuple[float, float]]


def shifts(work: Workload, seed: int, day: int) -> list[Shift]:
    """Return every agent's plan for a day of a run."""
    random = Random(f"shifts {seed} {day}")  # noqa: S311
    plans = []
    for _ in range(work.agents):
        arrives = random.uniform(0.0, work.arrive_within_s)
        breaks = [(b.at_s + random.uniform(-b.spread_s, b.spread_s), b.length_s) for b in work.breaks]
        plans.append(Shift(arrives, sorted(breaks)))
    return plans
