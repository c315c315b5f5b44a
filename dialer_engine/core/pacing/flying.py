"""The unanswered calls of one moment, told apart by age: looked at once, for the forecast and for the law's guard."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from dialer_engine.core.pacing.level import UNANSWERED
from dialer_engine.core.pacing.model import CallView

Age = int
"""Whole seconds that a call has been ringing; below zero it does not ring yet, and left `-1 - age` seconds ago."""


@dataclass(frozen=True, slots=True)
class Flying:
    """Each unanswered call: its name, its age, and how many times as likely as any call's its answer is."""

    calls: list[tuple[str, Age, float]]

    @classmethod
    def of(cls, calls: Sequence[CallView], now: float, factor: Callable[[tuple[str, ...]], float]) -> Flying:
        """Return those of these calls; `factor` says how likely an answer of some segments is."""
        factors = {segments: factor(segments) for segments in {call.segments for call in calls}}
        return cls(
            [
                (
                    call.id,
                    int(call.rang) if call.state == "ringing" else _left(call, now),
                    factors[call.segments],
                )
                for call in calls
                if call.state in UNANSWERED
            ]
        )

    def without(self, gone: Collection[str]) -> Flying:
        """Return the others."""
        return Flying([call for call in self.calls if call[0] not in gone])

    def by_age(self) -> list[tuple[Age, float, int]]:
        """Return every age with how likely an answer is on average there, and how many calls are of it.

        That their chances differ is left out: it would make the sum of answers a little less uncertain.
        """
        totals: defaultdict[Age, float] = defaultdict(float)
        for _, age, likelier in self.calls:
            totals[age] += likelier
        counts = Counter([age for _, age, _ in self.calls])
        return [(age, totals[age] / count, count) for age, count in counts.items()]


def _left(call: CallView, now: float) -> Age:
    return -1 - int(max(0.0, now - call.placed)) if call.placed else -1
