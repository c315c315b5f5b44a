"""Helpers for the tests of the pacing simulator: short days, logs of them, and greedy ways of dialing."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from dialer_engine.core.pacing import Decision, PacingEvent
from dialer_engine.lab.pacing.floor import Floor
from dialer_engine.lab.pacing.policies import make_policy
from dialer_engine.lab.pacing.policy import Deaf
from dialer_engine.lab.pacing.scenarios import scenario
from dialer_engine.lab.pacing.simulator import Simulator
from dialer_engine.lab.pacing.workload import HOUR_S, Workload


def short_day(agents: int = 3, rate: float = 0.25, hours: float = 1.0, **changes: Any) -> Workload:
    """An hour of the usual day with nobody on a break."""
    usual = {"shift_s": hours * HOUR_S, "breaks": ()}
    return replace(scenario("steady", agents, rate), **{**usual, **changes})


def logged(
    policy: Any, work: Workload, *, days: int = 1, **options: Any
) -> tuple[Simulator, list[PacingEvent]]:
    """Run days under a policy, or the one of a name, and return the simulator with all that happened."""
    log: list[PacingEvent] = []
    made = make_policy(policy) if isinstance(policy, str) else policy
    simulator = Simulator(work, made, log=log, **options)
    simulator.run(days)
    return simulator, log


@dataclass(slots=True)
class Greedy(Deaf):
    """Wants many lines at any time, and leaves the rest to the guard."""

    guarded: bool = True
    covers: int | None = None

    def decide(self, floor: Floor) -> Decision:
        """Place fifty more."""
        return Decision(50, (), (), self.covers)


@dataclass(slots=True)
class Canceller(Deaf):
    """Keeps one line per ready agent and wants to end everything that rings, at every moment."""

    guarded: bool = True

    def decide(self, floor: Floor) -> Decision:
        """End all ringing lines."""
        return Decision(len(floor.ready) - floor.in_flight, tuple(call.id for call in floor.ringing), ())


def recount(log: list[PacingEvent]) -> Iterator[tuple[PacingEvent, int, int, int, int]]:
    """Yield each event with (live, abandoned, lines in flight, agents ready) after it, by plain counting.

    Only for days without machines: a person counts as a live answer when the agent's wrap-up ends.
    """
    live = abandoned = 0
    flying: set[str] = set()
    states: dict[str, str] = {}
    for event in log:
        if event.kind == "placed":
            flying.add(event.call or "")
        elif event.kind in ("bridged", "ended"):
            flying.discard(event.call or "")
            if event.result == "abandoned":
                live, abandoned = live + 1, abandoned + 1
        elif event.kind == "agent":
            live += states.get(event.agent or "") == "wrap"
            states[event.agent or ""] = event.result or ""
        yield event, live, abandoned, len(flying), sum(state == "ready" for state in states.values())
