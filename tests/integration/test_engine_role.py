"""The engine's role: it can do all its work, and no statement through its pool can alter what is on record."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg
import pytest
from store_support import NOON, Conn, end_of, fictional, make_world, put_contacts, request

from dialer_engine.store import suppress
from dialer_engine.store.attempts import write
from dialer_engine.store.errors import StoreError
from dialer_engine.store.migrate import migrate, migrations
from dialer_engine.store.pool import ENGINE_ROLE, Pool, connect, open_pool
from dialer_engine.store.reserve import reserve
from dialer_engine.store.sql import query_names, sql

pytestmark = pytest.mark.postgres

PASSWORD = "engine-of-this-test"
RECORDS = (
    *("attempt_events", "cdrs", "dispositions", "suppression_log", "opt_outs", "consents", "audit"),
    *("consent_revocations", "rule_sets", "registry_loads", "evidence_packs", "prompts", "agent_states"),
    *("pacing_minutes", "record_fields"),
)
OWNERS = re.compile(
    r"^(agent_add|agent_password|agent_remove|bench_.*|chaos_.*|consents_add|engine_login|evidence_.*|import_.*|member_open"
    r"|member_hand_over|member_role|migration_.*|registry_(?!check|hits|reassigned_of|states).*|requeue_reassigned|retention_.*|stop_add|stop_end|undo_.*)$"
)
"""Queries of the operator's commands, which work as the owner; and some that are no plain statement."""


@pytest.fixture
async def pool(pg_url: str, conn: Conn) -> AsyncIterator[Pool]:
    """The engine's pool by its own login, as with the embedded server."""
    await conn.execute(sql("engine_login"), PASSWORD)
    made = await open_pool(as_login(pg_url, ENGINE_ROLE, PASSWORD), 2, ENGINE_ROLE)
    yield made
    made.terminate()


def as_login(url: str, user: str, password: str, database: str | None = None) -> str:
    """The same server by another login, and perhaps another database."""
    parts = urlsplit(url)
    server = parts.netloc.rpartition("@")[2]
    path = f"/{database}" if database else parts.path
    return parts._replace(netloc=f"{user}:{password}@{server}", path=path).geturl()


_PLANS = """
create function plan_of(statement text) returns text language plpgsql as $$
declare
    line record;
    whole text := '';
begin
    for line in execute 'explain (generic_plan, costs off) ' || statement loop
        whole := whole || line."QUERY PLAN" || chr(10);
    end loop;
    return whole;
end
$$
"""


async def test_every_statement_is_allowed_and_planned_as_without_row_security(conn: Conn) -> None:
    """The server checks rights when it plans for running; row security does not bind its superuser."""
    if conn.get_server_version().major < 16:
        pytest.skip("EXPLAIN (GENERIC_PLAN) came with PostgreSQL 16")
    if not await conn.fetchval("select rolsuper from pg_roles where rolname = current_user"):
        pytest.skip("the tests' login is no superuser")
    await conn.execute(_PLANS)
    asked = [name for name in query_names() if not OWNERS.match(name)]
    before = {name: await _plan(conn, sql(name)) for name in asked}
    await conn.execute("set role dialer_engine")
    after = {name: await _plan(conn, sql(name)) for name in asked}
    refused = [name for name in asked if after[name] == "refused"]
    assert refused == [], "grant what these need in a migration, or name them in OWNERS"
    assert [name for name in asked if before[name] != after[name]] == []
    assert sum(bool(plan) for plan in after.values()) > 100


async def _plan(conn: Conn, statement: str) -> str:
    words = "\n".join(line for line in statement.splitlines() if not line.startswith("--"))
    if words.startswith(("show", "lock", "set")):
        return ""
    try:
        return str(await conn.fetchval("select plan_of($1)", words))
    except asyncpg.InsufficientPrivilegeError:
        return "refused"


async def test_records_cannot_be_altered(pool: Pool) -> None:
    for table in RECORDS:
        async with pool.acquire() as session:
            column = await session.fetchval(
                "select attname from pg_attribute where attrelid = $1::text::regclass"
                " and attnum > 0 and attidentity = '' limit 1",
                table,
            )
            for words in (
                "update {} set {} = default",
                "delete from {}",
                "truncate {} cascade",
                "drop table {}",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await session.execute(words.format(table, column))


ATTACKS = (
    "update attempts set rule_versions = 'better'",
    "update attempts set number = '+12105550100'",
    "delete from attempts",
    "delete from members",
    "delete from contacts",
    "update contacts set first_name = 'X'",
    "alter table cdrs disable trigger all",
    "alter table cdrs no force row level security",
    "drop trigger cdrs_are_final on cdrs",
    "create or replace function refuse_change() returns trigger language plpgsql as 'begin return new; end'",
    "create table mine (a int)",
    "create schema mine",
    "create role mine superuser",
    "alter role dialer superuser",
    "set session_replication_role = replica",
    "set role dialer",
    "set session authorization dialer",
    "copy cdrs to program 'cat'",
    "update migrations set checksum = ''",
    "insert into migrations values (9, '', '')",
    "select engine_login('mine')",
    "select fence('cdrs', 'true')",
    "select secret from member_seal",
    "alter system set fsync = off",
    "update suppressions set number = '+12105550101'",
    "insert into suppressions (number, member_id, source, since) values ('+12105550100', null, 'x', now())"
    " on conflict (number, coalesce(member_id, 0), source) do update set number = '+12105550101'",
    "delete from suppressions",
    "create temp table suppression_log (like suppression_log);"
    " insert into pg_temp.suppression_log (id, action, number, source, at, who, token)"
    " select 1, 'remove', number, source, now(), 'x', gen_random_uuid() from suppressions;"
    " delete from suppressions",
    "alter table suppressions disable trigger all",
    "truncate suppressions",
)


async def test_the_engines_login_cannot_get_round_it(pool: Pool, conn: Conn) -> None:
    await suppress.add(conn, "+12105550100", None, "request", NOON, who="test")
    for attack in ATTACKS:
        async with pool.acquire() as session:
            await session.execute("reset role")
            await session.execute("reset session authorization")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await session.execute(attack)


async def test_a_do_not_call_entry_leaves_only_with_its_line_in_the_log(pool: Pool, conn: Conn) -> None:
    async def entries() -> list[tuple[str, str]]:
        rows = await conn.fetch("select number, source from suppressions order by number, source")
        return [(row["number"], row["source"]) for row in rows]

    numbers = [row[0] for row in fictional(3)]
    for number in numbers:
        await suppress.add(conn, number, None, "request", NOON, who="test")
    assert await suppress.remove(conn, numbers[0], None, NOON, who="test")
    await suppress.add(conn, numbers[0], None, "request", NOON, who="test")
    async with pool.acquire() as session:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="dialer dnc remove"):
            await session.execute("delete from suppressions where number = $1", numbers[0])
        assert await entries() == [(number, "request") for number in sorted(numbers)]
        async with session.transaction(), session.transaction():
            assert await suppress.remove(session, numbers[1], None, NOON, who="test")
    assert await entries() == [(number, "request") for number in sorted((numbers[0], numbers[2]))]
    assert [line.action for line in await suppress.history(conn, numbers[1])] == ["remove", "add"]
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await conn.execute("update suppressions set number = $1", numbers[1])


