"""The pacing of every campaign on every node, kept while the engine runs: a pause forgets nothing that was learned.

The nodes of a campaign learn together, and begin with what its records say of the days before (`Recall`). What each one
decides and sees is written into the campaign's book, from which its history is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import structlog

from dialer_engine.core.attempt import Phase
from dialer_engine.core.pacing import Pacer, make_pacer
from dialer_engine.core.pacing.history import Book, Watched
from dialer_engine.core.pacing.learning import Learning
from dialer_engine.core.pacing.lessons import Lessons
from dialer_engine.core.pacing.measured import Past, SeenCall
from dialer_engine.core.pacing.model import MOVED
from dialer_engine.core.seat import Seat
from dialer_engine.engine.call import Call
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.ledger import Ledgers
from dialer_engine.engine.pacing_view import agent_event, call_event
from dialer_engine.engine.plan import CampaignPlan
from dialer_engine.engine.tasks import Tasks
from dialer_engine.store.line import AWAY
from dialer_engine.store.measured import past
from dialer_engine.store.pool import Pool

log = structlog.get_logger(__name__)

RECALLED = timedelta(days=4)
"""How far back calls are recalled: over a long weekend."""
MOST_RECALLED = 1000
"""Calls and wrap-ups recalled; with their half-life of some hundred, older ones would not count any more."""

AT_ONCE = 40
LEARNS = "predictive"
"""The mode that learns."""


@dataclass(slots=True)
class Recall:
    """Tells, in the background, what earlier engines saw of a campaign."""

    pool: Pool
    tasks: Tasks
    segments: Callable[[SeenCall], tuple[str, ...]]

    def begin(self, plan: CampaignPlan, learning: Learning) -> None:
        """Begin to read; dialing does not wait for it."""
        self.tasks.spawn(self._tell(plan, learning), "recall of earlier calls")

    async def _tell(self, plan: CampaignPlan, learning: Learning) -> None:
        try:
            async with self.pool.acquire() as conn:
                seen = await past(conn, plan.campaign_id, utc_now() - RECALLED, MOST_RECALLED)
        except AWAY as error:
            log.warning("earlier calls could not be recalled; pacing begins anew", why=str(error))
            return
        for begin in range(0, len(seen.calls), AT_ONCE):
            learning.remember(Past(seen.calls[begin : begin + AT_ONCE]), self.segments)
            await asyncio.sleep(0)  # somebody may be answering
        learning.remember(Past(wraps=seen.wraps), self.segments)


@dataclass(slots=True)
class _Team:
    """The pacers of one campaign by node, all of one mode, and what they learn together."""

    mode: str
    lessons: Lessons = field(default_factory=Lessons)
    pools: dict[str, Pacer] = field(default_factory=dict)


@dataclass(slots=True)
class Pacers:
    """One pacer per campaign and node, of the mode its file names; what happens is told to the pool's own.

    What they decide and see goes into one book per campaign. `_told` names the campaign told of an agent last.
    """

    ledgers: Ledgers
    recall: Recall
    _teams: dict[str, _Team] = field(default_factory=dict)
    _books: dict[str, Book] = field(default_factory=dict)
    _told: dict[str, str] = field(default_factory=dict)

    def of(self, plan: CampaignPlan, node: str) -> Pacer:
        """Return the pacer of a campaign on a node; another mode begins with fresh ones on every node."""
        team = self._teams.get(plan.name)
        if team is None or team.mode != plan.settings.mode:
            team = self._teams[plan.name] = self._begin(plan)
        if node not in team.pools:
            pacer = make_pacer(team.mode, team.lessons)
            team.pools[node] = Watched(pacer, self.book(plan.name), node)
        return team.pools[node]

    def _begin(self, plan: CampaignPlan) -> _Team:
        team = _Team(plan.settings.mode)
        self.book(plan.name).mode = team.mode
        if team.mode == LEARNS:
            self.recall.begin(plan, team.lessons.learning)
        return team

    def book(self, campaign: str) -> Book:
        """Return the book of a campaign."""
        return self._books.setdefault(campaign, Book())

    def call_stepped(self, call: Call, before: Phase) -> None:
        """Tell the call's pacer what became of the call."""
        pacer = self._pool(call.campaign, call.node)
        event = call_event(call, before, self.ledgers) if pacer else None
        if pacer and event:
            pacer.observe(event)

    def seat_stepped(self, seat: Seat, campaign: str | None) -> None:
        """Tell the agent's pacer what became of the agent; that of a campaign that was left forgets what went on.

        A wait there is none here, and a wrap-up that ends elsewhere must not last until the agent comes back.
        """
        event = agent_event(seat)
        before, self._told[seat.agent] = self._told.get(seat.agent, ""), campaign or ""
        left = self._pool(before, seat.node) if before != self._told[seat.agent] else None
        if left:
            left.observe(replace(event, result=MOVED))
        pacer = self._pool(campaign or "", seat.node)
        if pacer:
            pacer.observe(event)

    def _pool(self, campaign: str, node: str) -> Pacer | None:
        team = self._teams.get(campaign)
        return team.pools.get(node) if team else None
