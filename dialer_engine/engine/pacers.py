"""The pacing of every campaign: kept while the engine runs, so that a pause forgets nothing that was learned.

What each one decides and sees is written into the campaign's book, from which its history is made.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dialer_engine.core.attempt import Phase
from dialer_engine.core.pacing import Pacer, make_pacer
from dialer_engine.core.pacing.history import Book, Watched
from dialer_engine.core.seat import Seat
from dialer_engine.engine.call import Call
from dialer_engine.engine.ledger import Ledgers
from dialer_engine.engine.pacing_view import agent_event, call_event
from dialer_engine.engine.plan import CampaignPlan


@dataclass(slots=True)
class Pacers:
    """One pacer per campaign, of the mode its file names; what happens is told to the campaign's own."""

    ledgers: Ledgers
    _pacers: dict[str, tuple[str, Pacer]] = field(default_factory=dict)
    _books: dict[str, Book] = field(default_factory=dict)

    def of(self, plan: CampaignPlan) -> Pacer:
        """Return the campaign's pacer; another mode begins with a fresh one."""
        mode, pacer = self._pacers.get(plan.name, (None, None))
        if pacer is None or mode != plan.settings.mode:
            book = self.book(plan.name)
            book.mode = plan.settings.mode
            pacer = Watched(make_pacer(plan.settings.mode), book)
            self._pacers[plan.name] = (plan.settings.mode, pacer)
        return pacer

    def book(self, campaign: str) -> Book:
        """Return the book of a campaign."""
        return self._books.setdefault(campaign, Book())

    def call_stepped(self, call: Call, before: Phase) -> None:
        """Tell the pacer of the call's campaign what became of the call."""
        if call.campaign in self._pacers:
            event = call_event(call, before, self.ledgers)
            if event is not None:
                self._pacers[call.campaign][1].observe(event)

    def seat_stepped(self, seat: Seat, campaign: str | None) -> None:
        """Tell the pacer of the agent's campaign what became of the agent."""
        if campaign in self._pacers:
            self._pacers[campaign][1].observe(agent_event(seat))
