"""A file of numbers that must not be called: one transaction, any size, whatever could be read.

A row that holds no readable number is reported and does not stop the others: refusing the whole file would
leave people callable who asked not to be called.
"""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from dialer_engine.contacts.columns import PHONE, Columns, choose, is_number, names_something_else
from dialer_engine.contacts.phone import base_number, hints_at_number, holds_two
from dialer_engine.contacts.source import Source, hides_rows, inspect, records, rows
from dialer_engine.store.pool import Connection
from dialer_engine.store.revocations import end, standing, standing_before
from dialer_engine.store.suppress import Forbidden, insert, live_suppressed, take_turn

BATCH = 10_000
SAMPLE_ROWS = 1000
MOST_SHOWN = 100
NO_NUMBER = "no number in the columns that were read"
MORE_NUMBERS = "more than one number in a cell, of which only the first was taken"


@dataclass(slots=True)
class SuppressionImport:
    """What came of it; `to_cancel` are the numbers with calls under way.

    `unreadable` are the first rows, from 1, with a number that could not be read, or without any. `read` are the
    columns that were read, also those beyond the file's columns in which a row had a number; `unread` tells of other
    ones how many of their cells could be phone numbers; `overlooked` are those of them that nobody left out: neither
    the command nor their own header. `hiding` are the first lines, from 1, of rows that have taken in others; the
    numbers of those are not known.
    """

    rows: int = 0
    added: int = 0
    known: int = 0
    unreadable_count: int = 0
    unreadable: list[tuple[int, str]] = field(default_factory=list)
    read: tuple[str, ...] = ()
    unread: Counter[str] = field(default_factory=Counter)
    overlooked: frozenset[str] = frozenset()
    hiding: list[int] = field(default_factory=list)
    to_cancel: list[Forbidden] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether nobody who stands in the file can still be called, as far as it could be understood."""
        return not (self.unreadable_count or self.overlooked or self.hiding)


async def import_suppressions(
    conn: Connection,
    file: Path,
    member_id: int | None,
    source: str,
    at: datetime,
    *,
    who: str,
    note: str | None = None,
    columns: Sequence[str] = (),
) -> SuppressionImport:
    """Add every number of a file to a do-not-call list; ContactsError when it is no table of text.

    Without `columns` every column of phone numbers is read. Of a number with an extension the number itself counts.
    What the persons agreed to ends whose numbers are new there; of the others, what they agreed to before their entry.
    """
    done = SuppressionImport()
    consents: list[int] = []
    async with conn.transaction():
        for batch in _batches(file, columns, done):
            added = await insert(conn, batch, member_id, source, at, who=who, note=note)
            known = list(set(batch).difference(added))
            done.added += len(added)
            done.known += len(known)
            consents += await standing(conn, added, member_id)
            consents += await standing_before(conn, known, member_id)
        await end(conn, consents, at, "command", who=who, note=note)
        await take_turn(conn)
    done.to_cancel = await live_suppressed(conn)
    return done


def _batches(file: Path, given: Sequence[str], done: SuppressionImport) -> Iterator[list[str]]:
    """Yield the file's numbers in batches without repetitions within a batch."""
    source = inspect(file)
    sample = [cells for _, cells in itertools.islice(rows(source), SAMPLE_ROWS)]
    columns = choose(sample, [(PHONE, one) for one in given], every_phone=not given)
    places = [index for index, _ in columns.phones]
    done.read = tuple(columns.columns[index] for index in sorted(places))
    header = columns.has_header and not _hints_at_numbers(sample[0], places)
    data = itertools.islice(_seen(source, done), 1 if header else 0, None)
    while piece := list(itertools.islice(data, BATCH)):
        done.rows += len(piece)
        yield list(dict.fromkeys(_numbers(piece, columns, places, done, strict=not given)))
        done.unread.update(_unread(piece, columns, places))
    if not given:
        done.overlooked = frozenset(name for name in done.unread if not names_something_else(name))


def _seen(source: Source, done: SuppressionImport) -> Iterator[tuple[int, list[str]]]:
    for number, line, cells in records(source):
        if hides_rows(cells, source.delimiter) and len(done.hiding) < MOST_SHOWN:
            done.hiding.append(line)
        yield number, cells


def _hints_at_numbers(first: Sequence[str], places: Sequence[int]) -> bool:
    """Tell whether what was taken for a header is a row with a number that cannot be read: no header has such cells."""
    return any(hints_at_number(first[i]) for i in places if i < len(first))


def _numbers(
    piece: Sequence[tuple[int, list[str]]],
    columns: Columns,
    places: Sequence[int],
    done: SuppressionImport,
    *,
    strict: bool,
) -> Iterator[str]:
    """Yield every number, and keep what could not be read; `strict`: also of cells beyond the file's columns."""
    for row, cells in piece:
        read = [cells[i] for i in places if i < len(cells) and _may_be_number(cells[i])]
        found = [base_number(cell) for cell in read]
        yield from (number for number, _ in found if number is not None)
        bad = next((reason for number, reason in found if number is None), None if found else NO_NUMBER)
        if bad is None and any(map(holds_two, read)):
            bad = MORE_NUMBERS
        for name, number, reason in _beyond(cells, len(columns.columns)):
            if number is not None:
                yield number
                done.read += () if name in done.read else (name,)
            elif strict:
                bad = bad or f"{name}: {reason}"
            else:
                done.unread[name] += 1
        if bad is None:
            continue
        done.unreadable_count += 1
        if len(done.unreadable) < MOST_SHOWN:
            done.unreadable.append((row, bad))


def _beyond(cells: Sequence[str], width: int) -> Iterator[tuple[str, str | None, str]]:
    """Yield column, number and reason of every cell beyond the columns that could be a phone number.

    The columns are those of the first rows: only a later row can be wider, and nobody has seen what its cells are.
    """
    for place, cell in enumerate(cells[width:], start=width + 1):
        if hints_at_number(cell):
            yield f"column {place}", *base_number(cell)


def _may_be_number(cell: str) -> bool:
    """Tell whether a cell can hide a number: `n/a` beside a number does not."""
    return any(letter.isdigit() for letter in cell)


def _unread(piece: Sequence[tuple[int, list[str]]], columns: Columns, places: Sequence[int]) -> Iterator[str]:
    """Yield the column of every cell that is not read though it could be a phone number."""
    others = [(index, name) for index, name in enumerate(columns.columns) if index not in places]
    for _, cells in piece:
        yield from (name for index, name in others if index < len(cells) and is_number(cells[index]))
