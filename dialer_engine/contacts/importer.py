"""Taking a file of contacts into a Member's list: all of it that can be called, or nothing at all.

The rows stream through a few thousand at a time into temporary tables by COPY; what stands twice, in the file
or on the Member's lists, is found there by set operations. One transaction ends in either the contacts, their
numbers and the record of the import, or, after any fault and in a dry run, in no change.

A number stands on one contact of a Member. A row that loses one to another contact, and has more, says that those
numbers are one person's: that is kept (`person_links`), so that an opt-out, the cap per person and the one call at a
time hold for all of them, while each row stays a contact of its own. What it says of the place counts for the contact
that has the number (`places`).
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import asyncpg
import msgspec

from dialer_engine.contacts import staging
from dialer_engine.contacts.columns import Columns, choose, refuse_overlooked
from dialer_engine.contacts.errors import ContactsError
from dialer_engine.contacts.places import unite_places
from dialer_engine.contacts.rejected import check_target, write_rejected
from dialer_engine.contacts.source import Source, inspect, rows
from dialer_engine.core.gate import RuleBook
from dialer_engine.core.numbers import NumberPlan
from dialer_engine.core.text import storable
from dialer_engine.store.directory import audit, list_id_of
from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql

SAMPLE_ROWS = 50
MOST_OF_A_PERSON = 20
"""A number that rows name beside more others than these is a switchboard's or an office's, not a person's own."""
ROWS_TOLD = 20
"""So many row numbers at most are told of a kind of row."""
Progress = Callable[[int], None]
"""Called with the number of rows read so far."""


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What to take in, where to, and by which rules; `mapping` holds the `--map` pairs (field, column)."""

    file: Path
    member_id: int
    list_name: str
    plan: NumberPlan
    rules: RuleBook
    at: datetime
    who: str
    mapping: Sequence[tuple[str, str]] = ()
    encoding: str | None = None
    rejected_file: Path | None = None
    lab: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What came of it; `reasons` count rejected rows, `numbers_left_out` single numbers of accepted rows.

    `same_person` counts rows, accepted or not, that make several contacts one person; `same_person_rows` are the first
    of them, the file's first record being 1.
    `addresses_unread` counts contacts with a state, postal code or country that was not understood and bounds nothing;
    `addresses_updated` contacts that had a number of a row already and got a further region or zone from it.
    """

    import_id: int | None
    rows: int
    contacts: int
    numbers: int
    rejected: int
    columns: Mapping[str, str]
    encoding: str
    delimiter: str
    has_header: bool
    reasons: Mapping[str, int] = field(default_factory=dict)
    numbers_left_out: Mapping[str, int] = field(default_factory=dict)
    same_person: int = 0
    same_person_rows: tuple[int, ...] = ()
    addresses_unread: int = 0
    addresses_updated: int = 0
    rejected_file: Path | None = None
    dry_run: bool = False


class _DryRun(Exception):
    """Rolls the transaction back and carries the report out."""

    def __init__(self, report: ImportReport) -> None:
        super().__init__("dry run")
        self.report = report


async def import_list(
    conn: Connection, request: ImportRequest, progress: Progress = lambda rows: None
) -> ImportReport:
    """Import a file in one transaction; ContactsError says what is wrong with it."""
    source = inspect(request.file, request.encoding)
    sample = _sample(source)
    columns = choose(sample, request.mapping)
    refuse_overlooked(columns, sample, request.mapping)
    check_target(_rejected_file(request), request.file)
    fresh: Path | None = None
    try:
        async with conn.transaction():
            report, fresh = await _import(conn, request, source, columns, progress)
            if request.dry_run:
                raise _DryRun(report)
    except _DryRun as done:
        return done.report
    except asyncpg.DiskFullError as error:
        raise ContactsError(f"{request.file}: the database's disk is full; nothing was imported") from error
    except BaseException:
        if fresh is not None:
            fresh.unlink(missing_ok=True)
        raise
    return report if fresh is None else _named(report, fresh)


def _named(report: ImportReport, fresh: Path) -> ImportReport:
    """Give the file of rejected rows its name; the import stands, so the file stays where that fails."""
    try:
        fresh.replace(report.rejected_file or fresh)
    except OSError:
        return replace(report, rejected_file=fresh)
    return report


