"""Many runs on several processes, cell by cell, that can be ended at any moment."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from multiprocessing import Pool
from typing import Any, TypeVar

from dialer_engine.lab.pacing.figures import Row, RunFigures, run_figures
from dialer_engine.lab.pacing.policies import USUAL, Terms, make_policy
from dialer_engine.lab.pacing.scenarios import scenario
from dialer_engine.lab.pacing.simulator import Simulator

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
NICE = 10
SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


@dataclass(frozen=True, slots=True)
class Cell:
    """So many agents, and the share of dials that a person answers."""

    agents: int
    answer_rate: float

    @property
    def name(self) -> str:
        """The cell as the command line writes it."""
        return f"{self.agents}x{100 * self.answer_rate:g}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared: every policy in every cell, `runs` times `days` days, run by run on the same people."""

    cells: tuple[Cell, ...]
    policies: tuple[str, ...]
    days: int
    runs: int
    scenario: str = "steady"
    settle_s: float = 0.0
    seed: int = 1
    terms: Terms = USUAL

    def tasks(self) -> list[Task]:
        """Return all runs, cell by cell and in a cell run by run, so that what has ended is comparable."""
        return [
            Task(self, cell, policy, run)
            for cell in self.cells
            for run in range(self.runs)
            for policy in self.policies
        ]


@dataclass(frozen=True, slots=True)
class Task:
    """One run of one policy in one cell."""

    comparison: Comparison
    cell: Cell
    policy: str
    run: int

    def carry_out(self) -> RunFigures:
        """Simulate it."""
        asked = self.comparison
        simulator = Simulator(
            scenario(asked.scenario, self.cell.agents, self.cell.answer_rate),
            make_policy(self.policy, asked.terms),
            seed=1000 * asked.seed + self.run,
            limit=Fraction(asked.terms.limit).limit_denominator(1_000_000),
            settle_s=asked.settle_s,
            cancel_early=asked.terms.cancel_early,
        )
        return run_figures(simulator.run(asked.days))


Done = dict[Cell, dict[str, list[RunFigures]]]


def rows(done: Done, cell: Cell) -> list[Row]:
    """Return what has ended in a cell, by policy."""
    return [Row(policy, tuple(runs)) for policy, runs in done.get(cell, {}).items() if runs]


def _quiet() -> None:
    """Leave Ctrl-C to the parent, and the processor to others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    os.nice(NICE)


def _carry_out(task: Task) -> tuple[Task, RunFigures]:
    return task, task.carry_out()


def finished(comparison: Comparison, jobs: int) -> Iterator[tuple[Task, RunFigures]]:
    """Yield every run as it ends. Leaving the iteration early ends the processes."""
    return in_processes(_carry_out, comparison.tasks(), jobs)


def in_processes(do: Callable[[_Task], _Result], tasks: Sequence[_Task], jobs: int) -> Iterator[_Result]:
    """Do every task on one of several processes, which are deaf to Ctrl-C; yield the results as they come.

    Leaving the iteration early ends the processes.
    """
    # A signal that comes while the processes are made must find neither of them half ready.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    with Pool(jobs, _quiet) as pool:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        yield from pool.imap_unordered(do, tasks)


def blank(cells: Sequence[Cell], policies: Sequence[str]) -> Done:
    """Return a place for results in the order of the command line."""
    return {cell: {policy: [] for policy in policies} for cell in cells}


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into KeyboardInterrupt, so that they end the processes as Ctrl-C does."""

    def interrupt(_number: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
