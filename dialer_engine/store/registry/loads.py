"""A new version of a list: built where nobody looks, put in force by one update, all or nothing.

Large lists alternate between two sides of the table. The idle side is emptied by `truncate`, which gives the
space back at once; it must hold nothing that a transaction may still look at, so after a swap it is left
until every transaction that began before is over. Small lists are replaced within one transaction.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from dialer_engine.core.registry import Block
from dialer_engine.store.errors import StoreError
from dialer_engine.store.pool import Connection
from dialer_engine.store.registry.lists import LARGE, RegistryList, ensure_list
from dialer_engine.store.sql import sql
from dialer_engine.store.suppress import wait_for_passes

UNSEEN_TIMEOUT_S = 30.0
_COLUMNS = ("npa", "exchange", "bits", "lines", "thousands")


@dataclass(frozen=True, slots=True)
class LoadRecord:
    """What is kept of a load as evidence; `as_of` is when the registry handed the data out (UTC)."""

    kind: str
    account: str | None
    as_of: datetime
    loaded_at: datetime
    loaded_by: str
    files: Sequence[Mapping[str, object]]
    added: int | None = None
    removed: int | None = None


@dataclass(frozen=True, slots=True)
class AreaState:
    """How many numbers an area code has, of when (UTC) they are, and whose download brought them."""

    numbers: int
    as_of: datetime
    account: str | None


@asynccontextmanager
async def turn(conn: Connection, name: str) -> AsyncIterator[RegistryList]:
    """Hold the right to change a list; StoreError when somebody else changes it now."""
    if not await conn.fetchval(sql("registry_turn"), name):
        raise StoreError(f"{name}: another import of this list is running; wait until it is done")
    try:
        yield await ensure_list(conn, name)
    finally:
        if not conn.is_closed():
            await conn.execute(sql("registry_turn_over"), name)


class Build:
    """A version under construction, inside the caller's transaction."""

    def __init__(self, conn: Connection, target: RegistryList) -> None:
        self._conn, self._list = conn, target
        self._large = target.kind in LARGE
        self.side = (2 if target.side == 1 else 1) if self._large else 0

    async def begin(self) -> None:
        """Make the place for a small list; a large one's side was emptied before."""
        if not self._large:
            await self._conn.execute(sql("registry_stage"))

    async def put(self, npa: int, blocks: Iterable[Block]) -> None:
        """Write an area code's exchanges."""
        if self._large:
            rows = ((self.side, npa, b.exchange, self._list.id, b.bits, b.lines, b.thousands) for b in blocks)
            columns = ("side", "npa", "exchange", "list_id", "bits", "lines", "thousands")
            await self._conn.copy_records_to_table("registry_blocks", records=rows, columns=columns)
        else:
            staged = ((npa, b.exchange, b.bits, b.lines, b.thousands) for b in blocks)
            await self._conn.copy_records_to_table("registry_stage", records=staged, columns=_COLUMNS)

    async def put_in_force(
        self, areas: Mapping[int, int], gone: Collection[int], record: LoadRecord, *, keep: bool
    ) -> int:
        """Swap to this version and return its number.

        It replaces the area codes in `areas` and no longer has those in `gone`. With `keep` all others stay as they
        are, with their age and account; without it there must be none.
        """
        touched = sorted(areas.keys() | set(gone))
        if self._large and keep:
            former = (self._list.id, self._list.side, self.side, touched)
            await self._conn.execute(sql("registry_keep_areas"), *former)
        elif not self._large:
            await self._conn.execute(
                sql("registry_remove_blocks"), self._list.id, 0, touched if keep else None
            )
            await self._conn.execute(sql("registry_move_stage"), self._list.id)
        await self._conn.execute(sql("registry_drop_areas"), self._list.id, sorted(gone))
        return await finish(self._conn, self._list.id, self.side, areas, record)


async def finish(
    conn: Connection,
    list_id: int,
    side: int,
    areas: Mapping[int, int],
    record: LoadRecord,
    stale: Collection[int] = (),
) -> int:
    """Record a load with its numbers per area code, put it in force and return its number.

    Area codes in `stale` were changed but not brought up to date: they keep their age and the load it comes from.
    """
    files = json.dumps(list(record.files), default=str)
    head = (list_id, record.kind, record.account, record.as_of, record.loaded_at, record.loaded_by)
    total = sum(areas.values())
    load_id: int = await conn.fetchval(
        sql("registry_record_load"), *head, files, total, record.added, record.removed
    )
    fresh, old = sorted(areas.keys() - set(stale)), sorted(areas.keys() & set(stale))
    counts = [areas[npa] for npa in fresh]
    await conn.execute(sql("registry_set_areas"), list_id, load_id, record.as_of, fresh, counts)
    await conn.execute(sql("registry_set_numbers"), list_id, old, [areas[npa] for npa in old])
    await conn.execute(sql("registry_in_force"), list_id, side, load_id)
    return load_id


