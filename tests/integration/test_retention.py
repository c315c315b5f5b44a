"""Retention deletes what is old, and cannot delete what the law wants kept."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from store_support import NOON, WALL, Conn, end_of, fictional, make_world, put_contacts, request

from dialer_engine.store import suppress
from dialer_engine.store.attempts import AttemptEvent, Disposed, dispose, write
from dialer_engine.store.directory import audit
from dialer_engine.store.errors import StoreError
from dialer_engine.store.ledger import load_ledger
from dialer_engine.store.reserve import reserve
from dialer_engine.store.retention import Policy, due, months_before, run, years_before

pytestmark = pytest.mark.postgres

NOW = datetime.now(UTC)
OLD = years_before(NOW, 5) - timedelta(days=10)
YOUNG = years_before(NOW, 5) + timedelta(days=10)


async def calls(conn: Conn, at: datetime, world: object, count: int) -> list[str]:
    """Reserve and end calls at a moment of the wall clock."""
    result = await reserve(conn, request(world, count, wall=at))  # type: ignore[arg-type]
    ids = [r.attempt_id for r in result.reserved]
    await write(conn, [AttemptEvent(i, 1, "dialing", at) for i in ids], [], 1)
    await write(conn, [], [end_of(r, "busy", ended_at=at, final=True) for r in result.reserved], 1)
    for i in ids:
        await dispose(conn, [Disposed(i, "none", "none", "default", at, NOON, final=True)])
    return ids


async def count(conn: Conn, table: str) -> int:
    statements = {
        "cdrs": "select count(*) from cdrs",
        "attempt_events": "select count(*) from attempt_events",
        "suppressions": "select count(*) from suppressions",
        "suppression_log": "select count(*) from suppression_log",
        "contacts": "select count(*) from contacts",
        "contact_numbers": "select count(*) from contact_numbers",
    }
    found: int = await conn.fetchval(statements[table])
    return found


async def test_only_records_older_than_five_years_leave(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(10))
    old = await calls(conn, OLD, world, 4)
    young = await calls(conn, YOUNG, world, 3)
    await suppress.add(conn, "+12105550199", None, "request", OLD, who="ann")
    await audit(conn, OLD, "ann", "x", "y", {})
    assert await due(conn, Policy(), NOW) == {
        "records": 4,
        "audit": 1,
        "pacing": 0,
        "previews": 0,
        "writers": 0,
    }
    assert await count(conn, "cdrs") == 7, "asking changes nothing"
    assert await run(conn, Policy(), NOW, who="ann") == {
        "records": 4,
        "audit": 1,
        "pacing": 0,
        "previews": 0,
        "writers": 0,
    }
    for statement in (
        "select id from attempts",
        "select attempt_id from cdrs",
        "select attempt_id from dispositions",
    ):
        left = {str(row[0]) for row in await conn.fetch(statement)}
        assert left == set(young), statement
        assert not left & set(old)
    assert await count(conn, "attempt_events") == 6
    assert await count(conn, "suppressions") == await count(conn, "suppression_log") == 1
    assert (
        await conn.fetchval("select detail::text from audit")
        == '{"audit": "1", "pacing": "0", "records": "4", "writers": "0", "previews": "0"}'
    )
    assert await run(conn, Policy(), NOW, who="ann") == {
        "records": 0,
        "audit": 0,
        "pacing": 0,
        "previews": 0,
        "writers": 0,
    }


async def test_the_ledgers_periods_do_not_move_when_old_records_leave(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(10))
    await calls(conn, OLD, world, 2)
    await calls(conn, YOUNG, world, 2)
    await run(conn, Policy(), NOW, who="ann")
    ledger = await load_ledger(conn, world.campaigns["spring"], lambda npa: "US", None)
    assert ledger.first_days["US"] == OLD.date()


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("cdrs", "delete from cdrs"),
        ("attempt_events", "delete from attempt_events"),
        ("dispositions", "delete from dispositions"),
        ("attempts", "delete from attempts"),
        ("audit", "delete from audit"),
    ],
)
async def test_the_tables_themselves_refuse_to_lose_young_rows(
    conn: Conn, table: str, statement: str
) -> None:
    """Not even the owner of the tables can delete them by mistake."""
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(2))
    await calls(conn, YOUNG, world, 2)
    await audit(conn, YOUNG, "ann", "x", "y", {})
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="five years"):
        await conn.execute(statement)
    if table != "attempts":
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await conn.execute(f"truncate {table} cascade")


@pytest.mark.parametrize("table", ["suppression_log", "opt_outs", "consents", "registry_loads"])
async def test_what_is_kept_for_good_cannot_be_deleted_at_all(conn: Conn, table: str) -> None:
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await conn.execute(f"truncate {table} cascade")


def test_no_policy_goes_below_the_floor() -> None:
    with pytest.raises(StoreError, match="at least 5 years"):
        Policy(record_years=4)
    with pytest.raises(StoreError, match="at least a month"):
        Policy(lead_months=0)


async def test_contacts_never_called_leave_when_asked_for(conn: Conn) -> None:
    world = await make_world(conn)
    member = world.members["acme"]
    await put_contacts(conn, member, "june", fictional(6))
    await conn.execute("update imports set imported_at = $1", NOW - timedelta(days=800))
    await calls(conn, WALL, world, 2)
    await put_contacts(conn, member, "june", [["+17135550100"]])
    assert (await due(conn, Policy(lead_months=24), NOW))["leads"] == 4
    assert "leads" not in await due(conn, Policy(), NOW)
    assert (await run(conn, Policy(lead_months=24), NOW, who="ann"))["leads"] == 4
    assert await count(conn, "contacts") == 3, "two were called, one is new"
    assert await count(conn, "contact_numbers") == 3


@pytest.mark.parametrize(
    ("moment", "months", "expected"),
    [
        ((2026, 3, 31), 1, (2026, 2, 28)),
        ((2024, 2, 29), 12, (2023, 2, 28)),
        ((2024, 2, 29), 48, (2020, 2, 29)),
        ((2026, 1, 15), 1, (2025, 12, 15)),
        ((2026, 12, 1), 60, (2021, 12, 1)),
    ],
)
def test_months_before(moment: tuple[int, int, int], months: int, expected: tuple[int, int, int]) -> None:
    assert months_before(datetime(*moment, tzinfo=UTC), months) == datetime(*expected, tzinfo=UTC)
