"""Who heard whom: the carrier's answered calls matched with what the agents' phones heard, by pitch and time.

Neither side is the engine's, so this is the truth that the engine's own counts are compared with.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dialer_engine.lab.behaviours import pitch_hz
from dialer_engine.lab.ears import Heard
from dialer_engine.lab.ledger import CarrierCall

PITCH_TOLERANCE_HZ = 4.0
CLOCK_SLACK_S = 0.05
LATEST_S = 10.0
MUTUAL_S = 1.0
TOGETHER_S = 0.3
"""Voices that begin so close together are told apart by their end."""
HEARD_NOTHING_S = 2.0
AGENT_LIMIT_MS = 2000.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One call that a person answered, and the phone that heard that person, if any."""

    call: CarrierCall
    heard: Heard | None

    @property
    def delay_ms(self) -> float | None:
        """Milliseconds from the carrier's 200 OK to the first loud frame at the agent's phone."""
        if self.heard is None or self.call.answered_at is None:
            return None
        return (self.heard.first - self.call.answered_at) * 1000

    @property
    def silent_s(self) -> float | None:
        """Seconds from the answer until the person heard anything, or hung up without."""
        until = self.call.heard_at or self.call.ended_at
        if until is None or self.call.answered_at is None:
            return None
        return until - self.call.answered_at


def pair(calls: Iterable[CarrierCall], heard: Sequence[Heard]) -> list[Answer]:
    """Each call that a person answered, with what a phone heard of that person.

    Several numbers share a pitch; then the best fit in time wins, of those that begin together the one that ends with
    the call, and nothing heard is used twice.
    """
    answered = sorted((c for c in calls if c.answered_human), key=lambda c: c.answered_at or 0.0)
    heard = sorted(heard, key=lambda each: each.first)
    begins = [each.first for each in heard]
    fitting = sorted(
        (cost // TOGETHER_S, _ends_apart(call, heard[h]), cost, c, h)
        for c, call in enumerate(answered)
        for h in _within(begins, call)
        if (cost := _cost(call, heard[h])) is not None
    )
    match: dict[int, int] = {}
    used: set[int] = set()
    for *_, c, h in fitting:
        if c not in match and h not in used:
            match[c] = h
            used.add(h)
    return [Answer(call, heard[match[c]] if c in match else None) for c, call in enumerate(answered)]


def _within(begins: Sequence[float], call: CarrierCall) -> range:
    """Where in the ordered `begins` the voice of this call can be."""
    answered = call.answered_at or 0.0
    return range(bisect_left(begins, answered - CLOCK_SLACK_S), bisect_right(begins, answered + LATEST_S))


def _ends_apart(call: CarrierCall, heard: Heard) -> float:
    return abs(heard.last - (call.ended_at or heard.last))


def _cost(call: CarrierCall, heard: Heard) -> float | None:
    """How badly this voice fits this call, in seconds; None when it cannot be that call's.

    Agents speak as soon as they hear somebody, so person and agent hear each other at nearly the same moment.
    """
    if call.answered_at is None or abs(heard.pitch - pitch_hz(call.number)) > PITCH_TOLERANCE_HZ:
        return None
    if heard.first > (call.ended_at or heard.first) + CLOCK_SLACK_S:
        return None
    if call.heard_at is None:
        return HEARD_NOTHING_S + abs(heard.first - call.answered_at)
    apart = abs(heard.first - call.heard_at)
    return apart if apart <= MUTUAL_S else None


@dataclass(frozen=True, slots=True)
class Delays:
    """Quantiles of delays in milliseconds; None without any."""

    count: int
    p50: float | None
    p99: float | None
    max: float | None
    over_2s: int

    def as_json(self) -> dict[str, float | None]:
        """The three figures of the summary."""
        return {"p50": self.p50, "p99": self.p99, "max": self.max}


def delays(values: Iterable[float]) -> Delays:
    """Quantiles of `values` in milliseconds (nearest rank)."""
    ordered = sorted(values)
    if not ordered:
        return Delays(0, None, None, None, 0)
    over = sum(value > AGENT_LIMIT_MS for value in ordered)
    return Delays(len(ordered), quantile(ordered, 0.5), quantile(ordered, 0.99), round(ordered[-1], 1), over)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value at `share` (0 to 1) of an ordered, non-empty sequence, by nearest rank, to 0.1."""
    rank = max(0, -(-len(ordered) * share // 1) - 1)
    return round(ordered[int(rank)], 1)
