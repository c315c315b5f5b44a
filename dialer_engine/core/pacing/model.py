"""What pacing sees and what it answers; one shape for every mode."""

from dataclasses import dataclass
from typing import Literal, Protocol

AgentState = Literal["ready", "in_call", "wrap", "paused", "reserved"]
CallState = Literal["reserved", "dialing", "ringing", "waiting", "bridged", "message"]


@dataclass(frozen=True, slots=True)
class AgentView:
    """One agent on duty; `since` is the monotonic second the state began."""

    id: str
    state: AgentState
    since: float


@dataclass(frozen=True, slots=True)
class CallView:
    """One live call; `rang` is how many seconds it has been ringing (0 before the first ring)."""

    id: str
    state: CallState
    since: float
    rang: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A campaign at one moment; `now` is monotonic seconds.

    `channels_free` and `rate_tokens` are whole calls the trunk takes now, `queue_due` is how many contacts
    are due (None: not known, taken as enough), `open` is whether the campaign is running. `budget` is how
    many more abandoned calls the law leaves this campaign, before the lines in flight are counted (None: no
    ledger is kept, as for a mode that is tried out); `ending` are lines that are being cancelled, which
    stand no longer in `calls` but are taken off the budget until they are gone.
    """

    now: float
    agents: tuple[AgentView, ...]
    calls: tuple[CallView, ...]
    lines_per_agent: float
    channels_free: int
    rate_tokens: int
    queue_due: int | None
    cancel_before_15s: bool
    open: bool
    budget: int | None = None
    ending: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """How many calls to place now, which ringing calls to end, and why, in words and numbers."""

    place: int
    cancel: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PacingEvent:
    """Something that happened, for the modes that learn; `at` is monotonic seconds."""

    kind: Literal["placed", "ringing", "answered", "bridged", "ended", "agent"]
    at: float
    call: str | None = None
    agent: str | None = None
    result: str | None = None


class Pacer(Protocol):
    """A way to decide how many calls to place; it may learn from events but never looks at a clock."""

    def observe(self, event: PacingEvent) -> None:
        """Take note of something that happened."""

    def decide(self, snapshot: Snapshot) -> Decision:
        """Say how many calls to place and which to cancel at this moment."""
