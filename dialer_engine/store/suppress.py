"""Do-not-call entries: who may not be called, by whom, since when and why.

An entry counts from its commit on: see `store.reserve` for the lock that decides between an entry and a
reservation. What was added or taken away, when, by whom and why stands in a log that is never changed.

A reservation holds a contact by what it read at its beginning, and commits the hold later. Whoever takes away what held
contacts therefore asks for them with the change, and once more after its commit and `wait_for_passes`, when no
reservation is under way that read it before. Rows of the queue are never waited for with the turn in hand.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from dialer_engine.store.pool import Connection
from dialer_engine.store.revocations import end, standing
from dialer_engine.store.sql import sql


class Forbidden(NamedTuple):
    """A number (E.164) that must not be called: by one Member, or (None) by anybody here."""

    number: str
    member_id: int | None


@dataclass(frozen=True, slots=True)
class Suppression:
    """One entry; `member` is None when nobody on this system may call the number."""

    number: str
    member: str | None
    source: str
    since: datetime
    note: str | None


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of the log of changes."""

    action: str
    member: str | None
    source: str
    at: datetime
    who: str
    note: str | None


async def add(
    conn: Connection,
    number: str,
    member_id: int | None,
    source: str,
    at: datetime,
    *,
    who: str,
    note: str | None = None,
) -> list[str]:
    """Forbid a number to one Member or (None) to all; return the ids of live attempts to be cancelled.

    The consents of the person to whom it is forbidden end, also when the number stood there already.
    """
    async with conn.transaction():
        await insert(conn, [number], member_id, source, at, who=who, note=note)
        await end(conn, await standing(conn, [number], member_id), at, "command", who=who, note=note)
        await take_turn(conn)
    return await live_to_cancel(conn, [number], member_id)


async def add_within(
    conn: Connection,
    numbers: Sequence[str],
    member_id: int | None,
    source: str,
    at: datetime,
    *,
    who: str,
    note: str | None = None,
) -> list[str]:
    """Add entries in the caller's transaction, as its last step; return the numbers that are new."""
    new = await insert(conn, numbers, member_id, source, at, who=who, note=note)
    await take_turn(conn)
    return new


async def insert(
    conn: Connection,
    numbers: Sequence[str],
    member_id: int | None,
    source: str,
    at: datetime,
    *,
    who: str,
    note: str | None = None,
) -> list[str]:
    """Add entries; the caller must take its turn before it commits. Returns the numbers that are new."""
    rows = await conn.fetch(sql("suppressions_add"), list(numbers), member_id, source, at, who, note)
    return [row["number"] for row in rows]


async def take_turn(conn: Connection) -> None:
    """Put this transaction's commit in order with the reservations; call it right before the commit.

    Nothing is reserved from here to the commit: only what is short and waits for nobody may follow, so no row of the
    queue, which a long transaction may have locked. A reservation takes its turn first and
    rows of campaigns after it, so whoever has changed such a row in the same transaction must not take it.
    """
    await conn.execute(sql("suppression_turn"))


async def wait_for_passes(conn: Connection) -> None:
    """Wait, after a commit, until no reservation is under way that may not have seen it; outside of a transaction."""
    await take_turn(conn)


async def live_to_cancel(conn: Connection, numbers: Iterable[str], member_id: int | None) -> list[str]:
    """Return the ids of live attempts to these numbers, after an entry was committed."""
    rows = await conn.fetch(sql("suppressed_live"), list(numbers), member_id)
    return [str(row["id"]) for row in rows]


async def live_suppressed(conn: Connection) -> list[Forbidden]:
    """Return every number that is being called now although an entry forbids it, with the Member that calls it."""
    return [Forbidden(*row) for row in await conn.fetch(sql("live_suppressed"))]


async def still_forbidden(conn: Connection, some: Iterable[Forbidden]) -> list[Forbidden]:
    """Return those of them that stand on a list now."""
    numbers, members = zip(*some, strict=True)
    return [Forbidden(*row) for row in await conn.fetch(sql("suppressions_standing"), numbers, members)]


async def remove(
    conn: Connection, number: str, member_id: int | None, at: datetime, *, who: str, note: str | None = None
) -> bool:
    """Allow a number again for one Member or (None) for all; False when it did not stand there. No consent comes back.

    Contacts that were held because of it are looked at anew by the gate: with the commit, and those whom passes under
    way held after it.
    """
    async with conn.transaction():
        rows = await conn.fetch(sql("suppressions_remove"), [number], member_id, at, who, note)
        await conn.execute(sql("queue_requeue_number"), [number])
    await wait_for_passes(conn)
    await conn.execute(sql("queue_requeue_number"), [number])
    return bool(rows)


async def check(conn: Connection, number: str) -> list[Suppression]:
    """Return every entry of a number, oldest first."""
    rows = await conn.fetch(sql("suppressions_of_number"), number)
    return [Suppression(**dict(row)) for row in rows]


async def history(conn: Connection, number: str) -> list[LogEntry]:
    """Return what was done with a number on the lists, newest first."""
    rows = await conn.fetch(sql("suppression_history"), number)
    return [LogEntry(**dict(row)) for row in rows]
