"""What a campaign's pacing did in a minute, and whether its forecasts came true.

A `Book` is shown every decision with the snapshot it was made on, and every event. Means are by time: what a
snapshot showed holds until the next one of the same pool; what several pools (nodes) show at a time adds up. The
forecast is judged by the risk that the mode gave to a line when it was placed, which counts the calls it may cost
others too: answers are counted in ten bins of that risk with what became of them, so that of the answers with 10 %
risk about 10 % should be found abandoned.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field

from dialer_engine.core.law import CONNECT_WITHIN
from dialer_engine.core.pacing.level import in_flight
from dialer_engine.core.pacing.model import (
    AgentState,
    Bound,
    Decision,
    LedgerView,
    Pacer,
    PacingEvent,
    Snapshot,
)

EDGES = (0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.1, 0.15, 0.25)
"""Where one bin of predicted risk ends and the next begins; narrow where a target of 3 % puts most lines."""
BINS = len(EDGES) + 1
HOLDS_S = 2.0
"""A snapshot is believed for so long: decisions come at least once a second while a campaign runs."""
GRACE_S = CONNECT_WITHIN.total_seconds()


@dataclass(slots=True)
class Bins:
    """Answers by the risk predicted for them, in the ten bins between `EDGES`: how many, the risks' sum, how many
    were abandoned."""

    answers: list[int] = field(default_factory=lambda: [0] * BINS)
    predicted: list[float] = field(default_factory=lambda: [0.0] * BINS)
    abandoned: list[int] = field(default_factory=lambda: [0] * BINS)

    def add(self, risk: float, *, abandoned: bool) -> None:
        """Count one answer with the risk that was predicted for it (0 to 1)."""
        place = bisect_right(EDGES, risk)
        self.answers[place] += 1
        self.predicted[place] += risk
        self.abandoned[place] += abandoned


@dataclass(slots=True)
class Counts:
    """What happened in a minute; waits are sums of seconds: of agents for a customer, of customers for an agent."""

    placed: int = 0
    live: int = 0
    abandoned: int = 0
    cancelled: int = 0
    agent_waits: int = 0
    agent_wait_s: float = 0.0
    customer_waits: int = 0
    customer_wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute of one campaign, of which `seconds` were seen; `level` (lines in flight) and agents are means.

    `bound` kept the level from being higher most of the time, `reason` says it in words and numbers as it was
    last; `bounds` are the seconds of each. `ledger` are the counts of the legal period at the end.
    """

    mode: str
    seconds: float
    level: float
    level_max: int
    agents: dict[AgentState, float]
    counts: Counts
    price: float | None
    bound: Bound
    reason: str
    bounds: dict[Bound, float]
    ledger: LedgerView | None
    bins: Bins


@dataclass(slots=True)
class _Line:
    risk: float | None
    answered_at: float | None = None


