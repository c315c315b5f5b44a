"""The engine's life: put the parts together in the order in which they need each other, run, take apart.

Start: lock, settings, database, recordings, Asterisk, link, recovery, campaigns, control socket. Whatever
fails says why. End: no new calls, wait for calls in progress, write everything, leave. Asterisk and the
embedded Postgres stay up on purpose (P11); `dialer stop --all` ends them too.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from datetime import timedelta
from pathlib import Path

import asyncpg
import structlog

from dialer_engine.engine.clock import GateClock, utc_now
from dialer_engine.engine.control import ControlServer, Refused
from dialer_engine.engine.controls import Controls
from dialer_engine.engine.floor import Floor, Means
from dialer_engine.engine.intake import OptOutIntake
from dialer_engine.engine.journal_keeper import JournalKeeper
from dialer_engine.engine.lock import EngineLock
from dialer_engine.engine.node_link import ManagedNode, ari_link, external_access, node_config
from dialer_engine.engine.phones import PhoneWatch
from dialer_engine.engine.prompts import standard_prompts
from dialer_engine.engine.queues import QueueWatch
from dialer_engine.engine.recovery import JOIN_TAKES_S
from dialer_engine.engine.refusal_watch import RefusalWatch
from dialer_engine.engine.registry import read_registry
from dialer_engine.engine.surroundings import Blockers
from dialer_engine.engine.tasks import Tasks
from dialer_engine.engine.writer import Writer
from dialer_engine.pbx.ari.errors import AriError
from dialer_engine.pbx.bundle import Progress, install_bundle
from dialer_engine.settings.home import ServiceUser, prepare_home
from dialer_engine.settings.load import load_config
from dialer_engine.store import lease
from dialer_engine.store.agents import agents_on_record
from dialer_engine.store.attempts import adopt, live_attempts, talks_without_disposition
from dialer_engine.store.errors import StoreError
from dialer_engine.store.journal import take_journal
from dialer_engine.store.locate import ensure_database, ensure_migrated
from dialer_engine.store.pool import Pool, connect, open_pool
from dialer_engine.store.suppression_journal import SuppressionJournal, journal_file

log = structlog.get_logger(__name__)

RECONCILE_RETRY_S = 0.5
LEASE_TTL = timedelta(seconds=15)
DRAIN_LOOK_S = 0.2
FLUSH_S = 10.0
FORGOTTEN_S = 10.0


class Engine:
    """One engine on one DIALER_HOME, from start to end."""

    def __init__(self, config_directory: Path, home: Path, user: ServiceUser) -> None:
        self.directory = config_directory
        self.home = home
        self.user = user
        self.tasks = Tasks()
        self.blockers = Blockers()
        self.stopping = asyncio.Event()
        self._owner = _owner(home)
        self.recovered = self.closing = self.displaced = False
        self.reloading = asyncio.Lock()
        self.started = time.monotonic()
        self._lock = EngineLock(home / "run" / "engine.lock")
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
        self._lock.take()
        self._closing.callback(self._lock.release)
        self.config = load_config(self.directory)
        self._closing.push_async_callback(self.tasks.close)
        await self._open_database()
        await self._open_asterisk()
        await self._open_floor()
        await self._recover()
        self._resume_campaigns()
        await self._open_control()
        log.info("engine is ready", socket=str(self.control_socket), campaigns=len(self.registry.plans))

    @property
    def control_socket(self) -> Path:
        """Where the commands reach this engine."""
        return self.config.settings.control.socket or self.home / "run" / "control.sock"

    async def _open_database(self) -> None:
        self.url = await asyncio.to_thread(ensure_database, self.config.settings, self.home)
        applied = await ensure_migrated(self.url)
        if applied:
            log.info("database schema brought up to date", migrations=len(applied))
        self.pool: Pool = await open_pool(self.url, self.config.settings.database.pool)
        self._closing.push_async_callback(self._close_pool)

    async def _close_pool(self) -> None:
        self.pool.terminate()

    async def _open_asterisk(self) -> None:
        self.bundle = await asyncio.to_thread(install_bundle, self.home, _log_progress())
        sounds = self.home / "sounds"
        self.standard_sounds = await asyncio.to_thread(standard_prompts, self.bundle, sounds)
        self.registry = await read_registry(self.config, self.pool, self.bundle, sounds)
        self.node: ManagedNode | None = None
        settings = self.config.settings.asterisk
        if settings.managed:
            self.node = ManagedNode(
                self.bundle, node_config(settings.node, self.home, self.user), self.standard_sounds
            )
            changed = self.node.render(self.config.settings.trunks, self.registry.accounts)
            if await self.node.node.ensure_running():
                log.info("a running asterisk was adopted", node=settings.node.name)
                if await self.node.node.reload(changed):
                    log.warning("asterisk needs a restart for some changes", remedy="dialer stop --all")
        self.access = self.node.access if self.node else external_access(settings)

    async def _open_floor(self) -> None:
        settings = self.config.settings
        self.clock = GateClock.starting_at(settings.lab.clock if settings.lab else None)
        async with self.pool.acquire() as conn:
            self.lease = await lease.take(conn, self._lease_name, self._owner, LEASE_TTL)
        self.writer = Writer(lambda: connect(self.url), self.home / "log" / "rejected.jsonl", self.lease)
        self.writer.on_health = lambda healthy: self.blockers.set(database_away=not healthy)
        self.client, commands = ari_link(self.access, self._on_event, self._on_link)
        means = Means(
            commands,
            self.pool,
            self.writer,
            self.clock,
            self.tasks,
            self.blockers,
            self.standard_sounds,
            self.access.name,
            self.lease,
        )
        self.floor = Floor(means, self.registry)
        self.phones = PhoneWatch(self.access, self.floor.trunks)
        self.queues = QueueWatch(self.pool, self.clock, lambda: self.floor.campaigns.plans.values())
        self.intake = OptOutIntake(self.journal, self._take_journal, self.floor.suppressed)
        self.floor.actions.on_opt_out = self.intake.wake
        self.suppressions = SuppressionJournal(journal_file(self.home))
        self.journal_keeper = JournalKeeper(self.suppressions, self.pool)
        self._closing.push_async_callback(self.writer.close)
        self._closing.push_async_callback(self.tasks.close)
        self.tasks.keep(self.writer.run, "writer")
        self.floor.actions.on_doubt = self._compare_soon
        self._closing.push_async_callback(self.client.close)
        await self.client.start()
        await self.phones.start()
        self._closing.push_async_callback(self.phones.close)

    @property
    def _lease_name(self) -> str:
        return f"engine:{self.access.name}"

    @property
    def journal(self) -> Path:
        """Where the Asterisk-side script leaves opt-outs."""
        if self.node is not None:
            return self.node.config.optout_journal
        return self.home / "nodes" / self.access.name / "journal" / "optout"

    async def _take_journal(self, directory: Path) -> list[str]:
        async with self.pool.acquire() as conn:
            return await take_journal(conn, directory, utc_now())

    async def _recover(self) -> None:
        """Agree with Asterisk about what an earlier engine left, before anything is dialed."""
        await self._reapply_suppressions()
        seen = await self.floor.compare(hang_up_orphans=False)
        async with self.pool.acquire() as conn:
            await self.floor.ledgers.load(conn, self.registry.plans)
            live = await live_attempts(conn, self.access.name)
            ours = await adopt(conn, [attempt.attempt_id for attempt in live], self.lease)
            on_record = await agents_on_record(conn, self.access.name)
            undisposed = await talks_without_disposition(conn, self.access.name)
        kept = [self.floor.adopt(attempt, seen) for attempt in live if attempt.attempt_id in ours]
        self.floor.end_lost_shifts(on_record)
        self.floor.dispose_forgotten(undisposed)
        if live:
            log.info("attempts of an earlier engine", adopted=sum(kept), closed=len(kept) - sum(kept))
        await self.intake.take_all()
        self.recovered = True
        await self._compare_again()
        for making, what in (
            (self.intake.run, "opt-out intake"),
            (self.journal_keeper.run, "suppression journal"),
            (self._keep_lease, "lease"),
            (self._end_forgotten, "forgotten attempts"),
            (self.phones.run, "phone watch"),
            (self.queues.run, "queue watch"),
            (RefusalWatch(self.floor, self.pool).run, "refusal watch"),
        ):
            self.tasks.keep(making, what)
        if self.node is not None:
            self.tasks.keep(self.node.watch, "asterisk watch")
            self.tasks.keep(self.node.keep_house, "asterisk housekeeping")

    async def _end_forgotten(self) -> None:
        """Every few seconds: no attempt of ours stays live in the database that nobody here holds (P6).

        Two looks in a row must find it: the end of a call may be on its way to the database during one.
        """
        before: set[str] = set()
        while True:
            await asyncio.sleep(FORGOTTEN_S)
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                async with self.pool.acquire() as conn:
                    live = await live_attempts(conn, self.access.name)
                ours = [each for each in live if each.epoch == self.lease]
                suspects = {each.attempt_id for each in ours} - self.floor.dispatcher.calls.keys()
                forgotten = [each for each in ours if each.attempt_id in suspects & before]
                before = suspects
                if self.floor.end_forgotten(forgotten):
                    log.error("attempts that nobody held were ended", count=len(forgotten))

    async def _reapply_suppressions(self) -> None:
        """Before anything is dialed: what a restored database lost of the do-not-call lists comes back."""
        conn = await connect(self.url, batch=True)
        try:
            compared = await self.suppressions.open(conn, utc_now())
        finally:
            await conn.close()
        if compared.applied:
            log.warning(
                "do-not-call changes that the database had lost were applied again", count=compared.applied
            )

    def _resume_campaigns(self) -> None:
        for name, plan in self.registry.plans.items():
            state = self.registry.states.get(name, "draft")
            self.floor.campaigns.states[name] = state
            if state == "running" or (state == "draft" and plan.settings.autostart):
                self.floor.campaigns.start(name)

    async def _open_control(self) -> None:
        self.control = ControlServer(Controls(self), self.control_socket)
        await self.control.start()
        self._closing.push_async_callback(self.control.close)

    def reload_soon(self) -> None:
        """Reload the configuration in the background (SIGHUP); the outcome is logged."""
        self.tasks.spawn(self._reload(), "reload")

    async def _reload(self) -> None:
        try:
            await Controls(self).reload()
        except Refused as error:
            log.error("reload refused", why=str(error))

    # --- the link to Asterisk ---------------------------------------------------------------------

    def _on_event(self, event: object) -> None:
        self.floor.translator.on_event(event)

    def _on_link(self, up: bool) -> None:
        """Nothing is dialed while blind; after a reconnect both views are compared first (P8)."""
        if self.closing:
            return
        if not up:
            self.blockers.set(asterisk_away=True)
            log.error("link to asterisk lost; no new calls until it is back", node=self.access.name)
        elif self.recovered:
            self._compare_soon()

    def _compare_soon(self) -> None:
        self.tasks.spawn(self._compare_again(), "compare with asterisk")

    async def _compare_again(self) -> None:
        """Compare until it has worked; once more later for what was on its way at that moment."""
        while self.client.connected:
            try:
                await self.floor.compare()
            except AriError as error:
                log.warning("comparison with asterisk failed, trying again", why=str(error))
                await asyncio.sleep(RECONCILE_RETRY_S)
            else:
                self.blockers.set(asterisk_away=False)
                self.tasks.spawn(self._look_twice(), "second comparison with asterisk")
                return

    async def _look_twice(self) -> None:
        await asyncio.sleep(JOIN_TAKES_S * 1.5)
        with contextlib.suppress(AriError):
            await self.floor.compare()

    async def _keep_lease(self) -> None:
        while True:
            await asyncio.sleep(LEASE_TTL.total_seconds() / 3)
            try:
                async with self.pool.acquire() as conn:
                    held = await lease.heartbeat(conn, self._lease_name, self._owner, self.lease, LEASE_TTL)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                log.warning("lease could not be renewed", why=str(error))
                continue
            if not held:
                log.critical("another engine has taken over; this one ends")
                self.displaced = True
                self.stopping.set()
                return

    # --- end --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run until `stopping` is set, then drain and close; a second request to stop ends the wait."""
        await self.stopping.wait()
        self.stopping.clear()
        await self._drain()
        await self.close()

    async def _drain(self) -> None:
        self.blockers.set(draining=True)
        calls = self.floor.dispatcher.calls
        log.info("draining: no new calls; waiting for calls in progress", calls=len(calls))
        for runner in self.floor.campaigns.runners.values():
            runner.cancel_departures()
        while (calls or self.floor.legs.wraps) and not self.stopping.is_set() and not self.displaced:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), DRAIN_LOOK_S)
        if calls:
            log.warning("left with calls up; the next engine adopts them", calls=len(calls))
        self.floor.legs.end_wraps()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.writer.flushed(), FLUSH_S)

    async def close(self) -> None:
        """Take everything apart that this process opened; Asterisk and Postgres stay up."""
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, StoreError):
            async with self.pool.acquire() as conn:
                await lease.release(conn, self._lease_name, self._owner, self.lease)
        self.closing = True
        await self._closing.aclose()
        log.info("engine has ended")


def _owner(home: Path) -> str:
    """The lock on DIALER_HOME proves that an earlier engine of this home is dead: its lease is ours."""
    return f"{socket.gethostname()}:{home}"


def _log_progress() -> Progress:
    """Return a progress callback that logs each step once."""
    told: set[str] = set()

    def tell(step: str, share: float | None) -> None:
        if step not in told:
            told.add(step)
            log.info(step)

    return tell
