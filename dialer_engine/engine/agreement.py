"""Keeps the floor's view and every node's in agreement: at the start, after a lost link, and when a node stays away.

A node is `up` once both views agree. Its link lost, no call leaves there; what was up there goes on without us. When
the link comes back everything is compared. A node that stays away for `asterisk.lost_after_seconds` is taken for
lost: its calls end as such and its agents are off duty, so that nobody's number is locked for good, and nobody waits
for an agent who is not there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from dialer_engine.engine.floor import Floor
from dialer_engine.engine.recovery import JOIN_TAKES_S, Seen
from dialer_engine.engine.station import Station
from dialer_engine.engine.surroundings import Blockers
from dialer_engine.engine.tasks import Tasks
from dialer_engine.pbx.ari.errors import AriError
from dialer_engine.store.agents import agents_on_record
from dialer_engine.store.attempts import adopt, live_attempts, talks_without_disposition
from dialer_engine.store.line import AWAY
from dialer_engine.store.pool import Pool

log = structlog.get_logger(__name__)

RECONCILE_RETRY_S = 0.5


@dataclass(slots=True)
class Agreement:
    """The comparisons of one engine with its stations.

    After `lost_after_s` seconds without a link a node is lost; a talk there may go on, but nobody knows of it.
    """

    stations: Mapping[str, Station]
    floor: Floor
    pool: Pool
    epoch: int
    blockers: Blockers
    tasks: Tasks
    lost_after_s: float
    begun: bool = False
    _away: dict[str, asyncio.TimerHandle] = field(default_factory=dict)

    # --- the links --------------------------------------------------------------------------------

    def on_link(self, node: str, up: bool) -> None:
        """A link came up or went down: nothing is dialed while blind (P8)."""
        station = self.stations[node]
        if up:
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
        """Compare with a node in the background."""
        self.tasks.spawn(self.settle(self.stations[node]), f"compare with asterisk {node}")

    async def settle(self, station: Station) -> None:
        """Compare until it has worked; once more later for what was on its way at that moment."""
        while station.client.connected:
            try:
                async with station.settling:
                    if not station.recovered:
                        await self.recover(station)
                    await self.floor.compare(station)
            except (AriError, *AWAY) as error:
                log.warning(
                    "comparison with asterisk failed, trying again", node=station.name, why=str(error)
                )
                await asyncio.sleep(RECONCILE_RETRY_S)
            else:
                station.up = station.client.connected
                self._tell_blockers()
                self.tasks.spawn(self._look_twice(station), "second comparison with asterisk")
                return

    async def _look_twice(self, station: Station) -> None:
        await asyncio.sleep(JOIN_TAKES_S * 1.5)
        with contextlib.suppress(AriError):
            await self.floor.compare(station)

    async def recover(self, station: Station) -> None:
        """Take over what an earlier engine left on a node. Raises AriError or one of AWAY."""
        await self._take_over(station, await self.floor.compare(station, hang_up_orphans=False))

    async def _take_over(self, station: Station, seen: Seen) -> None:
        node, floor = station.name, self.floor
        async with self.pool.acquire() as conn:
            live = await live_attempts(conn, node)
            ours = await adopt(conn, [attempt.attempt_id for attempt in live], self.epoch)
            on_record = await agents_on_record(conn, node)
            undisposed = await talks_without_disposition(conn, node)
        fresh = [
            each for each in live if each.attempt_id in ours and each.attempt_id not in floor.dispatcher.calls
        ]
        kept = [floor.adopt(attempt, seen) for attempt in fresh]
        floor.care_for_lonely()
        floor.end_lost_shifts(node, on_record)
        floor.dispose_forgotten(undisposed)
        station.recovered = True
        if live:
            log.info(
                "attempts of an earlier engine", node=node, adopted=sum(kept), closed=len(kept) - sum(kept)
            )

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
        """Take a node for lost: end what is known to be there."""
        log.error("node stays away and counts as lost", node=station.name, after_s=self.lost_after_s)
        seen = self.floor.give_up(station.name)
        while not station.recovered and not station.client.connected:
            try:
                await self._take_over(station, seen)
            except AWAY as error:
                log.warning("calls of a lost node wait for the database", node=station.name, why=str(error))
                await asyncio.sleep(RECONCILE_RETRY_S * 10)
