"""Writes what happened to Postgres, in order, in small batches, without anybody waiting for it.

The dispatcher hands over records and goes on. One loop writes all that has gathered in one transaction of a few
statements; the other looks after what is only in memory: when the database is away or does not answer, or when
too much gathers, it brings the records to the disk (`store.held`) and forgets them here. When the database is
back, what is on the disk is written first. A record that is written twice counts once, so the loops need not
agree on who has which.

While the database is away `healthy` is False, and while the disk is full `unsafe` is True: both stop new calls
(P8), calls in progress go on. A record the database refuses is set aside in a file with its reason, so that one
bad row never holds up the rest and nothing is lost. Once another engine owns the lease nothing of ours is written
any more but the opt-outs, which need no fence because they can only forbid: the rest is set aside at once. `beat`
(monotonic seconds) tells when the loop to the database last moved.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import asyncpg
import structlog

from dialer_engine.engine.tasks import wait_at_most
from dialer_engine.store.attempts import AttemptEnd, AttemptEvent, Disposed
from dialer_engine.store.batch import Batch, Numbered, Record, Written, write_once
from dialer_engine.store.errors import StaleEpoch, StoreError
from dialer_engine.store.held import Broken, Held, set_aside
from dialer_engine.store.line import AWAY
from dialer_engine.store.opt_outs import OptOutGiven, forbid_alone
from dialer_engine.store.sql import sql
from dialer_engine.store.suppress import Forbidden

log = structlog.get_logger(__name__)

SIGN_OF_LIFE_S = 0.25
LOOK_S = 0.1
LATE_LOOKS = 5
"""The database is away when it has not answered for so many looks: with the sign of life, within a second."""
MOST_IN_BATCH = 500
MOST_IN_MEMORY = 5000
CLOSE_S = 2.0
RETRY_S = (0.1, 0.3, 1.0)
NO_RECORD_TO_BLAME = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InternalServerError,
    asyncpg.PostgresSystemError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.SyntaxOrAccessError,
)
"""The database takes nothing now: no connection, a server that ends, starts or stands by, a full disk, a lock, a
damaged page or index, a missing table or right. Unlike in `store.line.AWAY`, what it refuses for the record's own sake
is not among them."""
Guard = Callable[[Any], Awaitable[None]]
"""Asked inside every writing transaction; raises StaleEpoch once another engine owns the lease."""
UNKNOWN = "the database does not have this attempt"


class Writer:
    """The ordered queue to Postgres, its two loops, and what it holds on disk."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Any]],
        held: Path,
        rejected: Path,
        epoch: int,
        guard: Guard,
    ) -> None:
        self.healthy = True
        self.unsafe = False
        self.on_health: Callable[[], None] = lambda: None
        self.on_suppressed: Callable[[Forbidden], None] = lambda what: None
        self.on_displaced: Callable[[], None] = lambda: None
        self.beat = time.monotonic()
        self.before_healthy: Callable[[], Awaitable[None]] = _nothing
        self._connect = connect
        self._rejected = rejected
        self._id = str(uuid.uuid4())
        self._epoch = epoch
        self._guard = guard
        self._held = Held(held, self._id, epoch)
        self._memory: deque[Numbered] = deque()
        self._last = 0
        self._put = asyncio.Event()
        self._hold_now = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._caught_up = asyncio.Event()
        self._aside: set[tuple[str, int]] = set()
        self._looks = 0
        self._setting_aside = False
        self._tries = 0
        self._conn: Any = None

    def __len__(self) -> int:
        return len(self._memory) + len(self._held)

    @property
    def held(self) -> int:
        """How many records are on the disk until the database takes them."""
        return len(self._held)

    @property
    def behind(self) -> bool:
        """Whether the database lacks records of ours, or cannot be asked."""
        return len(self) > 0 or not self.healthy

    def put(self, record: Record) -> None:
        """Queue one record; returns at once."""
        self._last += 1
        self._memory.append(Numbered(self._last, record))
        self._idle.clear()
        self._put.set()
        if not self.healthy:
            self._hold_now.set()

    async def flushed(self) -> None:
        """Wait until nothing is in memory only: it is in the database, on the disk or set aside."""
        await self._idle.wait()

    async def caught_up(self) -> None:
        """Wait until what an earlier engine held on the disk is in the database."""
        await self._caught_up.wait()

    async def run(self) -> None:
        """Write and hold until cancelled."""
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._write_for_ever())
            loops.create_task(self._hold_for_ever())

    # --- to the database --------------------------------------------------------------------------

    async def _write_for_ever(self) -> None:
        """Write what gathers; an idle writer asks for a sign of life, so that an outage is soon known."""
        while True:
            self.beat = time.monotonic()
            try:
                await self._write_all()
            except NO_RECORD_TO_BLAME as error:
                await self._wait_for_database(error)
                continue
            except Exception as error:
                log.exception("records could not be written")
                await self._wait_for_database(error)
                continue
            self._tries = self._looks = 0
            await wait_at_most(self._put, SIGN_OF_LIFE_S)

    async def _wait_for_database(self, error: Exception) -> None:
        self._set_health(False, error)
        self._drop_connection()
        await asyncio.sleep(RETRY_S[min(self._tries, len(RETRY_S) - 1)])
        self._tries += 1

    async def _write_all(self) -> None:
        """Write the disk's records, then memory's; the database is back when nothing is left."""
        self._looks = 0
        await self._sign_of_life()
        while self._held:
            await self._write_oldest_file()
        self._caught_up.set()
        while self._memory and not self._held:
            batch = Batch(self._id, self._epoch, list(islice(self._memory, MOST_IN_BATCH)))
            await self._write(batch)
            self._forget(batch.records[-1].number)
        self._put.clear()
        if self._held:
            self._put.set()
            return
        self._set_unsafe(None)
        if not self.healthy:
            await self.before_healthy()
            self._set_health(True)

    async def _sign_of_life(self) -> None:
        conn = await self._connection()
        if not self._memory or not self.healthy:
            await conn.execute(sql("sign_of_life"))

    async def _write_oldest_file(self) -> None:
        batch, broken = await self._held.oldest()
        for start in range(0, len(batch), MOST_IN_BATCH):
            await self._write(Batch(batch.writer, batch.epoch, batch.records[start : start + MOST_IN_BATCH]))
        await self._set_aside_broken(broken)
        await self._held.remove_oldest()

    async def _write(self, batch: Batch) -> None:
        """Write a batch; what is refused is set aside. Raises one of NO_RECORD_TO_BLAME."""
        self._looks = 0
        self.beat = time.monotonic()
        wanted = batch.only(lambda each: (batch.writer, each.number) not in self._aside)
        if len(wanted):
            await self._write_or_set_aside(wanted)
        self._aside.clear()

    async def _write_or_set_aside(self, batch: Batch) -> None:
        try:
            late = batch.epoch < self._epoch
            written = await write_once(await self._connection(), batch, self._guard, late=late)
        except NO_RECORD_TO_BLAME:
            raise
        except StaleEpoch as error:
            if error.attempts:
                await self._split(batch, error)
            else:
                await self._displaced(batch, error)
        except Exception as error:
            log.exception("records could not be written", records=len(batch))
            await self._one_by_one(batch, error)
        else:
            await self._tell(batch, written)

    async def _displaced(self, batch: Batch, error: StaleEpoch) -> None:
        """Another engine owns the lease: ours is set aside, what an earlier engine left stays for the owner.

        Nobody may ever read this home again, so the opt-outs are written all the same. Raises one of
        NO_RECORD_TO_BLAME.
        """
        self.on_displaced()
        if await self._forbid(batch):
            batch = batch.only(lambda each: not isinstance(each.record, OptOutGiven))
        if batch.writer != self._id:
            await asyncio.Event().wait()
        if len(batch):
            log.error(
                "another engine owns the lease; records are set aside", records=len(batch), why=str(error)
            )
            await self._set_aside(batch, str(error))

    async def _forbid(self, batch: Batch) -> bool:
        """Write what a batch forbids, without a fence; False when the database refuses that too.

        Raises one of NO_RECORD_TO_BLAME.
        """
        try:
            forbidden = await forbid_alone(await self._connection(), batch.opt_outs())
        except NO_RECORD_TO_BLAME:
            raise
        except Exception:
            log.exception("opt-outs could not be written")
            return False
        self._cancel(forbidden)
        return True

    async def _split(self, batch: Batch, error: StaleEpoch) -> None:
        """Attempts of a newer engine are its own: what we have of them is set aside at once, the rest written."""
        theirs = batch.only(lambda each: _attempt(each.record) in error.attempts)
        log.error(
            "another engine has taken over these attempts; our records of them are set aside",
            records=len(theirs),
            attempts=len(error.attempts),
            why=str(error),
        )
        await self._set_aside(theirs, str(error))
        rest = batch.only(lambda each: _attempt(each.record) not in error.attempts)
        if len(rest):
            await self._write_or_set_aside(rest)

    async def _one_by_one(self, batch: Batch, error: Exception) -> None:
        """A record in the batch is refused: write each alone, so that only that one is set aside."""
        if len(batch) == 1:
            log.error("record refused by the database, set aside", file=str(self._rejected), why=str(error))
            if isinstance(batch.records[0].record, Disposed):
                await self._forbid(batch)
            await self._set_aside(batch, str(error))
            return
        for record in batch:
            await self._write_or_set_aside(Batch(batch.writer, batch.epoch, [record]))

    def _cancel(self, forbidden: Sequence[Forbidden]) -> None:
        try:
            for what in forbidden:
                self.on_suppressed(what)
        except Exception:
            log.exception("calls to a suppressed number could not be cancelled")

    async def _tell(self, batch: Batch, written: Written) -> None:
        self._cancel(written.suppressed)
        if written.unknown:
            lost = batch.only(lambda each: _subject(each.record) in written.unknown)
            log.error("records of attempts that the database does not have, set aside", records=len(lost))
            await self._set_aside(lost, UNKNOWN)

    # --- to the disk ------------------------------------------------------------------------------

    async def _hold_for_ever(self) -> None:
        """Look ten times a second, and at once while the database is away."""
        while True:
            await wait_at_most(self._hold_now, LOOK_S)
            self._hold_now.clear()
            self._looks = 0 if self._setting_aside else self._looks + 1
            if self.healthy and self._looks > LATE_LOOKS:
                self._set_health(False, TimeoutError("no answer"))
            if self._memory and (not self.healthy or len(self._memory) > MOST_IN_MEMORY):
                await self._hold()

    async def _hold(self) -> None:
        """Bring to the disk what is in memory, one fsync for all that gathered meanwhile."""
        records = list(islice(self._memory, MOST_IN_BATCH))
        try:
            await self._held.append(records)
        except OSError as error:
            self._set_unsafe(error)
            await asyncio.sleep(RETRY_S[-1])
        else:
            self._set_unsafe(None)
            self._forget(records[-1].number)
        if self._memory:
            self._hold_now.set()

    def _forget(self, number: int) -> None:
        """Records up to a number are safe: they need not be kept in memory."""
        while self._memory and self._memory[0].number <= number:
            self._memory.popleft()
        if not self._memory:
            self._idle.set()

    async def _set_aside_broken(self, broken: Sequence[Broken]) -> None:
        for line in (each for each in broken if each.torn):
            log.warning("a crash left this line half written; it is no record", place=line.place)
        bad = [each for each in broken if not each.torn]
        if bad:
            log.error("lines that cannot be read, set aside", place=bad[0].place, lines=len(bad))
            await self._keep_aside(
                [{"error": "cannot be read", "place": one.place, "line": one.text} for one in bad]
            )

    async def _set_aside(self, batch: Batch, why: str) -> None:
        await self._keep_aside(
            [
                {
                    "error": why,
                    "kind": type(each.record).__name__,
                    "record": each.record,
                    "epoch": batch.epoch,
                }
                for each in batch
            ]
        )
        self._aside |= {(batch.writer, each.number) for each in batch}

    async def _keep_aside(self, entries: Sequence[dict[str, Any]]) -> None:
        """Nothing is lost and nothing is dialed while even the file cannot be written.

        It is the disk that is waited for then: the database may be well.
        """
        self._setting_aside = True
        try:
            while not await self._is_aside(entries):
                self.beat = time.monotonic()  # to be ended by the watchdog now would lose what is in memory
                await asyncio.sleep(RETRY_S[-1])
        finally:
            self._setting_aside = False

    async def _is_aside(self, entries: Sequence[dict[str, Any]]) -> bool:
        try:
            await asyncio.to_thread(set_aside, self._rejected, entries)
        except OSError as error:
            self._set_unsafe(error)
            return False
        return True

    # --- health -----------------------------------------------------------------------------------

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
            log.info("database is back; everything held is written")
        else:
            log.error("database is away; no new calls until it is back", why=str(error))
            self._hold_now.set()
        self.on_health()

    def _set_unsafe(self, error: OSError | None) -> None:
        if self.unsafe == (error is not None):
            return
        self.unsafe = error is not None
        if error is not None:
            log.critical(
                "records cannot be brought to the disk; they are in memory only, and no new calls are placed",
                records=len(self._memory),
                why=str(error),
            )
        else:
            log.warning("the disk takes records again, or none are left")
        self.on_health()

    async def close(self) -> None:
        """Close the connection; what is not in the database goes to the disk for the next engine.

        Its opt-outs are written once more without asking who owns the lease: there may be no next engine here.
        """
        await self._forbid_what_is_left()
        while self._memory:
            records = list(islice(self._memory, MOST_IN_BATCH))
            try:
                await self._held.append(records)
            except OSError as error:
                log.critical("records are lost at the end", count=len(self._memory), why=str(error))
                break
            self._forget(records[-1].number)
        if self._held:
            log.warning("records wait on the disk for the next engine", count=len(self._held))
        if self._conn is not None:
            with contextlib.suppress(*NO_RECORD_TO_BLAME):
                await self._conn.close(timeout=CLOSE_S)

    async def _forbid_what_is_left(self) -> None:
        found = Batch(self._id, self._epoch, list(self._memory)).opt_outs()
        try:
            found += await self._held.opt_outs()
        except OSError as error:
            log.critical("records that wait on the disk cannot be read", why=str(error))
        left = list({one.attempt_id: one for one in found}.values())  # some are in memory and on the disk
        if not left:
            return
        try:
            async with asyncio.timeout(CLOSE_S):
                conn = await self._connect()
                try:
                    await forbid_alone(conn, left)
                finally:
                    conn.terminate()
        except AWAY as error:
            log.critical(
                "opt-outs are not in the database: people who asked not to be called may be called until the "
                "engine is started on this DIALER_HOME again",
                opt_outs=len(left),
                why=str(error) or type(error).__name__,
            )


def _attempt(record: Record) -> str | None:
    """Return the attempt that an event or an end is about: those are an engine's own to write."""
    return record.attempt_id if isinstance(record, AttemptEvent | AttemptEnd) else None


def _subject(record: Record) -> str | None:
    """Return the attempt without whose row a record cannot be written."""
    return record.attempt_id if isinstance(record, Disposed) else _attempt(record)


async def _nothing() -> None:
    """Do nothing before the writer is healthy again."""
