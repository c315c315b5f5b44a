"""A file of numbers that must not be called: one transaction, any size, whatever could be read.

A row that holds no readable number is reported and does not stop the others: refusing the whole file would
leave people callable who asked not to be called.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from dialer_engine.contacts.columns import PHONE, choose
from dialer_engine.contacts.phone import read_notation
from dialer_engine.contacts.source import Source, hides_rows, inspect, records, rows
from dialer_engine.store.pool import Connection
from dialer_engine.store.suppress import insert, live_suppressed, take_turn

BATCH = 10_000
SAMPLE_ROWS = 50
MOST_SHOWN = 100


@dataclass(slots=True)
class SuppressionImport:
    """What came of it; `to_cancel` are the numbers with calls under way.

    `hiding` are the first lines, from 1, of rows that have taken in others; the numbers of those are not known.
    """

    rows: int = 0
    added: int = 0
    known: int = 0
    unreadable_count: int = 0
    unreadable: list[tuple[int, str]] = field(default_factory=list)
    hiding: list[int] = field(default_factory=list)
    to_cancel: list[str] = field(default_factory=list)


async def import_suppressions(
    conn: Connection,
    file: Path,
    member_id: int | None,
    source: str,
    at: datetime,
    *,
    who: str,
    note: str | None = None,
    column: str | None = None,
) -> SuppressionImport:
    """Add every number of a file to a do-not-call list; ContactsError when it is no table of text."""
    done = SuppressionImport()
    async with conn.transaction():
        for batch in _batches(file, column, done):
            added = await insert(conn, batch, member_id, source, at, who=who, note=note)
            done.added += len(added)
            done.known += len(batch) - len(added)
        await take_turn(conn)
    done.to_cancel = await live_suppressed(conn)
    return done


def _batches(file: Path, column: str | None, done: SuppressionImport) -> Iterator[list[str]]:
    """Yield the file's numbers in batches without repetitions within a batch."""
    source = inspect(file)
    sample = [cells for _, cells in itertools.islice(rows(source), SAMPLE_ROWS)]
    columns = choose(sample, [(PHONE, column)] if column else [])
    places = [index for index, _ in columns.phones]
    data = itertools.islice(_seen(source, done), 1 if columns.has_header else 0, None)
    while piece := list(itertools.islice(data, BATCH)):
        done.rows += len(piece)
        yield list(dict.fromkeys(_numbers(piece, places, done)))


def _seen(source: Source, done: SuppressionImport) -> Iterator[tuple[int, list[str]]]:
    for number, line, cells in records(source):
        if hides_rows(cells, source.delimiter) and len(done.hiding) < MOST_SHOWN:
            done.hiding.append(line)
        yield number, cells


def _numbers(
    piece: Sequence[tuple[int, list[str]]], places: Sequence[int], done: SuppressionImport
) -> Iterator[str]:
    for row, cells in piece:
        texts = [cells[i] for i in places if i < len(cells) and cells[i].strip()] or [""]
        for text in texts:
            number, reason = read_notation(text)
            if number is not None:
                yield number
                continue
            done.unreadable_count += 1
            if len(done.unreadable) < MOST_SHOWN:
                done.unreadable.append((row, reason))
