"""What an agent sees of a person: who they are, what was tried with them before."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql

HISTORY = 10
"""Earlier attempts and skips that are shown."""
CONTACT_FIELDS = (
    *("first_name", "last_name", "company", "email", "street", "city", "state", "postal_code", "country"),
    "external_id",
)


@dataclass(frozen=True, slots=True)
class Tried:
    """An earlier attempt or preview of a contact; `note` is why it was skipped or refused."""

    at: datetime
    campaign: str
    number: str = field(repr=False)
    result: str | None
    agent: str | None
    disposition: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Card:
    """A contact with the `number` that is dialed. What it says of a person is left out of its repr, so that no log
    gets it by accident."""

    number: str = field(repr=False)
    member: str
    list: str
    zone: str
    numbers: tuple[str, ...] = field(repr=False)
    fields: Mapping[str, str] = field(repr=False)
    extra: Mapping[str, Any] = field(repr=False)
    history: tuple[Tried, ...] = field(repr=False)


async def card_of_contact(
    conn: Connection, contact_id: int, number: str, zone: str, attempt_id: str | None = None
) -> Card | None:
    """Return a contact's card, None when it was erased; the attempt that is under way is no history."""
    row = await conn.fetchrow(sql("card_contact"), contact_id)
    if row is None:
        return None
    tried = await conn.fetch(sql("card_history"), contact_id, HISTORY, attempt_id)
    return Card(
        number,
        row["member"],
        row["list"],
        zone,
        tuple(row["numbers"] or ()),
        {name: row[name] for name in CONTACT_FIELDS if row[name]},
        msgspec.json.decode(row["extra"] or "{}"),
        tuple(_tried(each) for each in tried),
    )


async def card_of_attempt(conn: Connection, attempt_id: str) -> Card | None:
    """Return the card of the person whom an attempt calls, None when the database does not have it any more."""
    row = await conn.fetchrow(sql("card_attempt"), attempt_id)
    if row is None:
        return None
    return await card_of_contact(conn, row["contact_id"], row["number"], row["zone"], attempt_id)


def _tried(row: asyncpg.Record) -> Tried:
    return Tried(
        row["at"],
        row["campaign"],
        row["number"],
        row["result"],
        row["agent"],
        row["disposition"],
        row["note"],
    )
