"""How many agents will be free in each of the next seconds, as a distribution, and what one more line does to it.

`X(k)`, the agents free after `k` seconds less the people still waiting, is what is free now, plus those who come
back, minus the answers. Each call is answered or not and each agent comes back or not, on their own, so `X(k)`
is a sum of independent chances: counted exactly for few of them, taken as normal for many. An answer in second
`k` finds nobody when `X` stays below 1 until its two seconds of grace are over.

One more line gains the seconds in which it has brought an answer to an agent who would be idle. It costs the
chance that its own answer finds nobody, and the chance that it takes the agent whom a later answer needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from math import ceil, erfc, sqrt
from operator import mul

from dialer_engine.core.pacing.learning import HORIZON, Row

EXACT_TERMS = 20
"""Up to so many uncertain calls and agents are counted exactly."""
SURELY = 1e-3
"""An event less likely than this within the horizon is left out of the exact count."""
RARE = 0.001
UNLIKELY = 0.05
"""How likely too many abandoned calls must have become before lines are ended for it. A forecast that was right
when a line was placed wanders; from 0.1 % it reaches 5 % once in fifty times at most, and mostly comes back."""
_SDS = {RARE: 3.09, UNLIKELY: 1.645}
"""Quantiles of a normal distribution, in standard deviations."""
GRACE = 1
"""Seconds by which agents are counted ahead of answers: the middle of the two seconds of grace."""
LEAST_VARIANCE = 1e-9

Group = tuple[Row, int]
"""Calls or agents of one age: their row, and how many they are."""


class Forecast:
    """The next `HORIZON` seconds of one campaign; `plus` is the same with one more line."""

    def __init__(self, free: int, back: Iterable[Group], answers: Iterable[Group]) -> None:
        agents = [(_ahead(row), count) for row, count in back if row[-1] > SURELY]
        calls = [(row, count) for row, count in answers if row[-1] > SURELY]
        self._free = free
        self.lines = sum(count for _, count in calls)
        came, came_sure = _sums(agents)
        went, went_sure = _sums(calls)
        self._answers = went
        self._mean = [free + up - down for up, down in zip(came, went, strict=True)]
        self._variance = [
            LEAST_VARIANCE + up + down - sure - also
            for up, down, sure, also in zip(came, went, came_sure, went_sure, strict=True)
        ]
        few = self.lines + sum(count for _, count in agents) <= EXACT_TERMS
        self._exact = _count_exactly(free, agents, calls) if few else None
        self._renew()

    def plus(self, row: Row) -> Forecast:
        """Return the forecast with one more line; this one stays as it is."""
        more = copy(self)
        more.lines = self.lines + 1
        more._answers = [had + chance for had, chance in zip(self._answers, row, strict=True)]
        more._mean = [mean - chance for mean, chance in zip(self._mean, row, strict=True)]
        more._variance = [var + c * (1.0 - c) for var, c in zip(self._variance, row, strict=True)]
        if self._exact is not None:
            more._exact = [copy(at) for at in self._exact]
            for at, chance in zip(more._exact, row, strict=True):
                at.take(chance, -1)
        more._renew()
        return more

    def _renew(self) -> None:
        """Work out, per second, the chance that nobody is free, and that an answer takes the last one."""
        if self._exact is not None:
            none = [at.at_most(0) for at in self._exact]
            few = [at.at_most(1) for at in self._exact]
        else:
            sds = [sqrt(2.0 * var) for var in self._variance]
            none = [0.5 * erfc((mean - 0.5) / sd) for mean, sd in zip(self._mean, sds, strict=True)]
            few = [0.5 * erfc((mean - 1.5) / sd) for mean, sd in zip(self._mean, sds, strict=True)]
        self._none = none
        one = (max(0.0, f - n) for f, n in zip(few, none, strict=True))
        last = (float(self._free == 1), *one)
        steps = (after - before for before, after in zip([0.0, *self._answers], self._answers, strict=False))
        self._takes_last = [chance * step for chance, step in zip(last, steps, strict=False)]

    def shortage(self, seconds: Sequence[int]) -> tuple[list[float], list[float]]:
        """Return answers less agents by the end of some seconds, as an expectation, and its variance."""
        return [-self._mean[at] for at in seconds], [self._variance[at] for at in seconds]

    def gain(self, row: Row) -> float:
        """Return the idle agent-seconds that one more line of this row saves within the horizon."""
        return sum(chance * (1.0 - none) for chance, none in zip(row, self._none, strict=True))

    def cost(self, row: Row) -> float:
        """Return the abandoned calls that one more line of this row adds, as an expectation."""
        cost = before = 0.0
        for chance, none, last in zip(row, self._none, self._takes_last, strict=True):
            cost += (chance - before) * none + before * last
            before = chance
        return cost

    def short(self, chance: float) -> int:
        """Return how many answers find no agent within the horizon, but for a chance of RARE or UNLIKELY."""
        if self._exact is not None:
            return max(at.shortfall(chance) for at in self._exact)
        worst = max(
            _SDS[chance] * sqrt(var) - mean - 0.5
            for mean, var in zip(self._mean, self._variance, strict=True)
        )
        return min(self.lines, max(0, ceil(worst)))


def _sums(groups: Sequence[Group]) -> tuple[list[float], list[float]]:
    """Return, per second, the expected events of all groups, and the sum of their squared chances."""
    if not groups:
        return [0.0] * HORIZON, [0.0] * HORIZON
    counts = [count for _, count in groups]
    expected, squares = [], []
    for chances in zip(*(row for row, _ in groups), strict=True):
        weighed = list(map(mul, chances, counts))
        expected.append(sum(weighed))
        squares.append(sum(map(mul, chances, weighed)))
    return expected, squares


def _count_exactly(free: int, agents: Sequence[Group], calls: Sequence[Group]) -> list[_Exact]:
    exact = [_Exact(free) for _ in range(HORIZON)]
    for groups, sign in ((agents, +1), (calls, -1)):
        for row, count in groups:
            for at, chance in zip(exact, row, strict=True):
                for _ in range(count):
                    at.take(chance, sign)
    return exact


def _ahead(row: Row) -> Row:
    return (*row[GRACE:], *([row[-1]] * GRACE))


class _Exact:
    """The distribution of `X` at one second: chances of `low`, `low + 1` and so on."""

    __slots__ = ("chances", "low")

    def __init__(self, value: int) -> None:
        self.low = value
        self.chances = [1.0]

    def take(self, chance: float, sign: int) -> None:
        """Add (or subtract) one with a chance."""
        stays = 1.0 - chance
        old = self.chances
        if sign > 0:
            shifted = [0.0, *[p * chance for p in old]]
            kept = [*[p * stays for p in old], 0.0]
        else:
            self.low -= 1
            shifted = [*[p * chance for p in old], 0.0]
            kept = [0.0, *[p * stays for p in old]]
        self.chances = [a + b for a, b in zip(shifted, kept, strict=True)]

    def at_most(self, value: int) -> float:
        """Return the chance of at most `value`."""
        return sum(self.chances[: max(0, value - self.low + 1)])

    def shortfall(self, rare: float) -> int:
        """Return the least number that the shortfall (-X) passes with a chance of at most `rare`."""
        total = 0.0
        for place, chance in enumerate(self.chances):
            total += chance
            if total > rare:
                return max(0, -(self.low + place))
        return 0
