"""This engine's hold on its lease: taken, renewed each second on a connection of its own, given back.

Two clocks watch over it. The database's decides when others may take it (`LEASE_TTL`); the engine's own says until
when it may rely on it (`holds`), so that an engine that is cut off, slow or frozen stops to place calls before
anybody else can begin. The connection is not one of the pool, whose connections may all be at work.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog

from dialer_engine.core.lease import LeaseClock
from dialer_engine.settings.models import AsteriskSettings
from dialer_engine.store import lease
from dialer_engine.store.line import AWAY
from dialer_engine.store.pool import ENGINE_ROLE, connect
from dialer_engine.store.watermark import Watermark

log = structlog.get_logger(__name__)

FAMILY = "engine:"
"""How the names of all engines' leases begin."""
LEASE_TTL = timedelta(seconds=5)
MARGIN_S = 1.0
BEAT_S = 1.0
ANSWER_S = 2.0
RETRY_S = 0.25


class Displaced(Exception):
    """Another engine has taken over; the message is for the person who finds this one ended."""


def now() -> float:
    """Return seconds of a clock that never jumps and goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def lease_name(asterisk: AsteriskSettings) -> str:
    """Return what is owned: all nodes, by the name of the first, which every engine's settings must have first."""
    return f"{FAMILY}{asterisk.node.name if asterisk.managed else asterisk.nodes[0].name}"


class Ownership:
    """The lease of an engine's nodes in one database.

    `heard_until` is when its owner before renewed it last, by the database's clock; None when it never had one.
    """

    def __init__(self, url: str, name: str, owner: str, watermark: Watermark | None = None) -> None:
        self.name = name
        self.owner = owner
        self.epoch = 0
        self.heard_until: datetime | None = None
        self.watermark = watermark or Watermark(name)
        self.on_lost: Callable[[], None] = lambda: None
        self.on_change: Callable[[], None] = lambda: None
        self.on_behind: Callable[[], None] = lambda: None
        self._url = url
        self._role: str | None = None
        self._clock = LeaseClock(LEASE_TTL.total_seconds(), MARGIN_S)
        self._tried = now()
        self._doubts_until = self._tried
        self._lock = asyncio.Lock()
        self._conn: Any = None
        self._in_line = False
        self._looked = asyncio.Event()

    # --- by its own clock -------------------------------------------------------------------------

    def holds(self) -> bool:
        """Return whether calls may be placed: nobody else can own the lease yet."""
        return self._clock.holds(now())

    @property
    def woken(self) -> bool:
        """Whether this process has not run for so long that another may have taken over without its notice.

        False again as soon as a renewal was granted or refused, or when the database has said nothing for as long
        as the lease lasts. One failed try tells nothing: the old connection may have died in the sleep.
        """
        moment = now()
        return self._clock.expired(moment) and (self._slept(moment) or moment < self._doubts_until)

    def _slept(self, moment: float) -> bool:
        return moment - self._tried >= LEASE_TTL.total_seconds()

    # --- taking and keeping -----------------------------------------------------------------------

    async def take(self) -> None:
        """Take the lease. Raises LeaseHeld with the owner, or one of AWAY."""
        async with self._lock:
            conn = await self._connection()
            await self.watermark.look(conn)
            self.heard_until = self.watermark.seen
            asked = now()
            self.epoch = await lease.take(conn, self.name, self.owner, LEASE_TTL, FAMILY)
            self._clock.renew(asked)
            await self.watermark.taken(conn)
            self._tried = now()
            if self._in_line:
                await lease.leave_line(conn, self.name)
                self._in_line = False

    async def wait_in_line(self) -> None:
        """Show to the owner that somebody is ready to take over. Raises one of AWAY."""
        async with self._lock:
            conn = await self._connection()
            if not self._in_line:
                await lease.wait_in_line(conn, self.name)
                self._in_line = True

    async def holder(self) -> lease.Holder | None:
        """Return who has or had the lease. Raises one of AWAY."""
        async with self._lock:
            return await lease.holder(await self._connection(), self.name)

    async def keep(self) -> None:
        """Renew each second until the lease is lost to another engine."""
        while True:
            if not await self._renew():
                self.on_lost()
                return
            await asyncio.sleep(BEAT_S if self.holds() else RETRY_S)

    async def move(self, url: str) -> None:
        """Go on by the engine's own login; before the tables are up to date that one may not even exist."""
        async with self._lock:
            self._drop()
            self._url, self._role = url, ENGINE_ROLE

    async def looked(self) -> None:
        """Wait until a renewal that was asked for has come to its end."""
        self._looked.clear()
        await self._looked.wait()

    async def _renew(self) -> bool:
        """Try once; False only when another engine owns the lease."""
        held, asked = self.holds(), now()
        if self._clock.expired(asked) and self._slept(asked):
            self._doubts_until = asked + LEASE_TTL.total_seconds()
        try:
            async with asyncio.timeout(ANSWER_S), self._lock:
                conn = await self._connection()
                renewal = await lease.heartbeat(conn, self.name, self.owner, self.epoch, LEASE_TTL)
        except AWAY as error:
            self._drop()
            if held:
                log.warning("lease could not be renewed", why=str(error) or type(error).__name__)
            kept = True
        else:
            self._doubts_until = asked
            kept = renewal is not None
            if renewal is not None:
                self._clock.renew(asked)
                if await self.watermark.renewed(renewal.before, renewal.at):
                    self.on_behind()
        self._tried = asked
        self._looked.set()
        if kept and not held and self.holds():
            log.info("lease is renewed again")
            self.on_change()
        return kept

    async def guard(self, conn: Any) -> None:
        """Refuse a write of this engine once another owns the lease. Raises StaleEpoch."""
        await lease.guard(conn, self.name, self.epoch)

    async def standby_waits(self) -> bool:
        """Return whether another engine waits to take over; False when the database cannot be asked."""
        try:
            async with asyncio.timeout(ANSWER_S), self._lock:
                return await lease.somebody_waits(await self._connection(), self.name)
        except AWAY:
            self._drop()
            return False

    # --- the end ----------------------------------------------------------------------------------

    async def release(self) -> None:
        """Let others take the lease at once."""
        try:
            async with asyncio.timeout(ANSWER_S), self._lock:
                await lease.release(await self._connection(), self.name, self.owner, self.epoch)
        except AWAY as error:
            log.warning("lease could not be given back; it expires by itself", why=str(error))

    def close(self) -> None:
        """Drop the connection."""
        self._drop()

    async def _connection(self) -> Any:
        if self._conn is None or self._conn.is_closed():
            self._conn, self._in_line = await connect(self._url, role=self._role), False
        return self._conn

    def _drop(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            conn.terminate()
