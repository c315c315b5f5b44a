"""What an engine writes: numbered records, and a batch of them in one transaction that counts once.

A writer numbers its records from 1. The database keeps the number up to which it has them, in the same
transaction as the records: whoever writes them again, after a lost reply or from a journal on disk, changes
nothing. Records must therefore be written in the order of their numbers.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from dialer_engine.store.agents import StateChange, record_states
from dialer_engine.store.attempts import AttemptEnd, AttemptEvent, Disposed, dispose, write
from dialer_engine.store.opt_outs import DISPOSITION, OptOutGiven, forbid
from dialer_engine.store.pool import Connection
from dialer_engine.store.preview_ends import PreviewEnd, end_previews
from dialer_engine.store.sql import sql
from dialer_engine.store.suppress import Forbidden

Record = AttemptEvent | AttemptEnd | Disposed | OptOutGiven | StateChange | PreviewEnd
Kind = TypeVar("Kind", AttemptEvent, AttemptEnd, Disposed, OptOutGiven, StateChange, PreviewEnd)


@dataclass(frozen=True, slots=True)
class Numbered:
    """One record and its number within its writer, from 1."""

    number: int
    record: Record


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one writer (a UUID) in order, and the epoch of the lease under which they came about."""

    writer: str
    epoch: int
    records: Sequence[Numbered]

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Numbered]:
        return iter(self.records)

    def only(self, wanted: Callable[[Numbered], bool]) -> "Batch":
        """Return the part of the batch that is wanted."""
        return replace(self, records=[each for each in self.records if wanted(each)])

    def of(self, kind: type[Kind]) -> list[Kind]:
        """Return the records of one kind, in their order."""
        return [each.record for each in self.records if isinstance(each.record, kind)]

    def opt_outs(self) -> list[OptOutGiven]:
        """Return whom the records forbid to call again, in their order."""
        found = (_opt_out(each.record) for each in self.records)
        return [one for one in found if one is not None]


@dataclass(frozen=True, slots=True)
class Written:
    """What a batch did: whom it forbids to call, and ids of attempts that the database does not have."""

    suppressed: Sequence[Forbidden] = ()
    unknown: Sequence[str] = ()


async def write_once(
    conn: Connection, batch: Batch, guard: Callable[[Connection], Awaitable[None]], *, late: bool = False
) -> Written:
    """Write what the database does not have of a batch, in one transaction; `late`: an earlier engine left it.

    `guard` is asked first, in the same transaction. Raises StaleEpoch when it refuses, or when an attempt of the
    batch belongs to a newer engine (named in the error); then nothing is written.
    """
    async with conn.transaction():
        await guard(conn)
        before = await _advance(conn, batch.writer, batch.records[-1].number)
        fresh = batch.only(lambda each: each.number > before)
        unknown = await write(conn, fresh.of(AttemptEvent), fresh.of(AttemptEnd), batch.epoch)
        unknown += await dispose(conn, fresh.of(Disposed))
        await record_states(conn, fresh.of(StateChange), late=late)
        await end_previews(conn, fresh.of(PreviewEnd))
        suppressed = await forbid(conn, fresh.opt_outs())
    return Written(suppressed, unknown)


def _opt_out(record: Record) -> OptOutGiven | None:
    match record:
        case OptOutGiven():
            return record
        case Disposed(suppress=True):
            return OptOutGiven(
                record.attempt_id, record.number, record.member, record.at, DISPOSITION, "", record.by
            )
    return None


async def _advance(conn: Connection, writer: str, number: int) -> int:
    """Note that records up to `number` are written, and return up to which they were before."""
    while True:
        before: int | None = await conn.fetchval(sql("writer_advance"), writer, number)
        if before is not None:
            return before
        await conn.execute(sql("writer_begin"), writer)
