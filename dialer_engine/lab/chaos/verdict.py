"""What a fault did, judged by the carrier's ledger, the phones, and the call records beside the carrier's calls.

The people of a fault run are called at most once: no result is tried again within hours. So a second call to
a number is a double dial, whenever it comes. They end each call themselves, before the drop message is over,
and the agents end none: an answered call that our side ended was cut.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from statistics import median
from typing import Any

from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.pairing import quantile

TRUNK_FAULT = "trunk_fault"
SILENCE_S = 2.0
MEASURING_S = 0.2
"""The carrier needs 40 ms of sound to notice it, in frames of 20 ms, on a machine that does other things too."""


@dataclass(frozen=True, slots=True)
class Record:
    """One call record: number, result, and when the call ended (seconds since 1970)."""

    number: str
    result: str
    ended_at: float


@dataclass(slots=True)
class Seen:
    """What the rounds of one fault saw: recovery times in seconds, whoever did not come back, slower answers.

    `answer_ratios`: p95 from answer to agent during the fault by that without it, one for each round that has both.
    """

    rounds: int = 0
    recovery_s: list[float] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    answer_ratios: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Row:
    """The line of one fault in the table; `evidence` says what stands behind every count."""

    fault: str
    rounds: int
    calls: int
    calls_cut: int
    double_dials: int
    cdrs_lost: int
    cdrs_doubled: int
    stuck: int
    silent_answers: int
    recovery_p95_s: float | None
    answer_p95_ratio: float | None = None
    broken: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The row as it goes into the file of `--json`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Promise:
    """What a fault may cost: counts that must be zero, and the longest p95 of the recovery in seconds.

    `answer_ratio` is how much longer p95 from answer to agent may be, in the median of the rounds; None for a fault
    that does not measure it or promises nothing.
    """

    zero: tuple[str, ...] = (
        "calls_cut",
        "double_dials",
        "cdrs_lost",
        "cdrs_doubled",
        "stuck",
        "silent_answers",
    )
    recovery_s: float = 5.0
    answer_ratio: float | None = None

    def without(self, *counts: str) -> Promise:
        """The same promise, but for these counts, which the fault itself makes impossible."""
        return replace(self, zero=tuple(each for each in self.zero if each not in counts))


def judge(
    fault: str, promise: Promise, calls: Sequence[CarrierCall], records: Iterable[Record], seen: Seen
) -> Row:
    """Count what went wrong in the calls of one fault, and say which promises that breaks."""
    kept = Counter(record.number for record in records)
    placed = Counter(call.number for call in calls)
    found = {
        "calls_cut": [_words(call, "cut") for call in calls if is_cut(call)],
        "double_dials": [f"{n}: called {c} times" for n, c in placed.items() if c > 1],
        "cdrs_lost": [f"{n}: {c} calls, {kept[n]} records" for n, c in placed.items() if kept[n] < c],
        "cdrs_doubled": [f"{n}: {kept[n]} records of {c} calls" for n, c in placed.items() if kept[n] > c],
        "stuck": seen.stuck,
        "silent_answers": [_words(call, "silence") for call in calls if is_silent(call)],
    }
    counts = {name: len(lines) for name, lines in found.items()}
    p95 = quantile(sorted(seen.recovery_s), 0.95) if seen.recovery_s else None
    broken = [name for name in promise.zero if counts[name]]
    broken += ["recovery_p95_s"] if p95 is not None and p95 > promise.recovery_s else []
    ratio = round(median(seen.answer_ratios), 2) if seen.answer_ratios else None
    slower = ratio is not None and promise.answer_ratio is not None and ratio > promise.answer_ratio
    broken += ["answer_p95_ratio"] if slower else []
    evidence = tuple(f"{name}: {line}" for name, lines in found.items() for line in lines)
    return Row(
        fault, seen.rounds, len(calls), **counts, recovery_p95_s=p95, answer_p95_ratio=ratio,
        broken=(*broken, *seen.broken), evidence=evidence,
    )  # fmt: skip


def of_the_carrier(records: Iterable[Record], calls: Iterable[CarrierCall]) -> list[Record]:
    """The records but those of trunk faults that are more than the carrier's calls: it never saw these."""
    kept = list(records)
    surplus = Counter(record.number for record in kept)
    surplus.subtract(call.number for call in calls)
    found = []
    for record in kept:
        if record.result == TRUNK_FAULT and surplus[record.number] > 0:
            surplus[record.number] -= 1
        else:
            found.append(record)
    return found


def is_cut(call: CarrierCall) -> bool:
    """Whether our side ended a call that a person had answered: here only the person may."""
    return call.answered_human and call.ended_by == "caller"


def is_silent(call: CarrierCall) -> bool:
    """Whether a person who answered heard nothing for longer than the law and the measuring allow."""
    until = call.heard_at or call.ended_at
    if not call.answered_human or call.answered_at is None or until is None:
        return False
    return until - call.answered_at > SILENCE_S + MEASURING_S


def _words(call: CarrierCall, what: str) -> str:
    answered, heard, ended = (_after(call, at) for at in (call.answered_at, call.heard_at, call.ended_at))
    return (
        f"{call.number}: {what}; came {call.came_at:.3f}, answered {answered}, heard {heard}, ended {ended}"
    )


def _after(call: CarrierCall, at: float | None) -> str:
    return "never" if at is None else f"+{at - call.came_at:.3f}"


def broken_rows(rows: Iterable[Row]) -> list[Row]:
    """The rows whose promises were broken."""
    return [row for row in rows if row.broken]
