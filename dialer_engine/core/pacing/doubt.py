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
from operator import add

from dialer_engine.core.pacing.durations import Durations
from dialer_engine.core.pacing.evidence import Kind, Window, likeliest, most, score
from dialer_engine.core.pacing.forecast import GRACE, Forecast
from dialer_engine.core.pacing.learning import HORIZON, Flying, Learning, times
from dialer_engine.core.pacing.level import UNANSWERED, free_agents, in_flight
from dialer_engine.core.pacing.measured import CUT
from dialer_engine.core.pacing.model import CallView, PacingEvent, Snapshot
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
LATEST_S, FINE_S, COARSE_S = 60, 6, 3
"""Ages are told apart by the second up to `FINE_S`, then by `COARSE_S`."""
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
    """Calls of one kind: the share of answers that would have come, those by each moment ahead, the learned ones."""

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
        self._rows: dict[Kind, _Ahead] = {}
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
        if event.kind == "ringing" and call.rings is None:
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

    def turns(
        self, snapshot: Snapshot, forecast: Forecast, flying: Sequence[Flying], learning: Learning
    ) -> Turns:
        """Return the worst turns that the list may have taken, with their costs; `flying` are the forecast's."""
        if learning.version != self._version:
            self._version = learning.version
            self._renew()
        now, known = snapshot.now, self._open
        views = {call.id: call for call in snapshot.calls if call.state in UNANSWERED}
        unknown = Counter([_kind(call, now) for name, call in views.items() if name not in known])
        windows = list(self._windows(views, now, unknown))
        best = [(likeliest(window), window) for window in windows]
        base = self._shortage(snapshot, forecast, flying, learning)
        found = [self._turn(PAIRS[-1][1], base, 1.0, windows[0], learning)]
        for evidence, sds in PAIRS:
            rates = [(most(window, rate, evidence), window) for rate, window in best]
            worst = sorted(rates, key=score, reverse=True)[:TRIED]
            found += (self._turn(sds, base, *tried, learning) for tried in worst)
        return Turns(tuple(found), in_flight(snapshot) - free_agents(snapshot))

    def _shortage(
        self, snapshot: Snapshot, forecast: Forecast, flying: Sequence[Flying], learning: Learning
    ) -> tuple[list[float], list[float]]:
        """Return answers less agents by each moment, and the variance, if no talk that just began ends soon.

        Every call counts as any call does: what its segment says belongs to what is not believed.
        """
        mean, variance = forecast.shortage(MOMENTS)
        for row, likelier, count in flying:
            if likelier == 1.0:
                continue
            believed = times(row, likelier)
            for place, at in enumerate(MOMENTS):
                chance, instead = believed[at], row[at]
                mean[place] += count * (instead - chance)
                variance[place] += count * (instead * (1.0 - instead) - chance * (1.0 - chance))
        ages = [snapshot.now - agent.since for agent in snapshot.agents if agent.state == "in_call"]
        for age, count in Counter(int(age / YOUNG_STEP_S) for age in ages if age < YOUNG_S).items():
            row = learning.talk_row(age * YOUNG_STEP_S)
            for place, at in enumerate(MOMENTS):
                chance = row[min(at + GRACE, HORIZON - 1)]
                mean[place] += count * chance
                variance[place] -= count * chance * (1.0 - chance)
        return mean, variance

    def _windows(self, flying: Mapping[str, CallView], now: float, kinds: Counter[Kind]) -> Iterator[Window]:
        """Yield what more and more of the newest calls say, with `kinds` of them in flight.

        A window ends before a call that speaks against a turn: the worst turn begins just after such a call.
        """
        window = Window(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, dict(kinds))
        answers = failures = open_lines = rung = own = own_rung = 0.0
        least = 1
        yield window
        for number, call in enumerate(reversed(self._trail)):
            view = flying.get(call.id) if call.failed is None else None
            kind = _kind(view, now) if view is not None else None
            against = self._against(call, kind, now)
            if number >= least and against > SPEAKS:
                least = number + 1 + number // FINER
                # With no more calls in flight and a lower share of answers than the one before it cannot be worse.
                if own > window.own or answers * window.failures > window.answers * failures:
                    window = Window(answers, failures, open_lines, rung, own, own_rung, dict(kinds))
                    yield window
            answers += call.answered
            if call.failed is not None:
                failures += against
                continue
            open_lines += 1.0
            rung += against
            if kind is not None:
                kinds[kind] += 1
                own += 1.0
                own_rung += against
        yield Window(answers, failures, open_lines, rung, own, own_rung, dict(kinds))

    def _against(self, call: _Try, kind: Kind | None, now: float) -> float:
        """Return how much of an attempt is over without an answer; of another pool's calls the events tell it."""
        if call.failed is not None:
            return call.failed
        if kind is not None:
            return self._share(kind[1]) if kind[0] else 0.0
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
        means, variances = [0.0] * len(MOMENTS), [0.0] * len(MOMENTS)
        for kind, count in window.kinds.items():
            ahead = self._ahead(kind, learning)
            weight = rate / max(1e-3, 1.0 - rate * ahead.rung)
            shifts = [weight * step - known for step, known in zip(ahead.steps, ahead.learned, strict=True)]
            # p(1 - p) - q(1 - q) is (p - q)(1 - p - q), and p + q is (p - q) + 2q.
            means = [mean + count * shift for mean, shift in zip(means, shifts, strict=True)]
            variances = [
                variance + count * shift * (1.0 - shift - 2.0 * known)
                for variance, shift, known in zip(variances, shifts, ahead.learned, strict=True)
            ]
        chances = [rate * step for step in self._ahead((False, 0), learning).steps]
        return Turn(sds, list(map(add, base[0], means)), list(map(add, base[1], variances)), chances)

    def _ahead(self, kind: Kind, learning: Learning) -> _Ahead:
        found = self._rows.get(kind)
        if found is None:
            found = self._rows[kind] = (
                self._ringing(kind[1], learning) if kind[0] else self._dialing(kind[1], learning)
            )
        return found

    def _ringing(self, rang: int, learning: Learning) -> _Ahead:
        share, learned = self._share(rang), learning.ring_row(rang)
        steps = [self._share(rang + at + 1) - share for at in MOMENTS]
        return _Ahead(share, steps, [learned[at] for at in MOMENTS])

    def _dialing(self, dialed: int, learning: Learning) -> _Ahead:
        by = tuple(self._share(at + 1) for at in range(HORIZON))
        row, learned = learning.picked_up(dialed, by), learning.dial_row(dialed)
        return _Ahead(0.0, [row[at] for at in MOMENTS], [learned[at] for at in MOMENTS])


def _kind(call: CallView, now: float) -> Kind:
    if call.state == "ringing":
        rang = min(int(call.rang), LATEST_S)
        return True, rang if rang < FINE_S else rang // COARSE_S * COARSE_S
    return False, min(15, max(0, int(now - call.placed))) if call.placed else 0
