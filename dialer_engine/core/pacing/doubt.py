"""What if the list has just turned? The most lines that may be placed when the learned answer rate is not believed.

A learned answer rate lags. When a list goes from wrong numbers to people at home, every call placed since then
belongs to another list, and shows it only as its phone is picked up. So where the law is at stake the rate is not
believed: for the newest call, the two newest, the three newest and so on it is asked which rate they may have at
most, by what became of them so far (`evidence`). A call that was answered, failed or rang out tells all; one that
rings tells as much as answers would have come by then; one that just left tells nothing, so all of those may be
answered. For every such turn the answers that find nobody must stay within the law's budget (`turns`). Nor is it
believed that talks which just began will end soon: the talks before may have been with machines.

The pools of a campaign share one doubt: the newest calls of the list tell of it, whichever node they left from. What
may be answered too much is asked for each pool by itself: only its own calls come to its agents.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log
from operator import itemgetter, mul

from dialer_engine.core.pacing.durations import Durations
from dialer_engine.core.pacing.evidence import Window, likeliest, most, score
from dialer_engine.core.pacing.flying import Age, Flying
from dialer_engine.core.pacing.forecast import GRACE, Forecast
from dialer_engine.core.pacing.learning import HORIZON, Learning
from dialer_engine.core.pacing.level import free_agents, in_flight
from dialer_engine.core.pacing.measured import CUT
from dialer_engine.core.pacing.model import PacingEvent, Snapshot
from dialer_engine.core.pacing.turns import MOMENTS, Turn, Turns

TRAIL = 640
"""Newest calls that are remembered for each pool."""
PAIRS = ((log(100.0), 1.645), (log(3.0), 2.7))
"""How much less likely a rate may make what was seen than the likeliest rate does (a logarithm), and the standard
deviations of answers and agents that are reckoned with at that rate. Together each pair is about 1 in 1,000."""
TRIED = 3
"""Turns that are worked out for each pair: those with the most answers to come; besides that of new lines alone."""
SPEAKS, FINER = 0.1, 6
"""A call speaks against a turn when so much of an attempt is over without an answer. Windows grow by a sixth."""
YOUNG_S, YOUNG_STEP_S = 30.0, 5.0
"""Talks that began so long ago are not counted on to end."""
LATEST_S, LATEST_DIAL_S = 60, 15
FINE_S, COARSE_S = 6, 3
"""Seconds of ringing are told apart by one up to `FINE_S`, then by `COARSE_S`."""
PRIOR_HAZARD, PRIOR_ANSWERS, ANSWERS_HALF_LIFE = 0.05, 10.0, 300.0
"""How long people let it ring, as believed at first: 20 s, slower than most, for that is the careful side."""


@dataclass(slots=True)
class _Try:
    """A call that was placed; `failed` is how much of an attempt without an answer it was (None: in flight)."""

    id: str
    rings: float | None = None
    failed: float | None = None
    answered: bool = False


@dataclass(frozen=True, slots=True)
class _Ahead:
    """Calls of one age: the share of answers that would have come, those by each moment ahead, the learned ones."""

    rung: float
    steps: list[float]
    learned: list[float]


class Doubt:
    """The newest calls in the order they left, and how long the phones rang of those who answered."""

    def __init__(self) -> None:
        self._times = Durations(LATEST_S + 1, 1.0, (PRIOR_HAZARD,), PRIOR_ANSWERS, ANSWERS_HALF_LIFE)
        self.pools = 0
        self._trail: deque[_Try] = deque()
        self._open: dict[str, _Try] = {}
        self._by: list[float] = []
        self._rows: dict[Age, _Ahead] = {}
        self._version = 0
        self._renew()

    # --- observing --------------------------------------------------------------------------------

    def observe(self, event: PacingEvent) -> None:
        """Take note of what became of a call."""
        if event.kind == "agent" or event.call is None:
            return
        if event.kind == "placed":
            self._open[event.call] = made = _Try(event.call)
            self._trail.append(made)
            if len(self._trail) > TRAIL * max(1, self.pools):
                self._trail.popleft()
        elif (call := self._open.get(event.call)) is not None:
            self._step(call, event)

    def _step(self, call: _Try, event: PacingEvent) -> None:
        if event.kind == "ringing":
            call.rings = event.at
        elif event.kind == "answered":
            call.answered, call.failed = True, 0.0
            self._times.add(event.at - (call.rings if call.rings is not None else event.at), 0)
            del self._open[call.id]
        elif event.kind == "ended":
            rang = 0.0 if call.rings is None else event.at - call.rings
            call.failed = self._share(int(rang)) if event.result in CUT else 1.0
            del self._open[call.id]

    def _renew(self) -> None:
        """Work out the share of answers that have come by each second of ringing."""
        lasts, by = 1.0, [0.0]
        for hazard in self._times.hazards()[0]:
            lasts *= 1.0 - hazard
            by.append(1.0 - lasts)
        self._by = by
        self._rows.clear()

    def _share(self, rang: int) -> float:
        return self._by[min(max(rang, 0), len(self._by) - 1)]

    # --- judging ----------------------------------------------------------------------------------

    def turns(self, snapshot: Snapshot, forecast: Forecast, flying: Flying, learning: Learning) -> Turns:
        """Return the worst turns that the list may have taken, with their costs; `flying` are the forecast's."""
        if learning.version != self._version:
            self._version = learning.version
            self._renew()
        coarse = {age: _coarse(age) for age in {age for _, age, _ in flying.calls}}
        ages = {call_id: coarse[age] for call_id, age, _ in flying.calls}
        unknown = Counter([ages[call_id] for call_id in ages.keys() - self._open.keys()])
        windows = list(self._windows(ages, snapshot.now, unknown))
        best = [(likeliest(window), window) for window in windows]
        base = self._shortage(snapshot, forecast, learning)
        found = [self._turn(PAIRS[-1][1], base, 1.0, windows[0], learning)]
        for evidence, sds in PAIRS:
            found += (self._turn(sds, base, *tried, learning) for tried in _worst(best, evidence))
        return Turns(tuple(found), in_flight(snapshot) - free_agents(snapshot))

    def _shortage(
        self, snapshot: Snapshot, forecast: Forecast, learning: Learning
    ) -> tuple[list[float], list[float]]:
        """Return answers less agents by each moment, and the variance, if no talk that just began ends soon."""
        mean, variance = forecast.shortage(MOMENTS)
        talking = [agent for agent in snapshot.agents if agent.state == "in_call" and not agent.leaves]
        ages = [snapshot.now - agent.since for agent in talking]
        for age, count in Counter(int(age / YOUNG_STEP_S) for age in ages if age < YOUNG_S).items():
            row = learning.talk_row(age * YOUNG_STEP_S)
            for place, at in enumerate(MOMENTS):
                chance = row[min(at + GRACE, HORIZON - 1)]
                mean[place] += count * chance
                variance[place] -= count * chance * (1.0 - chance)
        return mean, variance

    def _windows(self, flying: Mapping[str, Age], now: float, ages: Counter[Age]) -> Iterator[Window]:
        """Yield what more and more of the newest calls say, with so many of the `ages` in flight.

        A window ends before a call that speaks against a turn: the worst turn begins just after such a call.
        """
        shares = {age: self._share(age) if age >= 0 else 0.0 for age in set(flying.values())}
        window = Window(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, dict(ages))
        answers = failures = open_lines = rung = own = own_rung = 0.0
        least = 1
        yield window
        for number, call in enumerate(reversed(self._trail)):
            against, age = call.failed, None
            if against is None:
                age = flying.get(call.id)
                against = shares[age] if age is not None else self._seen_elsewhere(call, now)
            if number >= least and against > SPEAKS:
                least = number + 1 + number // FINER
                # With no more calls in flight and a lower share of answers than the one before it cannot be worse.
                if own > window.own or answers * window.failures > window.answers * failures:
                    window = Window(answers, failures, open_lines, rung, own, own_rung, dict(ages))
                    yield window
            if call.failed is not None:
                if call.answered:
                    answers += 1.0
                failures += against
                continue
            open_lines += 1.0
            rung += against
            if age is not None:
                ages[age] += 1
                own += 1.0
                own_rung += against
        yield Window(answers, failures, open_lines, rung, own, own_rung, dict(ages))

    def _seen_elsewhere(self, call: _Try, now: float) -> float:
        """Return the share of answers that would have come by now to a call of another pool, by its events."""
        return self._share(int(now - call.rings)) if call.rings is not None else 0.0

    def _turn(
        self,
        sds: float,
        base: tuple[list[float], list[float]],
        rate: float,
        window: Window,
        learning: Learning,
    ) -> Turn:
        """Return what it costs when a window's calls are answered at a rate, in place of what was learned."""
        ages = [self._ahead(age, learning) for age in window.ages]
        counts = list(window.ages.values())
        weights = [rate / max(1e-3, 1.0 - rate * ahead.rung) for ahead in ages]
        once = list(map(mul, counts, weights))
        twice = list(map(mul, once, weights))
        means, variances = list(base[0]), list(base[1])
        for place in range(len(MOMENTS)):
            steps = [ahead.steps[place] for ahead in ages]
            known = [ahead.learned[place] for ahead in ages]
            more = sum(map(mul, once, steps)) - sum(map(mul, counts, known))
            means[place] += more
            squares = sum(map(mul, twice, map(mul, steps, steps)))
            variances[place] += more - squares + sum(map(mul, counts, map(mul, known, known)))
        chances = [rate * step for step in self._ahead(-1, learning).steps]
        return Turn(sds, means, variances, chances)

    def _ahead(self, age: Age, learning: Learning) -> _Ahead:
        found = self._rows.get(age)
        if found is None:
            learned = learning.call_row(age)
            known = [learned[at] for at in MOMENTS]
            if age >= 0:
                share = self._share(age)
                steps = [self._share(age + at + 1) - share for at in MOMENTS]
            else:
                share = 0.0
                by = tuple(self._share(at + 1) for at in range(HORIZON))
                steps = learning.picked_up(-1 - age, by, MOMENTS)
            found = self._rows[age] = _Ahead(share, steps, known)
        return found


def _worst(best: Sequence[tuple[float, Window]], evidence: float) -> list[tuple[float, Window]]:
    """Return the windows with the most answers to come at the highest rate each allows, with that rate.

    `best` are the windows with their likeliest rates, larger ones later. No more answers come than calls are in flight.
    """
    found: list[tuple[float, float, Window]] = []
    for likely, window in reversed(best):
        if len(found) == TRIED and window.own <= found[-1][0]:
            break
        rate = most(window, likely, evidence)
        found.append((score(rate, window), rate, window))
        found.sort(key=itemgetter(0), reverse=True)
        del found[TRIED:]
    return [(rate, window) for _, rate, window in found]


def _coarse(age: Age) -> Age:
    """Return the age that one is reckoned as."""
    if age < 0:
        return max(age, -1 - LATEST_DIAL_S)
    rang = min(age, LATEST_S)
    return rang if rang < FINE_S else rang // COARSE_S * COARSE_S
