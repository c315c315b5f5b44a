"""Predictive: one more line whenever the idle time it saves is worth the abandoned calls it risks.

The mode learns how this campaign's phones ring, how its talks and wrap-ups last, and looks `HORIZON` seconds
ahead. It places lines while the idle agent-seconds saved exceed the price of the abandoned calls added, and ends
lines that have rung long enough when they are not worth their risk any more. The price is found by counting
(`price`), so the share of abandoned calls comes out right however wrong the forecast is. Above all that stands
the law's budget: what may at worst be abandoned never passes it, by the 99.9 % quantile of the forecast, and also if
the list has just turned from wrong numbers to people at home (`doubt`). Above the limit it is one to one.

The pools of one campaign, one on each node, learn together (`lessons`); each of them decides for its own agents.
A campaign begins with one line per agent, whatever the forecast says, until it has seen `Goals.learn_calls` calls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from heapq import nsmallest

from dialer_engine.core.pacing.flying import Flying
from dialer_engine.core.pacing.forecast import GRACE, RARE, UNLIKELY, Crowd, Forecast
from dialer_engine.core.pacing.learning import TALK_STEP_S, Group, times
from dialer_engine.core.pacing.lessons import Lessons
from dialer_engine.core.pacing.level import (
    free_agents,
    in_flight,
    may_end,
    room_for,
    settle,
    working,
)
from dialer_engine.core.pacing.model import Bound, Decision, PacingEvent, Snapshot
from dialer_engine.core.pacing.power import Power
from dialer_engine.core.pacing.price import Price
from dialer_engine.core.pacing.progressive import Progressive
from dialer_engine.core.pacing.turns import Turns
from dialer_engine.core.pacing.waits import Waits

END_MARGIN = 5.0
"""A ringing line is ended when its risk costs so many times what it may gain: an ended line is an attempt spent."""
SLOW_END = 10
"""One line in so many agents is ended in one decision, at least one."""


class Predictive:
    """Weighs every further line by what this campaign has shown so far, in this pool and those it learns with."""

    def __init__(self, lessons: Lessons | None = None) -> None:
        self.lessons = lessons or Lessons()
        self.lessons.join()
        self.learning, self.doubt = self.lessons.learning, self.lessons.doubt
        self.price = Price()
        self.waits = Waits()
        self._first = Progressive()
        self._small = Power()

    def observe(self, event: PacingEvent) -> None:
        """Learn from something that happened in this pool."""
        self.lessons.observe(event)
        self.waits.observe(event)

    def decide(self, snapshot: Snapshot) -> Decision:
        """Place the lines that are worth their risk, end those that are not any more."""
        self.learning.refresh()
        price = self.price.update(snapshot.ledger, snapshot.goals.target)
        on_duty = working(snapshot)
        if on_duty < snapshot.goals.min_agents:
            return _told(
                self._small.decide(snapshot),
                f"{on_duty} agents on duty, forecasts begin with {snapshot.goals.min_agents}",
            )
        if self.learning.calls_seen < snapshot.goals.learn_calls:
            seen = f"{self.learning.calls_seen} of {snapshot.goals.learn_calls} calls seen"
            why = f"{seen}, one line per agent until then"
            return _told(self._first.decide(snapshot), why, "learning")
        if snapshot.budget is not None and snapshot.budget < 0:
            over = f"{-snapshot.budget} abandoned calls more than the law allows"
            why = f"{over}, one line per free agent until that is made up for"
            return _told(self._first.decide(snapshot), why, "budget")
        return self._weigh(snapshot, price, on_duty)

    def _weigh(self, snapshot: Snapshot, price: float, on_duty: int) -> Decision:
        flying = Flying.of(snapshot.calls, snapshot.now, self.learning.segments.factor)
        back = self.coming_back(snapshot)
        forecast = self.forecast(snapshot, back, flying)
        reasons = [f"an abandoned call costs {price:.0f} idle seconds"]
        cancel = self._not_worth(snapshot, flying, forecast, price, on_duty, reasons)
        if cancel:
            flying = flying.without(frozenset(cancel))
            forecast = self.forecast(snapshot, back, flying)
        lines = in_flight(snapshot) - len(cancel)
        kept = lines - forecast.short(UNLIKELY)
        content = self.waits.content(snapshot.goals.wait_s)
        if content is not None:
            wanted = free_agents(snapshot) - lines
            decision = settle(snapshot, wanted, [*reasons, content], cancel, None, "wait", kept)
            return replace(decision, price=price)
        turns = self.turns(snapshot, forecast, flying)
        risks, forecast, bound = self._worth(snapshot, forecast, price, on_duty, reasons, turns)
        short = max(forecast.short(RARE), turns.short(len(risks)))
        if turns.found and snapshot.budget is not None:
            self.price.needs(max(short, snapshot.budget + 1) if bound == "budget" else short, snapshot.now)
        covered = lines + len(risks) - short
        decision = settle(snapshot, len(risks), reasons, cancel, covered, bound, kept)
        return replace(decision, price=price, risks=tuple(risks[: decision.place]))

    def turns(self, snapshot: Snapshot, forecast: Forecast, flying: Flying) -> Turns:
        """Return the turns of the list that the campaign's guard reckons with."""
        doubts = snapshot.goals.guard == "turns" and snapshot.budget is not None and snapshot.open
        return self.doubt.turns(snapshot, forecast, flying, self.learning) if doubts else Turns()

    def _worth(
        self,
        snapshot: Snapshot,
        forecast: Forecast,
        price: float,
        on_duty: int,
        reasons: list[str],
        turns: Turns,
    ) -> tuple[list[float], Forecast, Bound]:
        """Return the risk of every line more that is worth it and allowed, the forecast with them, the bound."""
        room, limit, bound = room_for(snapshot, on_duty)
        row = times(self.learning.new_call(), self.learning.segments.factor(snapshot.segments))
        left = max(0, snapshot.budget or 0)
        safe = turns.room(left)
        if safe < room:
            room, bound = safe, "budget"
            limit = f"the law leaves {left} abandoned calls, should the list have just turned: {safe} further lines"
        risks: list[float] = []
        for _ in range(room):
            gain, cost = forecast.gain(row), forecast.cost(row)
            if gain <= price * cost:
                reasons.append(
                    f"the next line saves {gain:.1f} idle seconds and risks {cost:.3f} abandoned calls"
                )
                return risks, forecast, "risk"
            more = forecast.plus(row)
            if snapshot.budget is not None and more.short(RARE) > max(0, snapshot.budget):
                reasons.append(f"the law leaves {max(0, snapshot.budget)} abandoned calls: no further line")
                return risks, forecast, "budget"
            risks.append(min(1.0, cost / row[-1]))
            forecast = more
        reasons.append(limit)
        return risks, forecast, bound

    def _not_worth(
        self,
        snapshot: Snapshot,
        flying: Flying,
        forecast: Forecast,
        price: float,
        on_duty: int,
        reasons: list[str],
    ) -> tuple[str, ...]:
        """Return the ringing lines that rang long enough and whose risk costs more than they may gain."""
        losses: dict[int, float] = {}
        endable = may_end(snapshot)
        ended: list[tuple[float, str]] = []
        for call_id, age, likelier in flying.calls:
            if call_id not in endable:
                continue
            if age not in losses:
                row = self.learning.ring_row(age)
                losses[age] = price * forecast.cost(row) - END_MARGIN * forecast.gain(row)
            if losses[age] > 0:
                ended.append((-losses[age] * likelier, call_id))
        most = max(1, on_duty // SLOW_END)
        chosen = tuple(call_id for _, call_id in nsmallest(most, ended))
        if chosen:
            reasons.append(
                f"{len(chosen)} of {len(ended)} long ringing lines not worth their risk: cancelled"
            )
        return chosen

    # --- the forecast -----------------------------------------------------------------------------

    def forecast(self, snapshot: Snapshot, back: Crowd, flying: Flying) -> Forecast:
        """Return the next seconds of the campaign, with the agents who come back and the calls in flight."""
        waiting = [call.state for call in snapshot.calls].count("waiting")
        return Forecast(free_agents(snapshot) - waiting, back, Crowd(self.learning.answers(flying)))

    def coming_back(self, snapshot: Snapshot) -> Crowd:
        """Return the agents who talk or wrap up, as many of whom come back to ready in each of the next seconds.

        Who asked for a pause is none of them.
        """
        return Crowd(self._back(snapshot), GRACE)

    def _back(self, snapshot: Snapshot) -> Iterator[Group]:
        now, agents = snapshot.now, [agent for agent in snapshot.agents if not agent.leaves]
        talks = Counter(
            [int((now - agent.since) / TALK_STEP_S) for agent in agents if agent.state == "in_call"]
        )
        for age, count in talks.items():
            yield self.learning.talk_row(age * TALK_STEP_S), 1.0, count
        wraps = Counter([int(now - agent.since) for agent in agents if agent.state == "wrap"])
        for age, count in wraps.items():
            yield self.learning.wrap_row(float(age)), 1.0, count


def _told(decision: Decision, why: str, bound: Bound | None = None) -> Decision:
    held = decision.bound if decision.bound != "agents" or bound is None else bound
    return replace(decision, reasons=(why, *decision.reasons), bound=held)
