"""What further lines may cost for each turn that a list may just have taken."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt

MOMENTS = (1, 4, 8, 12, 16, 21, 29)
"""Seconds ahead at which answers are held against agents."""
PLENTY = 1_000_000
TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn the list may have taken, at each of `MOMENTS`.

    `means` are answers less agents, as expectations, with their `variances`; `chances` are those that a line
    placed now is answered by then; `sds` are the standard deviations that are reckoned with.
    """

    sds: float
    means: list[float]
    variances: list[float]
    chances: list[float]

    def short(self, lines: int) -> float:
        """Return how many answers at worst find nobody with so many more lines."""
        return max(
            mean - 0.5 + lines * p + self.sds * sqrt(max(0.0, variance + lines * p * (1.0 - p)))
            for mean, variance, p in zip(self.means, self.variances, self.chances, strict=True)
        )

    def room(self, budget: int) -> float:
        """Return for how many more lines the budget of abandoned calls is enough."""
        return min(
            (
                _room(budget + 0.5 - mean, self.sds**2, max(0.0, variance), p)
                for mean, variance, p in zip(self.means, self.variances, self.chances, strict=True)
                if p > TINY
            ),
            default=PLENTY,
        )


@dataclass(frozen=True, slots=True)
class Turns:
    """All turns that are reckoned with; none: the forecast is believed.

    `beyond` are the lines in flight beyond the free agents, negative when agents are left. Whatever may happen, no
    more answers find nobody: so one line per free agent and the budget is always allowed.
    """

    found: tuple[Turn, ...] = ()
    beyond: int = 0

    def short(self, lines: int) -> int:
        """Return how many answers at worst find nobody with so many more lines."""
        worst = ceil(max((turn.short(lines) for turn in self.found), default=0.0))
        return max(0, min(worst, self.beyond + lines))

    def room(self, budget: int) -> int:
        """Return for how many more lines the budget of abandoned calls is enough."""
        least = int(min((turn.room(budget) for turn in self.found), default=PLENTY) + TINY)
        return max(least, budget - self.beyond)


def _room(left: float, square: float, variance: float, p: float) -> float:
    """Return for how many lines of a chance `p` mean and deviations stay within what is left."""
    beyond = left * left - square * variance
    if left <= 0.0 or beyond < 0.0:
        return 0.0
    half = left * p + 0.5 * square * p * (1.0 - p)
    return (half - sqrt(max(0.0, half * half - p * p * beyond))) / (p * p)
