"""Ends attempts that the database has live and nobody holds: they would lock their numbers for ever (P6)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import structlog

from dialer_engine.engine.floor import Floor
from dialer_engine.engine.runner import LATE_S
from dialer_engine.engine.trouble import Trouble
from dialer_engine.engine.writer import Writer
from dialer_engine.store.attempts import live_attempts
from dialer_engine.store.pool import Pool

log = structlog.get_logger(__name__)

LOOK_S = LATE_S + 2.0
"""Longer than a runner waits for its own reservation: what was ended here never leaves afterwards."""


@dataclass(slots=True)
class Forgotten:
    """Looks every few seconds for attempts of this engine that its floor does not know.

    Two looks in a row must find one: the end of a call may be on its way to the database during one. Each is ended
    once: an end that the database refuses would count anew, as an abandoned call, at every look.
    """

    floor: Floor
    pool: Pool
    writer: Writer
    trouble: Trouble = field(
        default_factory=lambda: Trouble(
            "attempts that nobody holds cannot be looked for; they would lock their numbers",
            "attempts that nobody holds are looked for again",
        )
    )

    ended: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Look until cancelled; what is on its way to the database is waited for."""
        before: set[str] = set()
        while True:
            await asyncio.sleep(LOOK_S)
            if not self.writer.healthy or self.writer.held:
                before = set()
                continue
            with self.trouble.told():
                before = await self._look(before)

    async def _look(self, before: set[str]) -> set[str]:
        async with self.pool.acquire() as conn:
            live = [each for node in self.floor.means.places for each in await live_attempts(conn, node)]
        ours = [each for each in live if each.epoch == self.floor.means.epoch]
        suspects = {each.attempt_id for each in ours} - self.floor.dispatcher.calls.keys()
        forgotten = [each for each in ours if each.attempt_id in (suspects & before) - self.ended]
        self.ended = (self.ended & suspects) | {each.attempt_id for each in forgotten}
        if self.floor.adoption.end_forgotten(forgotten):
            log.error("attempts that nobody held were ended", count=len(forgotten))
        return suspects
