"""Looks again at contacts that rules held whose rows ended, or began, while the engine runs on.

A dated row ends at a local midnight without anybody doing anything: no file changes and nothing is reloaded. Once a
minute every campaign is asked what its refusals go by now. This also does what a reload left undone because the
database was away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from dialer_engine.engine.clock import GateClock
from dialer_engine.engine.registry import Registry, settle
from dialer_engine.engine.trouble import Trouble
from dialer_engine.store.pool import Pool

log = structlog.get_logger(__name__)

PERIOD_S = 60.0


@dataclass(slots=True)
class HeldWatch:
    """The look of one engine at what its campaigns hold, by the registry in use.

    It holds `reloading`, so that it writes nothing down that a reload has just replaced; and it leaves all to the
    engine that owns the campaigns when `owns` says that this one does not.
    """

    pool: Pool
    clock: GateClock
    registry: Callable[[], Registry]
    reloading: asyncio.Lock
    owns: Callable[[], bool]
    trouble: Trouble = field(
        default_factory=lambda: Trouble(
            "contacts that rules held cannot be looked at again",
            "contacts that rules held are looked at again",
        )
    )

    async def run(self) -> None:
        """Look for ever; what the database does not tell is logged when it begins and ends."""
        while True:
            await asyncio.sleep(PERIOD_S)
            with self.trouble.told():
                await self.look()

    async def look(self) -> None:
        """Look once."""
        async with self.reloading:
            if not self.owns():
                return
            async with self.pool.acquire() as conn:
                freed = await settle(conn, self.registry(), self.clock.now())
        if freed:
            log.info("contacts are looked at again: other rules are in force", contacts=freed)
