"""The migration runner, and what the queries and constraints rest on."""

import asyncio
import re
from dataclasses import replace

import asyncpg
import pytest
from store_support import Conn

from dialer_engine.store.errors import StoreError
from dialer_engine.store.migrate import Migration, migrate, migrations, pending
from dialer_engine.store.pool import connect
from dialer_engine.store.sql import query_names, sql

pytestmark = pytest.mark.postgres


async def test_applies_all_once(empty_pg_url: str) -> None:
    conn = await connect(empty_pg_url)
    names = [m.name for m in migrations()]
    assert await pending(conn) == names
    assert await migrate(conn) == names
    assert await migrate(conn) == []
    assert await pending(conn) == []
    await conn.close()


async def test_two_at_once_apply_each_file_once(empty_pg_url: str) -> None:
    conns = [await connect(empty_pg_url) for _ in range(3)]
    applied = await asyncio.gather(*(migrate(conn) for conn in conns))
    assert sorted(len(one) for one in applied) == [0, 0, len(migrations())]
    for conn in conns:
        await conn.close()


async def test_an_edited_file_is_refused(conn: Conn) -> None:
    known = migrations()
    known[1] = replace(known[1], text=known[1].text + "-- a change\n")
    with pytest.raises(StoreError, match="0002_campaigns_and_queue was edited"):
        await migrate(conn, known)


async def test_a_newer_database_is_refused(conn: Conn) -> None:
    with pytest.raises(StoreError, match="newer than this program"):
        await migrate(conn, migrations()[:-1])


async def test_a_failing_file_leaves_nothing_of_itself(conn: Conn) -> None:
    bad = Migration(len(migrations()) + 1, "0099_bad", "create table half (a int); select 1 / 0;")
    with pytest.raises(StoreError, match="0099_bad failed and was rolled back"):
        await migrate(conn, [*migrations(), bad])
    assert await conn.fetchval("select to_regclass('half')") is None
    assert await migrate(conn) == []


async def test_every_query_is_valid(conn: Conn) -> None:
    """Postgres parses and plans each named query against the schema."""
    makes = re.compile(r"^create (temp |temporary |unlogged )?(table|function)", re.IGNORECASE | re.MULTILINE)
    await conn.execute("begin")
    made = [name for name in query_names() if makes.search(sql(name))]
    for name in made:
        await conn.execute(sql(name))
    for name in query_names():
        several = ";" in sql(name).rstrip().rstrip(";")
        if name not in made and not several:
            await conn.prepare(sql(name))
    await conn.execute("rollback")


@pytest.mark.parametrize(
    "number", ["2105550100", "+12105550", "+11105550100", "+442079460000", "+1210555010a"]
)
async def test_only_numbers_of_the_plan_can_be_stored(conn: Conn, number: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await conn.execute("insert into suppressions (number, source, since) values ($1, 'x', now())", number)
