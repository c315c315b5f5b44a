"""How fast something grows, and how sure that is.

Memory rises in steps: a table that is full is moved into a bigger one, a pool takes its next megabyte. One step in
the middle of a run makes a single regression look like a steady climb, and look certain. So the run is cut into equal
stretches with a regression of its own in each: what climbs, climbs in all of them, what stepped did it in one, and the
interval says which it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, linear_regression, stdev

STRETCHES = 8
LEAST = 2 * STRETCHES + 1
"""So many points an interval needs."""
STUDENT = 2.365
"""95 % of Student's t with STRETCHES - 1 degrees of freedom lie within so many standard errors."""
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Growth:
    """A slope, in units of what grows per unit of what passes, and half its 95 % interval (None: too few samples)."""

    slope: float
    half: float | None

    def times(self, factor: float) -> Growth:
        """Return the growth in other units."""
        return Growth(self.slope * factor, None if self.half is None else self.half * factor)

    def as_json(self) -> dict[str, float | None]:
        """The figures, rounded to three digits after the point."""
        return {"slope": round(self.slope, 3), "half": None if self.half is None else round(self.half, 3)}


def growth(points: Sequence[Point]) -> Growth:
    """Return how much the second number of the points grows with the first, which must not fall.

    Zero with nothing to measure; without an interval when the stretches would hold fewer than three points.
    """
    slopes = [slope for part in _stretches(points) if (slope := _slope(part)) is not None]
    if len(slopes) == STRETCHES:
        return Growth(fmean(slopes), STUDENT * stdev(slopes) / sqrt(STRETCHES))
    return Growth(_slope(points) or 0.0, None)


def _stretches(points: Sequence[Point]) -> list[Sequence[Point]]:
    """Cut into stretches of as many steps each; a point between two belongs to both, so that no step is lost."""
    if len(points) < LEAST:
        return []
    steps = len(points) - 1
    ends = [steps * n // STRETCHES for n in range(STRETCHES + 1)]
    return [points[ends[n] : ends[n + 1] + 1] for n in range(STRETCHES)]


def _slope(points: Sequence[Point]) -> float | None:
    if len({x for x, _ in points}) < 2:
        return None
    return linear_regression([x for x, _ in points], [y for _, y in points]).slope
