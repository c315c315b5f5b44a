"""Runs days of a simulated campaign under one policy, and enforces what the engine enforces.

Decisions are made after everything that happens (all of one moment together) and at least every `interval`
of the policy; `settle_s` sets the least time between two of them. The engine's rules: calls in flight never
exceed the free agents (or what the mode proves covered) and what the law's budget leaves; calls that rang
less than 15 s are not ended, unless lines in flight could break the law.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import inf
from time import process_time

from dialer_engine.core.law import SHORTEST_RING_S
from dialer_engine.core.pacing import Decision, PacingEvent
from dialer_engine.lab.pacing.floor import Floor
from dialer_engine.lab.pacing.people import People
from dialer_engine.lab.pacing.policy import Policy
from dialer_engine.lab.pacing.tally import PeriodLedger, Tally
from dialer_engine.lab.pacing.workload import Workload


@dataclass(slots=True)
class Simulator:
    """One run: some days of one legal period. `log`, when given, gets everything that happens."""

    work: Workload
    policy: Policy
    seed: int = 1
    limit: Fraction = Fraction(3, 100)
    settle_s: float = 0.0
    cancel_early: bool = False
    log: list[PacingEvent] | None = None
    tally: Tally = field(default_factory=Tally)
    floor: Floor = field(init=False)
    _due: float = 0.0
    _last: float = -inf

    def __post_init__(self) -> None:
        hears = self.policy.hears or self.log is not None
        people, ledger = People(self.work, self.seed), PeriodLedger(self.limit)
        self.floor = Floor(people, ledger, self.tally, self._hear if hears else None, self.seed)

    def run(self, days: int) -> Tally:
        """Simulate so many days and return what was counted."""
        started = process_time()
        for day in range(days):
            self.floor.begin_day(day)
            self._due = self.floor.now
            self._day()
            self.floor.end_day()
        self.tally.cpu_s = process_time() - started
        self.tally.events = self.floor.events
        self.tally.over = self.floor.ledger.over
        return self.tally

    def _hear(self, event: PacingEvent) -> None:
        if self.log is not None:
            self.log.append(event)
        if self.policy.hears:
            self.policy.observe(event)

    def _day(self) -> None:
        floor, policy = self.floor, self.policy
        while (ahead := floor.next_at()) is not None:
            if self._due < ahead:
                floor.now = self._due
                self._decide()
                continue
            floor.step()
            if policy.eager:
                self._due = max(floor.now, self._last + self.settle_s)

    def _decide(self) -> None:
        floor, started = self.floor, process_time()
        decision = self.policy.decide(floor)
        took = process_time() - started
        tally = self.tally
        tally.decisions += 1
        tally.deciding_s += took
        tally.longest_s = max(tally.longest_s, took)
        self._last = floor.now
        self._due = floor.now + max(self.policy.interval, self.settle_s) if floor.open else inf
        self._carry_out(decision)

    def _carry_out(self, decision: Decision) -> None:
        floor = self.floor
        for name in decision.cancel:
            call = floor.calls.get(name)
            if call is None or call.state not in ("dialing", "ringing"):
                continue
            if self.cancel_early or floor.rang(call) >= SHORTEST_RING_S or self._law_is_at_risk():
                floor.cancel(call)
            else:
                floor.day.refused += 1
        if not floor.open:
            return
        if self.policy.looks:
            for _ in range(decision.place):
                floor.show()
            return
        for _ in range(min(decision.place, self._room(decision))):
            floor.place()

    def _law_is_at_risk(self) -> bool:
        at_risk = self.floor.in_flight - len(self.floor.ready)
        return self.policy.guarded and at_risk > max(0, self.floor.ledger.left)

    def _room(self, decision: Decision) -> int:
        floor = self.floor
        channels = floor.work.channels - len(floor.calls)
        if not self.policy.guarded:
            return channels
        covered = max(len(floor.ready), decision.covered or 0)
        return min(channels, max(0, floor.ledger.left) + covered - floor.in_flight)
