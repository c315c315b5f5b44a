"""Closes every campaign's minute and writes it to Postgres, beside everything else and never in its way.

While the database is away minutes are kept, the newest `KEPT_MINUTES`; older ones are dropped and counted. A
minute is of use for reports alone: one that the database refuses is logged and dropped.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog

from dialer_engine.core.pacing.history import Minute
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.pacers import Pacers
from dialer_engine.engine.plan import CampaignPlan
from dialer_engine.engine.writer import NO_RECORD_TO_BLAME
from dialer_engine.store.line import AWAY
from dialer_engine.store.pacing import MinuteRow, add_minutes
from dialer_engine.store.pool import Pool

log = structlog.get_logger(__name__)

MINUTE = timedelta(minutes=1)
KEPT_MINUTES = 240
HOURS_RULES = ("calling_hours", "holiday")
"""Rules of the gate that wait for another hour or day."""

Queues = Mapping[str, Mapping[str, Any]]


@dataclass(slots=True)
class PacingHistory:
    """The books of all campaigns on their way to the database; `queues` are the newest counts by campaign."""

    pacers: Pacers
    pool: Pool
    epoch: int
    plans: Callable[[], Mapping[str, CampaignPlan]]
    queues: Callable[[], Queues]
    dropped: int = 0
    _waiting: deque[list[MinuteRow]] = field(default_factory=lambda: deque(maxlen=KEPT_MINUTES))

    def __len__(self) -> int:
        return sum(len(rows) for rows in self._waiting)

    async def run(self) -> None:
        """Close the minutes as they end, for ever."""
        while True:
            begun = utc_now().replace(second=0, microsecond=0)
            await asyncio.sleep((begun + MINUTE - utc_now()).total_seconds())
            self.take(begun, time.monotonic())
            await self.flush()

    async def finish(self) -> None:
        """Close the minute that has begun and write what waits; for the engine's end."""
        self.take(utc_now().replace(second=0, microsecond=0), time.monotonic())
        await self.flush()

    def take(self, begun: datetime, now: float) -> None:
        """Close the minute that began at `begun` (UTC); `now` is the monotonic second of its end."""
        rows = [row for name, plan in self.plans().items() if (row := self._row(name, plan, begun, now))]
        if not rows:
            return
        if len(self._waiting) == KEPT_MINUTES:
            self.dropped += len(self._waiting[0])
        self._waiting.append(rows)

    def _row(self, name: str, plan: CampaignPlan, begun: datetime, now: float) -> MinuteRow | None:
        minute = self.pacers.book(name).take(now)
        if minute is None:
            return None
        hours = hours_in_words(minute, self.queues().get(name, {}))
        return MinuteRow(plan.campaign_id, begun, self.epoch, minute, hours)

    async def flush(self) -> None:
        """Write what waits, oldest first; stop at a database that is away."""
        while self._waiting:
            rows = self._waiting[0]
            try:
                async with self.pool.acquire() as conn:
                    await add_minutes(conn, rows)
            except AWAY as error:
                # What cannot be encoded is an InterfaceError too, but waiting does not help it.
                if isinstance(error, NO_RECORD_TO_BLAME) and not isinstance(error, ValueError):
                    log.warning("minutes of pacing wait for the database", waiting=len(self), why=str(error))
                    return
                log.exception("minutes of pacing refused by the database, dropped", count=len(rows))
                self.dropped += len(rows)
            if self._waiting and self._waiting[0] is rows:
                self._waiting.popleft()
        if self.dropped:
            log.error("minutes of pacing were dropped", count=self.dropped)
            self.dropped = 0


def hours_in_words(minute: Minute, queue: Mapping[str, Any]) -> str | None:
    """Return why the list has nobody for this hour, None when the list was no bound or it is for another reason."""
    if minute.bound != "list" or queue.get("due"):
        return None
    held = queue.get("held") or {}
    waits = [f"{held[rule]:,} for {rule.replace('_', ' ')}" for rule in HOURS_RULES if held.get(rule)]
    return f"no contact may be called now; waiting: {', '.join(waits)}" if waits else None