async def empty_idle_side(conn: Connection, target: RegistryList) -> None:
    """Give the space of the side that is not in force back; only for large lists, outside a transaction."""
    if target.kind not in LARGE:
        return
    side = 2 if target.side == 1 else 1
    if await conn.fetchval(sql("registry_side_in_use"), side):
        raise StoreError(f"{target.name}: side {side} is in force and cannot be emptied")
    try:
        async with conn.transaction():
            await conn.execute(sql("registry_short_wait"))
            await conn.execute(sql("registry_empty_side_1") if side == 1 else sql("registry_empty_side_2"))
    except asyncpg.LockNotAvailableError as error:
        what = "another session (a backup?) holds the registries' tables; try again when it is done"
        raise StoreError(f"{target.name}: {what}") from error


async def empty_former_side(conn: Connection, target: RegistryList, swapped: str) -> bool:
    """Empty the side that was in force before, once nobody can look at it; False when that takes too long.

    `swapped` names the transaction of the swap. What is left is emptied before the next load.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + UNSEEN_TIMEOUT_S
    while not await conn.fetchval(sql("registry_unseen"), swapped):
        if loop.time() > until:
            return False
        await asyncio.sleep(0.05)
    try:
        await empty_idle_side(conn, target)
    except StoreError:
        return False
    return True


async def requeue(conn: Connection) -> None:
    """Look anew at contacts that were held for a list: a fresh one came, or their number left it."""
    await wait_for_passes(conn)
    await conn.execute(sql("registry_requeue_stale"), ["list_freshness", "reassigned"])
    await conn.execute(sql("registry_requeue_freed"), ["registry", "litigator", "wireless"])


async def area_numbers(conn: Connection, list_id: int) -> dict[int, int]:
    """Return how many numbers each area code of a list has, as recorded."""
    return {npa: area.numbers for npa, area in (await areas_of(conn, list_id)).items()}


async def areas_of(conn: Connection, list_id: int) -> dict[int, AreaState]:
    """Return what each area code of a list has."""
    rows = await conn.fetch(sql("registry_areas_of"), list_id)
    return {row["npa"]: AreaState(row["numbers"], row["as_of"], row["account"]) for row in rows}


async def last_download(conn: Connection, list_id: int, account: str) -> datetime | None:
    """Return of when (UTC) an account's newest download of a list is, None when none was ever loaded."""
    at: datetime | None = await conn.fetchval(sql("registry_last_download"), list_id, account)
    return at


async def last_changes(conn: Connection, list_id: int) -> dict[str, datetime]:
    """Return of when (UTC) the newest change list of each account is."""
    return {row["account"]: row["as_of"] for row in await conn.fetch(sql("registry_last_changes"), list_id)}


async def recount(conn: Connection, list_id: int) -> dict[int, int]:
    """Return how many numbers each area code of a list has, counted anew from the bits."""
    return {row["npa"]: row["numbers"] for row in await conn.fetch(sql("registry_recount"), list_id)}


async def read_blocks(
    conn: Connection, target: RegistryList, npa: int, exchanges: Sequence[int]
) -> dict[int, Block]:
    """Return these exchanges of the version in force, those that name any number."""
    rows = await conn.fetch(sql("registry_blocks_of"), npa, list(exchanges), target.id, target.side)
    return {row["exchange"]: _block(row) for row in rows}


def _block(row: asyncpg.Record) -> Block:
    lines = None if row["lines"] is None else tuple(row["lines"])
    return Block(row["exchange"], row["numbers"], row["bits"], lines, row["thousands"])


async def write_blocks(conn: Connection, target: RegistryList, npa: int, blocks: Sequence[Block]) -> None:
    """Change exchanges of the version in force, in the caller's transaction; empty ones are removed."""
    key = (target.id, target.side)
    gone = [(npa, block.exchange, *key) for block in blocks if not block.numbers]
    kept = [(npa, b.exchange, *key, b.bits, b.lines, b.thousands) for b in blocks if b.numbers]
    await conn.executemany(sql("registry_remove_block"), gone)
    await conn.executemany(sql("registry_put_block"), kept)
