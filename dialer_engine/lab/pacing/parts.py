"""The two things on a simulated floor that have a life: calls and agents."""

from __future__ import annotations

from dataclasses import dataclass

from dialer_engine.core.pacing import AgentState, AgentView, CallState, CallView
from dialer_engine.lab.pacing.people import Person


@dataclass(slots=True, eq=False)
class Call:
    """A live call; `answers_at` is when it will be answered (None: never), known to oracles alone.

    `agent` is who dialed it by hand, and gets whoever answers.
    """

    id: str
    person: Person
    placed: float
    answers_at: float | None
    machine: bool
    view: CallView
    state: CallState = "dialing"
    ringing_at: float | None = None
    ends_at: float = 0.0
    turn: int = 0
    agent: Agent | None = None


@dataclass(slots=True, eq=False)
class Agent:
    """An agent of the day, whose time is counted up to `counted_at`.

    `idle_since` is when the agent had nobody to talk to any more, `looks_at` the contact on show.
    `free_at` is when the present call and wrap-up end, known to oracles alone.
    """

    number: int
    id: str
    breaks: list[tuple[float, float]]
    view: AgentView
    since: float
    state: AgentState | None = None
    call: Call | None = None
    counted_at: float = 0.0
    free_at: float = 0.0
    back_at: float = 0.0
    idle_since: float = 0.0
    looks_at: Person | None = None
    leaving: bool = False
    turn: int = 0
