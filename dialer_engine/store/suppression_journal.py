"""The journal of do-not-call changes outside the database: nobody is called again because of a restore.

Every change of the do-not-call lists is also a line of a file below DIALER_HOME, which no dump of the
database contains. A trigger keeps each change for every known journal until the journal has it on disk;
taking it and forgetting it is one transaction around an fsync, so a crash at any point writes a line twice at
worst. Lines are told apart by a token that is the same in the database and in the file. Before anything is
dialed, the engine compares: what the file has and the database has not was lost by a restore and is applied
again, in its order.

A revoked consent is a line too, which names the consent by what it is: a restored database, or one into which
the consent was imported again, has it revoked before anybody is called on it.
"""

import asyncio
import fcntl
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import FileIO
from itertools import islice
from pathlib import Path

import asyncpg
import msgspec

from dialer_engine.store.errors import StoreError
from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql
from dialer_engine.store.suppress import take_turn
from dialer_engine.store.watermark import is_behind, watermark_file

BATCH = 5000
FORGET_AFTER = timedelta(days=90)
FORMAT = 1


class Header(msgspec.Struct):
    """The first line: which journal this is."""

    journal: str
    format: int


REVOKE = "revoke"


class ConsentName(msgspec.Struct):
    """What tells a Member's consents of one number apart in every copy of the database."""

    kind: str
    since: datetime
    source: str


