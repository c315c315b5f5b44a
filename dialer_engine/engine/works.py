"""What an owner works with: the parts that dial, write, watch and agree, built whole and then set going.

`make_works` reads what the database says and has Asterisk running first. `open` begins to write and connects the nodes;
`recover` agrees with every node about what an earlier engine left, before anything is dialed.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from functools import partial
from pathlib import Path

import structlog

from dialer_engine.engine.agreement import Agreement
from dialer_engine.engine.awakening import Awakening
from dialer_engine.engine.clock import GateClock
from dialer_engine.engine.floor import Floor, Means
from dialer_engine.engine.forgotten import Forgotten
from dialer_engine.engine.held_watch import HeldWatch
from dialer_engine.engine.intake import OptOutIntake, Take, optout_journals, take_over
from dialer_engine.engine.journal_keeper import JournalKeeper
from dialer_engine.engine.lifecycle import Lifecycle
from dialer_engine.engine.node_link import ManagedNode, node_config
from dialer_engine.engine.overload import Overload
from dialer_engine.engine.pacing_history import PacingHistory
from dialer_engine.engine.queues import QueueWatch
from dialer_engine.engine.refusal_watch import RefusalWatch
from dialer_engine.engine.registry import Registry, read_registry
from dialer_engine.engine.restored import Restored
from dialer_engine.engine.sharing import Sharing
from dialer_engine.engine.station import Station, make_stations
from dialer_engine.engine.steady_clock import SteadyClock
from dialer_engine.engine.tasks import within
from dialer_engine.engine.tenure import Tenure
from dialer_engine.engine.trunks import Trunks
from dialer_engine.engine.writer import Writer
from dialer_engine.pbx.ami import AmiError
from dialer_engine.pbx.ari.errors import AriError
from dialer_engine.store.held import held_directory, rejected_file
from dialer_engine.store.journal import Taken, take_journal
from dialer_engine.store.line import AWAY, Line
from dialer_engine.store.suppression_journal import SuppressionJournal, journal_file

log = structlog.get_logger(__name__)

LAST_S = 2.0
"""How long an end waits for the last opt-outs to be written."""
LAST_AGAIN_S = 0.3
BACK_S = 10.0
"""How long the writer waits for opt-outs before it tries the database anew: it gives no sign of life meanwhile."""


class Works:
    """The parts of one owner; `node` is the Asterisk of this machine, None when others run all of them.

    `config` is replaced by a reload, which holds `reloading`.
    """

    def __init__(self, life: Lifecycle, tenure: Tenure, registry: Registry, node: ManagedNode | None) -> None:
        owned, pool, settings = tenure.ownership, tenure.pool, tenure.config.settings
        tasks, blockers = life.tasks, life.blockers
        self.life = life
        self.tenure = tenure
        self.node = node
        self.config = tenure.config
        self.reloading = asyncio.Lock()
        self.clock = GateClock.starting_at(settings.lab.clock if settings.lab else None)
        self.steady = SteadyClock(self.clock.now)
        self.writer = Writer(
            lambda: self.restored.session(),
            held_directory(life.home),
            rejected_file(life.home),
            owned.epoch,
            owned.guard,
        )
        trunks = Trunks(settings.trunks, settings.accounts)
        self.awakening = Awakening(owned, tasks, self._on_event, lambda: life.displaced, self._resynchronise)
        self.stations = make_stations(
            self.config, node, tenure.sounds, trunks, self.awakening.on_event, self._on_link, owned.holds
        )
        means = Means(
            *(self.stations, trunks, pool, self.writer, self.clock, tasks, blockers), owned.epoch, owned.name
        )
        self.floor = Floor(means, registry)
        self.agreement = Agreement(
            self.stations,
            self.floor,
            pool,
            owned.epoch,
            blockers,
            tasks,
            settings.asterisk.lost_after_seconds,
            owned.heard_until,
        )
        campaigns = self.floor.campaigns
        self.overload = Overload(trunks, blockers, list(self.stations.values()))
        self.queues = QueueWatch(pool, self.clock, lambda: campaigns.plans.values())
        self.sharing = Sharing(campaigns)
        self.pacing_history = PacingHistory(
            self.floor.pacers, pool, owned.epoch, lambda: campaigns.plans, lambda: self.queues.counts
        )
        self.intakes = [
            OptOutIntake(place, self._take_journal, self.floor.suppressed) for place in self.journals.values()
        ]
        self.journal_keeper = JournalKeeper(SuppressionJournal(journal_file(life.home)), pool)
        self.restored = Restored(tenure.url, owned, self.journal_keeper, campaigns, blockers, tasks)
        self._wire()

    def _wire(self) -> None:
        """Let the parts tell each other what happens."""
        life, owned = self.life, self.tenure.ownership
        self.steady.on_change = life.blockers.on_change
        life.blockers.clock_steady = lambda: self.steady.steady
        life.blockers.behind = lambda: self.awakening.behind
        self.queues.on_counts = lambda: self.sharing.look(time.monotonic(), self.queues.counts)
        self.writer.on_displaced = partial(life.lease_lost, owned.name)
        self.writer.on_health = self._on_health
        self.writer.before_healthy = partial(self._take_opt_outs, BACK_S)
        self.floor.actions.on_doubt = self.agreement.settle_soon
        self.floor.actions.on_opt_out = self._wake_intakes
        owned.on_change = self.agreement.lease_is_back

    @property
    def journals(self) -> dict[str, Path]:
        """Where the Asterisk-side scripts of this machine leave opt-outs, by node; of nodes of before by the place."""
        return optout_journals(self.tenure.config.settings.asterisk, self.life.home)

    # --- opening ----------------------------------------------------------------------------------

    async def open(self) -> None:
        """Begin to write and connect the nodes; `life.opened` closes it.

        Raises StoreError, or AriError or AmiLoginRefused when no node can take calls.
        """
        opened, tasks, service = self.life.opened, self.life.tasks, self.life.service
        opened.push_async_callback(self.writer.close)
        opened.push_async_callback(tasks.close)
        await self.restored.compare()  # before the first record of an earlier engine is written
        tasks.keep(self.writer.run, "writer")
        opened.callback(self.agreement.close)
        for station in self.stations.values():
            opened.push_async_callback(station.close)
        await self._connect()
        service.beats = {"database writer": lambda: max(self.writer.beat, self.journal_keeper.beat)} | {
            f"ARI reader of {name}": lambda station=station: station.beat
            for name, station in self.stations.items()
        }
        service.probe = self._probe

    async def _connect(self) -> None:
        """Connect the nodes; what cannot be reached now comes later.

        Raises AriError, or AmiLoginRefused, when no node can take calls.
        """
        away = dict[Station, Exception]()
        for station in self.stations.values():
            try:
                await station.open()
            except (AriError, AmiError) as error:
                away[station] = error
        useless = [reason for station, reason in away.items() if not station.serves_without(reason)]
        if len(useless) == len(self.stations):
            raise useless[0]
        for station, reason in away.items():
            what = (
                "AMI cannot be reached; calls go on, phones and trunks are not seen until it is back"
                if station.serves_without(reason)
                else "node cannot be reached; the others work without it"
            )
            log.error(what, node=station.name, why=str(reason))
            self.life.tasks.spawn(station.open_at_last(self.life.tasks), f"connect {station.name}")

    # --- what an earlier engine left --------------------------------------------------------------

    async def recover(self) -> None:
        """Agree with every node about what an earlier engine left, before anything is dialed."""
        pool, tasks = self.tenure.pool, self.life.tasks
        await self._write_held()
        async with pool.acquire() as conn:
            grouping = await self.floor.ledgers.load(conn, self.floor.registry.plans)
        self.floor.ledgers.begin(*grouping)
        await self.agreement.recover_present()
        await self.agreement.end_strangers()
        await self._take_opt_outs()
        self.agreement.begin()
        await self.agreement.settle_all()
        for making, what in (
            *((intake.run, "opt-out intake") for intake in self.intakes),
            (self.journal_keeper.run, "suppression journal"),
            (Forgotten(self.floor, pool, self.writer).run, "forgotten attempts"),
            (self.queues.run, "queue watch"),
            (self.steady.run, "clock watch"),
            (self.pacing_history.run, "pacing history"),
            (RefusalWatch(self.floor, pool).run, "refusal watch"),
            (self._held_watch().run, "held watch"),
            (self.overload.run, "overload"),
            (self.floor.translator.chairs.run, "empty chairs"),
        ):
            tasks.keep(making, what)
        for station in self.stations.values():
            station.keep_process(tasks)
            if station.phones.ami is not None:  # of the others `open_at_last` keeps them
                station.keep_phones(tasks)

    def _held_watch(self) -> HeldWatch:
        holds = self.life.blockers.lease_holds
        return HeldWatch(self.tenure.pool, self.clock, lambda: self.floor.registry, self.reloading, holds)

    async def _write_held(self) -> None:
        """What an earlier engine could not write tells how its calls ended; only then are the others looked at."""
        if self.writer.held:
            log.info(
                "records of an earlier engine are on the disk and are written now", count=self.writer.held
            )
        await self.writer.caught_up()

    # --- what the parts tell ----------------------------------------------------------------------

    def _on_event(self, node: str, event: object) -> None:
        self.floor.translator.on_event(node, event)

    def _on_link(self, node: str, up: bool) -> None:
        if up:
            self.awakening.link_up(node)
        if not self.life.closing:
            self.agreement.on_link(node, up)

    def _resynchronise(self, why: str) -> None:
        for station in self.stations.values():
            station.client.resynchronise(why)

    def _on_health(self) -> None:
        self.life.blockers.set(database_away=not self.writer.healthy, records_unsafe=self.writer.unsafe)

    async def _probe(self, within_s: float) -> None:
        """Let the ARI readers have something to read; a link that is down tries to come back instead."""
        up = [station for station in self.stations.values() if station.client.connected]
        with contextlib.suppress(AriError):
            await asyncio.gather(*(station.ping(within_s) for station in up))

    # --- opt-outs ---------------------------------------------------------------------------------

    def _wake_intakes(self) -> None:
        for intake in self.intakes:
            intake.wake()

    async def _take_opt_outs(self, within_s: float | None = None) -> None:
        """Take in what is there, over a session of its own: one of the pool may be of before an outage, and hang.

        Raises one of AWAY, or TimeoutError after `within_s` seconds.
        """
        line = Line(self.tenure.url)
        try:
            await within(within_s, self._take_each(take_over(line)))
        finally:
            line.close()

    async def _take_each(self, take: Take) -> None:
        for intake in self.intakes:
            await intake.take_all(take)

    async def take_last_opt_outs(self) -> None:
        """Take in what is there before this engine ends; what the database cannot take now waits on the disk."""
        end = time.monotonic() + LAST_S
        while True:
            try:
                return await self._take_opt_outs(max(end - time.monotonic(), 0.0))
            except AWAY as error:
                if time.monotonic() + LAST_AGAIN_S >= end:
                    return self._tell_left(error)
            await asyncio.sleep(LAST_AGAIN_S)

    def _tell_left(self, error: Exception) -> None:
        if left := sum(intake.waiting for intake in self.intakes):
            log.critical(
                "opt-outs are not in the database: people who asked not to be called may be called until the engine "
                "is started on this DIALER_HOME again",
                opt_outs=left,
                why=str(error) or type(error).__name__,
            )

    async def _take_journal(self, directory: Path) -> Taken:
        async with self.tenure.pool.acquire() as conn:
            return await take_journal(conn, directory)


async def make_works(life: Lifecycle, tenure: Tenure) -> Works:
    """Read campaigns and agents, have Asterisk run by them, and build the rest. Raises StoreError, NodeError ..."""
    registry = await read_registry(tenure.config, tenure.pool, tenure.bundle, tenure.sounds)
    return Works(life, tenure, registry, await _open_asterisk(life, tenure, registry))


async def _open_asterisk(life: Lifecycle, tenure: Tenure, registry: Registry) -> ManagedNode | None:
    settings = tenure.config.settings
    own = settings.asterisk.node
    if not settings.asterisk.managed:
        return None
    place = node_config(own, life.home, life.user, settings.front)
    node = ManagedNode(tenure.bundle, place, tenure.standard_sounds)
    await node.addresses.find(settings.trunks.values())
    changed = node.render(settings.trunks, registry.accounts)
    if await node.node.ensure_running():
        log.info("a running asterisk was adopted", node=own.name)
        await node.take_up(changed, "dialer stop --all, then run")
    return node
