"""What pacing sees and what it answers; one shape for every mode."""

from dataclasses import dataclass
from typing import Literal, Protocol

from dialer_engine.core.law import SHORTEST_RING_S

AgentState = Literal["ready", "in_call", "wrap", "paused", "reserved"]
CallState = Literal["reserved", "dialing", "ringing", "waiting", "bridged", "message"]
Bound = Literal[
    "closed",
    "nobody",
    "agents",
    "learning",
    "risk",
    "budget",
    "wait",
    "lines",
    "trunk",
    "channels",
    "rate",
    "list",
]
"""What keeps the level from being higher: the campaign is not running, no agent on duty, the number of agents, a
forecast that is still learning, a line not worth its risk, the law's budget, the wait that was asked for, the
most lines per agent, no trunk that can be used, the trunk's channels, its calls per second, or the list."""

Guard = Literal["turns", "forecast"]


@dataclass(frozen=True, slots=True)
class AgentView:
    """One agent on duty; `since` is the monotonic second the state began.

    `leaves`: who asked for a pause while at work, or has the phone on hold in the wrap-up. The agent goes on with
    this talk and its wrap-up, or the one that begins, but does not come back from it.
    """

    id: str
    state: AgentState
    since: float
    leaves: bool = False


@dataclass(frozen=True, slots=True)
class CallView:
    """One live call; `rang` is how many seconds it has been ringing (0 before the first ring).

    `placed` is the monotonic second it left (0: not known). `segments` name what it is like, one name of each
    kind, as region and list ("": not known); modes that learn may learn each segment's share of answers. `agent`
    is who dialed it by hand and waits for it ("": nobody, any agent takes it). `ring_min_s` is how many seconds it must
    ring by the rules of its place before it may be ended.
    """

    id: str
    state: CallState
    since: float
    rang: float
    placed: float = 0.0
    segments: tuple[str, ...] = ()
    agent: str = ""
    ring_min_s: int = SHORTEST_RING_S


@dataclass(frozen=True, slots=True)
class LedgerView:
    """The legal period so far: `live` answers, how many of them were `abandoned`, and the allowed `share`."""

    live: int
    abandoned: int
    share: float


@dataclass(frozen=True, slots=True)
class Goals:
    """What a campaign wants of a mode that forecasts.

    `target` is the share of live answers it means to spend on abandoned calls, below the law's; `wait_s` is
    an average wait of agents in seconds at which it is content (None: as short as the target allows);
    `max_lines_per_agent` bounds lines in flight per agent on duty; with fewer agents on duty than
    `min_agents` there is no forecast but power under the same guard, and none before `learn_calls` calls ended
    but one line per agent. `guard` is what the law's guard reckons with: a list that has just turned ("turns"),
    or only what was learned ("forecast").
    """

    target: float = 0.028
    wait_s: float | None = None
    max_lines_per_agent: float = 10.0
    min_agents: int = 1
    learn_calls: int = 40
    guard: Guard = "turns"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A campaign at one moment; `now` is monotonic seconds.

    `channels_free` and `rate_tokens` are whole calls the trunk takes now, `queue_due` is how many contacts
    are due (None: not known, taken as enough), `open` is whether the campaign is running. `segments` are
    those that the next calls will most likely belong to. `budget` is how many more abandoned calls the law
    leaves this campaign, before the lines in flight are counted (None: no ledger is kept, as for a mode that
    is tried out); `ending` are lines that are being cancelled, which stand no longer in `calls` but are
    taken off the budget until they are gone. `ledger` are the counts behind the budget. `no_trunk` is why no
    trunk takes calls, in words, when that is neither its channels nor its rate ("": one does).
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
    ledger: LedgerView | None = None
    goals: Goals = Goals()
    segments: tuple[str, ...] = ()
    no_trunk: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """How many calls to place now, which ringing calls to end, and why, in words and numbers.

    `covered` is how many lines in flight, with those to place, will at worst (99.9 %) find an agent; None:
    no more than there are free agents. The guard of the law counts only lines beyond it as at risk. `bound`
    is the term that keeps the level from being higher, `price` what an abandoned call costs in idle seconds,
    and `risks` are the chances, line by line to place, that its answer costs an abandoned call; modes that do
    not forecast leave both out.
    """

    place: int
    cancel: tuple[str, ...]
    reasons: tuple[str, ...]
    covered: int | None = None
    bound: Bound = "agents"
    price: float | None = None
    risks: tuple[float, ...] = ()


MOVED = "moved"
"""An agent's `result` for whom the agent works no more: what goes on ends elsewhere, and its length is not seen."""


@dataclass(frozen=True, slots=True)
class PacingEvent:
    """Something that happened, for the modes that learn; `at` is monotonic seconds.

    A call: `placed` (with its `segments`), `ringing` (again when a 180 comes after a 183), `answered`, then `bridged`
    (with `agent`), at last `ended` with its `result` (a value of `core.outcome.Result`; "abandoned" when a person who
    answered got no agent in time). An agent: `agent` with `result` as the new state, "off" when they leave, or `MOVED`.
    """

    kind: Literal["placed", "ringing", "answered", "bridged", "ended", "agent"]
    at: float
    call: str | None = None
    agent: str | None = None
    result: str | None = None
    segments: tuple[str, ...] = ()


class Pacer(Protocol):
    """A way to decide how many calls to place; it may learn from events but never looks at a clock."""

    def observe(self, event: PacingEvent) -> None:
        """Take note of something that happened."""

    def decide(self, snapshot: Snapshot) -> Decision:
        """Say how many calls to place and which to cancel at this moment."""
