"""Disks are full: the database's, or the one on which records are held while the database is away. Needs root."""

from __future__ import annotations

import asyncio
import time

import asyncpg

from dialer_engine.lab.chaos.fault import Fault, Strike
from dialer_engine.lab.chaos.ground import Ground
from dialer_engine.lab.chaos.postgres_faults import STOPS_WITHIN_S
from dialer_engine.lab.chaos.stage import Needs
from dialer_engine.lab.chaos.verdict import Promise
from dialer_engine.lab.place import LabError
from dialer_engine.lab.small_disk import SmallDisk
from dialer_engine.store.errors import StoreError
from dialer_engine.store.sql import sql

POSTGRES = Needs(small_disk=("postgres", 192 * 1024 * 1024))
JOURNAL = Needs(small_disk=("journal", 256 * 1024))
REFUSED = "No space left on device"
UNSAFE = "records cannot be brought to the disk"
NOTICED_S = 20.0
FULL_S = 6.0
LOOK_S = 0.2
PROMISE = Promise(recovery_s=10.0)


async def fill_postgres(ground: Ground) -> Strike:
    """Fill the disk of Postgres until it refuses to write, and for some seconds more; then make room.

    Its journal has room that was taken before, so it is sent to a new part of it, which the full disk does not hold.
    """
    disk, log = _disk(ground), ground.world.postgres.log
    before = _count(log.read_text("utf-8", "replace"), REFUSED)
    disk.fill()
    try:
        refuses = await _until_refused(ground, before)
        spells = await _refusing(ground, disk) if refuses else []
        free = time.time()
    finally:
        disk.free()
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


async def _until_refused(ground: Ground, before: int) -> bool:
    """Whether Postgres says within a while that it has no room."""
    log, end = ground.world.postgres.log, time.monotonic() + NOTICED_S
    while time.monotonic() < end:
        await _does(ground, sql("chaos_write"))
        await _does(ground, sql("chaos_next_journal"))
        if await ground.until(lambda: _count(log.read_text("utf-8", "replace"), REFUSED) > before, LOOK_S):
            return True
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
    """Stop Postgres while the disk of the held records is full; then both are well again."""
    disk, log = _disk(ground), ground.world.engine.log
    before = _count(log.read_text("utf-8", "replace"), UNSAFE)
    disk.fill()
    down = time.time()
    await asyncio.to_thread(ground.world.postgres.stop)
    try:
        said = await ground.until(
            lambda: _count(log.read_text("utf-8", "replace"), UNSAFE) > before, NOTICED_S
        )
        await asyncio.sleep(FULL_S / 2)
    finally:
        disk.free()
    free = time.time()
    await asyncio.to_thread(ground.world.postgres.start)
    late = [call for call in ground.calls if down + STOPS_WITHIN_S < call.came_at < free]
    silent = () if said else ("nothing was said about the full disk",)
    dialed = tuple(f"dialed {call.number} though no record was safe" for call in late)
    return Strike(time.time(), free, broken=(*silent, *dialed))


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
            "fill the disk of the held records while Postgres is stopped (needs root)",
            fill_journal,
            PROMISE,
            JOURNAL,
        ),
    ]
