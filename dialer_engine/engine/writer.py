"""Writes what happened to Postgres, in order, in small batches, without anybody waiting for it.

The dispatcher hands over records and goes on; the flush loop takes all that has gathered and writes it in
one transaction of a few statements. While the database is away the records stay here in order and `healthy`
is False, which stops new calls (P8); calls in progress go on. A record the database refuses is set aside in
a file with its reason, so that one bad row never holds up the rest and nothing is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import structlog

from dialer_engine.store.agents import StateChange, record_states
from dialer_engine.store.attempts import AttemptEnd, AttemptEvent, Disposed, dispose, write
from dialer_engine.store.errors import StoreError
from dialer_engine.store.sql import sql

log = structlog.get_logger(__name__)

SIGN_OF_LIFE_S = 0.5
RETRY_S = (0.1, 0.3, 1.0)
AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
)
"""What passes by itself: no connection, a server that ends or starts, a full disk, a deadlock, a lock."""

Record = AttemptEvent | AttemptEnd | Disposed | StateChange


@dataclass(slots=True)
class Batch:
    """Records of one transaction, by kind, each in the order in which they came."""

    events: list[AttemptEvent] = field(default_factory=list)
    ends: list[AttemptEnd] = field(default_factory=list)
    disposed: list[Disposed] = field(default_factory=list)
    states: list[StateChange] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.events) + len(self.ends) + len(self.disposed) + len(self.states)

    def __iter__(self) -> Iterator[Record]:
        yield from self.events
        yield from self.ends
        yield from self.disposed
        yield from self.states

    def add(self, record: Record) -> None:
        """Put a record with those of its kind."""
        match record:
            case AttemptEvent():
                self.events.append(record)
            case AttemptEnd():
                self.ends.append(record)
            case Disposed():
                self.disposed.append(record)
            case StateChange():
                self.states.append(record)


class Writer:
    """The ordered queue to Postgres and its flush loop."""

    def __init__(self, connect: Callable[[], Awaitable[Any]], rejected: Path, epoch: int) -> None:
        self.healthy = True
        self.on_health: Callable[[bool], None] = lambda healthy: None
        self.on_suppressed: Callable[[str], None] = lambda number: None
        self._connect = connect
        self._rejected = rejected
        self._epoch = epoch
        self._queue = Batch()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._conn: Any = None

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, record: Record) -> None:
        """Queue one record; returns at once."""
        self._queue.add(record)
        self._idle.clear()
        self._wake.set()

    async def flushed(self) -> None:
        """Wait until everything queued so far is in the database or set aside."""
        await self._idle.wait()

    async def run(self) -> None:
        """Write until cancelled; an idle writer asks for a sign of life, so that an outage is soon known."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), SIGN_OF_LIFE_S)
            self._wake.clear()
            if not len(self._queue):
                await self._write_until_done(Batch())
            while len(self._queue):
                batch, self._queue = self._queue, Batch()
                await self._write_until_done(batch)
            self._idle.set()

    async def _write_until_done(self, batch: Batch) -> None:
        tries = 0
        while True:
            try:
                suppressed = await self._write(batch)
            except AWAY as error:
                self._set_health(False, error)
                self._drop_connection()
                await asyncio.sleep(RETRY_S[min(tries, len(RETRY_S) - 1)])
                tries += 1
            except Exception as error:
                log.exception("records could not be written together", records=len(batch))
                await self._one_by_one(batch, error)
                return
            else:
                self._set_health(True)
                self._tell_suppressed(suppressed)
                return

    def _tell_suppressed(self, numbers: list[str]) -> None:
        try:
            for number in numbers:
                self.on_suppressed(number)
        except Exception:
            log.exception("calls to a suppressed number could not be cancelled")

    async def _write(self, batch: Batch) -> list[str]:
        conn = await self._connection()
        if not len(batch):
            await conn.execute(sql("sign_of_life"))
            return []
        async with conn.transaction():
            await write(conn, batch.events, batch.ends, self._epoch)
            suppressed = await dispose(conn, batch.disposed)
            await record_states(conn, batch.states)
        return suppressed

    async def _one_by_one(self, batch: Batch, error: Exception) -> None:
        """A record in the batch is refused: write each alone, so that only that one is set aside."""
        if len(batch) == 1:
            await self._set_aside_until_done(next(iter(batch)), error)
            return
        for record in batch:
            alone = Batch()
            alone.add(record)
            await self._write_until_done(alone)

    async def _set_aside_until_done(self, record: Record, error: Exception) -> None:
        """Nothing is lost and nothing is dialed while even the file cannot be written."""
        while True:
            try:
                self._set_aside(record, error)
            except OSError as full:
                self._set_health(False, full)
                await asyncio.sleep(RETRY_S[-1])
            else:
                return

    def _set_aside(self, record: Record, error: Exception) -> None:
        log.error("record refused by the database, set aside", file=str(self._rejected), why=str(error))
        self._rejected.parent.mkdir(parents=True, exist_ok=True)
        line = {"error": str(error), "kind": type(record).__name__, "record": asdict(record)}
        with self._rejected.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line, default=str) + "\n")

    async def _connection(self) -> Any:
        if self._conn is None or self._conn.is_closed():
            try:
                self._conn = await self._connect()
            except StoreError as error:
                raise ConnectionError(str(error)) from error
        return self._conn

    def _drop_connection(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            conn.terminate()

    def _set_health(self, healthy: bool, error: BaseException | None = None) -> None:
        if healthy == self.healthy:
            return
        self.healthy = healthy
        if healthy:
            log.info("database is back; queued records written")
        else:
            log.error("database is away; no new calls until it is back", why=str(error))
        self.on_health(healthy)

    async def close(self) -> None:
        """Close the connection; what is still queued is reported."""
        if len(self._queue):
            log.error("records not written at the end", count=len(self._queue))
        if self._conn is not None:
            await self._conn.close()
