"""Intake of opt-outs that the Asterisk-side script wrote to its journal, perhaps while nobody else was there.

Each file is one opt-out. It is removed only after the commit that holds it, and taking it in twice changes
nothing, so a crash at any point loses none. A file that cannot be read, or that the database refuses, is put
aside under another name and never stops the others.
"""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import asyncpg

from dialer_engine.core.numbers import is_e164_nanp
from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql
from dialer_engine.store.suppress import insert, take_turn

MOST_AT_ONCE = 1000
UNREADABLE = ".unreadable"
REFUSED = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)


@dataclass(frozen=True, slots=True)
class OptOut:
    """One opt-out as the script wrote it; `member` is the Member's short name or id, or empty for all."""

    file: Path
    attempt_id: str
    number: str
    member: str
    at: datetime
    key: str
    source: str


@dataclass(slots=True)
class Taken:
    """What was taken in: numbers, all of them suppressed now, and files that cannot be taken in, with the reason."""

    numbers: list[str] = field(default_factory=list)
    unreadable: dict[Path, str] = field(default_factory=dict)


async def take_journal(conn: Connection, directory: Path, now: datetime) -> Taken:
    """Take the journal in at `now` (UTC); cancel live attempts to the numbers when this returns."""
    taken = Taken()
    while found := _read_some(directory, taken):
        refused = await _take_each(conn, found, now)
        for opt_out in found:
            if opt_out.file in refused:
                _put_aside(opt_out.file, refused[opt_out.file], taken)
            else:
                opt_out.file.unlink(missing_ok=True)
                taken.numbers.append(opt_out.number)
    return taken


def unreadable_files(directory: Path) -> list[Path]:
    """Return the opt-outs that were put aside because nobody could take them in."""
    return sorted(directory.glob(f"*{UNREADABLE}"))


async def _take_each(conn: Connection, found: Sequence[OptOut], now: datetime) -> dict[Path, str]:
    """Take all in at once or, when one is refused, each alone; return the refused files with the reason."""
    try:
        await _take(conn, found, now)
    except REFUSED as error:
        if len(found) == 1:
            return {found[0].file: str(error)}
        refused: dict[Path, str] = {}
        for one in found:
            refused |= await _take_each(conn, [one], now)
        return refused
    return {}


def _put_aside(file: Path, why: str, taken: Taken) -> None:
    """Rename the file; where even that fails it stays, and is left out from now on."""
    taken.unreadable[file] = why
    with contextlib.suppress(OSError):
        file.rename(file.with_suffix(UNREADABLE))


async def _take(conn: Connection, found: Sequence[OptOut], now: datetime) -> None:
    async with conn.transaction():
        rows = await conn.fetch(
            sql("opt_outs_take"),
            [o.attempt_id for o in found],
            [o.number for o in found],
            [o.member for o in found],
            [o.at for o in found],
            [o.key for o in found],
            [o.source for o in found],
            now,
        )
        for row in sorted(rows, key=itemgetter("number")):
            note = f"attempt {row['attempt_id']}"
            await insert(
                conn,
                [row["number"]],
                row["member_id"],
                row["source"],
                row["at"],
                who="called party",
                note=note,
            )
        await take_turn(conn)


def _read_some(directory: Path, taken: Taken) -> list[OptOut]:
    """Read up to MOST_AT_ONCE files, each attempt once; the rest follows in the next turn."""
    found: dict[str, OptOut] = {}
    waiting = (path for path in sorted(directory.glob("*.json")) if path not in taken.unreadable)
    for path in islice(waiting, MOST_AT_ONCE):
        try:
            opt_out = parse(path, json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            continue
        except OSError as error:
            taken.unreadable[path] = str(error)  # the file may be well: it is tried again next time
            continue
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            _put_aside(path, f"{type(error).__name__}: {error}", taken)
            continue
        found[path.name] = opt_out
    return list(found.values())


def parse(path: Path, content: Any) -> OptOut:
    """Check one file's content; ValueError, KeyError or TypeError when it is not an opt-out."""
    number, at = str(content["number"]), datetime.fromisoformat(content["at"])
    if not is_e164_nanp(number) or at.tzinfo is None or not content["attempt_id"]:
        raise ValueError("not an opt-out")
    member = content.get("member_id")
    return OptOut(
        file=path,
        attempt_id=str(content["attempt_id"]),
        number=number,
        member="" if member is None else str(member),
        at=at,
        key=str(content.get("key", "")),
        source=str(content.get("source") or "drop_message"),
    )
