"""The front's keeper, `dialer front run`: agents out of the database, Kamailio up, and both as the configuration says.

Kamailio outlives its keeper, as Asterisk the engine. While the database is away the agents known last stay.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import structlog

from dialer_engine.engine.lock import EngineLock, EngineRuns
from dialer_engine.pbx.bundle import Progress, silent
from dialer_engine.pbx.front import Front
from dialer_engine.pbx.front_bundle import install_front_bundle
from dialer_engine.pbx.front_config import FrontConfig, front_config
from dialer_engine.pbx.instance import NodeError
from dialer_engine.pbx.render import AgentAccount
from dialer_engine.pbx.template import RenderError
from dialer_engine.settings.home import ServiceUser, prepare_home
from dialer_engine.settings.load import SettingsError, load_config
from dialer_engine.store import directory
from dialer_engine.store.line import AWAY
from dialer_engine.store.locate import database_url
from dialer_engine.store.pool import ENGINE_ROLE, Connection, connect

log = structlog.get_logger(__name__)

LOOK_S = 0.5
"""How often it is looked whether Kamailio lives; phones miss a front that is away for longer than about two seconds."""
AGENTS_EVERY = 4
"""At every so manieth look the agents are read too."""


class FrontKeeper:
    """Keeps one front; `stopping` ends the keeper and leaves the front up, `reload` reads the configuration again."""

    def __init__(self, config_directory: Path, home: Path, user: ServiceUser) -> None:
        self.stopping = asyncio.Event()
        self._directory, self._home, self._user = config_directory, home, user
        self._lock = EngineLock(home / "run" / "front.lock")
        self._conn: Connection | None = None
        self._trouble = ""
        self._refused = ""
        self._reload = False
        self._agents: list[AgentAccount] | None = None

    def reload(self) -> None:
        """Read the configuration again at the next look."""
        self._reload = True

    async def run(self, progress: Progress = silent) -> None:
        """Keep the front until `stopping` is set. Raises NodeError, SettingsError when it cannot begin."""
        prepare_home(self._home, self._user)
        self._take_lock()
        try:
            self._config = await asyncio.to_thread(load_config, self._directory)
            place = self._place()
            bundle = await asyncio.to_thread(install_front_bundle, self._home, progress)
            self._front = Front(bundle, place)
            await self._begin()
            await self._keep()
        finally:
            self._lock.release()
            await self._leave_database()

    def _take_lock(self) -> None:
        try:
            self._lock.take()
        except EngineRuns as error:
            raise NodeError(
                f"a keeper of this front runs already (pid {error.pid or 'unknown'}); end it first"
            ) from error

    def _place(self) -> FrontConfig:
        return front_config(self._config.settings, self._home, self._user)

    async def _begin(self) -> None:
        await self._read_agents()
        adopted = self._front.alive()
        if adopted:
            await asyncio.to_thread(self._front.apply, self._agents)
        else:
            await asyncio.to_thread(self._front.render, self._agents)
            await asyncio.to_thread(self._front.check)
            await asyncio.to_thread(self._front.ensure_running)
        log.info("front is up", adopted=adopted, pid=self._front.pid, agents=len(self._agents or ()))

    async def _keep(self) -> None:
        turn = 0
        while not self.stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), LOOK_S)
                return
            turn += 1
            try:
                await self._look(turn)
            except (NodeError, RenderError, SettingsError, OSError) as error:
                self._say(str(error))

    async def _look(self, turn: int) -> None:
        again, self._reload = self._reload, False
        if again:
            await self._read_configuration()
        if not self._front.alive():
            log.error("the front has ended; starting it again")
            await asyncio.to_thread(self._front.render, self._agents)
            await asyncio.to_thread(self._front.ensure_running)
        await asyncio.to_thread(self._front.shorten_log)
        if (again or turn % AGENTS_EVERY == 0) and await self._read_agents():
            await self._apply()
            self._say(self._refused)

    async def _read_configuration(self) -> None:
        """Go by what the files say now; while the front does not take that, it goes on as before and we say so."""
        try:
            self._config = await asyncio.to_thread(load_config, self._directory)
            await self._apply(self._place())
        except (NodeError, SettingsError, OSError) as error:
            self._refused = str(error)
            self._say(self._refused)
        else:
            self._refused = ""

    async def _apply(self, config: FrontConfig | None = None) -> None:
        changed = await asyncio.to_thread(self._front.apply, self._agents, config)
        if changed:
            log.info("the front has taken changes", files=sorted(changed), agents=len(self._agents or ()))

    # --- the database -----------------------------------------------------------------------------

    async def _read_agents(self) -> bool:
        """Read the agents; False when the database does not tell them now."""
        try:
            if self._conn is None:
                settings = self._config.settings
                url = settings.database.engine_url or database_url(settings, self._home)
                self._conn = await connect(url, role=ENGINE_ROLE)
            rows = await directory.list_agents(self._conn)
        except AWAY as error:
            await self._leave_database()
            self._say(f"agents cannot be read, those known last stay: {error}")
            return False
        self._agents = [AgentAccount(row.name, row.password) for row in rows]
        return True

    async def _leave_database(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            conn.terminate()

    def _say(self, trouble: str) -> None:
        """Tell of a trouble once, and of its end."""
        if trouble and trouble != self._trouble:
            log.error("front needs attention", why=trouble)
        elif self._trouble and not trouble:
            log.info("front is well again")
        self._trouble = trouble
