"""What one decision of predictive pacing costs, with a floor as full as the law and the trunks let it be."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from dialer_engine.core.pacing import AgentView, CallView, Decision, LedgerView, PacingEvent, Snapshot
from dialer_engine.core.pacing.predictive import Predictive

LEARNED_CALLS = 2000
NOW = 100_000.0
ANSWERED = 0.25
TALK_S, WRAP_S, RING_S = 120.0, 30.0, 25.0
REGIONS, LISTS, TRIES = ("TX", "CA", "FL", "NY", "ON"), ("1", "2", "3"), ("first", "again")


@dataclass(frozen=True, slots=True)
class DecideFigures:
    """CPU milliseconds of one decision."""

    agents: int
    calls: int
    decisions: int
    p50_ms: float
    p99_ms: float
    max_ms: float

    def as_json(self) -> dict[str, Any]:
        """The figures by name."""
        return {name: getattr(self, name) for name in self.__slots__}


def bench_decide(agents: int, calls: int, decisions: int, tell: Callable[[str], None]) -> DecideFigures:
    """Decide `decisions` times on different moments of a floor, learning a call's end and a new call before each."""
    floor = _Floor(agents, calls)
    tell(f"learning from {LEARNED_CALLS} calls")
    for _ in range(LEARNED_CALLS):
        floor.step()
    tell(f"deciding {decisions} times with {agents} agents and {calls} calls")
    spent = sorted(floor.decide() for _ in range(decisions))
    return DecideFigures(
        agents,
        calls,
        decisions,
        round(spent[decisions // 2], 3),
        round(spent[decisions * 99 // 100], 3),
        round(spent[-1], 3),
    )


class _Floor:
    """A pool whose calls end and leave one after the other, and whose moments are drawn anew each time."""

    def __init__(self, agents: int, calls: int) -> None:
        self._dice = random.Random(7)  # noqa: S311 - the same floor every time
        self._pacer = Predictive()
        self._agents = agents
        self._placed = 0
        self._flying: list[tuple[str, tuple[str, ...]]] = []
        for _ in range(calls):
            self._leave()

    def decide(self) -> float:
        """Let a call end and another leave, and return the CPU milliseconds of what is decided then."""
        self.step()
        moment = self._moment()
        started = time.thread_time()
        decision: Decision = self._pacer.decide(moment)
        spent = (time.thread_time() - started) * 1000.0
        if decision.place < 0:
            raise AssertionError("a decision placed fewer than no calls")
        return spent

    def step(self) -> None:
        """One of the calls in flight ends, or is answered and talked to, and another leaves."""
        call, _ = self._flying.pop(self._dice.randrange(len(self._flying)))
        if self._dice.random() < ANSWERED:
            self._tell("answered", NOW + self._dice.uniform(2.0, RING_S), call)
            agent = f"a{self._placed % self._agents}"
            lasts = self._dice.expovariate(1 / TALK_S)
            for state, at in (
                ("in_call", 0.0),
                ("wrap", lasts),
                ("ready", lasts + self._dice.uniform(0, WRAP_S)),
            ):
                self._pacer.observe(PacingEvent("agent", NOW + at, agent=agent, result=state))
        else:
            self._tell("ended", NOW + self._dice.uniform(2.0, RING_S), call, result="no_answer")
        self._leave()

    def _leave(self) -> None:
        call, segments = (
            f"c{self._placed}",
            tuple(self._dice.choice(names) for names in (REGIONS, LISTS, TRIES)),
        )
        self._placed += 1
        self._tell("placed", NOW - 2.0, call, segments=segments)
        self._tell("ringing", NOW, call)
        self._flying.append((call, segments))

    def _tell(self, kind: Any, at: float, call: str, **more: Any) -> None:
        self._pacer.observe(PacingEvent(kind, at, call=call, **more))

    def _moment(self) -> Snapshot:
        """Most agents talk, and the calls are of every age, those that left first the oldest."""
        dice = self._dice
        on_duty = [
            AgentView(f"a{n}", "in_call", NOW - dice.expovariate(1 / TALK_S)) for n in range(self._agents)
        ]
        for n in range(self._agents // 5):
            on_duty[n] = replace(on_duty[n], state="wrap", since=NOW - dice.uniform(0, WRAP_S))
        for n in range(self._agents // 5, self._agents // 4):
            on_duty[n] = replace(on_duty[n], state="ready", since=NOW - dice.uniform(0, 10))
        rings = sorted((dice.uniform(0, RING_S) for _ in self._flying), reverse=True)
        flying = [
            CallView(call, "ringing", NOW - rang, rang, NOW - rang - 2.0, segments)
            for (call, segments), rang in zip(self._flying, rings, strict=True)
        ]
        return Snapshot(
            now=NOW,
            agents=tuple(on_duty),
            calls=tuple(flying),
            lines_per_agent=2.0,
            channels_free=1000,
            rate_tokens=1000,
            queue_due=None,
            cancel_before_15s=False,
            open=True,
            budget=dice.randrange(5, 60),
            ledger=LedgerView(5000, 130, 0.03),
        )
