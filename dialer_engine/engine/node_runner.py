"""The life of a machine that only lends its Asterisk: no engine, no campaign, no call of its own.

Start: settings, lock, bundle, recordings, accounts from the database, Asterisk. From then on Asterisk is started again
whenever it has ended, agents' accounts follow the database, and opt-outs of the Asterisk-side script are taken into it.
While the database is away, Asterisk stays up with the accounts it has and opt-outs wait in the journal; also a start
without it uses the configuration of the last time. The end leaves Asterisk up (P11).

An engine elsewhere reaches this Asterisk over ARI and AMI and needs nothing else of this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

import asyncpg
import structlog

import dialer_engine
from dialer_engine.engine.intake import intake_beside, optout_journals
from dialer_engine.engine.lock import home_lock
from dialer_engine.engine.node_link import WATCH_S, ManagedNode, node_config, tell_late
from dialer_engine.engine.prompts import Prompt, drop_prompts, standard_prompts
from dialer_engine.engine.registry import read_agents
from dialer_engine.engine.service import Service
from dialer_engine.engine.tasks import Tasks
from dialer_engine.pbx.bundle import install_bundle
from dialer_engine.pbx.node import NodeError
from dialer_engine.pbx.prompts import PromptError
from dialer_engine.pbx.reach import facts_of
from dialer_engine.pbx.render import AgentAccount
from dialer_engine.pbx.template import RenderError
from dialer_engine.settings.changes import restart_needed
from dialer_engine.settings.home import ServiceUser, prepare_home
from dialer_engine.settings.load import Config, SettingsError, load_config
from dialer_engine.settings.models import Settings
from dialer_engine.store.errors import StoreError
from dialer_engine.store.line import AWAY, Line

log = structlog.get_logger(__name__)

ACCOUNTS_S = 2.0
"""How often the agents are read: an agent can register within 5 s of being added."""
DEPTH_S = 1.0
"""How often the engine asks how full Asterisk's task processors are."""
INTAKE_S = 0.5
"""How often the journal is looked at: an opt-out is in the database within 1 s."""
RESTART = "dialer node stop"
"""What lets Asterisk start anew here, for changes that it takes by that only."""
_ELSEWHERE = ("asterisk.nodes", "asterisk.lost_after_seconds")
"""The engine's business: a change there needs nothing of a node."""