class Book:
    """Counts one campaign's present minute; `take` closes it and begins the next."""

    def __init__(self) -> None:
        self.mode = ""
        self._lines: dict[str, _Line] = {}
        self._ready: dict[str, float] = {}
        self._risks: defaultdict[str, deque[float]] = defaultdict(deque)
        self._last: dict[str, tuple[Snapshot, Decision]] = {}
        self._newest: tuple[Snapshot, Decision] | None = None
        self._from: dict[str, float] = {}
        self._begin()

    def _begin(self) -> None:
        self._counts, self._bins = Counts(), Bins()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._level = 0.0
        self._level_max = 0
        self._agents: defaultdict[AgentState, float] = defaultdict(float)
        self._bounds: defaultdict[Bound, float] = defaultdict(float)
        self._reasons: dict[Bound, tuple[str, ...]] = {}

    # --- decisions --------------------------------------------------------------------------------

    def decided(self, snapshot: Snapshot, decision: Decision, pool: str = "") -> None:
        """Take note of a pool's decision and of the moment it was made for."""
        self._hold(pool, snapshot.now)
        if pool not in self._last:
            # Agents who were ready before the campaign began have waited for it since now.
            ready = (agent.id for agent in snapshot.agents if agent.state == "ready")
            self._ready = dict.fromkeys(ready, snapshot.now) | self._ready
        self._last[pool] = self._newest = (snapshot, decision)
        if decision.place:
            self._risks[pool] = deque(decision.risks)
        self._reasons[decision.bound] = decision.reasons

    def _hold(self, pool: str, now: float) -> None:
        """Count a pool's last snapshot for the time since it was last counted, while it is believed."""
        since = self._from.get(pool, 0.0)
        self._from[pool] = now
        if pool not in self._last:
            return
        snapshot, decision = self._last[pool]
        seconds = min(now, snapshot.now + HOLDS_S) - since
        if seconds <= 0.0:
            return
        level = in_flight(snapshot)
        self._seconds[pool] += seconds
        self._level += level * seconds
        together = sum(in_flight(each) for each, _ in self._last.values() if now - each.now <= HOLDS_S)
        self._level_max = max(self._level_max, level, together)
        self._bounds[decision.bound] += seconds
        for state, count in Counter([agent.state for agent in snapshot.agents]).items():
            self._agents[state] += count * seconds

    # --- events -----------------------------------------------------------------------------------

    def observe(self, event: PacingEvent, pool: str = "") -> None:
        """Count something that happened in a pool; a call of before counts too, without a risk."""
        if event.kind == "agent":
            self._agent(event)
        elif event.call is not None:
            self._call(event.call, event, pool)

    def _call(self, call: str, event: PacingEvent, pool: str) -> None:
        if event.kind == "placed":
            risks = self._risks[pool]
            self._counts.placed += 1
            self._lines[call] = _Line(risks.popleft() if risks else None)
        elif event.kind == "answered":
            self._lines.setdefault(call, _Line(None)).answered_at = event.at
        elif event.kind == "bridged":
            self._bridged(self._lines.pop(call, None), event.at)
        elif event.kind == "ended":
            self._ended(self._lines.pop(call, None), event)

    def _bridged(self, line: _Line | None, at: float) -> None:
        if line is None or line.answered_at is None:
            return
        waited = at - line.answered_at
        self._counts.customer_waits += 1
        self._counts.customer_wait_s += waited
        self._outcome(line, abandoned=waited > GRACE_S)

    def _ended(self, line: _Line | None, event: PacingEvent) -> None:
        self._counts.cancelled += event.result == "cancelled"
        if line is None or line.answered_at is None:
            return
        if event.result == "abandoned" or event.at - line.answered_at >= GRACE_S:
            self._outcome(line, abandoned=True)

    def _outcome(self, line: _Line, *, abandoned: bool) -> None:
        self._counts.live += 1
        self._counts.abandoned += abandoned
        if line.risk is not None:
            self._bins.add(line.risk, abandoned=abandoned)

    def _agent(self, event: PacingEvent) -> None:
        if event.agent is None:
            return
        if event.result == "ready":
            self._ready.setdefault(event.agent, event.at)
            return
        since = self._ready.pop(event.agent, None)
        if since is not None and event.result in ("in_call", "reserved"):
            self._counts.agent_waits += 1
            self._counts.agent_wait_s += event.at - since

    # --- a minute's end ---------------------------------------------------------------------------

    def take(self, now: float) -> Minute | None:
        """Close the minute at a monotonic second; None when nothing was decided and nothing happened."""
        for pool in self._last:
            self._hold(pool, now)
        minute = self._minute() if self._seconds or self._counts != Counts() else None
        self._begin()
        if self._newest is not None:
            self._reasons[self._newest[1].bound] = self._newest[1].reasons
        return minute

    def _minute(self) -> Minute:
        seen = max(self._seconds.values(), default=0.0)
        seconds = seen or 1.0
        bound: Bound = max(self._bounds, key=self._bounds.__getitem__, default="closed")
        snapshot, decision = self._newest or (None, None)
        return Minute(
            mode=self.mode,
            seconds=seen,
            level=self._level / seconds,
            level_max=self._level_max,
            agents={state: total / seconds for state, total in self._agents.items()},
            counts=self._counts,
            price=decision.price if decision else None,
            bound=bound,
            reason="; ".join(self._reasons.get(bound, ())),
            bounds=dict(self._bounds),
            ledger=snapshot.ledger if snapshot else None,
            bins=self._bins,
        )


@dataclass(frozen=True, slots=True)
class Watched:
    """A pacer whose decisions and events are written into a book as well."""

    pacer: Pacer
    book: Book
    pool: str = ""

    def observe(self, event: PacingEvent) -> None:
        """Tell the pacer and the book what happened."""
        self.pacer.observe(event)
        self.book.observe(event, self.pool)

    def decide(self, snapshot: Snapshot) -> Decision:
        """Let the pacer decide, and write it down."""
        decision = self.pacer.decide(snapshot)
        self.book.decided(snapshot, decision, self.pool)
        return decision