async def _import(
    conn: Connection, request: ImportRequest, source: Source, columns: Columns, progress: Progress
) -> tuple[ImportReport, Path | None]:
    await conn.execute(sql("import_turn"), request.member_id)
    list_id = await list_id_of(conn, request.member_id, request.list_name)
    await conn.execute(sql("import_stage"))
    count = await _stage(conn, request, source, columns, progress)
    await _settle(conn, request.member_id)
    row = await conn.fetchrow(
        sql("import_record"),
        list_id,
        request.member_id,
        storable(request.file.name),
        request.at,
        request.who,
        msgspec.json.encode(columns.described()).decode(),
        count,
    )
    if row is None:
        raise ContactsError(f"{request.file}: the import could not be recorded")
    await conn.execute(sql("import_contacts"), request.member_id, list_id, row["id"])
    await conn.execute(sql("import_numbers"), request.member_id)
    await conn.execute(sql("import_links_keep"), row["id"], request.member_id)
    updated = await _unite(conn, request, row["id"])
    report = replace(await _report(conn, request, source, columns, row, count), addresses_updated=updated)
    fresh = await _rejected(conn, request, source, columns, row["rejected"])
    return (report if fresh is None else replace(report, rejected_file=_rejected_file(request))), fresh


async def _unite(conn: Connection, request: ImportRequest, import_id: int) -> int:
    """Bring addresses of known contacts up to date and remember how many those are."""
    updated = await unite_places(conn, request.member_id, request.plan)
    if updated:
        detail = {"member_id": request.member_id, "addresses_updated": updated}
        await audit(conn, request.at, request.who, "list.import", str(import_id), detail)
    return updated


async def _stage(
    conn: Connection, request: ImportRequest, source: Source, columns: Columns, progress: Progress
) -> int:
    reader = staging.Reader(columns, request.plan, request.rules.zones, request.lab, source.delimiter)
    count = 0
    for batch in reader.batches(_data_rows(source, columns)):
        await staging.copy(conn, batch)
        count += batch.rows
        progress(count)
    if count == 0:
        raise ContactsError(f"{source.path}: there is a header and no contact")
    return count


async def _settle(conn: Connection, member_id: int) -> None:
    await conn.execute(sql("import_analyze"))
    await conn.execute(sql("import_drop_repeated"))
    await conn.execute(sql("import_drop_known"), member_id)
    await conn.execute(sql("import_places_keep"))
    await conn.execute(sql("import_places_analyze"))
    await conn.execute(sql("import_drop_unreachable"))
    await _link(conn, member_id)


async def _link(conn: Connection, member_id: int) -> None:
    """Find the rows that make several contacts one person."""
    await conn.execute(sql("import_links_find"), member_id)
    await conn.execute(sql("import_links_analyze"))
    await conn.execute(sql("import_links_drop_lone"))
    await conn.execute(sql("import_links_drop_shared"), member_id, MOST_OF_A_PERSON)
    await conn.execute(sql("import_links_drop_lone"))
    await conn.execute(sql("import_links_drop_known"), member_id)
    await conn.execute(sql("import_links_explain"))


async def _rejected(
    conn: Connection, request: ImportRequest, source: Source, columns: Columns, count: int
) -> Path | None:
    if not count or request.dry_run:
        return None
    return await write_rejected(conn, source, columns, _rejected_file(request))


def _rejected_file(request: ImportRequest) -> Path:
    return request.rejected_file or request.file.with_name(f"{request.file.stem}.rejected.csv")


async def _report(
    conn: Connection,
    request: ImportRequest,
    source: Source,
    columns: Columns,
    row: asyncpg.Record,
    count: int,
) -> ImportReport:
    reasons = await conn.fetch(sql("import_reasons"))
    left_out = await conn.fetch(sql("import_numbers_left_out"))
    [bound] = await conn.fetch(sql("import_links_told"), ROWS_TOLD)
    return ImportReport(
        import_id=None if request.dry_run else row["id"],
        rows=count,
        contacts=row["contacts"],
        numbers=row["numbers"],
        rejected=row["rejected"],
        columns=columns.described(),
        encoding=source.encoding,
        delimiter=source.delimiter,
        has_header=columns.has_header,
        reasons={r["reason"]: r["n"] for r in reasons},
        numbers_left_out={r["reason"]: r["n"] for r in left_out},
        same_person=bound["n"],
        same_person_rows=tuple(bound["first"]),
        addresses_unread=await conn.fetchval(sql("import_addresses_unread")),
        dry_run=request.dry_run,
    )


def _sample(source: Source) -> list[list[str]]:
    return [cells for _, cells in itertools.islice(rows(source), SAMPLE_ROWS)]


def _data_rows(source: Source, columns: Columns) -> Iterator[tuple[int, list[str]]]:
    return itertools.islice(rows(source), 1 if columns.has_header else 0, None)