async def test_the_engines_login_is_nothing_more(pool: Pool) -> None:
    async with pool.acquire() as session:
        found = await session.fetchrow(
            "select rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls from pg_roles"
            " where rolname = session_user"
        )
        assert found is not None
        assert not any(found)
        above = await session.fetch(
            "select rolname from pg_roles where rolname <> session_user and"
            " pg_has_role(session_user, oid, 'member')"
        )
    assert [row["rolname"] for row in above] == ["dialer_member"]


async def test_the_way_of_a_call(pool: Pool, conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(5))
    async with pool.acquire() as session:
        result = await reserve(session, request(world))
        assert len(result.reserved) == 5
        await write(session, [], [end_of(one) for one in result.reserved], 1)
        assert await session.fetchval("select count(*) from cdrs") == 5


@dataclass(frozen=True)
class Owned:
    url: str
    conn: Conn


@pytest.fixture
async def owned(postgres: str, template: str) -> AsyncIterator[Owned]:
    """An empty database whose owner is nothing but its owner, as on a server of one's own; may make no roles."""
    admin = await connect(postgres, batch=True)
    await admin.execute("drop database if exists t_owned with (force)")
    await admin.execute("drop role if exists t_owner")
    await admin.execute("create role t_owner login password 'owner'")
    await admin.execute("create database t_owned owner t_owner template template0")
    url = as_login(postgres, "t_owner", "owner", "t_owned")
    conn = await connect(url, batch=True)
    yield Owned(url, conn)
    await conn.close()
    await admin.execute("drop database t_owned with (force)")
    await admin.execute("revoke dialer_engine from t_owner")
    await admin.execute("drop role t_owner")
    await admin.close()


async def test_an_owner_without_the_roles_is_told_what_to_run(owned: Owned, postgres: str) -> None:
    with pytest.raises(
        StoreError, match="an administrator of the server must run once: CREATE ROLE"
    ) as raised:
        await migrate(owned.conn)
    remedy = "GRANT dialer_engine TO t_owner;"
    assert remedy in str(raised.value)
    admin = await connect(postgres)
    await admin.execute(remedy)
    await admin.close()
    assert (await migrate(owned.conn))[0].startswith("0014"), "only the refused one and later ones were left"


async def test_an_ordinary_owner_upgrades_and_serves_all_members(owned: Owned, postgres: str) -> None:
    """Row security binds the owner too; rows from before the upgrade stay visible to owner and engine."""
    admin = await connect(postgres)
    await admin.execute("alter role t_owner createrole")
    await admin.execute("grant dialer_engine to t_owner")
    await admin.close()
    await migrate(owned.conn, migrations()[:13])
    world = await make_world(owned.conn)
    await put_contacts(owned.conn, world.members["acme"], "june", fictional(3))
    await migrate(owned.conn)
    await put_contacts(owned.conn, world.members["acme"], "june", fictional(5)[3:])
    made = await open_pool(owned.url, 1, ENGINE_ROLE)
    try:
        async with made.acquire() as session:
            assert await session.fetchval("select current_user::text") == ENGINE_ROLE
            result = await reserve(session, request(world, limit=2))
            await write(session, [], [end_of(one) for one in result.reserved], 1)
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await session.execute("delete from cdrs")
    finally:
        made.terminate()
    for table, rows in (("contacts", 5), ("cdrs", 2), ("cdr_export", 2), ("members", 1)):
        assert await owned.conn.fetchval(" ".join(("select count(*) from", table))) == rows
    assert await owned.conn.execute("delete from contacts where first_name is null and id > 3") == "DELETE 2"


async def test_a_login_that_is_no_member_is_told_what_to_run(
    postgres: str, template: str, owned: Owned
) -> None:
    with pytest.raises(StoreError, match="GRANT dialer_engine TO the user") as raised:
        await open_pool(owned.url, 1, ENGINE_ROLE)
    assert "owner@" not in str(raised.value)
