"""Two bounds that nobody can reach: one knows each call's fate once it is dialed, one knows it before.

Both know when every agent will be free, breaks included. The *oracle* dials as long as one more answer would
find its agent, as early as an answer may come with a risk of `RISK` of being too early; people who do not
answer cost it nothing but the dial, since it knows at once and dials the next. The *clairvoyant* also knows
whom it dials: it passes over all who would not answer and times each call so that the answer comes at the
second an agent is free.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from dialer_engine.core.pacing import Decision
from dialer_engine.lab.pacing.floor import Floor
from dialer_engine.lab.pacing.parts import Agent, Call
from dialer_engine.lab.pacing.people import People, Person
from dialer_engine.lab.pacing.policy import NOTHING, Deaf
from dialer_engine.lab.pacing.workload import Workload

RISK = 0.0005
HORIZON_S = 40.0
"""Longer than dialing and ringing take at most."""

Slot = tuple[float, int]
"""When an agent is free, and the agent's number."""


def free_at(floor: Floor, agent: Agent, moment: float) -> float | None:
    """Return when an agent can next take a call who is done with the present one at a moment; None: never."""
    leave = floor.work.half_leave_s
    if leave is not None and agent.number < floor.work.agents // 2 and moment >= floor.day_start + leave:
        return None
    for begins, length in agent.breaks:
        if begins <= moment:
            moment += length
    return moment if moment < floor.closes else None


def slots(floor: Floor) -> list[Slot]:
    """Return a heap of when each agent of today is free next."""
    found = []
    for agent in floor.agents:
        if agent.leaving or (agent.state is None and agent.back_at < floor.now):
            continue
        busy = agent.state in ("in_call", "wrap")
        done = agent.free_at if busy else agent.back_at if agent.state != "ready" else floor.now
        free = free_at(floor, agent, done)
        if free is not None:
            found.append((free, agent.number))
    heapify(found)
    return found


def answers(floor: Floor) -> list[tuple[float, Call]]:
    """Return the calls in flight that will be answered, by the moment of it."""
    flying = [c for c in floor.calls.values() if c.answers_at is not None and c.state != "bridged"]
    return sorted(((c.answers_at or 0.0, c) for c in flying), key=lambda pair: pair[0])


def earliest(free: list[float], coming: list[float], grace: float) -> float | None:
    """Return the earliest moment at which one more answer would make nobody wait beyond the grace.

    `free` and `coming` are sorted; None when no agent is left for it.
    """
    last = len(coming)
    if last >= len(free):
        return None
    moment = free[last] - grace
    while last and coming[last - 1] >= moment:
        last -= 1
        moment = free[last] - grace
    return moment


def lead_s(work: Workload) -> float:
    """Return the seconds from dialing within which only `RISK` of all answers come."""
    people = People(work, 0)
    times = sorted(people.take().answer_after_s for _ in range(5000))
    return times[int(RISK * len(times))]


@dataclass(slots=True)
class Oracle(Deaf):
    """Knows after dialing."""

    interval: float = 0.5
    _lead: float = -1.0

    def decide(self, floor: Floor) -> Decision:
        """Dial until one more answer would come too early, or no agent is left for it."""
        if self._lead < 0:
            self._lead = lead_s(floor.work)
        free = sorted(moment for moment, _ in slots(floor))
        coming = [moment for moment, _ in answers(floor)]
        while floor.open and len(floor.calls) < floor.work.channels:
            moment = earliest(free, coming, floor.work.grace_s)
            if moment is None or moment > floor.now + self._lead:
                break
            call = floor.place()
            if call.answers_at is not None:
                coming = sorted([*coming, call.answers_at])
        return NOTHING


@dataclass(slots=True)
class Clairvoyant(Deaf):
    """Knows before dialing."""

    _planned: list[tuple[float, float, Person]] = field(default_factory=list)

    def decide(self, floor: Floor) -> Decision:
        """Plan a call for every agent who is free within the horizon, and dial those that are due."""
        if floor.open:
            self._plan(floor)
            self._dial(floor)
        return NOTHING

    def _plan(self, floor: Floor) -> None:
        taken = [(moment, call.person) for moment, call in answers(floor)]
        taken += [(moment, person) for _, moment, person in self._planned]
        free = self._after(floor, slots(floor), taken)
        while free and free[0][0] <= floor.now + HORIZON_S:
            moment = free[0][0]
            person = self._next(floor, moment)
            dials = max(floor.now, moment - person.answer_after_s)
            answer = dials + person.answer_after_s
            heappush(self._planned, (dials, answer, person))
            free = self._after(floor, free, [(answer, person)])

    def _after(self, floor: Floor, free: list[Slot], taken: Iterable[tuple[float, Person]]) -> list[Slot]:
        """Let each answer take the agent who is free first, until the end of talk and wrap-up."""
        for moment, person in sorted(taken, key=lambda pair: pair[0]):
            if not free:
                break
            begins, number = heappop(free)
            done = max(moment, begins) + person.talk_s + person.wrap_s
            again = free_at(floor, floor.agents[number], done)
            if again is not None:
                heappush(free, (again, number))
        return free

    def _next(self, floor: Floor, moment: float) -> Person:
        while True:
            person = floor.people.take()
            dials = max(floor.now, moment - person.answer_after_s)
            if person.answers(floor.work, dials - floor.day_start):
                return person

    def _dial(self, floor: Floor) -> None:
        while self._planned and self._planned[0][0] <= floor.now:
            floor.dial(heappop(self._planned)[2])
        self.interval = min(1.0, self._planned[0][0] - floor.now) if self._planned else 1.0
