"""What the engine does about a database that went back: restored from a backup, or a replica that lagged.

Such a database has forgotten calls: people reached since are due again, caps and the budget of abandoned calls are
counted too low. The do-not-call changes come back from the journal; the calls do not. So no campaign goes on by
itself: somebody has to look first, and starts it again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping

import structlog

from dialer_engine.engine.campaigns import Campaigns
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.journal_keeper import JournalKeeper
from dialer_engine.store import directory
from dialer_engine.store.errors import UnknownName
from dialer_engine.store.pool import Connection
from dialer_engine.store.watermark import Watermark

log = structlog.get_logger(__name__)

WHO = "engine: the database went back"
WHY_PAUSED = (
    "paused: the database went back to an earlier state and has forgotten calls; look, then "
    "`dialer campaign start`"
)


class Restored:
    """Compares the database with what this home knows of it, and pauses campaigns when it went back."""

    def __init__(
        self,
        watermark: Watermark,
        keeper: JournalKeeper,
        campaigns: Campaigns,
        connecting: Callable[[], Awaitable[Connection]],
    ) -> None:
        self._watermark = watermark
        self._keeper = keeper
        self._campaigns = campaigns
        self._connecting = connecting

    async def compare(self) -> None:
        """Let the do-not-call changes come back that the database lost. Raises StoreError: a bad journal."""
        conn = await self._connecting()
        try:
            await self._watermark.look(conn)
            # Consents that are revoked again tell nothing: they may have been imported anew long after a restore.
            if (await self._keeper.compare(conn)).applied:
                await self._watermark.found_behind()
        finally:
            await conn.close()

    async def resume(self, states: Mapping[str, str]) -> None:
        """Start the campaigns that are to run, or pause them when the database went back."""
        wanted = []
        for name, plan in self._campaigns.plans.items():
            state = self._campaigns.states[name] = states.get(name, "draft")
            if state == "running" or (state == "draft" and plan.settings.autostart):
                wanted.append(name)
        if self._watermark.behind:
            await self._pause(wanted)
            return
        for name in wanted:
            self._campaigns.start(name)

    async def _pause(self, names: Collection[str]) -> None:
        """Pause campaigns here and in the database, where they stay so over a restart, and say why."""
        conn = await self._connecting()
        try:
            for name in names:
                self._campaigns.halt(name, "paused", WHY_PAUSED)
                try:
                    campaign_id = self._campaigns.plan(name).campaign_id
                    await directory.set_campaign_state(conn, campaign_id, "paused", utc_now(), who=WHO)
                except UnknownName as error:
                    log.error("a campaign that the database has lost: reload", campaign=name, why=str(error))
        finally:
            await conn.close()
        log.critical(
            "the database went back to an earlier state (a backup, a replica that lagged): calls since then are "
            "forgotten, their people are due again; no campaign goes on by itself",
            paused=sorted(names),
            remedy="look at what was called since, then: dialer campaign start NAME",
        )
        await self._watermark.settle()
