"""Call-detail records out of the database: CSV that a spreadsheet may open, or JSON lines; streamed."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TextIO
from uuid import UUID

import msgspec

from dialer_engine.store.pool import Connection
from dialer_engine.store.safe_csv import SafeWriter
from dialer_engine.store.sql import sql

Format = Literal["csv", "jsonl"]
PREFETCH = 1000


@dataclass(frozen=True, slots=True)
class CdrQuery:
    """Records reserved from `start` on and before `end` (UTC), of one campaign or Member, or of all.

    Campaign and Member are those that have this name now; their records have the names of their time.
    """

    start: datetime
    end: datetime
    campaign: str | None = None
    member: str | None = None


async def export(conn: Connection, query: CdrQuery, file: TextIO, form: Format) -> int:
    """Write the records, oldest first, and return how many; memory does not grow with their number."""
    count = 0
    async with conn.transaction(readonly=True):
        put = await _writer(conn, file, form)
        async for record in _records(conn, query):
            put(record)
            count += 1
    return count


async def _records(conn: Connection, query: CdrQuery) -> AsyncIterator[Mapping[str, Any]]:
    arguments = (query.start, query.end, query.campaign, query.member)
    async for row in conn.cursor(sql("cdr_export"), *arguments, prefetch=PREFETCH):
        yield {name: _plain(value) for name, value in row.items()}


async def _writer(conn: Connection, file: TextIO, form: Format) -> Callable[[Mapping[str, Any]], None]:
    if form == "jsonl":
        return lambda record: _put_line(file, record)
    statement = await conn.prepare(sql("cdr_columns"))
    writer = SafeWriter(file)
    writer.row(attribute.name for attribute in statement.get_attributes())
    return lambda record: writer.row(record.values())


def _put_line(file: TextIO, record: Mapping[str, Any]) -> None:
    file.write(msgspec.json.encode(record).decode() + "\n")


def _plain(value: Any) -> Any:
    """Times become ISO 8601 in UTC to the millisecond."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(value) if isinstance(value, UUID) else value
