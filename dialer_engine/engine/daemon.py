"""The engine's life: put the parts together in the order in which they need each other, run, take apart.

Start: settings, lock, recordings, lease, database, Asterisk, links, recovery, campaigns, control socket. Whatever
fails says why. A standby waits at the lock and at the lease. End: no new calls, wait for calls in progress or hand
them over, write everything, leave. Asterisk and the embedded Postgres stay up on purpose (P11); `dialer stop --all`
ends them too.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from pathlib import Path

import asyncpg
import structlog

from dialer_engine.engine.agreement import Agreement
from dialer_engine.engine.awakening import Awakening
from dialer_engine.engine.clock import GateClock
from dialer_engine.engine.control import ControlServer, Refused
from dialer_engine.engine.controls import Controls
from dialer_engine.engine.drain import Drain, HandOver
from dialer_engine.engine.floor import Floor, Means
from dialer_engine.engine.forgotten import Forgotten
from dialer_engine.engine.intake import OptOutIntake
from dialer_engine.engine.journal_keeper import JournalKeeper
from dialer_engine.engine.lock import home_lock
from dialer_engine.engine.node_link import ManagedNode, node_config
from dialer_engine.engine.overload import Overload
from dialer_engine.engine.ownership import Displaced, Ownership, lease_name
from dialer_engine.engine.pacing_history import PacingHistory
from dialer_engine.engine.prompts import standard_prompts
from dialer_engine.engine.queues import QueueWatch
from dialer_engine.engine.refusal_watch import RefusalWatch
from dialer_engine.engine.registry import read_registry
from dialer_engine.engine.restored import Restored
from dialer_engine.engine.service import Service
from dialer_engine.engine.standby import Standby, StandbyControls, config_now
from dialer_engine.engine.station import Station, make_stations
from dialer_engine.engine.steady_clock import SteadyClock
from dialer_engine.engine.surroundings import Blockers
from dialer_engine.engine.tasks import Tasks
from dialer_engine.engine.trunks import Trunks
from dialer_engine.engine.writer import Writer
from dialer_engine.pbx.ami import AmiError
from dialer_engine.pbx.ari.errors import AriError
from dialer_engine.pbx.bundle import Progress, install_bundle
from dialer_engine.settings.home import ServiceUser, prepare_home
from dialer_engine.settings.load import load_config
from dialer_engine.store.held import held_directory, rejected_file
from dialer_engine.store.journal import Taken, take_journal
from dialer_engine.store.locate import database_url, engine_database_url, ensure_database, ensure_migrated
from dialer_engine.store.pool import ENGINE_ROLE, Pool, open_pool
from dialer_engine.store.suppression_journal import SuppressionJournal, journal_file
from dialer_engine.store.watermark import Watermark, watermark_file

log = structlog.get_logger(__name__)

FLUSH_S = 10.0


class Engine:
    """One engine on one DIALER_HOME, from start to end."""

    def __init__(
        self,
        config_directory: Path,
        home: Path,
        user: ServiceUser,
        service: Service | None = None,
        *,
        standby: bool = False,
    ) -> None:
        self.directory = config_directory
        self.home = home
        self.user = user
        self.service = service or Service()
        self._lock = home_lock(home)
        self.standby = Standby(self._lock, self._tell_waiting) if standby else None
        self.tasks = Tasks()
        self.blockers = Blockers()
        self.stopping = asyncio.Event()
        self._owner = _owner(home)
        self.ready = self.closing = self.displaced = False
        self.handing_over: HandOver | None = None
        self.reloading = asyncio.Lock()
        self.started = time.monotonic()
        self._closing = contextlib.AsyncExitStack()

    # --- start ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Bring everything up, or close what was opened and raise why not; Displaced if another engine took over."""
        try:
            await self._start()
        except BaseException:
            await self._closing.aclose()
            if self.displaced:
                raise self._displacement() from None
            raise

    async def _start(self) -> None:
        prepare_home(self.home, self.user)
        self.config = load_config(self.directory)
        self.service.status = self._in_words
        self._closing.push_async_callback(self.tasks.close)
        self.tasks.keep(self.service.run, "service manager")
        if self.standby is not None:
            await self.standby.take_lock(self._look_at_lease)
        else:
            self._lock.take()
        self._closing.callback(self._lock.release)
        await self._prepare()
        await self._own()
        await self._open_database()
        await self._open_asterisk()
        await self._open_floor()
        await self._recover()
        await self.restored.resume(self.registry.states)
        await self._open_control()
        self.ready = True
        self.service.ready()
        log.info("engine is ready", socket=str(self.control_socket), campaigns=len(self.registry.plans))

    @property
    def control_socket(self) -> Path:
        """Where the commands reach this engine."""
        return self.config.settings.control.socket or self.home / "run" / "control.sock"

    async def _prepare(self) -> None:
        """What takes long the first time and disturbs no owner: a standby has it behind it."""
        self.bundle = await asyncio.to_thread(install_bundle, self.home, _log_progress())
        self.sounds = self.home / "sounds"
        self.standard_sounds = await asyncio.to_thread(standard_prompts, self.bundle, self.sounds)

    def _look_at_lease(self) -> Ownership:
        """The view of a standby that waits for its home: it starts no database."""
        settings = self.config.settings
        return Ownership(database_url(settings, self.home), lease_name(settings.asterisk), self._owner)

    async def _own(self) -> None:
        """Take the lease, before anything that the owner works with is touched, and keep it from now on."""
        settings = self.config.settings
        self.url = await asyncio.to_thread(ensure_database, settings, self.home)
        name = lease_name(settings.asterisk)
        self.ownership = Ownership(self.url, name, self._owner, Watermark(name, watermark_file(self.home)))
        self._closing.callback(self.ownership.close)
        if self.standby is None:
            await self._take_lease()
        else:
            await self._wait_for_lease(self.standby)
        self._closing.push_async_callback(self.ownership.release)
        self.ownership.on_lost = self._lost_lease
        self.blockers.lease_holds = self.ownership.holds
        self.tasks.keep(self.ownership.keep, "lease")

    async def _take_lease(self) -> None:
        try:
            await self.ownership.take()
        except asyncpg.UndefinedTableError:
            await ensure_migrated(self.url)
            await self.ownership.take()

    async def _wait_for_lease(self, standby: Standby) -> None:
        async with contextlib.AsyncExitStack() as waiting:
            control = ControlServer(StandbyControls(standby, self.stopping.set), self.control_socket)
            waiting.push_async_callback(control.close)
            await control.start()
            await standby.take_lease(self.ownership, lambda: ensure_migrated(self.url))
        log.info("this engine takes over", epoch=self.ownership.epoch)
        self.config = await asyncio.to_thread(config_now, self.directory, self.config)

    async def _open_database(self) -> None:
        applied = await ensure_migrated(self.url)
        if applied:
            log.info("database schema brought up to date", migrations=len(applied))
        settings = self.config.settings
        self.url = await engine_database_url(settings, self.home)
        await self.ownership.move(self.url)
        self.pool: Pool = await open_pool(self.url, settings.database.pool, ENGINE_ROLE)
        self._closing.push_async_callback(self._close_pool)

    async def _close_pool(self) -> None:
        self.pool.terminate()

    async def _open_asterisk(self) -> None:
        self.registry = await read_registry(self.config, self.pool, self.bundle, self.sounds)
        self.node: ManagedNode | None = None
        settings = self.config.settings.asterisk
        if settings.managed:
            self.node = ManagedNode(
                self.bundle,
                node_config(settings.node, self.home, self.user, self.config.settings.front),
                self.standard_sounds,
            )
            changed = self.node.render(self.config.settings.trunks, self.registry.accounts)
            if await self.node.node.ensure_running():
                log.info("a running asterisk was adopted", node=settings.node.name)
                if await self.node.node.reload(changed):
                    log.warning("asterisk needs a restart for some changes", remedy="dialer stop --all")

    async def _open_floor(self) -> None:
        settings = self.config.settings
        self.clock = GateClock.starting_at(settings.lab.clock if settings.lab else None)
        self.steady = SteadyClock(self.clock.now)
        self.steady.on_change = lambda: self.blockers.on_change()
        self.blockers.clock_steady = lambda: self.steady.steady
        self._make_writer()
        trunks = Trunks(settings.trunks, settings.accounts)
        self._make_stations(trunks)
        self._make_floor(trunks)
        self._make_watches()
        self._closing.push_async_callback(self.writer.close)
        self._closing.push_async_callback(self.tasks.close)
        await self.restored.compare()  # before the first record of an earlier engine is written
        self.tasks.keep(self.writer.run, "writer")
        self._closing.callback(self.agreement.close)
        for station in self.stations.values():
            self._closing.push_async_callback(station.close)
        await self._connect()
        self.service.beats = {"database writer": lambda: max(self.writer.beat, self.journal_keeper.beat)} | {
            f"ARI reader of {name}": lambda station=station: station.beat
            for name, station in self.stations.items()
        }
        self.service.probe = self._probe

    def _make_writer(self) -> None:
        owned = self.ownership
        self.writer = Writer(
            lambda: self.restored.session(),
            held_directory(self.home),
            rejected_file(self.home),
            owned.epoch,
            owned.guard,
        )
        self.writer.on_displaced = self._lost_lease
        self.writer.on_health = self._on_health

    def _make_stations(self, trunks: Trunks) -> None:
        owned = self.ownership
        self.awakening = Awakening(
            owned,
            self.tasks,
            lambda node, event: self.floor.translator.on_event(node, event),
            lambda: self.displaced,
            self._resynchronise,
        )
        self.stations = make_stations(
            self.config, self.node, self.sounds, trunks, self.awakening.on_event, self._on_link, owned.holds
        )

    def _make_floor(self, trunks: Trunks) -> None:
        owned = self.ownership
        means = Means(
            self.stations,
            trunks,
            self.pool,
            self.writer,
            self.clock,
            self.tasks,
            self.blockers,
            owned.epoch,
            owned.name,
        )
        self.floor = Floor(means, self.registry)
        self.agreement = Agreement(
            self.stations,
            self.floor,
            self.pool,
            owned.epoch,
            self.blockers,
            self.tasks,
            self.config.settings.asterisk.lost_after_seconds,
            owned.heard_until,
        )
        self.floor.actions.on_doubt = self.agreement.settle_soon
        owned.on_change = self.agreement.lease_is_back

    def _make_watches(self) -> None:
        owned = self.ownership
        self.overload = Overload(self.floor.trunks, self.blockers, list(self.stations.values()))
        self.queues = QueueWatch(self.pool, self.clock, lambda: self.floor.campaigns.plans.values())
        self.pacing_history = PacingHistory(
            self.floor.pacers,
            self.pool,
            owned.epoch,
            lambda: self.floor.campaigns.plans,
            lambda: self.queues.counts,
        )
        self.intakes = [
            OptOutIntake(place, self._take_journal, self.floor.suppressed) for place in self.journals.values()
        ]
        self.floor.actions.on_opt_out = self._wake_intakes
        self.writer.before_healthy = self._take_opt_outs
        self.journal_keeper = JournalKeeper(SuppressionJournal(journal_file(self.home)), self.pool)
        self.restored = Restored(
            self.url, owned, self.journal_keeper, self.floor.campaigns, self.blockers, self.tasks
        )

    async def _connect(self) -> None:
        """Connect the nodes; with several, those that cannot be reached now come later. Raises AriError, AmiError."""
        away = dict[Station, Exception]()
        for station in self.stations.values():
            try:
                await station.open()
            except (AriError, AmiError) as error:
                away[station] = error
        if len(away) == len(self.stations):
            raise next(iter(away.values()))
        for station, reason in away.items():
            log.error(
                "node cannot be reached; the others work without it", node=station.name, why=str(reason)
            )
            self.tasks.spawn(station.open_at_last(self.tasks), f"connect {station.name}")

    def _resynchronise(self, why: str) -> None:
        for station in self.stations.values():
            station.client.resynchronise(why)

    def _wake_intakes(self) -> None:
        for intake in self.intakes:
            intake.wake()

    async def _take_opt_outs(self) -> None:
        for intake in self.intakes:
            await intake.take_all()

    def _on_health(self) -> None:
        self.blockers.set(database_away=not self.writer.healthy, records_unsafe=self.writer.unsafe)

    @property
    def journals(self) -> dict[str, Path]:
        """Where the Asterisk-side scripts of this machine leave opt-outs, by node."""
        own = {self.node.config.name: self.node.config.optout_journal} if self.node is not None else {}
        return {name: self.home / "nodes" / name / "journal" / "optout" for name in self.stations} | own

    async def _take_journal(self, directory: Path) -> Taken:
        async with self.pool.acquire() as conn:
            return await take_journal(conn, directory)

    async def _recover(self) -> None:
        """Agree with every node about what an earlier engine left, before anything is dialed."""
        await self._write_held()
        async with self.pool.acquire() as conn:
            await self.floor.ledgers.load(conn, self.registry.plans)
        present = [station for station in self.stations.values() if station.client.connected]
        await self.agreement.recover_present()
        await self.agreement.end_strangers()
        await self._take_opt_outs()
        self.agreement.begin()
        await self.agreement.settle_all()
        for making, what in (
            *((intake.run, "opt-out intake") for intake in self.intakes),
            (self.journal_keeper.run, "suppression journal"),
            (Forgotten(self.floor, self.pool, self.writer).run, "forgotten attempts"),
            (self.queues.run, "queue watch"),
            (self.steady.run, "clock watch"),
            (self.pacing_history.run, "pacing history"),
            (RefusalWatch(self.floor, self.pool).run, "refusal watch"),
            (self.overload.run, "overload"),
            (self.floor.translator.chairs.run, "empty chairs"),
        ):
            self.tasks.keep(making, what)
        for station in self.stations.values():
            station.keep_process(self.tasks)
        for station in present:
            station.keep_phones(self.tasks)

    async def _write_held(self) -> None:
        """What an earlier engine could not write tells how its calls ended; only then are the others looked at."""
        if self.writer.held:
            log.info(
                "records of an earlier engine are on the disk and are written now", count=self.writer.held
            )
        await self.writer.caught_up()

    async def _open_control(self) -> None:
        self.control = ControlServer(Controls(self), self.control_socket)
        await self.control.start()
        self._closing.push_async_callback(self.control.close)

    def reload_soon(self) -> None:
        """Reload the configuration in the background (SIGHUP); the outcome is logged."""
        self.tasks.spawn(self._reload(), "reload")

    async def _reload(self) -> None:
        if not self.ready:
            log.info("not reloaded: a standby reads its configuration again when it takes over")
            return
        self.service.reloading()
        try:
            await Controls(self).reload()
        except Refused as error:
            log.error("reload refused", why=str(error))
        finally:
            self.service.ready()

    # --- the service manager ----------------------------------------------------------------------

    def _in_words(self) -> str:
        """One line for the service manager's status."""
        if not self.ready:
            return f"standby: {self.standby.reason}" if self.standby else "starting"
        return f"{self.blockers.why_not() or 'dialing'}; {len(self.floor.dispatcher.calls)} calls up"

    def _tell_waiting(self, reason: str) -> None:
        """A standby that waits has started: nothing more is to be waited for by the service manager."""
        self.service.ready()

    async def _probe(self, within_s: float) -> None:
        """Let the ARI readers have something to read; a link that is down tries to come back instead."""
        up = [station for station in self.stations.values() if station.client.connected]
        with contextlib.suppress(AriError):
            await asyncio.gather(*(station.ping(within_s) for station in up))

    def _on_link(self, node: str, up: bool) -> None:
        if up:
            self.awakening.link_up(node)
        if not self.closing:
            self.agreement.on_link(node, up)

    def _lost_lease(self) -> None:
        if self.closing or self.displaced:
            return
        log.critical("another engine has taken over; this one ends", lease=self.ownership.name)
        self.displaced = True
        self.blockers.set(draining=True)
        self.stopping.set()

    # --- end --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run until `stopping` is set, then drain and close; a second request to stop ends the wait.

        Raises Displaced after the end when another engine has taken over.
        """
        await self.stopping.wait()
        self.stopping.clear()
        if not self.displaced:
            await self._drain()
        await self.close()
        if self.displaced:
            raise self._displacement()

    def _displacement(self) -> Displaced:
        return Displaced(f"another engine has taken over {self.ownership.name}; this one has ended")

    def hand_over(self, wait_s: float) -> None:
        """Drain; leave to a standby as soon as no call needs this engine, else after `wait_s` at most."""
        self.handing_over = HandOver(time.monotonic() + wait_s)
        if not self.blockers.draining:
            self.stopping.set()

    async def _drain(self) -> None:
        self.blockers.set(draining=True)
        calls = self.floor.dispatcher.calls
        log.info("draining: no new calls; waiting for calls in progress", calls=len(calls))
        for runner in self.floor.campaigns.runners.values():
            runner.cancel_departures()
        drain = Drain(self.floor, self.stopping, self.ownership.standby_waits)
        await drain.wait(lambda: self.handing_over)
        if self.displaced:
            return
        if drain.handed_over:
            log.info("handed over to the standby that waits", calls=len(calls))
        elif calls:
            log.warning("left with calls up; the next engine adopts them", calls=len(calls))
        self.floor.legs.end_wraps()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.writer.flushed(), FLUSH_S)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.pacing_history.finish(), FLUSH_S)

    async def close(self) -> None:
        """Take everything apart that this process opened; Asterisk and Postgres stay up."""
        self.closing = True
        self.service.stopping()
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
