"""A Member with contacts and campaigns in a real database, and gate contexts at an hour of calling."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import asyncpg

from dialer_engine.core.gate import GateContext, Limits, RuleBook
from dialer_engine.core.numbers import NumberPlan
from dialer_engine.settings.rules import SHIPPED, load_rules
from dialer_engine.store.attempts import AttemptEnd
from dialer_engine.store.directory import list_id_of, sync_campaigns, sync_members
from dialer_engine.store.reserve import Reservation, ReserveRequest

if TYPE_CHECKING:
    Conn = asyncpg.Connection[asyncpg.Record]
else:
    Conn = asyncpg.Connection

NOON = datetime(2026, 6, 10, 18, 0, tzinfo=UTC)
"""A Wednesday, 13:00 in Texas and 14:00 in New York: open in every state of the lower 48."""
WALL = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)

RETRY: Mapping[str, timedelta | None] = {
    "no_answer": timedelta(hours=4),
    "busy": timedelta(minutes=30),
    "failed": timedelta(0),
    "trunk_fault": timedelta(0),
    "cancelled": timedelta(0),
    "not_in_service": None,
    "bridged": None,
    "unknown": timedelta(days=1),
}


@dataclass(frozen=True)
class Member:
    name: str = "Acme"
    callback_number: str = "+12105550199"
    address: str | None = None


@dataclass(frozen=True)
class DropMessage:
    seller: str | None = None


@dataclass(frozen=True)
class Campaign:
    member: str = "acme"
    lists: Sequence[str] = ("june",)
    offer: str | None = "roof repair"
    drop_message: DropMessage = field(default_factory=DropMessage)


@dataclass(frozen=True)
class World:
    """Ids of what `make_world` made."""

    members: Mapping[str, int]
    campaigns: Mapping[str, int]


async def make_world(
    conn: Conn,
    campaigns: Mapping[str, Campaign] | None = None,
    members: Mapping[str, Member] | None = None,
) -> World:
    """Bring Members and campaigns into the database; by default one of each."""
    member_ids = await sync_members(conn, members or {"acme": Member()})
    campaign_ids = await sync_campaigns(conn, campaigns or {"spring": Campaign()})
    return World(member_ids, campaign_ids)


async def put_contacts(
    conn: Conn, member_id: int, list_name: str, contacts: Sequence[Sequence[str]]
) -> list[int]:
    """Put contacts, each a sequence of numbers, on a list and return their ids."""
    list_id = await list_id_of(conn, member_id, list_name)
    import_id = await conn.fetchval(
        "insert into imports (list_id, member_id, file_name, imported_at, imported_by, mapping, rows_read,"
        " contacts, numbers, rejected) values ($1, $2, 'test', now(), 'test', '{}', 0, 0, 0, 0) returning id",
        list_id,
        member_id,
    )
    rows = await conn.fetch(
        "insert into contacts (member_id, list_id, import_id, row_number)"
        " select $1, $2, $3, n from generate_series(1, $4::int) n returning id",
        member_id,
        list_id,
        import_id,
        len(contacts),
    )
    ids = [row["id"] for row in rows]
    flat = [
        (contact_id, number, place)
        for contact_id, numbers in zip(ids, contacts, strict=True)
        for place, number in enumerate(numbers)
    ]
    await conn.execute(
        "insert into contact_numbers (contact_id, member_id, number, position)"
        " select c, $1, n, p from unnest($2::bigint[], $3::text[], $4::smallint[]) as x(c, n, p)",
        member_id,
        [f[0] for f in flat],
        [f[1] for f in flat],
        [f[2] for f in flat],
    )
    return ids


async def until_it_waits(conn: Conn, waiter: Conn) -> None:
    """Wait until `waiter`, seen from another connection, is kept waiting by somebody's lock; fail after 20 s."""
    for _ in range(1000):
        if await conn.fetchval("select cardinality(pg_blocking_pids($1)) > 0", waiter.get_server_pid()):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it does not wait for a lock")


def fictional(count: int, area_codes: Sequence[str] = ("210", "214", "512", "713", "817")) -> list[list[str]]:
    """Return `count` contacts with one 555-01XX number each."""
    assert count <= 100 * len(area_codes)
    return [[f"+1{area_codes[n // 100]}55501{n % 100:02d}"] for n in range(count)]


def ordinary(count: int, area_code: str = "210") -> list[list[str]]:
    """Return `count` contacts with one number each of an ordinary exchange, for tests that need thousands."""
    return [[f"+1{area_code}{300 + n // 10000:03d}{n % 10000:04d}"] for n in range(count)]


async def sizes(conn: Conn, *tables: str) -> list[int]:
    """Return how many rows each table has."""
    return [await conn.fetchval(" ".join(("select count(*) from", table))) for table in tables]


def gate(now: datetime = NOON, per_number_24h: int = 3, per_contact_total: int = 6) -> GateContext:
    """Return a gate context with the shipped rules at `now`."""
    rules, plan = load_shipped()
    limits = Limits(per_number_24h, per_contact_total, RETRY)
    return GateContext(now=now, rules=rules, plan=plan, limits=limits, lab=True)


@cache
def load_shipped() -> tuple[RuleBook, NumberPlan]:
    """Read the shipped rules once."""
    return load_rules(SHIPPED)


def request(world: World, limit: int = 10, now: datetime = NOON, **changes: Any) -> ReserveRequest:
    """Return a request for the campaign `spring` of Member `acme`."""
    base = ReserveRequest(
        campaign_id=world.campaigns["spring"],
        member_id=world.members["acme"],
        limit=limit,
        now=now,
        wall=WALL,
        node="main",
        trunk="carrier",
        caller_ids=("+12105550177",),
        epoch=1,
        context=gate(now),
    )
    return replace(base, **changes)


def end_of(reservation: Reservation, result: str = "no_answer", **changes: Any) -> AttemptEnd:
    """Return an end of this attempt, 20 s after it was reserved."""
    base = AttemptEnd(
        attempt_id=reservation.attempt_id,
        event_number=5,
        result=result,
        ended_at=WALL + timedelta(seconds=20),
        ended_by="carrier",
    )
    return replace(base, **changes)
