"""Ends unanswered calls that must not be made any more, whoever said so and by whatever way (P5).

Commands tell the engine of this machine at once. This is for all other ways (another engine's agent key, a
statement in SQL, a restore) and for emergency stops: once a second the calls under way are compared with the
lists and the stops in the database. Reservations read both themselves and need no telling.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import asyncpg
import structlog

from dialer_engine.core.gate import EmergencyStop, Facts, Limits, Outcome
from dialer_engine.core.gate.rules import emergency_stop
from dialer_engine.engine.plan import gate_context
from dialer_engine.store import stops
from dialer_engine.store.stops import LivePlace
from dialer_engine.store.suppress import live_suppressed

if TYPE_CHECKING:
    from dialer_engine.engine.floor import Floor
    from dialer_engine.store.pool import Connection, Pool

log = structlog.get_logger(__name__)

PERIOD_S = 1.0
_NO_LIMITS = Limits(1, 1, {})


@dataclass(slots=True)
class RefusalWatch:
    """Compares the calls of one engine with what is refused now."""

    floor: Floor
    pool: Pool

    async def run(self) -> None:
        """Look for ever; while the database is away no call is placed anyway."""
        while True:
            await asyncio.sleep(PERIOD_S)
            if not self.floor.dispatcher.calls and not self.floor.previews.showings:
                continue
            try:
                await self.look()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                log.debug("refusals could not be looked up", why=str(error))

    async def look(self) -> None:
        """Look once and cancel what nobody answered yet."""
        async with self.pool.acquire() as conn:
            for number in await live_suppressed(conn):
                self.floor.suppressed(number)
            await self._stopped(conn)

    async def _stopped(self, conn: Connection) -> None:
        in_force = await stops.in_force(conn)
        if not in_force:
            return
        for live in await stops.unanswered(conn):
            if self._is_stopped(live, in_force):
                self.floor.dispatcher.cancel(live.attempt_id, "calls into the region are stopped")

    def _is_stopped(self, live: LivePlace, in_force: tuple[EmergencyStop, ...]) -> bool:
        strict = [replace(stop, exempts_consent=False) for stop in in_force]
        clock = self.floor.means.clock.now()
        context = gate_context(self.floor.registry.config, None, _NO_LIMITS, clock, strict)
        facts = Facts(live.number, live.regions, live.zones)
        return emergency_stop.check(facts, context).outcome is not Outcome.allow
