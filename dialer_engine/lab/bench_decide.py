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
    """Decide `decisions` times on different moments of a floor, learning a call's end before each."""
    dice = random.Random(7)  # noqa: S311 - the same floor every time
    pacer = Predictive()
    tell(f"learning from {LEARNED_CALLS} calls")
    for number in range(LEARNED_CALLS):
        _one_call(pacer, f"l{number}", 20.0 * number, dice)
    tell(f"deciding {decisions} times with {agents} agents and {calls} calls")
    spent = sorted(_decision(pacer, _moment(agents, calls, dice), n, dice) for n in range(decisions))
    return DecideFigures(
        agents,
        calls,
        decisions,
        round(spent[decisions // 2], 3),
        round(spent[decisions * 99 // 100], 3),
        round(spent[-1], 3),
    )


def _decision(pacer: Predictive, moment: Snapshot, number: int, dice: random.Random) -> float:
    _one_call(pacer, f"d{number}", NOW + number, dice)
    started = time.thread_time()
    decision: Decision = pacer.decide(moment)
    spent = (time.thread_time() - started) * 1000.0
    if decision.place < 0:
        raise AssertionError("a decision placed fewer than no calls")
    return spent


def _one_call(pacer: Predictive, call: str, at: float, dice: random.Random) -> None:
    pacer.observe(PacingEvent("placed", at, call=call, segments=_segments(dice)))
    pacer.observe(PacingEvent("ringing", at + 2.0, call=call))
    ends = at + 2.0 + dice.uniform(2.0, 22.0)
    kind: Any = "answered" if dice.random() < 0.25 else "ended"
    pacer.observe(PacingEvent(kind, ends, call=call, result="no_answer"))


def _segments(dice: random.Random) -> tuple[str, ...]:
    return tuple(dice.choice(names) for names in (REGIONS, LISTS, TRIES))


def _moment(agents: int, calls: int, dice: random.Random) -> Snapshot:
    """A floor on which most agents talk and the calls are of every age."""
    on_duty = [AgentView(f"a{n}", "in_call", NOW - dice.expovariate(1 / 120)) for n in range(agents)]
    for n in range(agents // 5):
        on_duty[n] = replace(on_duty[n], state="wrap", since=NOW - dice.uniform(0, 30))
    for n in range(agents // 5, agents // 4):
        on_duty[n] = replace(on_duty[n], state="ready", since=NOW - dice.uniform(0, 10))
    rings = [dice.uniform(0, 25) for _ in range(calls)]
    flying = [
        CallView(f"c{n}", "ringing", NOW - r, r, NOW - r - 2, _segments(dice)) for n, r in enumerate(rings)
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
