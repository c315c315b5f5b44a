"""Taking an import back: its contacts leave the list and every queue, except those that were called."""

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from dialer_engine.contacts.errors import ContactsError
from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql


@dataclass(frozen=True, slots=True)
class Undone:
    """What was taken back; `kept` contacts were called, and their records need them."""

    import_id: int
    list_name: str
    file_name: str
    removed: int
    kept: int


@dataclass(frozen=True, slots=True)
class ListRow:
    """One list of a Member; `last_import` is the one that undo would take back."""

    member: str
    list: str
    contacts: int
    last_import: int | None
    imported_at: datetime | None


async def undo(
    conn: Connection,
    import_id: int | None,
    member: str | None,
    list_name: str | None,
    at: datetime,
    *,
    who: str,
    keep_called: bool = False,
) -> Undone:
    """Take an import back: the given one, or the list's newest. One transaction.

    Member and list, where given, must be those of the given import; without one both are needed.

    Contacts that were called stay for their records' sake, and only when `keep_called` says so; else nothing
    is changed and ContactsError counts them. What the other rows said of whose numbers are one person's is forgotten.
    """
    async with conn.transaction():
        row = await _find(conn, import_id, member, list_name)
        await conn.execute(sql("import_turn"), row["member_id"])
        # First the fillers, then the queues, then the contacts: the order in which reservations lock.
        await conn.fetch(sql("undo_stop_filling"), row["list_id"])
        scope = (row["first_id"] or 0, row["last_id"] or -1, row["id"])
        await conn.execute(sql("undo_lock_queue"), *scope)
        await conn.execute(sql("undo_unqueue"), *scope)
        called: int = await conn.fetchval(sql("undo_called"), *scope)
        if called and not keep_called:
            raise ContactsError(
                f"import {row['id']}: {called} of its contacts were called already; "
                "give --keep-called to take only the others back"
            )
        done = await conn.execute(sql("undo_delete"), *scope)
        await conn.execute(sql("undo_links"), row["id"])
        await conn.execute(sql("undo_record"), row["id"], at, who)
    return Undone(row["id"], row["list"], row["file_name"], int(done.split()[-1]), called)


async def all_lists(conn: Connection, member: str | None) -> list[ListRow]:
    """Return the lists, of one Member or of all."""
    return [ListRow(**dict(row)) for row in await conn.fetch(sql("lists_all"), member)]


async def _find(
    conn: Connection, import_id: int | None, member: str | None, list_name: str | None
) -> asyncpg.Record:
    row = await conn.fetchrow(sql("undo_find"), import_id, member, list_name)
    if row is None:
        given = (
            f"import {import_id}" if import_id is not None else "",
            f"list {list_name!r}" if list_name is not None else "",
            f"Member {member!r}" if member is not None else "",
        )
        where = ", ".join(filter(None, given))
        raise ContactsError(f"{where}: there is no import to take back; see 'dialer list ls'")
    if row["undone_at"] is not None:
        raise ContactsError(f"import {row['id']}: was taken back at {row['undone_at']:%Y-%m-%d %H:%M} UTC")
    return row
