"""Own migration runner: numbered files, one transaction each, checksums, one advisory lock.

An applied file that was edited, or a database that knows a migration this program does not have, is refused:
going on would mean working on tables that nobody has looked at.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from dialer_engine.store.errors import StoreError
from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import SQL_DIRECTORY, sql

_FILE = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file of `sql/migrations`."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the file's text in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations(directory: Path = SQL_DIRECTORY / "migrations") -> list[Migration]:
    """Read all migrations in order; numbers must run from 1 without a gap."""
    found = [_read(path) for path in sorted(directory.glob("*.sql"))]
    if [m.number for m in found] != list(range(1, len(found) + 1)):
        raise StoreError(f"{directory}: migrations must be numbered 0001, 0002, ... without a gap")
    return found


async def migrate(conn: Connection, known: list[Migration] | None = None) -> list[str]:
    """Bring the database up to date and return the names of the migrations applied now."""
    wanted = migrations() if known is None else known
    await conn.execute(sql("migration_lock"))
    try:
        await conn.execute(sql("migration_table"))
        done = {row["number"]: row for row in await conn.fetch(sql("migrations_done"))}
        _check(wanted, done)
        return [await _apply(conn, m) for m in wanted if m.number not in done]
    finally:
        if not conn.is_closed():
            await conn.execute(sql("migration_unlock"))


async def pending(conn: Connection) -> list[str]:
    """Return the names of migrations the database lacks; raises StoreError when it is newer or edited."""
    wanted = migrations()
    if not await conn.fetchval(sql("migration_table_exists")):
        return [m.name for m in wanted]
    done = {row["number"]: row for row in await conn.fetch(sql("migrations_done"))}
    _check(wanted, done)
    return [m.name for m in wanted if m.number not in done]


def _check(wanted: list[Migration], done: dict[int, asyncpg.Record]) -> None:
    newer = sorted(set(done) - {m.number for m in wanted})
    if newer:
        raise StoreError(
            f"the database is newer than this program: it has migration {newer[-1]:04d}, the program knows "
            f"{len(wanted):04d}; start the newer program, or restore a backup from before the upgrade"
        )
    for m in wanted:
        if m.number in done and done[m.number]["checksum"] != m.checksum:
            raise StoreError(
                f"migration {m.name} was edited after it was applied to this database; "
                "restore the file as it was and put the change into a new migration"
            )


async def _apply(conn: Connection, migration: Migration) -> str:
    try:
        async with conn.transaction():
            await conn.execute(migration.text)
            await conn.execute(sql("migration_record"), migration.number, migration.name, migration.checksum)
    except asyncpg.PostgresError as error:
        raise StoreError(f"migration {migration.name} failed and was rolled back: {error}") from error
    return migration.name


def _read(path: Path) -> Migration:
    match = _FILE.match(path.name)
    if match is None:
        raise StoreError(f"{path}: a migration is called NNNN_name.sql")
    return Migration(int(match[1]), path.stem, path.read_text(encoding="utf-8"))
