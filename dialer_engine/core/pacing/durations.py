"""How long things last, learned online with forgetting: counts by age, and the hazards that follow from them.

A hazard is the chance that something ends in the next stretch of time, given that it lasted until now. Counts
by age keep what an average loses: a phone that rang for 20 s is much less likely to be answered than one that
rang for 5 s. Something that we ended ourselves says only that it lasted that long.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

OVERFLOW = 1e9


class Durations:
    """Lengths in seconds of one kind of thing, by `kinds` ways to end; bins of `width` s, the last one open.

    `prior` gives, for every way to end, the hazard per bin that is believed at first, with the weight of
    `prior_weight` observations. Every observation makes all earlier ones count less: after `half_life`
    further ones it weighs half.
    """

    def __init__(
        self,
        bins: int,
        width: float,
        prior: Sequence[float],
        prior_weight: float,
        half_life: float,
    ) -> None:
        self.bins, self.width = bins, width
        self.seen = 0
        self._growth = 0.5 ** (-1.0 / half_life)
        self._weight = 1.0
        self._ends = [[0.0] * bins for _ in prior]
        self._stays = [0.0] * bins
        self._prior = tuple(prior)
        self._believe(prior, prior_weight)

    def _believe(self, prior: Sequence[float], weight: float) -> None:
        for age in range(self.bins):
            for ends, hazard in zip(self._ends, prior, strict=True):
                ends[age] = weight * hazard
            weight *= 1.0 - sum(prior)
        self._stays[-1] = weight

    def bin(self, seconds: float) -> int:
        """Return the bin of an age."""
        return min(max(int(seconds / self.width), 0), self.bins - 1)

    def add(self, seconds: float, kind: int | None) -> None:
        """Take note of something that lasted `seconds` and ended in one of the ways; None: it was cut short."""
        self.seen += 1
        self._weight *= self._growth
        counts = self._stays if kind is None else self._ends[kind]
        counts[self.bin(seconds)] += self._weight
        if self._weight > OVERFLOW:
            self._scale_down()

    def _scale_down(self) -> None:
        for counts in (*self._ends, self._stays):
            counts[:] = [count / self._weight for count in counts]
        self._weight = 1.0

    def hazards(self) -> list[list[float]]:
        """Return, for every way to end, the chance of it in each bin for what lasted until that bin.

        The ages that nobody reached keep the hazard that was believed at first.
        """
        seen = list(map(sum, zip(*self._ends, self._stays, strict=True)))
        at_risk = list(accumulate(reversed(seen)))[::-1]
        return [
            [min(1.0, end / risk) if risk > 0.0 else first for end, risk in zip(ends, at_risk, strict=True)]
            for ends, first in zip(self._ends, self._prior, strict=True)
        ]
