"""Disks are full: the database's, or the one on which records are held while the database is away. Needs root."""

from __future__ import annotations

import asyncio
import time

import asyncpg

from dialer_engine.lab.chaos.fault import Fault, Strike
from dialer_engine.lab.chaos.ground import Ground
from dialer_engine.lab.chaos.postgres_faults import STOPS_WITHIN_S, forbade, started
from dialer_engine.lab.chaos.stage import Needs
from dialer_engine.lab.chaos.verdict import Promise
from dialer_engine.lab.place import LabError
from dialer_engine.lab.small_disk import SmallDisk
from dialer_engine.store.errors import StoreError
from dialer_engine.store.pool import Connection, connect
from dialer_engine.store.sql import sql

POSTGRES = Needs(small_disk=("postgres", 192 * 1024 * 1024))
JOURNAL = Needs(small_disk=("journal", 256 * 1024))
UNSAFE = "records cannot be brought to the disk"
NOTICED_S = 20.0
FULL_S = 6.0
WRITTEN_S = 10.0
"""What was in memory only is in a database that is back within this time, on a machine that does other things too."""
LOOK_S = 0.2
PROMISE = Promise(recovery_s=10.0)


async def fill_postgres(ground: Ground) -> Strike:
    """Fill the disk of Postgres until it refuses to write, and for some seconds more; then make room.

    Its journal has room that was taken before, so it is sent to a new part of it, which the full disk does not hold: by
    a connection of before, since a full disk may keep new ones out while those of the engine write on.
    """
    disk, conn = _disk(ground), await connect(ground.world.postgres.url())
    disk.fill()
    try:
        refuses = await _until_refused(conn)
        spells = await _refusing(ground, disk) if refuses else []
        free = time.time()
    finally:
        disk.free()
        conn.terminate()
    await asyncio.to_thread(ground.world.postgres.start)
    late = [
        call
        for call in ground.calls
        for began, ended in spells
        if began + STOPS_WITHIN_S < call.came_at < ended
    ]
    silent = () if refuses else (f"Postgres wrote on for {NOTICED_S:g} s: the disk was not full",)
    dialed = tuple(f"dialed {call.number} without a database that writes" for call in late)
    return Strike(time.time(), free, broken=(*silent, *dialed))


async def _until_refused(conn: Connection) -> bool:
    """Whether Postgres says within a while that it has no room, or ends for want of it."""
    end = time.monotonic() + NOTICED_S
    while time.monotonic() < end:
        for query in (sql("chaos_write"), sql("chaos_next_journal")):
            try:
                await conn.fetch(query)
            except asyncpg.DiskFullError:
                return True
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                if conn.is_closed():
                    return True
        await asyncio.sleep(LOOK_S)
    return False


async def _refusing(ground: Ground, disk: SmallDisk) -> list[tuple[float, float]]:
    """Keep the disk full for some seconds, and return the spells in which Postgres took no write at all.

    It may find room by itself: it removes old parts of its journal when it starts again after a crash.
    """
    end, began = time.monotonic() + FULL_S, time.time()
    spells = []
    while time.monotonic() < end:
        disk.fill()
        looked = time.time()
        if await _does(ground, sql("chaos_write")):
            spells.append((began, looked))
            began = time.time()
        await asyncio.sleep(LOOK_S)
    return [*spells, (began, time.time())]


async def _does(ground: Ground, query: str) -> bool:
    """Whether the database carries a query out."""
    try:
        await ground.ask(query)
    except (StoreError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    return True


async def fill_journal(ground: Ground) -> Strike:
    """Stop Postgres while the disk of the held records is full; then both are well again, the one or the other first.

    In odd rounds it is Postgres: what the engine had in memory only comes there, and dialing goes on by that alone.
    """
    disk, log = _disk(ground), ground.world.engine.log
    before = _count(log.read_text("utf-8", "replace"), UNSAFE)
    kept: tuple[str, ...] = ()
    with ground.world.phones.forbidding():
        disk.fill()
        down = time.time()
        await asyncio.to_thread(ground.world.postgres.stop)
        try:
            said = await ground.until(
                lambda: _count(log.read_text("utf-8", "replace"), UNSAFE) > before, NOTICED_S
            )
            await asyncio.sleep(FULL_S / 2)
            able = await started(ground) if ground.round % 2 == 1 else time.time()
            since = time.time()
            if ground.round % 2 == 1:
                kept = await without_room(ground, down, able)
        finally:
            disk.free()
        if ground.round % 2 == 0:
            await asyncio.to_thread(ground.world.postgres.start)
            since = time.time()
    late = [call for call in ground.calls if down + STOPS_WITHIN_S < call.came_at < able]
    silent = () if said else ("nothing was said about the full disk",)
    dialed = tuple(f"dialed {call.number} though no record was safe" for call in late)
    return Strike(since, able, broken=(*silent, *dialed, *kept), notes=(forbade(ground, down, able),))


async def without_room(ground: Ground, down: float, back: float) -> tuple[str, ...]:
    """What is wrong with a database that is back while the disk is still full: it takes all, and dialing goes on."""
    ended = {call.number for call in ground.calls if down < call.until < back}
    broken: tuple[str, ...] = ()
    if await ground.first_call_after(back, PROMISE.recovery_s) is None:
        broken = ("nobody was dialed with a database and a full disk",)
    end = time.monotonic() + WRITTEN_S
    while missing := sorted(ended - {record.number for record in await ground.records()}):
        if time.monotonic() > end:
            words = (
                f"{len(missing)} calls that ended while nothing took records have none, such as {missing[0]}"
            )
            return (*broken, words)
        await asyncio.sleep(LOOK_S)
    return broken


def _disk(ground: Ground) -> SmallDisk:
    if ground.world.disk is None:
        raise LabError("this fault needs a small disk")
    return ground.world.disk


def _count(text: str, words: str) -> int:
    return text.count(words)


def disk_faults() -> list[Fault]:
    """The faults of this module."""
    return [
        Fault("postgres-full", "fill the disk of Postgres (needs root)", fill_postgres, PROMISE, POSTGRES),
        Fault(
            "disk-full",
            "fill the disk of the held records while Postgres is stopped; either is well first, in turn (needs root)",
            fill_journal,
            PROMISE,
            JOURNAL,
        ),
    ]
