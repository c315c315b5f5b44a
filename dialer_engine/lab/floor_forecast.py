"""What the simulator expects of `bench floor`: the engine's own predictive mode on the same table of people.

Each run meets people drawn from the table, as many as the list has, with the same agents, ring time-out,
channels and law. It ends its day with the last call of the list.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from dialer_engine.core.pacing import Decision
from dialer_engine.lab.behaviours import Behaviour, Kind
from dialer_engine.lab.floor_figures import Counted, FloorFigures, p99
from dialer_engine.lab.floor_table import RING_OUT_S, WRAP_LAG_S, Habits, floor_table
from dialer_engine.lab.pacing.floor import Floor
from dialer_engine.lab.pacing.parts import Agent, Call
from dialer_engine.lab.pacing.people import People, Person
from dialer_engine.lab.pacing.policies import make_policy
from dialer_engine.lab.pacing.policy import Policy
from dialer_engine.lab.pacing.runs import in_processes
from dialer_engine.lab.pacing.simulator import Simulator
from dialer_engine.lab.pacing.workload import HOUR_S, Segment, Workload
from dialer_engine.settings.campaign import Campaign

MODE = "predictive"
CHANNELS_PER_AGENT = 12
SET_UP_S = 0.05
"""From dialing until it rings or fails, on one machine."""
PATIENCE_S = 8.0
"""The carrier's people hang up when they have heard nothing for so long."""
LONGEST_S = 20 * HOUR_S
GRACE_S = float(Campaign.model_fields["max_wait_ms"].default) / 1000
"""After so long without an agent the engine plays the drop message."""
ALL = Segment("", 1.0, 1.0)
USUAL = Habits()


@dataclass(frozen=True, slots=True)
class Plan:
    """A floor run, real or simulated: so many agents and contacts, each called once."""

    attempts: int = 2000
    agents: int = 20
    seed: int = 1
    habits: Habits = USUAL

    @property
    def channels(self) -> int:
        """Calls that may be up at once."""
        return CHANNELS_PER_AGENT * self.agents

    def workload(self) -> Workload:
        """The simulated day: everybody there from the first second, no breaks, until the list is done."""
        return Workload(
            agents=self.agents,
            grace_s=GRACE_S,
            ring_timeout_s=RING_OUT_S - SET_UP_S,
            arrive_within_s=0.0,
            breaks=(),
            shift_s=LONGEST_S,
            channels=self.channels,
        )


class TablePeople(People):
    """People drawn from the carrier's table, each pair of last digits equally likely."""

    def __init__(self, plan: Plan, seed: int) -> None:
        super().__init__(plan.workload(), seed)
        self._table = floor_table(plan.habits)
        self._wrap = plan.habits.wrap_between

    def _make(self) -> Person:
        row, wrap = self._random.choice(self._table), self._random.uniform(*self._wrap)
        person = person_of(row, self._made, wrap + WRAP_LAG_S)
        self._made += 1
        return person


def person_of(row: Behaviour, number: int, wrap_s: float) -> Person:
    """Return the simulator's person who does exactly what a row of the carrier's table does."""
    return Person(
        number=number,
        segment=ALL,
        answer_dice=0.0 if row.kind is Kind.HUMAN else 1.0,
        fail_dice=0.0 if row.kind is Kind.BUSY else 1.0,
        machine_dice=1.0,
        delay_s=SET_UP_S,
        ring_s=row.ring_s,
        fail_s=SET_UP_S,
        talk_s=row.talk_s,
        wrap_s=wrap_s,
        patience_s=PATIENCE_S,
        machine_s=0.0,
    )


class ListFloor(Floor):
    """A floor that closes with the last call of its list."""

    contacts: int

    def dial(self, person: Person, agent: Agent | None = None) -> Call:
        """Dial somebody; after the last one the day closes."""
        call = super().dial(person, agent)
        if self.day.attempts >= self.contacts:
            self.closes = self.now
            self._close()
        return call


class FloorRun(Simulator):
    """One simulated run of a plan."""

    def __init__(self, plan: Plan, policy: Policy, run: int) -> None:
        super().__init__(plan.workload(), policy, seed=1000 * plan.seed + run)
        people = TablePeople(plan, self.seed)
        hear = self._hear if policy.hears else None
        self.floor = ListFloor(people, self.floor.ledger, self.tally, hear, self.seed)
        self.floor.contacts = plan.attempts

    def _room(self, decision: Decision) -> int:
        floor = cast("ListFloor", self.floor)
        return min(super()._room(decision), floor.contacts - floor.day.attempts)

    def figures(self) -> FloorFigures:
        """Simulate it and count."""
        tally, floor = self.run(1), self.floor
        [day] = tally.days
        return Counted(
            agents=floor.work.agents,
            seconds=floor.closes - floor.day_start,
            attempts=day.attempts,
            answers=day.answers,
            abandoned=day.abandoned,
            cancelled=day.cancelled,
            short=day.rung_short,
            talk_s=day.talk_s,
            wrap_s=day.wrap_s,
            wait_ms=1000 * p99(tally.people_waits),
        ).figures()


def simulate(task: tuple[Plan, int]) -> FloorFigures:
    """Simulate run number `task[1]` of a plan under the engine's predictive mode."""
    plan, run = task
    return FloorRun(plan, make_policy(MODE), run).figures()


def forecast(plan: Plan, runs: int, jobs: int) -> Iterator[FloorFigures]:
    """Yield the figures of each of so many simulated runs, in the order in which they end."""
    return in_processes(simulate, [(plan, run) for run in range(runs)], jobs)
