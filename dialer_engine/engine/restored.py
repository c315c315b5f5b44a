"""What the engine does about a database that went back: restored from a backup, or a replica that lagged.

Such a database has forgotten calls: people reached since are due again, caps and the budget of abandoned calls are
counted too low. The do-not-call changes come back from the journal; the calls do not. So no campaign goes on by
itself: somebody has to look first, and starts it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager

import structlog

from dialer_engine.engine.campaigns import Campaigns
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.journal_keeper import JournalKeeper
from dialer_engine.engine.ownership import Ownership
from dialer_engine.engine.surroundings import Blockers
from dialer_engine.engine.tasks import Tasks
from dialer_engine.store import directory
from dialer_engine.store.errors import StoreError, UnknownName
from dialer_engine.store.pool import ENGINE_ROLE, Connection, connect

log = structlog.get_logger(__name__)

WHO = "engine: the database went back"
WHY_PAUSED = (
    "paused: the database went back to an earlier state and has forgotten calls; look, then "
    "`dialer campaign start`"
)


class Restored:
    """Compares the database with what this home knows of it, and pauses campaigns when it went back.

    It may go back under a running engine: whenever the writer had to connect anew, or a renewal of the lease tells
    of it, `agree` compares again, and no call is placed until it is done.
    """

    def __init__(
        self,
        url: str,
        ownership: Ownership,
        keeper: JournalKeeper,
        campaigns: Campaigns,
        blockers: Blockers,
        tasks: Tasks,
    ) -> None:
        self._url = url
        self._ownership = ownership
        self._watermark = ownership.watermark
        self._keeper = keeper
        self._campaigns = campaigns
        self._blockers = blockers
        self._tasks = tasks
        self._turn = asyncio.Lock()
        self._fresh = self._resumed = False
        self._told = ""

    async def compare(self) -> None:
        """At the start: let the do-not-call changes come back that the database lost. Raises StoreError: a bad file."""
        async with self._session(batch=True) as conn:
            await self._compare(conn)
        self._fresh = True

    async def session(self) -> Connection:
        """Open a session for the writer; one that is not the first finds the database compared. Raises StoreError."""
        if self._fresh:
            self._fresh = False
        else:
            await self.agree()
        return await connect(self._url, role=ENGINE_ROLE)

    async def agree(self) -> None:
        """Compare again, and pause what runs when the database went back. Raises StoreError as `compare` does."""
        async with self._turn:
            self._blockers.set(database_unchecked=True)
            async with self._session() as conn:
                try:
                    await self._compare(conn)
                except StoreError as error:
                    self._tell(str(error))
                    raise
                if self._resumed and self._watermark.behind:
                    await self._pause(conn, await self._running(conn))
            self._blockers.set(database_unchecked=False)

    @asynccontextmanager
    async def _session(self, *, batch: bool = False) -> AsyncIterator[Connection]:
        conn = await connect(self._url, batch=batch, role=ENGINE_ROLE)
        try:
            yield conn
        except BaseException:
            conn.terminate()
            raise
        await conn.close()

    async def _compare(self, conn: Connection) -> None:
        await self._watermark.look(conn)
        # Consents that are revoked again tell nothing: they may have been imported anew long after a restore.
        if (await self._keeper.compare(conn)).applied:
            await self._watermark.found_behind()

    def _tell(self, why: str) -> None:
        if why != self._told:
            log.error(
                "the database cannot be compared with what was noted outside of it; no new calls", why=why
            )
        self._told = why

    async def _running(self, conn: Connection) -> list[str]:
        """What runs here, and what the database would start with the next engine."""
        stored = await directory.campaign_states(conn)
        names = self._campaigns.plans
        return [name for name in names if "running" in (self._campaigns.states.get(name), stored.get(name))]

    async def resume(self, states: Mapping[str, str]) -> None:
        """Start the campaigns that are to run, or pause them when the database went back."""
        for name in self._campaigns.plans:
            self._campaigns.states[name] = states.get(name, "draft")
        wanted = [name for name in self._campaigns.plans if self._campaigns.is_to_run(name)]
        if self._watermark.behind:
            async with self._session() as conn:
                await self._pause(conn, wanted)
        else:
            for name in wanted:
                self._campaigns.start(name)
        self._resumed = True
        self._ownership.on_behind = self._went_back
        self._tasks.keep(self._watermark.keep, "watermark")

    def _went_back(self) -> None:
        self._blockers.set(database_unchecked=True)
        self._tasks.keep(self.agree, "comparison with the database")

    async def _pause(self, conn: Connection, names: Collection[str]) -> None:
        """Pause campaigns here and in the database, where they stay so over a restart, and say why."""
        ids = {name: self._campaigns.plan(name).campaign_id for name in names}
        for name in ids:
            self._campaigns.halt(name, "paused", WHY_PAUSED)
        for name, campaign_id in ids.items():
            try:
                await directory.set_campaign_state(conn, campaign_id, "paused", utc_now(), who=WHO)
            except UnknownName:
                log.warning("the database has lost a campaign; reload brings it in again", campaign=name)
        log.critical(
            "the database went back to an earlier state (a backup, a replica that lagged): calls since then are "
            "forgotten, their people are due again; no campaign goes on by itself",
            paused=sorted(names),
            remedy="look at what was called since, then: dialer reload && dialer campaign start NAME",
        )
        await self._watermark.settle()
