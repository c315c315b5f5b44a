"""Keeps the counts of every running campaign's queue fresh for the status document."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

import structlog

from dialer_engine.engine.clock import GateClock
from dialer_engine.engine.plan import CampaignPlan
from dialer_engine.store.line import AWAY
from dialer_engine.store.pool import Pool
from dialer_engine.store.queue import queue_counts

log = structlog.get_logger(__name__)

PERIOD_S = 2.0


class QueueWatch:
    """Counts each campaign's queue every two seconds; `counts` holds the newest answer by campaign."""

    def __init__(self, pool: Pool, clock: GateClock, plans: Callable[[], Iterable[CampaignPlan]]) -> None:
        self.counts: dict[str, dict[str, Any]] = {}
        self.on_counts: Callable[[], None] = lambda: None
        self._pool = pool
        self._clock = clock
        self._plans = plans

    async def run(self) -> None:
        """Count for ever; a database that is away leaves the last counts standing."""
        while True:
            try:
                await self.look()
                self.on_counts()
            except AWAY as error:
                log.debug("queue could not be counted", why=str(error))
            await asyncio.sleep(PERIOD_S)

    async def look(self) -> None:
        """Count once."""
        async with self._pool.acquire() as conn:
            for plan in list(self._plans()):
                counts = await queue_counts(conn, plan.campaign_id, self._clock.now())
                self.counts[plan.name] = asdict(counts)
