"""The engine's call records against the carrier's ledger and the phones, call by call."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.pairing import Answer

TIME_SLACK_S = 1.0
UNANSWERED = {
    "busy": ("busy",),
    "congestion": ("congestion",),
    "not_in_service": ("not_in_service",),
    "no_answer": ("no_answer", "cancelled"),
    "early_media": ("no_answer", "cancelled"),
}


@dataclass(frozen=True, slots=True)
class EngineCall:
    """What one call record of the engine says; times are seconds since 1970."""

    number: str
    result: str
    originated_at: float | None
    answered_at: float | None
    ended_at: float


def differences(
    calls: Sequence[CarrierCall], answers: Sequence[Answer], records: Sequence[EngineCall]
) -> list[str]:
    """Every point in which carrier and phones on one side and the engine on the other disagree, in words."""
    by_number = _grouped(calls)
    recorded: dict[str, list[EngineCall]] = defaultdict(list)
    for record in sorted(records, key=lambda each: each.originated_at or each.ended_at):
        recorded[record.number].append(record)
    heard = {answer.call.id: answer for answer in answers}
    found: list[str] = []
    for number in sorted(by_number.keys() | recorded.keys()):
        found += _of_number(number, by_number.get(number, []), recorded.get(number, []), heard)
    return found


def _grouped(calls: Iterable[CarrierCall]) -> dict[str, list[CarrierCall]]:
    groups: dict[str, list[CarrierCall]] = defaultdict(list)
    for call in calls:
        groups[call.number].append(call)
    return groups


def _of_number(
    number: str, calls: list[CarrierCall], records: list[EngineCall], heard: Mapping[str, Answer]
) -> list[str]:
    if len(calls) != len(records):
        results = ", ".join(record.result for record in records) or "none"
        return [
            f"{number}: the carrier saw {len(calls)} calls, the engine recorded {len(records)} ({results})"
        ]
    return [
        f"{number}: {problem}"
        for call, record in zip(calls, records, strict=True)
        for problem in _of_call(call, record, heard.get(call.id))
    ]


def _of_call(call: CarrierCall, record: EngineCall, answer: Answer | None) -> list[str]:
    problems = []
    if (call.answered_at is None) != (record.answered_at is None):
        problems.append(f"answered at the carrier: {call.answered_at}, at the engine: {record.answered_at}")
    elif call.answered_at and record.answered_at and _apart(call.answered_at, record.answered_at):
        problems.append(f"answered {record.answered_at - call.answered_at:.3f} s apart")
    if call.ended_at is not None and _apart(call.ended_at, record.ended_at):
        problems.append(f"ended {record.ended_at - call.ended_at:.3f} s apart")
    return problems + _of_result(call, record, answer)


def _of_result(call: CarrierCall, record: EngineCall, answer: Answer | None) -> list[str]:
    if answer is not None:
        expected: tuple[str, ...] = ("bridged",) if answer.heard else ("abandoned", "hung_up")
    elif call.kind is not None and call.answered_at is None:
        expected = UNANSWERED.get(call.kind, ("no_answer", "cancelled"))
    else:
        return []
    if record.result in expected:
        return []
    return [f"{call.kind} recorded as {record.result}, expected {' or '.join(expected)}"]


def _apart(one: float, other: float) -> bool:
    return abs(one - other) > TIME_SLACK_S
