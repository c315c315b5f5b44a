"""The figures of a floor, real or simulated, in one shape; and where the real ones lie among the simulated.

The real ones are judged by the carrier's ledger and the agents' phones alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from dialer_engine.core.law import SHORTEST_RING_S
from dialer_engine.lab.ears import Heard
from dialer_engine.lab.floor_table import RING_OUT_S
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.pairing import pair, quantile

TIMING_S = 0.5
"""By so much the end of a ring time-out may be early at the carrier."""


@dataclass(frozen=True, slots=True)
class FloorFigures:
    """One run: shares in percent; `seconds` from the start to the last call, in which agents' time is counted.

    `cancelled` attempts were ended by us before the ring time-out, `short` of them rang less than 15 s or never.
    `idle_s` are seconds agents were free, per conversation; `wait_ms` milliseconds from a person's answer until
    an agent, 99 of 100 are shorter; `dials` and `talks` are per agent and hour.
    """

    attempts: int
    answers: int
    abandoned: int
    cancelled: int
    short: int
    seconds: float
    utilisation: float
    abandoned_percent: float
    answer_percent: float
    idle_s: float
    wait_ms: float
    dials: float
    talks: float


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted, before it becomes shares; agent seconds lie between the start and the last call."""

    agents: int
    seconds: float
    attempts: int
    answers: int
    abandoned: int
    cancelled: int
    short: int
    talk_s: float
    wrap_s: float
    wait_ms: float

    def figures(self) -> FloorFigures:
        """Return the shares; a run without calls or answers has zeros."""
        staffed, talks = self.agents * self.seconds, self.answers - self.abandoned
        hours = staffed / 3600
        return FloorFigures(
            attempts=self.attempts,
            answers=self.answers,
            abandoned=self.abandoned,
            cancelled=self.cancelled,
            short=self.short,
            seconds=round(self.seconds, 1),
            utilisation=_share(100 * self.talk_s, staffed),
            abandoned_percent=_share(100 * self.abandoned, self.answers),
            answer_percent=_share(100 * self.answers, self.attempts),
            idle_s=_share(max(0.0, staffed - self.talk_s - self.wrap_s), talks),
            wait_ms=round(self.wait_ms, 1),
            dials=_share(self.attempts, hours),
            talks=_share(talks, hours),
        )


def _share(part: float, whole: float) -> float:
    return round(part / whole, 3) if whole > 0 else 0.0


def p99(values: Iterable[float]) -> float:
    """Return the value that 99 of 100 do not exceed, 0 without any."""
    ordered = sorted(values)
    return quantile(ordered, 0.99) if ordered else 0.0


def within(begins: float, ends: float, start: float, close: float) -> float:
    """Return how many seconds of a span lie between the start and the close."""
    return max(0.0, min(ends, close) - max(begins, start))


@dataclass(frozen=True, slots=True)
class Seen:
    """What carrier and phones saw of a run, and how many attempts the engine ended before they left.

    `agents` were on duty from `started_at` (seconds since 1970) on; each takes `wrap_s` after a conversation.
    """

    calls: Sequence[CarrierCall]
    heard: Sequence[Heard]
    unsent: int
    agents: int
    started_at: float
    wrap_s: float


def real_figures(seen: Seen) -> FloorFigures:
    """Count what was seen."""
    calls, heard, start = seen.calls, seen.heard, seen.started_at
    close = max((call.came_at for call in calls), default=start)
    answers = pair(calls, heard)
    ended = [call for call in calls if ended_by_us(call)]
    return Counted(
        agents=seen.agents,
        seconds=max(0.0, close - start),
        attempts=len(calls) + seen.unsent,
        answers=len(answers),
        abandoned=sum(answer.heard is None for answer in answers),
        cancelled=len(ended) + seen.unsent,
        short=sum(_rang(call) < SHORTEST_RING_S for call in ended) + seen.unsent,
        talk_s=sum(within(each.first, each.last, start, close) for each in heard),
        wrap_s=sum(within(each.last, each.last + seen.wrap_s, start, close) for each in heard),
        wait_ms=p99(answer.delay_ms for answer in answers if answer.delay_ms is not None),
    ).figures()


def ended_by_us(call: CarrierCall) -> bool:
    """Whether the caller ended a call that nobody had answered, before the ring time-out."""
    if call.answered_at is not None or call.ended_at is None or call.ended_by != "caller":
        return False
    return call.ended_at - call.came_at < RING_OUT_S - TIMING_S


def _rang(call: CarrierCall) -> float:
    """Return for how many seconds a call that has ended was ringing."""
    return 0.0 if call.rang_at is None or call.ended_at is None else call.ended_at - call.rang_at


@dataclass(frozen=True, slots=True)
class Range:
    """One figure over the simulated runs."""

    mean: float
    least: float
    most: float

    def holds(self, value: float) -> bool:
        """Whether a value lies among those of the runs."""
        return self.least <= value <= self.most


def spread(name: str, runs: Sequence[FloorFigures]) -> Range:
    """Return the range of one figure by its name. Raises ValueError without runs."""
    values = [float(getattr(run, name)) for run in runs]
    if not values:
        raise ValueError("no simulated run")
    return Range(round(fmean(values), 3), min(values), max(values))
