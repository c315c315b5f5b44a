"""Calls that behave alike: each segment's share of answers beside that of all calls, learned with forgetting.

A call has a segment of every kind: its region, its list, whether its contact was tried before. What the kinds say
is multiplied, and each is judged by what the others leave to be explained, so that a list which only holds
people of a poor region is not counted as poor once more. An empty name is a segment that nobody knows.
"""

from __future__ import annotations

from math import exp, log, prod

SHRINK = 10.0
"""Expected answers that a segment needs until its own count weighs as much as that of all calls."""
HALF_LIFE = 400.0
MOST_SEGMENTS = 200
"""Segments of each kind that are remembered."""
MOST_KINDS = 4
LEAST, MOST = 0.02, 20.0
"""What all kinds together may say at least and at most."""
STEP = log(1.1)
"""Factors come in steps of a tenth, so that calls which are nearly alike are reckoned together."""


class Segments:
    """Answered and expected calls of every segment by kind; bounded, the one longest unheard of is forgotten first."""

    def __init__(self) -> None:
        self._seen: list[dict[str, tuple[float, float]]] = [{} for _ in range(MOST_KINDS)]
        self._keep = 0.5 ** (1.0 / HALF_LIFE)
        self._known: dict[tuple[str, ...], float] = {}

    def add(self, segments: tuple[str, ...], *, answered: bool, expected: float) -> None:
        """Take note of a call's end and of how likely an answer was for a call of any segment."""
        factors = self._factors(segments)
        for place, (seen, segment) in enumerate(zip(self._seen, segments, strict=False)):
            if not segment:
                continue
            others = prod(factors[:place] + factors[place + 1 :])
            answers, expectation = seen.pop(segment, (0.0, 0.0))
            more = min(1.0, expected * others)
            seen[segment] = (answers * self._keep + answered, expectation * self._keep + more)
            if len(seen) > MOST_SEGMENTS:
                del seen[next(iter(seen))]
        self._known.clear()

    def factor(self, segments: tuple[str, ...]) -> float:
        """Return how much likelier than any call's an answer of these segments is (1: as likely)."""
        known = self._known.get(segments)
        if known is None:
            factor = min(MOST, max(LEAST, prod(self._factors(segments))))
            known = self._known[segments] = exp(STEP * round(log(factor) / STEP))
        return known

    def _factors(self, segments: tuple[str, ...]) -> list[float]:
        return [self._factor(seen, segment) for seen, segment in zip(self._seen, segments, strict=False)]

    def _factor(self, seen: dict[str, tuple[float, float]], segment: str) -> float:
        if len(seen) < 2 or segment not in seen:
            return 1.0
        answers, expectation = seen[segment]
        return (answers + SHRINK) / (expectation + SHRINK)
