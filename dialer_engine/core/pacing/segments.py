"""Calls that behave alike: each segment's share of answers beside that of all calls, learned with forgetting."""

from __future__ import annotations

SHRINK = 10.0
"""Expected answers that a segment needs until its own count weighs as much as that of all calls."""
HALF_LIFE = 400.0
MOST_SEGMENTS = 200


class Segments:
    """Answered and expected calls of every segment; bounded, the one longest unheard of is forgotten first."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, float]] = {}
        self._keep = 0.5 ** (1.0 / HALF_LIFE)

    def add(self, segment: str, *, answered: bool, expected: float) -> None:
        """Take note of a call's end and of how likely an answer was for a call of any segment."""
        answers, expectation = self._seen.pop(segment, (0.0, 0.0))
        self._seen[segment] = (answers * self._keep + answered, expectation * self._keep + expected)
        if len(self._seen) > MOST_SEGMENTS:
            del self._seen[next(iter(self._seen))]

    def factor(self, segment: str) -> float:
        """Return how much likelier than any call's an answer of this segment is (1: as likely)."""
        if len(self._seen) < 2:
            return 1.0
        answers, expectation = self._seen.get(segment, (0.0, 0.0))
        return (answers + SHRINK) / (expectation + SHRINK)