class NodeRunner:
    """One node's keeper on one DIALER_HOME, from start to end."""

    def __init__(
        self, config_directory: Path, home: Path, user: ServiceUser, service: Service | None = None
    ) -> None:
        self.directory = config_directory
        self.home = home
        self.user = user
        self.service = service or Service()
        self.stopping = asyncio.Event()
        self.agents: list[AgentAccount] | None = None
        self.ready = self.database_away = False
        self._lock = home_lock(home, "node")
        self._tasks = Tasks()
        self._applying, self._reloading = asyncio.Lock(), asyncio.Lock()
        self._owed = False
        self._beat = time.monotonic()
        self._closing = contextlib.AsyncExitStack()

    # --- start ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Bring everything up; on any failure what was opened is closed again and the error is raised."""
        try:
            await self._start()
        except BaseException:
            await self._closing.aclose()
            raise

    async def _start(self) -> None:
        prepare_home(self.home, self.user)
        self.config = load_config(self.directory)
        url = database_of(self.config.settings)
        self._lock.take()
        self._closing.callback(self._lock.release)
        self._people, self._journal = Line(url), Line(url)
        for line in (self._people, self._journal):
            self._closing.callback(line.close)
        self._closing.push_async_callback(self._tasks.close)
        self._tasks.keep(self.service.run, "service manager")
        await self._prepare()
        await self._open_asterisk()
        self._keep()
        self.ready = True
        self.service.ready()
        log.info("node is ready", node=self.node.config.name, agents=len(self.agents or ()))

    async def _prepare(self) -> None:
        """Install what is missing and make the recordings, as every engine that calls through this node does."""
        bundle = await asyncio.to_thread(install_bundle, self.home)
        self.sounds = self.home / "sounds"
        standard = await asyncio.to_thread(standard_prompts, bundle, self.sounds)
        self.bundle = bundle
        settings = self.config.settings
        place = node_config(settings.asterisk.node, self.home, self.user, settings.front)
        self.node = ManagedNode(bundle, place, standard)
        self._tell_facts(await self._recordings(self.config))
        self.service.status = self._in_words

    async def _recordings(self, config: Config) -> dict[str, Prompt]:
        return await asyncio.to_thread(drop_prompts, config, self.bundle, self.sounds)

    def _tell_facts(self, recordings: dict[str, Prompt]) -> None:
        versions = {name: prompt.version for name, prompt in recordings.items()}
        self.node.facts = facts_of(dialer_engine.__version__, versions)

    async def _open_asterisk(self) -> None:
        changed = await self._first_files()
        if await self.node.node.ensure_running():
            log.info("a running asterisk was adopted", node=self.node.config.name)
            await self.node.take_up(changed, RESTART)

    async def _first_files(self) -> set[str]:
        """Write the configuration, or keep the last one while the database is away; returns what changed."""
        try:
            self.agents = await self._read()
        except AWAY as error:
            if not self.node.config.path("etc", "pjsip.conf").exists():
                raise _in_words_of(error) from error
            self._away(error)
            return set()
        await self.node.addresses.find(self.config.settings.trunks.values())
        return await asyncio.to_thread(self.node.render, self.config.settings.trunks, self.agents)

    def _keep(self) -> None:
        self._tasks.keep(self._watch, "asterisk watch")
        self._tasks.keep(self.node.keep_house, "asterisk housekeeping")
        self._tasks.keep(self.node.keep_addresses, "carriers' addresses")
        self._tasks.keep(self.node.strangers.run, "strangers")
        self._tasks.keep(self._tell_depth, "task processors")
        self._tasks.keep(self._follow, "accounts")
        journals = {*optout_journals(self.config.settings.asterisk, self.home).values()}
        for place in sorted(journals | {self.node.config.optout_journal}):
            self._tasks.keep(intake_beside(self._journal, place, INTAKE_S).run, "opt-out intake")
        self.service.beats = {"accounts": lambda: self._beat}

    # --- what it does all day ---------------------------------------------------------------------

    async def _watch(self) -> None:
        """Start Asterisk again when it has ended; never while its files are being changed."""
        while True:
            await asyncio.sleep(WATCH_S)
            async with self._applying:
                await self.node.revive()

    async def _tell_depth(self) -> None:
        """Tell the engine what it cannot see from its machine; an Asterisk that does not answer tells enough."""
        while True:
            await asyncio.sleep(DEPTH_S)
            with contextlib.suppress(NodeError):
                await self.node.tell_depth()

    async def _follow(self) -> None:
        """Let the accounts be those of the database, for ever."""
        failed = ""
        while True:
            await asyncio.sleep(ACCOUNTS_S)
            self._beat = time.monotonic()
            if (agents := await self._read_if_there()) is None:
                continue
            try:
                await self._take_accounts(agents)
                failed = ""
            except (NodeError, RenderError, OSError) as error:
                if str(error) != failed:
                    log.error("accounts could not be changed; trying again", why=str(error))
                failed = str(error)

    async def _read_if_there(self) -> list[AgentAccount] | None:
        try:
            agents = await self._read()
        except AWAY as error:
            self._away(error)
            return None
        if self.database_away:
            log.info("the database is back")
        self.database_away = False
        return agents

    async def _take_accounts(self, agents: list[AgentAccount]) -> None:
        async with self._applying:
            if agents != self.agents or self._owed:
                await self._apply(self.config, agents)

    async def _read(self) -> list[AgentAccount]:
        async with self._people.session() as conn:
            return [agent.account for agent in (await read_agents(conn)).values()]

    def _away(self, error: Exception) -> None:
        if not self.database_away:
            log.error(
                "the database is away: asterisk stays up with the accounts it has",
                why=str(_in_words_of(error)),
            )
        self.database_away = True

    async def _apply(self, config: Config, agents: list[AgentAccount]) -> None:
        """Write and reload; until that was done it is owed, so that a failure loses no change."""
        self._owed = True
        tell_late(await self.node.apply(config.settings.trunks, agents), RESTART)
        log.info("accounts changed", agents=len(agents))
        self.agents, self._owed = agents, False

    # --- reload -----------------------------------------------------------------------------------

    def reload_soon(self) -> None:
        """Read the configuration again in the background (SIGHUP); the outcome is logged."""
        if self.ready:
            self._tasks.spawn(self._reload_all(), "reload")
        else:
            log.info("not reloaded: the node is still starting")

    async def _reload_all(self) -> None:
        async with self._reloading:
            await self._reload_once()

    async def _reload_once(self) -> None:
        self.service.reloading()
        try:
            await self._take_config(await asyncio.to_thread(load_config, self.directory))
            log.info("configuration reloaded", campaigns=len(self.config.campaigns))
        except (SettingsError, NodeError, PromptError, RenderError) as error:
            log.error("reload refused: nothing was changed", why=str(error))
        finally:
            self.service.ready()

    async def _take_config(self, config: Config) -> None:
        needed = [line for line in restart_needed(self.config, config) if not line.startswith(_ELSEWHERE)]
        if needed:
            raise NodeError(f"this needs a restart of 'dialer node run': {'; '.join(needed)}")
        recordings, before = await self._recordings(config), self.node.facts
        async with self._applying:
            self._tell_facts(recordings)
            try:
                if self.agents is not None:  # else the first look at the database writes all
                    await self._apply(config, self.agents)
            except (NodeError, RenderError):
                self.node.facts = before
                raise
            self.config = config

    # --- end --------------------------------------------------------------------------------------

    def _in_words(self) -> str:
        """One line for the service manager's status."""
        state = "up" if self.node.node.alive() else "down"
        known = "accounts of the last time" if self.agents is None else f"{len(self.agents)} agents"
        away = "; the database is away" if self.database_away else ""
        return f"asterisk is {state}, {known}{away}"

    async def run(self) -> None:
        """Run until `stopping` is set, then leave; Asterisk stays up."""
        await self.stopping.wait()
        self.service.stopping()
        await self._closing.aclose()
        log.info("node runner has ended; asterisk stays up", remedy="dialer node stop")


def database_of(settings: Settings) -> str:
    """Return the database by which a node works. Raises NodeError when the settings are no node's."""
    if not settings.asterisk.managed:
        raise NodeError(
            "asterisk.managed is false: a node runs the bundled Asterisk; leave that line and asterisk.nodes out here"
        )
    url = settings.database.engine_url or settings.database.url
    if url is None:
        raise NodeError(
            "database.url is empty: a node works with the engine's database; name the server that the engine uses"
        )
    return url


def _in_words_of(error: Exception) -> StoreError:
    if isinstance(error, StoreError):
        return error
    if isinstance(error, asyncpg.UndefinedTableError):
        return StoreError("the database has no tables yet: start the engine first, it makes them")
    return StoreError(f"the database does not work: {str(error) or type(error).__name__}")