class Change(msgspec.Struct, omit_defaults=True):
    """One change of the do-not-call lists; `member` is None when it is about everybody.

    The action `revoke` ends the Member's `consent`; `source` is how the person said so, the token is empty.
    """

    token: str
    action: str
    number: str
    member: str | None
    source: str
    at: datetime
    who: str
    note: str | None
    consent: ConsentName | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison brought: lines in the journal, how many were applied again, consents revoked again."""

    lines: int
    applied: int
    revoked: int = 0


def journal_file(home: Path) -> Path:
    """Return where the journal of a DIALER_HOME is."""
    return home / "journal" / "suppressions.jsonl"


class SuppressionJournal:
    """One journal file and its place in the database; `on_batch` hears of every step of a comparison."""

    def __init__(self, file: Path) -> None:
        self.on_batch: Callable[[], None] = lambda: None
        self._file = file
        self._id = ""

    async def attach(self, conn: Connection, now: datetime) -> None:
        """Make the journal known to the database; everything waits for one that it did not know.

        One that is not known yet waits for the changes under way, such as an import. Raises StoreError when that
        takes longer than the session waits for a lock.
        """
        self._id = await asyncio.to_thread(self._open_file)
        async with conn.transaction():
            if not await conn.fetchval(sql("journal_known"), self._id):
                await self._take_turn(conn)
            if await conn.fetchval(sql("journal_register"), self._id, str(self._file), now):
                await conn.execute(sql("journal_fill"), self._id)
                await conn.execute(sql("journal_fill_revocations"), self._id)

    async def _take_turn(self, conn: Connection) -> None:
        try:
            await conn.execute(sql("journal_turn"))
        except asyncpg.LockNotAvailableError as error:
            raise StoreError(
                f"{self._file}: a do-not-call import or another long change is under way, and the journal is new to "
                "this database; try again when that has ended"
            ) from error

    async def open(self, conn: Connection, now: datetime) -> Compared:
        """Compare with the database at `now` (UTC) and apply what a restore lost; StoreError: a bad file."""
        await self.attach(conn, now)
        await conn.execute(sql("journal_forget_unseen"), now - FORGET_AFTER)
        compared = await self._compare(conn)
        await self.flush(conn)
        return compared

    async def flush(self, conn: Connection) -> int:
        """Write what the database keeps for this journal, and return how many lines that were."""
        written = 0
        for take, change in (
            (sql("journal_take"), _changed),
            (sql("journal_take_revocations"), _revoked),
        ):
            while count := await self._flush_some(conn, take, change):
                written += count
        return written

    async def _flush_some(
        self, conn: Connection, take: str, change: Callable[[asyncpg.Record], Change]
    ) -> int:
        async with conn.transaction():
            rows = await conn.fetch(take, self._id, BATCH)
            if rows:
                await asyncio.to_thread(self._append, b"".join(_line(change(row)) for row in rows))
        return len(rows)

    async def _compare(self, conn: Connection) -> Compared:
        lines = applied = revoked = 0
        read = self._read()
        while batch := await asyncio.to_thread(lambda: list(islice(read, BATCH))):
            self.on_batch()
            lines += len(batch)
            applied += await self._apply_lost(conn, [each for each in batch if each.consent is None])
            revoked += await self._revoke_lost(conn, [each for each in batch if each.consent is not None])
        return Compared(lines, applied, revoked)

    async def _apply_lost(self, conn: Connection, changes: Sequence[Change]) -> int:
        """Apply what the database does not know, and forget what waits for the journal but stands in it."""
        if not changes:
            return 0
        tokens = [change.token for change in changes]
        missing = {row["token"] for row in await conn.fetch(sql("journal_missing"), tokens)}
        lost = [change for change in changes if change.token in missing]
        if lost:
            await self._apply(conn, lost)
        await conn.execute(sql("journal_skip"), self._id, tokens)
        return len(missing)

    async def _revoke_lost(self, conn: Connection, changes: Sequence[Change]) -> int:
        if not changes:
            return 0
        whose = [[each.member for each in changes], [each.number for each in changes]]
        named = [each.consent for each in changes if each.consent is not None]
        consents = [
            [each.kind for each in named],
            [each.since for each in named],
            [each.source for each in named],
        ]
        how = ([getattr(each, name) for each in changes] for name in ("at", "source", "who", "note"))
        async with conn.transaction():
            count: int = await conn.fetchval(sql("journal_revoke"), *whose, *consents, *how)
            await conn.execute(sql("journal_skip_revocations"), self._id, *whose, *consents)
            if count:
                await take_turn(conn)
        return count

    async def _apply(self, conn: Connection, lost: Sequence[Change]) -> None:
        columns = ("token", "action", "number", "member", "source", "at", "who", "note")
        async with conn.transaction():
            removed: list[str] = await conn.fetchval(
                sql("journal_apply"),
                *([getattr(change, name) for change in lost] for name in columns),
            )
            if removed:
                await conn.execute(sql("queue_requeue_number"), removed)
            await take_turn(conn)
        if removed:  # those whom passes under way held have committed before the turn was had
            await conn.execute(sql("queue_requeue_number"), removed)

    # --- the file ---------------------------------------------------------------------------------

    def _open_file(self) -> str:
        """Return the journal's id, making the file when there is none."""
        try:
            if not self._file.exists():
                self._make()
            with self._file.open("rb") as file:
                return msgspec.json.decode(file.readline(), type=Header).journal
        except OSError as error:
            raise StoreError(f"{self._file}: the journal of do-not-call changes: {error.strerror}") from error
        except msgspec.MsgspecError as error:
            raise StoreError(
                f"{self._file}:1: this is no journal of do-not-call changes ({error}); restore it, "
                "or move it away"
            ) from error

    def _make(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._file.with_suffix(".new")
        fresh.write_bytes(_line(Header(str(uuid.uuid4()), FORMAT)))
        _sync(fresh)
        fresh.replace(self._file)
        _sync(self._file.parent)

    def _append(self, lines: bytes) -> None:
        """Append and bring it to the disk, all or nothing; what a crash left half written at the end is taken out."""
        with self._file.open("r+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            end = _end_of_lines(file)
            try:
                file.truncate(end)
                file.seek(end)
                left = memoryview(lines)
                while left:
                    left = left[file.write(left) :]
                os.fsync(file.fileno())
            except OSError:
                file.truncate(end)
                raise

    def _read(self) -> Iterator[Change]:
        with self._file.open("rb") as file:
            file.readline()
            for number, line in enumerate(file, start=2):
                if not line.strip() or not line.endswith(b"\n"):
                    continue
                try:
                    yield msgspec.json.decode(line, type=Change)
                except msgspec.MsgspecError as error:
                    if not line.rstrip().endswith(b"}"):
                        continue  # torn by a crash before its transaction ended: it was written again
                    raise StoreError(
                        f"{self._file}:{number}: this line cannot be read ({error}); restore the file from a "
                        "copy, or take the line out after you made sure that its number is suppressed"
                    ) from error


async def compare_if_behind(conn: Connection, home: Path, now: datetime) -> None:
    """Compare, as an engine does at its start, when the database is older than what this DIALER_HOME noted of it.

    For commands: what is changed by hand after a restore is newer than all that the journal repeats, and must come
    after it. Beside a running engine it does no harm: a change counts once.
    """
    file = journal_file(home)
    if file.exists() and await is_behind(conn, watermark_file(home)):
        await SuppressionJournal(file).open(conn, now)


async def flush_if_kept(conn: Connection, home: Path, now: datetime) -> None:
    """Write changes to the journal of this DIALER_HOME at once, when an engine keeps one here."""
    file = journal_file(home)
    if file.exists():
        journal = SuppressionJournal(file)
        await journal.attach(conn, now)
        await journal.flush(conn)


def _changed(row: asyncpg.Record) -> Change:
    return Change(**dict(row))


def _revoked(row: asyncpg.Record) -> Change:
    consent = ConsentName(row["kind"], row["since"], row["source"])
    return Change(
        "", REVOKE, row["number"], row["member"], row["channel"], row["at"], row["who"], row["note"], consent
    )


def _line(row: msgspec.Struct) -> bytes:
    return msgspec.json.encode(row) + b"\n"


def _end_of_lines(file: FileIO) -> int:
    """Return the offset behind the last line that has its end."""
    place = file.seek(0, os.SEEK_END)
    while place:
        start = max(0, place - 4096)
        file.seek(start)
        found = file.read(place - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        place = start
    return 0


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
