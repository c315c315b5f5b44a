"""The way to the lease: from an engine that has its settings to the owner of its home, its lease and its database.

The lock of the home, the bundle with its recordings, the lease, the database. A standby waits at the lock and at the
lease; what takes long the first time and disturbs no owner it has behind it by then. Nothing that the owner works with
is touched before the lease is taken, which is kept from then on.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import asyncpg
import structlog

from dialer_engine.engine.control import ControlServer
from dialer_engine.engine.identity import owner_name
from dialer_engine.engine.intake import intake_beside, optout_journals
from dialer_engine.engine.lifecycle import Lifecycle
from dialer_engine.engine.lock import EngineLock
from dialer_engine.engine.ownership import Ownership, lease_name
from dialer_engine.engine.prompts import standard_prompts
from dialer_engine.engine.standby import Standby, StandbyControls, config_now
from dialer_engine.engine.tasks import Tasks
from dialer_engine.pbx.bundle import Bundle, Progress, install_bundle
from dialer_engine.settings.load import Config
from dialer_engine.settings.models import Settings
from dialer_engine.store.line import Line
from dialer_engine.store.locate import database_url, engine_database_url, ensure_database, ensure_migrated
from dialer_engine.store.pool import ENGINE_ROLE, Pool, open_pool
from dialer_engine.store.watermark import Watermark, watermark_file

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Tenure:
    """What an owner has: its lease, its database and its recordings.

    `config` is as it was when the lease was taken, `url` the database by the engine's own login, `standard_sounds` the
    directory of the recordings that every campaign shares, below `sounds`.
    """

    config: Config
    url: str
    ownership: Ownership
    pool: Pool
    bundle: Bundle
    sounds: Path
    standard_sounds: Path


@dataclass(frozen=True, slots=True)
class Candidate:
    """An engine that is to become the owner by the settings it started with; a standby waits for it."""

    life: Lifecycle
    config: Config
    lock: EngineLock
    standby: Standby | None

    async def take(self) -> Tenure:
        """Become the owner. Raises EngineRuns or LeaseHeld when somebody else is; each part says why it fails."""
        await self._take_lock()
        bundle = await asyncio.to_thread(install_bundle, self.life.home, _log_progress())
        sounds = self.life.home / "sounds"
        standard = await asyncio.to_thread(standard_prompts, bundle, sounds)
        url = await asyncio.to_thread(ensure_database, self.config.settings, self.life.home)
        ownership, config = await self._own(url)
        url, pool = await self._open_database(config.settings, ownership, url)
        return Tenure(config, url, ownership, pool, bundle, sounds, standard)

    async def _take_lock(self) -> None:
        if self.standby is not None:
            await self.standby.take_lock(self._look_at_lease)
        else:
            self.lock.take()
        self.life.opened.callback(self.lock.release)

    def _look_at_lease(self) -> Ownership:
        """The view of a standby that waits for its home: it starts no database."""
        settings = self.config.settings
        return Ownership(database_url(settings, self.life.home), lease_name(settings.asterisk), self._owner)

    @property
    def _owner(self) -> str:
        """The lock on DIALER_HOME proves that an earlier engine of this home is dead: its lease is ours."""
        return owner_name(self.life.home)

    async def _own(self, url: str) -> tuple[Ownership, Config]:
        """Take the lease by the owner's login and keep it from now on; return it with the configuration of now."""
        life, config, name = self.life, self.config, lease_name(self.config.settings.asterisk)
        ownership = Ownership(url, name, self._owner, Watermark(name, watermark_file(life.home)))
        life.opened.callback(ownership.close)
        if self.standby is None:
            await _take_lease(ownership, url)
        else:
            config = await self._wait_for_lease(self.standby, ownership, url)
        life.opened.push_async_callback(ownership.release)
        ownership.on_lost = partial(life.lease_lost, name)
        life.blockers.lease_holds = ownership.holds
        life.tasks.keep(ownership.keep, "lease")
        return ownership, config

    async def _wait_for_lease(self, standby: Standby, ownership: Ownership, url: str) -> Config:
        socket_ = self.life.control_socket(self.config.settings)
        async with contextlib.AsyncExitStack() as waiting:
            control = ControlServer(StandbyControls(standby, self.life.stopping.set), socket_)
            waiting.push_async_callback(control.close)
            await control.start()
            self._take_opt_outs(waiting, url)
            await standby.take_lease(ownership, lambda: ensure_migrated(url))
        log.info("this engine takes over", epoch=ownership.epoch)
        self.life.config_read = True  # a change from now on may come too late for this reading
        return await asyncio.to_thread(config_now, self.life.directory, self.config)

    def _take_opt_outs(self, waiting: contextlib.AsyncExitStack, url: str) -> None:
        """Take in what this home's Asterisk took down, while another engine owns the lease."""
        line, tasks = Line(url), Tasks()
        waiting.callback(line.close)
        waiting.push_async_callback(tasks.close)
        for place in optout_journals(self.config.settings.asterisk, self.life.home).values():
            tasks.keep(intake_beside(line, place).run, "opt-out intake")

    async def _open_database(self, settings: Settings, ownership: Ownership, url: str) -> tuple[str, Pool]:
        """Bring the tables up to date; return the address by the engine's own login, where the lease is moved to."""
        applied = await ensure_migrated(url)
        if applied:
            log.info("database schema brought up to date", migrations=len(applied))
        engine_url = await engine_database_url(settings, self.life.home)
        await ownership.move(engine_url)
        pool = await open_pool(engine_url, settings.database.pool, ENGINE_ROLE)
        self.life.opened.callback(pool.terminate)
        return engine_url, pool


async def _take_lease(ownership: Ownership, url: str) -> None:
    try:
        await ownership.take()
    except asyncpg.UndefinedTableError:
        await ensure_migrated(url)
        await ownership.take()


def _log_progress() -> Progress:
    """Return a progress callback that logs each step once."""
    told: set[str] = set()

    def tell(step: str, share: float | None) -> None:
        if step not in told:
            told.add(step)
            log.info(step)

    return tell
