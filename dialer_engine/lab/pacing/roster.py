"""The agents of a simulated floor: ready, reserved (dialed by hand), in a call, in wrap-up, on a break, off.

A break that is due begins when the agent is ready next. Whoever comes back finds, in this order, that they
leave, that a break is due, a waiting person, or nobody.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

from dialer_engine.core.pacing import AgentState, AgentView, PacingEvent
from dialer_engine.lab.pacing.agenda import DAY_S, Agenda
from dialer_engine.lab.pacing.parts import Agent
from dialer_engine.lab.pacing.people import shifts
from dialer_engine.lab.pacing.tally import SLOT_S, Day, Tally
from dialer_engine.lab.pacing.workload import Workload

Hear = Callable[[PacingEvent], None]


class Roster(Agenda):
    """The agents of the day, and the day itself; `open` until the shift closes."""

    def __init__(self, work: Workload, tally: Tally, hear: Hear | None, seed: int) -> None:
        super().__init__()
        self.work, self.tally, self.hear, self._seed = work, tally, hear, seed
        self.closes = 0.0
        self.open = False
        self.day = Day()
        self.agents: list[Agent] = []
        self.ready: dict[Agent, None] = {}
        self._agent_views: tuple[AgentView, ...] | None = None

    def _tell(self, event: PacingEvent) -> None:
        if self.hear is not None:
            self.hear(event)

    # --- a day ------------------------------------------------------------------------------------

    def begin_day(self, number: int) -> None:
        """Begin a day with nobody there; agents arrive within the next minutes."""
        self.now = self.day_start = number * DAY_S
        self.closes = self.day_start + self.work.shift_s
        self.open = True
        self.day = Day()
        self.tally.days.append(self.day)
        self.agents = []
        self._agent_views = None
        for index, shift in enumerate(shifts(self.work, self._seed, number)):
            self._expect(index, self.day_start + shift.arrives, shift.breaks)
        if self.work.half_leave_s is not None:
            self._at(self.day_start + self.work.half_leave_s, self._half_leave)
        for index in range(1, int(self.work.shift_s // SLOT_S) + 1):
            self._at(self.day_start + index * SLOT_S, self._account_all)
        self._at(self.closes, self._close)

    def _expect(self, number: int, arrives: float, breaks: list[tuple[float, float]]) -> None:
        name = f"a{number}"
        pauses = [(self.day_start + at, length) for at, length in breaks]
        agent = Agent(number, name, pauses, AgentView(name, "paused", arrives), arrives)
        self.agents.append(agent)
        agent.back_at = arrives
        self._at(arrives, lambda: self._free(agent))
        for at, _ in pauses:
            self._at(at, lambda: self._break_due(agent))

    def _close(self) -> None:
        self.open = False

    def end_day(self) -> None:
        """Send everybody home; all calls have ended."""
        for agent in self.agents:
            if agent.state is not None:
                self._leave(agent)

    def _half_leave(self) -> None:
        for agent in self.agents[: self.work.agents // 2]:
            agent.leaving = True
            if agent.state in ("ready", "paused"):
                self._leave(agent)

    # --- agents -----------------------------------------------------------------------------------

    def agent_views(self) -> tuple[AgentView, ...]:
        """Return the agents on duty as the pacing sees them."""
        if self._agent_views is None:
            self._agent_views = tuple(a.view for a in self.agents if a.state is not None)
        return self._agent_views

    def _enter(self, agent: Agent, state: AgentState | None) -> None:
        self._account(agent)
        agent.state, agent.since = state, self.now
        agent.turn += 1
        if state is not None:
            agent.view = AgentView(agent.id, state, self.now)
        self._agent_views = None
        self._tell(PacingEvent("agent", self.now, agent=agent.id, result=state or "off"))

    def _account(self, agent: Agent) -> None:
        """Count the agent's time since it was last counted; it lies within one half hour."""
        begun, agent.counted_at = agent.counted_at, self.now
        seconds = min(self.now, self.closes) - begun
        if seconds <= 0.0 or agent.state in (None, "paused"):
            return
        talks = agent.state == "in_call" and not (agent.call is not None and agent.call.machine)
        if talks:
            self.day.talk_s += seconds
        elif agent.state == "in_call":
            self.day.machine_s += seconds
        elif agent.state == "wrap":
            self.day.wrap_s += seconds
        else:
            self.day.ready_s += seconds
        slot = self.day.slot(begun - self.day_start)
        slot.staffed_s += seconds
        slot.talk_s += seconds if talks else 0.0

    def _account_all(self) -> None:
        for agent in self.agents:
            self._account(agent)

    def _free(self, agent: Agent, *, talked: bool = True) -> None:
        """Let an agent begin, come back or finish: home, a break that is due, a waiting person, or ready.

        An agent who has not `talked` since, but dialed in vain, waits on.
        """
        if talked:
            agent.idle_since = self.now
        if agent.leaving:
            self._leave(agent)
        elif agent.breaks and agent.breaks[0][0] <= self.now:
            self._pause(agent)
        else:
            self._enter(agent, "ready")
            self.ready[agent] = None
            self._serve(agent)

    @abstractmethod
    def _serve(self, agent: Agent) -> None:
        """Give an agent who became ready the person who has been waiting longest, if there is one."""

    def _break_due(self, agent: Agent) -> None:
        if agent.state == "ready":
            self._pause(agent)

    def _pause(self, agent: Agent) -> None:
        _, length = agent.breaks.pop(0)
        self.ready.pop(agent, None)
        self._enter(agent, "paused")
        agent.back_at, turn = self.now + length, agent.turn
        self._at(agent.back_at, lambda: self._free(agent) if agent.turn == turn else None)

    def _leave(self, agent: Agent) -> None:
        self.ready.pop(agent, None)
        self._enter(agent, None)
