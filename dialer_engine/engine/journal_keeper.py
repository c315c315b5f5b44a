"""Keeps the journal of do-not-call changes up with the database while the engine runs."""

from __future__ import annotations

import asyncio
import time

import structlog

from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.trouble import Trouble
from dialer_engine.store.pool import Connection, Pool
from dialer_engine.store.suppression_journal import Compared, SuppressionJournal

log = structlog.get_logger(__name__)

PERIOD_S = 1.0


class JournalKeeper:
    """Writes new changes to the journal every second; what could not be written waits in the database.

    `beat` (monotonic seconds) tells when a comparison last moved: one of millions of lines takes a while.
    """

    def __init__(self, journal: SuppressionJournal, pool: Pool) -> None:
        self.beat = time.monotonic()
        journal.on_batch = self._moved
        self._journal = journal
        self._pool = pool
        self._trouble = Trouble(
            "do-not-call changes wait for the journal outside the database",
            "do-not-call changes are in the journal outside the database again",
        )

    def _moved(self) -> None:
        self.beat = time.monotonic()

    async def compare(self, conn: Connection) -> Compared:
        """Before anything is dialed: what a restored database lost of the do-not-call lists comes back."""
        compared = await self._journal.open(conn, utc_now())
        if compared.applied:
            log.warning(
                "do-not-call changes that the database had lost were applied again", count=compared.applied
            )
        if compared.revoked:
            log.warning(
                "consents whose revocation the database had lost were revoked again", count=compared.revoked
            )
        return compared

    async def run(self) -> None:
        """Write for ever; a full disk or an absent database is logged when it begins and ends, and tried again."""
        while True:
            await asyncio.sleep(PERIOD_S)
            with self._trouble.told():
                async with self._pool.acquire() as conn:
                    await self._journal.flush(conn)
