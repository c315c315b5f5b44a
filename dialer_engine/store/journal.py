"""Intake of opt-outs that the Asterisk-side script wrote to its journal, perhaps while nobody else was there.

Each file is one opt-out. It is removed only after the commit that holds it, and taking it in twice changes
nothing, so a crash at any point loses none. A file that cannot be read is put aside under another name and
never stops the others.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Any

from dialer_engine.core.numbers import is_e164_nanp
from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql
from dialer_engine.store.suppress import insert, take_turn

MOST_AT_ONCE = 1000
UNREADABLE = ".unreadable"


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


async def take_journal(conn: Connection, directory: Path, now: datetime) -> list[str]:
    """Take the journal in at `now` (UTC) and return the numbers that were in it.

    All of them are suppressed when this returns; cancel live attempts to them then.
    """
    taken: list[str] = []
    while found := _read_some(directory):
        await _take(conn, found, now)
        for opt_out in found:
            opt_out.file.unlink(missing_ok=True)
        taken += [opt_out.number for opt_out in found]
    return taken


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


def _read_some(directory: Path) -> list[OptOut]:
    """Read up to MOST_AT_ONCE files, each attempt once; the rest follows in the next turn."""
    found: dict[str, OptOut] = {}
    for path in sorted(directory.glob("*.json"))[:MOST_AT_ONCE]:
        try:
            opt_out = parse(path, json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            continue
        except (ValueError, KeyError, TypeError):
            path.rename(path.with_suffix(UNREADABLE))
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
