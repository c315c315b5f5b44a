"""Counts of what happened since the engine started, for status and the live screen."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

from dialer_engine.core.law import CONNECT_WITHIN
from dialer_engine.core.outcome import Result
from dialer_engine.engine.call import FinishedCall

CONNECT_WITHIN_MS = CONNECT_WITHIN.total_seconds() * 1000.0
RECENT = 50
SAMPLES = 2_000
"""Delays kept a campaign: enough for a p99, soon full, and quickly put in order whenever the status is asked for."""


@dataclass(slots=True)
class Tally:
    """One campaign's totals; delays in milliseconds, the newest SAMPLES of them."""

    results: Counter[str] = field(default_factory=Counter)
    answered: int = 0
    over_2s: int = 0
    delays: deque[float] = field(default_factory=lambda: deque(maxlen=SAMPLES))

    def add(self, call: FinishedCall) -> None:
        """Count one ended call."""
        self.results[str(call.attempt.result)] += 1
        self.answered += call.attempt.answered_at is not None
        delay = call.answer_to_agent_ms
        if delay is not None:
            self.delays.append(delay)
            self.over_2s += delay > CONNECT_WITHIN_MS

    def totals(self) -> dict[str, int]:
        """Return attempts, answers and every result with its count."""
        counts = {result.value: self.results[result.value] for result in Result}
        return {"attempts": sum(counts.values()), "answered": self.answered, **counts}

    def answer_to_agent(self) -> dict[str, float | int | None]:
        """Return count, p50, p99 and max in ms and how many took over 2 s."""
        ordered = sorted(self.delays)
        return {
            "count": len(ordered),
            "p50": quantile(ordered, 0.5),
            "p99": quantile(ordered, 0.99),
            "max": ordered[-1] if ordered else None,
            "over_2s": self.over_2s,
        }


def quantile(ordered: list[float], share: float) -> float | None:
    """Return the nearest-rank quantile of an ascending list, None when it is empty."""
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)


class Board:
    """Tallies by campaign and the most recent calls of all."""

    def __init__(self) -> None:
        self.tallies: defaultdict[str, Tally] = defaultdict(Tally)
        self.recent: deque[dict[str, Any]] = deque(maxlen=RECENT)

    def finished(self, call: FinishedCall) -> None:
        """Count an ended call and keep it among the recent ones."""
        self.tallies[call.campaign].add(call)
        ended = call.attempt.ended_at
        self.recent.appendleft(
            {
                "at": ended.isoformat() if ended else None,
                "attempt": call.attempt_id,
                "campaign": call.campaign,
                "result": str(call.attempt.result),
                "agent": call.attempt.agent,
                "answer_to_agent_ms": call.answer_to_agent_ms,
                "talk_s": round(call.talk_s, 3),
            }
        )
