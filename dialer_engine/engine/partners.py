"""Whom each agent calls or talks to: the card on the agent's desk, until the wrap-up has ended.

Whoever was on show is known already. Everybody else (a talk of an earlier engine, a person whom another agent dialed,
a campaign in which the engine dials) is read from the database by the attempt, once a desk asks; nothing waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from dialer_engine.core.seat import Seat
from dialer_engine.engine.tasks import Tasks
from dialer_engine.store.cards import Card, card_of_attempt
from dialer_engine.store.line import AWAY
from dialer_engine.store.pool import Pool

log = structlog.get_logger(__name__)

AGAIN_S = 2.0
"""A database that did not answer is asked again no sooner."""


@dataclass(slots=True)
class Partner:
    """The person of one attempt; the card is None while it is being read, or when nobody has it any more."""

    attempt: str
    card: Card | None = None


@dataclass(slots=True)
class Partners:
    """The partners of all agents of one floor, at most one each. They are kept in memory alone."""

    pool: Pool
    tasks: Tasks
    on_read: Callable[[str], None] = lambda agent: None
    _by_agent: dict[str, Partner] = field(default_factory=dict)

    def keep(self, agent: str, attempt: str, card: Card) -> None:
        """Take note of whom an agent calls."""
        self._by_agent[agent] = Partner(attempt, card)

    def of(self, seat: Seat) -> Card | None:
        """Return the card of the person whom an agent calls or talks to; one that is not known is read."""
        if seat.attempt is None:
            return None
        known = self._by_agent.get(seat.agent)
        if known is None or known.attempt != seat.attempt:
            known = self._by_agent[seat.agent] = Partner(seat.attempt)
            self.tasks.spawn(self._read(seat.agent, known), "read whom an agent talks to")
        return known.card

    def seat_stepped(self, seat: Seat) -> None:
        """Forget the person whom an agent has finished with."""
        known = self._by_agent.get(seat.agent)
        if known is not None and known.attempt != seat.attempt:
            del self._by_agent[seat.agent]

    async def _read(self, agent: str, partner: Partner) -> None:
        try:
            async with self.pool.acquire() as conn:
                partner.card = await card_of_attempt(conn, partner.attempt)
        except AWAY as error:
            log.warning("whom an agent talks to could not be read", agent=agent, why=type(error).__name__)
            await asyncio.sleep(AGAIN_S)
            if self._by_agent.get(agent) is partner:
                del self._by_agent[agent]
        self.on_read(agent)
