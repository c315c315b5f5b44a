"""Intake of opt-outs that the Asterisk-side script wrote to its journal, perhaps while nobody else was there.

Each file is one opt-out. It is removed only after the commit that holds it, and taking it in twice changes
nothing, so a crash at any point loses none. A file that cannot be read, or that the database refuses, is put
aside under another name and never stops the others.
"""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import asyncpg

from dialer_engine.core.numbers import is_e164_nanp
from dialer_engine.store.opt_outs import DROP_MESSAGE, OptOutGiven, forbid_alone
from dialer_engine.store.pool import Connection
from dialer_engine.store.suppress import Forbidden

MOST_AT_ONCE = 1000
UNREADABLE = ".unreadable"
REFUSED = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)


@dataclass(slots=True)
class Taken:
    """What was taken in: whom it forbids to call now, and files that cannot be taken in, with the reason."""

    forbidden: list[Forbidden] = field(default_factory=list)
    unreadable: dict[Path, str] = field(default_factory=dict)


async def take_journal(conn: Connection, directory: Path) -> Taken:
    """Take the journal in; cancel live attempts to the numbers when this returns."""
    taken = Taken()
    while found := _read_some(directory, taken):
        refused = await _take_each(conn, found, taken)
        for file in found:
            if file in refused:
                _put_aside(file, refused[file], taken)
            else:
                file.unlink(missing_ok=True)
    return taken


def unreadable_files(directory: Path) -> list[Path]:
    """Return the opt-outs that were put aside because nobody could take them in."""
    return sorted(directory.glob(f"*{UNREADABLE}"))


async def _take_each(conn: Connection, found: Mapping[Path, OptOutGiven], taken: Taken) -> dict[Path, str]:
    """Take all in at once or, when one is refused, each alone; return the refused files with the reason."""
    try:
        taken.forbidden += await forbid_alone(conn, list(found.values()))
    except REFUSED as error:
        if len(found) == 1:
            return dict.fromkeys(found, str(error))
        refused: dict[Path, str] = {}
        for file, given in found.items():
            refused |= await _take_each(conn, {file: given}, taken)
        return refused
    return {}


def _put_aside(file: Path, why: str, taken: Taken) -> None:
    """Rename the file; where even that fails it stays, and is left out from now on."""
    taken.unreadable[file] = why
    with contextlib.suppress(OSError):
        file.rename(file.with_suffix(UNREADABLE))


def _read_some(directory: Path, taken: Taken) -> dict[Path, OptOutGiven]:
    """Read up to MOST_AT_ONCE files; the rest follows in the next turn."""
    found: dict[Path, OptOutGiven] = {}
    waiting = (path for path in sorted(directory.glob("*.json")) if path not in taken.unreadable)
    for path in islice(waiting, MOST_AT_ONCE):
        try:
            found[path] = parse(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            continue
        except OSError as error:
            taken.unreadable[path] = str(error)  # the file may be well: it is tried again next time
            continue
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            _put_aside(path, f"{type(error).__name__}: {error}", taken)
    return found


def parse(content: Any) -> OptOutGiven:
    """Check one file's content; ValueError, KeyError or TypeError when it is not an opt-out.

    Without a Member nobody may call the number.
    """
    number, at = str(content["number"]), datetime.fromisoformat(content["at"])
    if not is_e164_nanp(number) or at.tzinfo is None or not content["attempt_id"]:
        raise ValueError("not an opt-out")
    member = content.get("member_id")
    return OptOutGiven(
        attempt_id=str(content["attempt_id"]),
        number=number,
        member=None if member is None else str(member),
        at=at,
        source=str(content.get("source") or DROP_MESSAGE),
        key=str(content.get("key", "")),
    )
