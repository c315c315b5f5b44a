"""Keeps the floor's view and every node's in agreement: at the start, after a lost link, and when a node stays away.

A node is `up` once both views agree. Its link lost, no call leaves there; what was up there goes on without us. When
the link comes back everything is compared. A node that stays away for `asterisk.lost_after_seconds` is taken for
lost: its calls end as what is known of them and its agents are off duty, so that nobody's number is locked for good,
and nobody waits for an agent who is not there. Dead and cut off look alike from here: a call that nobody had answered
when the link went may have been answered since, so it ends as `unknown` and is never dialed again by itself (P3).

While the lease does not hold, a comparison ends nobody else's calls, and one that finds another engine at work leaves
the node to it. Once the lease is back such nodes are compared anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from dialer_engine.engine.floor import Floor
from dialer_engine.engine.recovery import JOIN_TAKES_S, NotOurs, Seen
from dialer_engine.engine.station import Station
from dialer_engine.engine.surroundings import Blockers
from dialer_engine.engine.tasks import Tasks
from dialer_engine.pbx.ari.errors import AriError
from dialer_engine.store.agents import agents_on_record, nodes_on_record, paused_on_record
from dialer_engine.store.attempts import adopt, live_attempts, talks_without_disposition
from dialer_engine.store.line import AWAY
from dialer_engine.store.pool import Pool

log = structlog.get_logger(__name__)

RECONCILE_RETRY_S = 0.5
BROKEN_RETRY_S = 2.0
"""Pause after a fault of the program, which may well be there the next time: a node is not left down for it."""
SETTLE_S = 5.0
"""At the start a node that answers is not kept waiting longer than this for one that does not."""


@dataclass(slots=True)
class Agreement:
    """The comparisons of one engine with its stations.

    After `lost_after_s` seconds without a link a node is lost; a talk there may go on, but nobody knows of it.
    `heard_until` (UTC) is when the engine before this one was last heard of, None when there was none.
    """

    stations: Mapping[str, Station]
    floor: Floor
    pool: Pool
    epoch: int
    blockers: Blockers
    tasks: Tasks
    lost_after_s: float
    heard_until: datetime | None = None
    begun: bool = False
    _away: dict[str, asyncio.TimerHandle] = field(default_factory=dict)
    _unowned: set[str] = field(default_factory=set)
    _blind: set[str] = field(default_factory=set)
    _soon: set[str] = field(default_factory=set)

    # --- the links --------------------------------------------------------------------------------

    def on_link(self, node: str, up: bool) -> None:
        """A link came up or went down: nothing is dialed while blind (P8)."""
        station = self.stations[node]
        if up:
            self._blind.add(node)
            self._stop_waiting(node)
            if self.begun:
                self.settle_soon(node)
            return
        station.up = False
        self._wait(node)
        self._tell_blockers()
        self.floor.watch.link_lost(node)
        log.error("link to asterisk lost; no new calls there until it is back", node=node)

    def begin(self) -> None:
        """From now on every link that comes up is settled; those that are away are waited for."""
        self.begun = True
        for name, station in self.stations.items():
            if not station.client.connected:
                self._wait(name)

    def close(self) -> None:
        """Wait for nobody any more."""
        for node in list(self._away):
            self._stop_waiting(node)

    def _tell_blockers(self) -> None:
        self.blockers.set(asterisk_away=not any(station.up for station in self.stations.values()))

    # --- agreeing ---------------------------------------------------------------------------------

    def settle_soon(self, node: str) -> None:
        """Compare with a node in the background; one comparison that has not begun yet is enough for all who ask."""
        if node not in self._soon:
            self._soon.add(node)
            self.tasks.spawn(self.settle(self.stations[node]), f"compare with asterisk {node}")

    def lease_is_back(self) -> None:
        """Nobody else owned the calls meanwhile: calls may leave, and what was left alone is ours after all."""
        self.blockers.on_change()
        nodes, self._unowned = self._unowned, set()
        for node in nodes:
            self.settle_soon(node)

    async def settle(self, station: Station) -> None:
        """Compare until it has worked; once more later for what was on its way at that moment."""
        try:
            while station.client.connected and not await self._try(station):
                pass
        finally:
            self._soon.discard(station.name)

    async def _try(self, station: Station) -> bool:
        """Compare once; False, after a pause, when it has to be tried again."""
        pause = RECONCILE_RETRY_S
        try:
            async with station.settling:
                self._soon.discard(station.name)
                if not station.recovered:
                    await self.recover(station)
                if await self._compare(station):
                    self._agreed(station)
                return True
        except (AriError, *AWAY) as error:
            log.warning("comparison with asterisk failed, trying again", node=station.name, why=str(error))
        except Exception:
            log.exception("comparison with asterisk broke, trying again", node=station.name)
            pause = BROKEN_RETRY_S
        self._soon.add(station.name)
        await asyncio.sleep(pause)
        return False

    def _agreed(self, station: Station) -> None:
        station.up = station.client.connected
        self._tell_blockers()
        if station.name in self._blind:
            self._blind.discard(station.name)
            self.floor.translator.chairs.missed(station.name)
        self.tasks.spawn(self._look_twice(station), "second comparison with asterisk")

    async def _look_twice(self, station: Station) -> None:
        """Look at joins that were too young the first time; the next comparison has its own second one."""
        await asyncio.sleep(JOIN_TAKES_S * 1.5)
        try:
            await self._compare(station)
        except AriError as error:
            log.warning(
                "second comparison with asterisk failed, trying again", node=station.name, why=str(error)
            )
            self.settle_soon(station.name)

    async def _compare(self, station: Station) -> bool:
        """Compare once; False when the node was left to another engine. Raises AriError."""
        try:
            await self.floor.compare(station)
        except NotOurs as error:
            station.client.give_way(str(error))
            return False
        if not self.blockers.lease_holds():
            self._unowned.add(station.name)
        return True

    async def recover(self, station: Station) -> None:
        """Take over what an earlier engine left on a node. Raises AriError or one of AWAY."""
        await self._learn_pauses()
        await self._take_over(station.name, await self.floor.compare(station, hang_up_orphans=False))
        self._recovered(station)

    def _recovered(self, station: Station) -> None:
        station.recovered = True
        self.floor.translator.early.over(station.name)

    async def _learn_pauses(self) -> None:
        """Who of an earlier engine's agents is in a pause must be known before the first leg is taken over."""
        async with self.pool.acquire() as conn:
            self.floor.know_paused(await paused_on_record(conn))

    async def _take_over(self, node: str, seen: Seen, still: Callable[[], bool] = lambda: True) -> bool:
        """Take over what is live there as it was seen; False when that is not `still` so once the database has told."""
        floor = self.floor
        async with self.pool.acquire() as conn:
            live = await live_attempts(conn, node)
            ours = await adopt(conn, [attempt.attempt_id for attempt in live], self.epoch)
            on_record = await agents_on_record(conn, node)
            undisposed = await talks_without_disposition(conn, node)
        if not still():
            return False
        fresh = [
            each for each in live if each.attempt_id in ours and each.attempt_id not in floor.dispatcher.calls
        ]
        with floor.campaigns.adopting(node):
            kept = floor.adoption.adopt_all(fresh, seen)
        floor.adoption.care_for_lonely()
        floor.end_lost_shifts(node, on_record, self.heard_until)
        floor.dispose_forgotten(undisposed)
        if live:
            log.info(
                "attempts of an earlier engine", node=node, adopted=sum(kept), closed=len(kept) - sum(kept)
            )
        return True

    async def recover_present(self) -> None:
        """Take over from every node whose link is up; one that does not answer comes later, as if it were away.

        Raises AriError when none answers, or one of AWAY.
        """
        present = [station for station in self.stations.values() if station.client.connected]
        failed: list[AriError] = []
        for station in present:
            try:
                await self.recover(station)
            except AriError as error:
                log.error(
                    "node does not answer; the others work without it", node=station.name, why=str(error)
                )
                failed.append(error)
        if failed and len(failed) == len(present):
            raise failed[0]

    async def settle_all(self) -> None:
        """Settle every node; when one is up, those that take longer than `SETTLE_S` go on by themselves."""
        settling = {
            self.tasks.spawn(self.settle(station), f"compare with asterisk {name}")
            for name, station in self.stations.items()
        }
        _, waiting = await asyncio.wait(settling, timeout=SETTLE_S)
        while waiting and not any(station.up for station in self.stations.values()):
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)

    async def end_strangers(self) -> None:
        """End what an earlier engine left on nodes that the settings do not name any more. Raises one of AWAY.

        No other engine will: whoever holds the lease owns all nodes of the database.
        """
        async with self.pool.acquire() as conn:
            named = {attempt.node for attempt in await live_attempts(conn, None)} | await nodes_on_record(
                conn
            )
        for node in sorted(named - self.stations.keys()):
            log.warning("what is on record of a node that is not in the settings is ended", node=node)
            await self._take_over(node, Seen.nothing())

    # --- a node that stays away -------------------------------------------------------------------

    def _wait(self, node: str) -> None:
        if node not in self._away:
            loop = asyncio.get_running_loop()
            self._away[node] = loop.call_later(self.lost_after_s, self._lost, node)

    def _stop_waiting(self, node: str) -> None:
        timer = self._away.pop(node, None)
        if timer is not None:
            timer.cancel()

    def _lost(self, node: str) -> None:
        self._away.pop(node, None)
        self.tasks.spawn(self.give_up(self.stations[node]), f"give up {node}")

    async def give_up(self, station: Station) -> None:
        """Take a node for lost: end what is known to be there.

        What an earlier engine left there may have to wait for the database. Once the link is back it is not given up
        any more: what is there is compared.
        """
        log.error("node stays away and counts as lost", node=station.name, after_s=self.lost_after_s)
        seen = self.floor.give_up(station.name)
        while not station.recovered and not station.client.connected:
            try:
                async with station.settling:
                    if station.recovered or station.client.connected:
                        return
                    await self._learn_pauses()
                    if await self._take_over(station.name, seen, lambda: not station.client.connected):
                        self._recovered(station)
            except AWAY as error:
                log.warning("calls of a lost node wait for the database", node=station.name, why=str(error))
                await asyncio.sleep(RECONCILE_RETRY_S * 10)
