"""Row security: a Member's session sees and writes its own rows only, in every table there is."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg
import pytest
from roles_support import A, B, Fenced, fill
from store_support import Conn

from dialer_engine.store.errors import StoreError
from dialer_engine.store.member_session import member_session
from dialer_engine.store.pool import ENGINE_ROLE, Pool, connect, open_pool

pytestmark = pytest.mark.postgres


@dataclass(frozen=True)
class Filled:
    """A database with a row of two Members in every table; tests leave it as they found it."""

    url: str
    tables: list[Fenced]


@pytest.fixture(scope="module")
def filled(template: str) -> Iterator[Filled]:
    name = f"t_{uuid.uuid4().hex[:12]}"
    url = urlsplit(template)._replace(path=f"/{name}").geturl()

    async def on_server(statement: str) -> None:
        server = await connect(template, batch=True)
        await server.execute(statement)
        await server.close()

    async def make() -> list[Fenced]:
        await on_server(f"create database {name} template dialer_template")
        conn = await connect(url)
        found = await fill(conn)
        await conn.close()
        return found

    yield Filled(url, asyncio.run(make()))
    asyncio.run(on_server(f"drop database {name} with (force)"))


@pytest.fixture
def tables(filled: Filled) -> list[Fenced]:
    return filled.tables


@pytest.fixture
async def owner(filled: Filled) -> AsyncIterator[Conn]:
    made = await connect(filled.url)
    yield made
    await made.close()


@pytest.fixture
async def pool(filled: Filled) -> AsyncIterator[Pool]:
    made = await open_pool(filled.url, 1, ENGINE_ROLE)
    yield made
    made.terminate()


def _sql(*words: str) -> str:
    return " ".join(words)


async def test_every_table_of_members_is_fenced(owner: Conn, tables: list[Fenced]) -> None:
    """A new table with member_id and without `select fence(...)` in its migration ends here."""
    assert len(tables) > 20
    for table in tables:
        forced = await owner.fetchrow(
            "select relrowsecurity, relforcerowsecurity from pg_class where oid = $1::text::regclass",
            table.name,
        )
        assert forced is not None
        assert tuple(forced) == (True, True), f"{table.name} is not fenced: its migration must call fence()"
        policies = await owner.fetch(
            "select policyname, roles::text[] as roles from pg_policies where tablename = $1 order by 1",
            table.name,
        )
        by = await owner.fetchval("select current_user::text")
        assert {row["policyname"]: row["roles"] for row in policies} == {
            "engine_serves_all": ["dialer_engine"],
            "member_own_rows": ["dialer_member"],
            "owner_serves_all": [by],
        }, table.name


async def test_a_member_sees_its_own_rows_only(pool: Pool, tables: list[Fenced]) -> None:
    for table in tables:
        async with pool.acquire() as conn:
            assert await conn.fetchval(_sql("select count(*) from", table.name)) == 2, "the engine sees both"
        async with member_session(pool, A) as conn:
            rows = await conn.fetch(_sql("select t::text from", table.name, "t"))
        assert len(rows) == 1, f"{table.name}: a Member sees {len(rows)} rows"
        key = "id" if table.name == "members" else "member_id"
        async with member_session(pool, A) as conn:
            row = await conn.fetchrow(_sql("select * from", table.name))
        assert row is not None
        assert row.get(key, A) == A, table.name


async def test_a_member_changes_and_removes_no_row_of_another(
    pool: Pool, owner: Conn, tables: list[Fenced]
) -> None:
    for table in tables:
        column = await owner.fetchval(
            "select attname from pg_attribute where attrelid = $1::text::regclass and attnum > 0"
            " and not attisdropped and attidentity = '' and attgenerated = '' order by attnum limit 1",
            table.name,
        )
        set_itself = _sql("update", table.name, "set", column, "=", column)
        async with member_session(pool, A) as session:
            assert await session.execute(set_itself) == "UPDATE 1", table.name
            assert await session.execute(_sql("delete from", table.name)) == "DELETE 1", table.name
        assert await owner.fetchval(_sql("select count(*) from", table.name)) == 1, table.name
        await owner.execute(table.insert.replace("$1", str(A)))


async def test_a_member_adds_no_row_for_another(pool: Pool, tables: list[Fenced]) -> None:
    for table in tables:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            async with member_session(pool, A) as session:
                await session.execute(table.insert.replace("$1", str(B)))


async def test_nothing_of_ones_own_hangs_on_what_is_anothers(pool: Pool) -> None:
    """Foreign keys do not ask whose row it is: A's contact on B's list would be called by B's campaign."""
    for statement in (
        "update contacts set list_id = 2",
        "update contacts set import_id = 2",
        "update contact_numbers set contact_id = 2",
        "update imports set list_id = 2",
        "update queue set contact_id = 2",
        "update campaign_lists set list_id = 2",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            async with member_session(pool, A) as session:
                await session.execute(statement)


async def test_without_a_member_nothing_is_seen(pool: Pool, tables: list[Fenced]) -> None:
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("set local role dialer_member")
        for table in tables:
            assert await conn.fetchval(_sql("select count(*) from", table.name)) == 0, table.name


async def test_a_session_cannot_name_another_member(pool: Pool) -> None:
    async with member_session(pool, B) as session:
        foreign = await session.fetchval("select current_setting('dialer.member')")
        assert await session.fetchval("select id from members") == B
    for forged in ("2", "2:", foreign, foreign.replace("2:", "1:", 1), "x:y", ""):
        async with member_session(pool, A) as session:
            own = await session.fetchval("select current_setting('dialer.member')")
            await session.execute("select set_config('dialer.member', $1, true)", forged)
            assert await session.fetch("select id from members") == [], forged
            await session.execute("select set_config('dialer.member', $1, true)", "2" + own[1:])
            assert await session.fetch("select id from members") == []
    for forbidden in (
        "select open_member(2)",
        "select member_sealed('2')",
        "select secret from member_seal",
        "select count(*) from cdr_export",
        "select count(*) from audit",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with member_session(pool, A) as session:
                await session.fetchval(forbidden)


async def test_a_table_of_ones_own_does_not_stand_in_for_the_seal(pool: Pool) -> None:
    async with member_session(pool, A) as session:
        await session.execute("create temp table member_seal (secret text) on commit drop")
        await session.execute("insert into member_seal values ('mine')")
        await session.execute("set local search_path = pg_temp, public")
        assert await session.fetchval("select public.dialer_member()") == A


async def test_the_connection_goes_back_as_the_engines(pool: Pool) -> None:
    for member in (A, B):
        async with member_session(pool, member) as session:
            assert await session.fetchval("select id from members") == member
        async with pool.acquire() as conn:
            assert await conn.fetchval("select current_user::text") == ENGINE_ROLE
            assert not await conn.fetchval("select current_setting('dialer.member', true)")
            assert await conn.fetchval("select count(*) from members") == 2
    with pytest.raises(ZeroDivisionError):
        async with member_session(pool, A):
            raise ZeroDivisionError
    async with pool.acquire() as conn:
        assert await conn.fetchval("select current_user::text") == ENGINE_ROLE


async def test_an_unknown_member_has_no_session(pool: Pool) -> None:
    with pytest.raises(StoreError, match="no Member with the id 77"):
        async with member_session(pool, 77):
            pass


async def test_members_read_no_passwords_and_no_views(conn: Conn) -> None:
    """Asked of a database as it is migrated: views run with the owner's rights and would show all Members."""
    await conn.execute("create view later_view as select * from cdrs")
    readable = await conn.fetch(
        "select c.relname from pg_class c where c.relnamespace = 'public'::regnamespace"
        " and c.relkind in ('v', 'm') and has_any_column_privilege('dialer_member', c.oid, 'select')"
    )
    assert readable == []
