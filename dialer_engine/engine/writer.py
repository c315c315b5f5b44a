"""Writes what happened to Postgres, in order, in small batches, without anybody waiting for it.

The dispatcher hands over records and goes on; the flush loop takes all that has gathered and writes it in
one transaction. While the database is away the records stay here in order and `healthy` is False, which
stops new calls (P8); calls in progress go on. A record the database refuses is set aside in a file with
its reason, so that one bad row never holds up the rest and nothing is lost.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import asyncpg
import structlog

from dialer_engine.store.attempts import AttemptEnd, AttemptEvent, write
from dialer_engine.store.errors import StoreError
from dialer_engine.store.pool import Connection

log = structlog.get_logger(__name__)

BATCH = 500
RETRY_S = (0.1, 0.3, 1.0)
LIMIT = 200_000
CONNECTION_ERRORS = (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError, TimeoutError)

Job = Callable[[Connection], Awaitable[None]]
"""A write of its own (disposition, seat state), carried out after the attempt records queued before it."""


@dataclass(slots=True)
class Batch:
    """Records of one transaction."""

    events: list[AttemptEvent]
    ends: list[AttemptEnd]
    jobs: list[Job]

    def __len__(self) -> int:
        return len(self.events) + len(self.ends) + len(self.jobs)


class Writer:
    """The ordered queue to Postgres and its flush loop."""

    def __init__(self, connect: Callable[[], Awaitable[Any]], rejected: Path, epoch: int) -> None:
        self.healthy = True
        self.on_health: Callable[[bool], None] = lambda healthy: None
        self._connect = connect
        self._rejected = rejected
        self._epoch = epoch
        self._queue = Batch([], [], [])
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._conn: Any = None

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, item: AttemptEvent | AttemptEnd | Job) -> None:
        """Queue one record; returns at once."""
        if isinstance(item, AttemptEvent):
            self._queue.events.append(item)
        elif isinstance(item, AttemptEnd):
            self._queue.ends.append(item)
        else:
            self._queue.jobs.append(item)
        self._idle.clear()
        self._wake.set()

    async def flushed(self) -> None:
        """Wait until everything queued so far is in the database or set aside."""
        await self._idle.wait()

    async def run(self) -> None:
        """Write for ever; ends only by cancellation, after which `flush_now` may be called once more."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._drain()

    async def _drain(self) -> None:
        while len(self._queue):
            batch, self._queue = self._queue, Batch([], [], [])
            await self._write_until_done(batch)
        self._idle.set()

    async def _write_until_done(self, batch: Batch) -> None:
        tries = 0
        while True:
            try:
                await self._write(batch)
            except CONNECTION_ERRORS as error:
                self._set_health(False, error)
                await self._drop_connection()
                await asyncio.sleep(RETRY_S[min(tries, len(RETRY_S) - 1)])
                tries += 1
            except (asyncpg.PostgresError, asyncpg.DataError, StoreError, ValueError) as error:
                await self._one_by_one(batch, error)
                return
            else:
                self._set_health(True)
                return

    async def _write(self, batch: Batch) -> None:
        conn = await self._connection()
        async with conn.transaction():
            if batch.events or batch.ends:
                await write(conn, batch.events, batch.ends, self._epoch)
            for job in batch.jobs:
                await job(conn)

    async def _one_by_one(self, batch: Batch, error: Exception) -> None:
        """A record in the batch is refused: write each alone, so that only that one is set aside."""
        if len(batch) == 1:
            self._set_aside(batch, error)
            return
        for event in batch.events:
            await self._write_until_done(Batch([event], [], []))
        for end in batch.ends:
            await self._write_until_done(Batch([], [end], []))
        for job in batch.jobs:
            await self._write_until_done(Batch([], [], [job]))

    def _set_aside(self, batch: Batch, error: Exception) -> None:
        rows = [asdict(event) for event in batch.events] + [asdict(end) for end in batch.ends]
        rows += [{"job": getattr(job, "__qualname__", repr(job))} for job in batch.jobs]
        log.error("record refused by the database, set aside", file=str(self._rejected), why=str(error))
        self._rejected.parent.mkdir(parents=True, exist_ok=True)
        with self._rejected.open("a", encoding="utf-8") as out:
            for row in rows:
                out.write(json.dumps({"error": str(error), "row": row}, default=str) + "\n")

    async def _connection(self) -> Any:
        if self._conn is None or self._conn.is_closed():
            self._conn = await self._connect()
        return self._conn

    async def _drop_connection(self) -> None:
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
