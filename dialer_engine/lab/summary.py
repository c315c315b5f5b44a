"""What a lab run came to, counted by the carrier and the phones, and what the engine says of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from dialer_engine.lab.compare import EngineCall, differences
from dialer_engine.lab.ears import Heard
from dialer_engine.lab.ledger import CarrierCall, overlapping
from dialer_engine.lab.pairing import Answer, Delays, delays, pair
from dialer_engine.lab.people import Oracle

SILENCE_LIMIT_S = 2.1


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a run; `first_bridge_s` counts seconds from the start of the command."""

    attempts: int
    answered_humans: int
    bridged: int
    abandoned: int
    double_dials: int
    outside_gate: int
    cdrs: int
    first_bridge_s: float | None
    answer_to_agent_ms: Delays
    silent_over_2s: int
    kinds: dict[str, int]
    engine: dict[str, int]
    objections: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The summary as it goes into the file of `--json`."""
        return asdict(self) | {
            "answer_to_agent_ms": self.answer_to_agent_ms.as_json(),
            "over_2s": self.answer_to_agent_ms.over_2s,
        }

    @property
    def clean(self) -> bool:
        """Whether carrier, phones and engine agree and nothing was dialed that must not be."""
        wrong = (self.double_dials, self.outside_gate, self.silent_over_2s, len(self.differences))
        return not any(wrong) and self.cdrs == self.attempts


def summarize(
    calls: Sequence[CarrierCall],
    heard: Sequence[Heard],
    records: Sequence[EngineCall],
    oracle: Oracle,
    started_at: float,
) -> Summary:
    """Count and compare; `started_at` is the wall-clock second at which the command began."""
    answers = pair(calls, heard)
    reached = [answer.heard.first for answer in answers if answer.heard is not None]
    objections = [*oracle.objections(calls), *after_opt_out(calls, answers)]
    waits = [answer.delay_ms for answer in answers if answer.delay_ms is not None]
    silences = [answer.silent_s for answer in answers if answer.silent_s is not None]
    return Summary(
        attempts=len(calls),
        answered_humans=len(answers),
        bridged=len(reached),
        abandoned=len(answers) - len(reached),
        double_dials=len(overlapping(calls)),
        outside_gate=len(objections),
        cdrs=len(records),
        first_bridge_s=round(min(reached) - started_at, 1) if reached else None,
        answer_to_agent_ms=delays(waits),
        silent_over_2s=sum(silence > SILENCE_LIMIT_S for silence in silences),
        kinds=dict(Counter(str(call.kind) for call in calls if call.kind)),
        engine=dict(Counter(record.result for record in records)),
        objections=objections,
        differences=differences(calls, answers, records),
    )


def after_opt_out(calls: Sequence[CarrierCall], answers: Sequence[Answer]) -> list[str]:
    """Calls that came after somebody had pressed 9 during the drop message of an earlier call."""
    asked = {a.call.number: a.call.nine_at for a in answers if a.call.nine_at and a.heard is None}
    return [
        f"{call.number}: asked not to be called"
        for call in calls
        if call.came_at > asked.get(call.number, call.came_at)
    ]
