"""A campaign's coming hours, simulated from what was measured of its own calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from dialer_engine.core.law import SHORTEST_RING_S
from dialer_engine.core.pacing import Goals
from dialer_engine.core.pacing.measured import Looks, Measured, Spread
from dialer_engine.lab.pacing.figures import Row, RunFigures, run_figures
from dialer_engine.lab.pacing.policy import ModePolicy, Policy
from dialer_engine.lab.pacing.runs import Cell, Comparison, Task, finished
from dialer_engine.lab.pacing.simulator import Simulator
from dialer_engine.lab.pacing.workload import HOUR_S, Workload

LONGEST_DELAY_S = 9.0
CPU_S = 8.0
"""Once runs took so much processor time no more are awaited; those under way by then take about as much again."""
MOST_RUNS = 6
MOST_SETTLE_S = 1.5
"""Seconds between two decisions with many agents: an engine decides more often, for slightly more talk."""


def workload(agents: int, hours: float, measured: Measured | None, ring_s: float) -> Workload:
    """Return the campaign's hours with so many agents; what was not measured is as in the usual comparison.

    Agents take no breaks: the figures are for agents on duty.
    """
    rings = max(SHORTEST_RING_S, ring_s)
    usual = Workload(
        agents=agents,
        shift_s=hours * HOUR_S,
        breaks=(),
        full_ring_s=rings,
        ring_timeout_s=rings,
        machines_until_s=hours * HOUR_S,
    )
    return usual if measured is None else replace(usual, **_measured(measured, rings))


def with_looks(work: Workload, looks: Looks | None, look_s: float | None, most_s: float) -> Workload:
    """Return the hours with agents who look at each contact as they did before; `look_s` is said to be the mean.

    `most_s` is how long they may look; all in seconds.
    """
    found = replace(work, look_most_s=most_s, look_mean_s=min(work.look_mean_s, most_s))
    if looks is not None:
        mean, cv = min(most_s, looks.look.mean_s), max(0.05, looks.look.cv)
        found = replace(found, look_mean_s=mean, look_cv=cv, skip_share=min(0.95, looks.skip_share))
    return found if look_s is None else replace(found, look_mean_s=look_s)


def _measured(seen: Measured, rings_s: float) -> dict[str, Any]:
    others = max(1e-6, 1.0 - seen.answer_rate)
    fails = min(1.0, seen.fail_rate / others)
    ring_out = max(1e-6, others * (1.0 - fails))
    return {
        "answer_rate": max(0.001, min(0.95, seen.answer_rate)),
        "fail_share": fails,
        "machine_share": min(1.0, seen.machine_rate / ring_out),
        **_spread("delay", seen.dial, most_s=0.8 * LONGEST_DELAY_S),
        **_ring(seen.ring, rings_s),
        **({"fail_mean_s": max(0.1, seen.fail.mean_s)} if seen.fail else {}),
        **_spread("talk", seen.talk),
        **_spread("wrap", seen.wrap),
        **({"machine_mean_s": max(0.5, seen.machine.mean_s)} if seen.machine else {}),
    }


def _spread(name: str, spread: Spread | None, most_s: float = 3600.0) -> dict[str, float]:
    if spread is None:
        return {}
    return {f"{name}_mean_s": min(most_s, max(0.05, spread.mean_s)), f"{name}_cv": max(0.05, spread.cv)}


def _ring(spread: Spread | None, rings_s: float) -> dict[str, float]:
    if spread is None:
        return {}
    mean = min(0.8 * rings_s, max(0.2, spread.mean_s))
    return {"ring_mean_s": mean, "ring_sd_s": max(0.1, mean * max(0.1, spread.cv))}


@dataclass(frozen=True, slots=True)
class Way:
    """A way to dial: a mode, its lines per agent (power) and what it aims at."""

    mode: str
    lines_per_agent: float = 2.0
    goals: Goals = field(default_factory=Goals)
    cancel_early: bool = False

    def policy(self) -> Policy:
        """Return it as a policy of the simulator."""
        return ModePolicy(self.mode, self.lines_per_agent, self.goals, self.cancel_early)


@dataclass(frozen=True, slots=True)
class Outlook(Comparison):
    """The campaign's hours in several ways, run by run on the same people."""

    work: Workload = field(default_factory=Workload)
    ways: tuple[Way, ...] = ()
    limit: Fraction = Fraction(3, 100)

    def tasks(self) -> list[Task]:
        """Return all runs, in each run every way."""
        [cell] = self.cells
        return [Trial(self, cell, way.mode, run, way) for run in range(self.runs) for way in self.ways]


@dataclass(frozen=True, slots=True)
class Trial(Task):
    """One run of one way."""

    way: Way

    def carry_out(self) -> RunFigures:
        """Simulate it."""
        asked = self.comparison
        assert isinstance(asked, Outlook)  # noqa: S101
        simulator = Simulator(
            asked.work,
            self.way.policy(),
            seed=1000 * asked.seed + self.run,
            limit=asked.limit,
            settle_s=asked.settle_s,
            cancel_early=self.way.cancel_early,
        )
        return run_figures(simulator.run(1))


def outlook(work: Workload, ways: tuple[Way, ...], limit: Fraction, seed: int = 1) -> Outlook:
    """Return the question that `outcomes` answers."""
    cell = Cell(work.agents, work.answer_rate)
    names = tuple(way.mode for way in ways)
    settle = min(MOST_SETTLE_S, 0.5 + work.agents / 100)
    return Outlook((cell,), names, 1, MOST_RUNS, "", settle, seed, work=work, ways=ways, limit=limit)


def outcomes(asked: Outlook, jobs: int, cpu_s: float = CPU_S) -> Iterator[tuple[int, list[Row]]]:
    """Yield, after each run that ends, how many have ended and every way's row; stop when it was enough time."""
    done: dict[str, list[RunFigures]] = {way.mode: [] for way in asked.ways}
    spent = 0.0
    for number, (task, figures) in enumerate(finished(asked, jobs), 1):
        done[task.policy].append(figures)
        spent += figures.cpu_s
        yield number, [Row(mode, tuple(runs)) for mode, runs in done.items() if runs]
        if spent >= cpu_s and all(done.values()):
            return
