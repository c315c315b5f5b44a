"""How many agents will be free in each of the next seconds, as a distribution, and what one more line does to it.

`X(k)`, the agents free after `k` seconds less the people still waiting, is what is free now, plus those who come
back, minus the answers. Each call is answered or not and each agent comes back or not, on their own, so `X(k)`
is a sum of independent chances: counted exactly for few of them, taken as normal for many. An answer in second
`k` finds nobody when `X` stays below 1 until its two seconds of grace are over.

One more line gains the seconds in which it has brought an answer to an agent who would be idle. It costs the
chance that its own answer finds nobody, and the chance that it takes the agent whom a later answer needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from itertools import repeat
from math import ceil, erfc, sqrt
from operator import add, mul

from dialer_engine.core.pacing.learning import HORIZON, Group, Row, times

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


class Crowd:
    """Calls or agents, and what they do together: the events expected by the end of each of `HORIZON` seconds.

    `squares` are the sums of their squared chances, by which events are less uncertain than if they were rare. They
    are looked at so many seconds `ahead` of their time.
    """

    def __init__(self, groups: Iterable[Group], ahead: int = 0) -> None:
        self.groups = [group for group in groups if group[0][-1] > SURELY]
        self._ahead = ahead
        self.count = sum(count for _, _, count in self.groups)
        expected, squares = _sums(self.groups)
        self.expected, self.squares = _shifted(expected, ahead), _shifted(squares, ahead)

    def each(self) -> Iterator[Row]:
        """Yield the row of every single one."""
        for row, likelier, count in self.groups:
            yield from repeat(tuple(_shifted(times(row, likelier), self._ahead)), count)

    def alike(self, second: int) -> tuple[float, float]:
        """Return how many more events were expected by the end of a second if all were alike, and the variance more.

        That is, if no answer were more or less likely than any call's.
        """
        more = variance = 0.0
        for row, likelier, count in self.groups:
            if likelier != 1.0:
                more += count * (1.0 - likelier) * row[second]
                variance += count * row[second] * (1.0 - likelier - row[second] * (1.0 - likelier * likelier))
        return more, variance


class Forecast:
    """The next `HORIZON` seconds of one campaign; `plus` is the same with one more line."""

    def __init__(self, free: int, back: Crowd, answers: Crowd) -> None:
        self._free = free
        self._calls = answers
        self.lines = answers.count
        self._answers = answers.expected
        self._mean = [free + up - down for up, down in zip(back.expected, answers.expected, strict=True)]
        self._variance = [
            LEAST_VARIANCE + up + down - sure - also
            for up, down, sure, also in zip(
                back.expected, answers.expected, back.squares, answers.squares, strict=True
            )
        ]
        few = back.count + answers.count <= EXACT_TERMS
        self._exact = _count_exactly(free, back, answers) if few else None
        self._renew()

    def plus(self, row: Row) -> Forecast:
        """Return the forecast with one more line; this one stays as it is."""
        more = copy(self)
        more.lines = self.lines + 1
        more._answers = [had + chance for had, chance in zip(self._answers, row, strict=True)]
        more._mean = [mean - chance for mean, chance in zip(self._mean, row, strict=True)]
        more._variance = [var + c * (1.0 - c) for var, c in zip(self._variance, row, strict=True)]
        if self._exact is not None:
            more._exact = copy(self._exact)
            more._exact.take(row, -1)
        more._renew()
        return more

    def _renew(self) -> None:
        """Work out, per second, the chance that nobody is free, and that an answer takes the last one."""
        if self._exact is not None:
            none, few = self._exact.at_most(0), self._exact.at_most(1)
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
        """Return answers less agents by the end of some seconds, as an expectation, and its variance.

        Every call counts as any call does, whatever its segments say.
        """
        alike = [self._calls.alike(at) for at in seconds]
        means = [more - self._mean[at] for at, (more, _) in zip(seconds, alike, strict=True)]
        return means, [self._variance[at] + more for at, (_, more) in zip(seconds, alike, strict=True)]

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
            return self._exact.shortfall(chance)
        worst = max(
            _SDS[chance] * sqrt(var) - mean - 0.5
            for mean, var in zip(self._mean, self._variance, strict=True)
        )
        return min(self.lines, max(0, ceil(worst)))


def _sums(groups: Sequence[Group]) -> tuple[list[float], list[float]]:
    """Return, per second, the expected events of all groups, and the sum of their squared chances."""
    if not groups:
        return [0.0] * HORIZON, [0.0] * HORIZON
    counts = [likelier * count for _, likelier, count in groups]
    likelies = [likelier for _, likelier, _ in groups]
    alike = all(likelier == 1.0 for likelier in likelies)
    expected, squares = [], []
    for chances in zip(*(row for row, _, _ in groups), strict=True):
        weighed = list(map(mul, chances, counts))
        expected.append(sum(weighed))
        squares.append(sum(map(mul, chances, weighed if alike else map(mul, weighed, likelies))))
    return expected, squares


def _shifted(by_second: Sequence[float], ahead: int) -> list[float]:
    return [*by_second[ahead:], *([by_second[-1]] * ahead)]


def _count_exactly(free: int, back: Crowd, answers: Crowd) -> _Exact:
    exact = _Exact(free)
    for crowd, sign in ((back, +1), (answers, -1)):
        for row in crowd.each():
            exact.take(row, sign)
    return exact


class _Exact:
    """The distribution of `X` at every second: the chances, by second, of `low`, those of `low + 1` and so on."""

    __slots__ = ("chances", "low")

    def __init__(self, value: int) -> None:
        self.low = value
        self.chances = [[1.0] * HORIZON]

    def take(self, row: Row, sign: int) -> None:
        """Add (or subtract) one, by the end of each second with a chance."""
        nobody = [0.0] * HORIZON
        here, below = [*self.chances, nobody], [nobody, *self.chances]
        if sign < 0:
            self.low -= 1
            here, below = below, here
        stays = [1.0 - chance for chance in row]
        self.chances = [
            [
                moved * chance + kept * stay
                for moved, chance, kept, stay in zip(come, row, had, stays, strict=True)
            ]
            for come, had in zip(below, here, strict=True)
        ]

    def at_most(self, value: int) -> list[float]:
        """Return the chance of at most `value` at every second."""
        places = max(0, value - self.low + 1)
        return list(map(sum, zip(*self.chances[:places], strict=True))) if places else [0.0] * HORIZON

    def shortfall(self, rare: float) -> int:
        """Return the least number that the shortfall (-X) never passes with a chance of more than `rare`."""
        totals = [0.0] * HORIZON
        for place, chances in enumerate(self.chances):
            totals = list(map(add, totals, chances))
            if max(totals) > rare:
                return max(0, -(self.low + place))
        return 0
