"""How far the database had come, noted outside of it: a restored or lagging database is told by that.

The engine renews its lease in the database each second. The last renewal that was committed is also a file below
DIALER_HOME, which no dump contains. A database whose lease is older than the file has lost what came in between:
attempts, results, abandoned calls. That it was found stays noted until somebody has dealt with it (`settle`).

Moments are compared as the database gave them, each with one that was stored before: no clock is asked, so neither
two clocks that differ nor one that is stepped between renewals is taken for a loss.
"""

import asyncio
import os
from datetime import datetime
from pathlib import Path

import msgspec
import structlog

from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql

log = structlog.get_logger(__name__)

SAVE_S = 1.0


class Mark(msgspec.Struct, frozen=True):
    """What stands in the file: the last renewal of the lease, and whether a database was behind it."""

    lease: str
    renewed: datetime | None
    behind: bool


def watermark_file(home: Path) -> Path:
    """Return where a DIALER_HOME notes how far its database had come."""
    return home / "journal" / "watermark.json"


class Watermark:
    """The last renewal of one lease, in memory and (with a file) on disk.

    `behind` is True from the moment when the database turned out to be older until `settle`.
    """

    def __init__(self, lease: str, file: Path | None = None) -> None:
        self._lease = lease
        self._file = file
        self._saved = read_mark(file) if file is not None else None
        ours = self._saved if self._saved is not None and self._saved.lease == lease else None
        self.behind = ours is not None and ours.behind
        self._renewed = ours.renewed if ours is not None else None
        self._seen: datetime | None = None
        self._fell = False
        self._saving = asyncio.Lock()

    @property
    def seen(self) -> datetime | None:
        """The last renewal that `look` found, by whomever; None before, and when nobody ever took the lease."""
        return self._seen

    async def look(self, conn: Connection) -> bool:
        """Compare with the lease as it stands there now, whoever owns it; return whether it is behind."""
        known = self._renewed
        found: datetime | None = await conn.fetchval(sql("lease_renewed"), self._lease)
        if known is not None and (found is None or found < known):
            await self._fall(found)
        # Another's renewals, as a standby sees them: one that goes on to renew has seen the loss itself.
        older = self._seen is not None and (found is None or found < self._seen)
        self._fell = older or (self._fell and found == self._seen)
        self._seen = found
        return self.behind

    async def taken(self, conn: Connection) -> None:
        """The lease is ours now: what it had lost under its earlier owner is ours to deal with.

        From here on our own moments count, also when the database's clock stands before those of earlier owners.
        """
        self._renewed = await conn.fetchval(sql("lease_renewed"), self._lease)
        if self._fell:
            await self._fall(self._renewed)

    async def renewed(self, before: datetime, at: datetime) -> bool:
        """Note a renewal and what stood there before it; return whether the database had gone back."""
        fell = self._renewed is not None and before < self._renewed
        self._renewed = at
        if fell:
            await self._fall(at)
        return fell

    async def found_behind(self) -> None:
        """Something else told that the database had gone back."""
        await self._fall(self._renewed)

    async def settle(self) -> None:
        """The loss was dealt with."""
        self.behind = self._fell = False
        await self._note()

    async def keep(self) -> None:
        """Bring the newest renewal to the disk each second; an OSError is logged once, and tried again."""
        failed = False
        while True:
            try:
                await self._save()
                failed = False
            except OSError as error:
                if not failed:
                    log.error("how far the database has come cannot be noted", why=str(error))
                failed = True
            await asyncio.sleep(SAVE_S)

    async def _fall(self, found: datetime | None) -> None:
        self.behind, self._renewed = True, found
        await self._note()

    async def _note(self) -> None:
        """Save at once; a full disk hinders nobody, and `keep` tries again."""
        try:
            await self._save()
        except OSError as error:
            log.error("that the database went back cannot be noted", why=str(error))

    async def _save(self) -> None:
        async with self._saving:
            mark = Mark(self._lease, self._renewed, self.behind)
            if self._file is not None and mark != self._saved:
                await asyncio.to_thread(_write, self._file, mark)
                self._saved = mark


def read_mark(file: Path) -> Mark | None:
    """Return what a file notes, None when there is none or a crash of the machine damaged it."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Mark)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        log.warning(
            "the note of how far the database had come cannot be read", file=str(file), why=str(error)
        )
        return None


async def is_behind(conn: Connection, file: Path) -> bool:
    """Return whether a database is older than what a file notes of it; False when nothing is noted."""
    mark = await asyncio.to_thread(read_mark, file)
    if mark is None or mark.renewed is None:
        return mark is not None and mark.behind
    found: datetime | None = await conn.fetchval(sql("lease_renewed"), mark.lease)
    return mark.behind or found is None or found < mark.renewed


def _write(file: Path, mark: Mark) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    with fresh.open("wb") as out:
        out.write(msgspec.json.encode(mark) + b"\n")
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(file)
