"""The file of rejected rows: their original columns and the reason, ready to be mended and imported again."""

import itertools
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from dialer_engine.contacts.columns import Columns
from dialer_engine.contacts.errors import ContactsError
from dialer_engine.contacts.source import Source, rows, unchanged
from dialer_engine.store.pool import Connection
from dialer_engine.store.safe_csv import SafeWriter
from dialer_engine.store.sql import sql

REASON = "rejected because"


def check_target(target: Path, source: Path) -> None:
    """Refuse a file for rejected rows that would replace the source, or something that is no file."""
    try:
        kind = target.lstat().st_mode
        if not stat.S_ISREG(kind):
            what = "a link" if stat.S_ISLNK(kind) else "a directory or device"
            raise ContactsError(f"{target}: is {what}; name a file with --rejected")
        if target.samefile(source):
            raise ContactsError(f"{target}: is the file to be imported; name another with --rejected")
    except FileNotFoundError:
        return
    except OSError as error:
        raise ContactsError(
            f"{target}: cannot be written ({error.strerror}); name another file with --rejected"
        ) from error


async def write_rejected(conn: Connection, source: Source, columns: Columns, target: Path) -> Path:
    """Write the rejected rows beside `target` and return the finished file, which is still to be renamed.

    The file is read a second time instead of keeping its rows in memory.
    """
    if not unchanged(source):
        raise ContactsError(f"{source.path}: was changed while it was read; nothing was imported, try again")
    fresh = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with fresh.open("w", encoding="utf-8", newline="") as file:
            writer = SafeWriter(file)
            writer.row([*columns.columns, REASON])
            originals = rows(source)
            async for row in conn.cursor(sql("import_rejected_rows"), prefetch=1000):
                cells = _find(originals, row["row_number"])
                padding = [""] * (len(columns.columns) - len(cells))
                writer.row([*cells, *padding, row["reason"]])
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise ContactsError(
            f"{target}: cannot be written ({error.strerror}); nothing was imported; "
            "choose another place with --rejected"
        ) from error
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    return fresh


def _find(originals: Iterator[tuple[int, list[str]]], wanted: int) -> list[str]:
    later = itertools.dropwhile(lambda row: row[0] < wanted, originals)
    return next(later)[1]
