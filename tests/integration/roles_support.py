"""One row of each of two Members in every table that belongs to Members, made from the catalogue alone."""

from dataclasses import dataclass

from store_support import Conn

A, B = 1, 2
"""Two Members: every number of a row is its Member's id, so rows of one Member belong together."""

_FENCED = """
select c.oid::regclass::text as name,
       exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'member_id') as named
from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
  and (c.relrowsecurity or exists (
      select from pg_attribute a where a.attrelid = c.oid and a.attname = 'member_id' and not a.attisdropped))
order by 1
"""
_COLUMNS = """
select a.attname as name, format_type(a.atttypid, null) as type
from pg_attribute a
where a.attrelid = $1::text::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
  and (a.attnotnull or a.attname like '%\\_id')
order by a.attnum
"""
_CHECKS = """
select format('alter table %s drop constraint %I', conrelid::regclass, conname)
from pg_constraint where contype = 'c' and conrelid <> 0 and coninhcount = 0 and connamespace = 'public'::regnamespace
"""


@dataclass(frozen=True)
class Fenced:
    """A table with rows of Members, and the statement that adds a row of the Member $1."""

    name: str
    insert: str


async def fenced_tables(conn: Conn) -> list[Fenced]:
    """Every table with a column member_id or with row security, as the catalogue says."""
    return [Fenced(row["name"], await _insert(conn, row["name"])) for row in await conn.fetch(_FENCED)]


async def fill(conn: Conn) -> list[Fenced]:
    """Put one row of A and of B into each of them; checks and triggers of this database are off from now on."""
    found = await fenced_tables(conn)
    for statement in await conn.fetch(_CHECKS):
        await conn.execute(statement[0])
    await conn.execute("set session_replication_role = replica")
    for table in found:
        await conn.execute("".join(("alter table ", table.name, " disable trigger all")))
        for member in (A, B):
            await conn.execute(table.insert.replace("$1", str(member)))
        # What is fenced is the row, not the right to try.
        await conn.execute("".join(("grant all on ", table.name, " to dialer_member")))
    await conn.execute("set session_replication_role = origin")
    return found


async def _insert(conn: Conn, table: str) -> str:
    columns = await conn.fetch(_COLUMNS, table)
    names = ", ".join(row["name"] for row in columns)
    values = ", ".join(_value(row["type"]) for row in columns)
    return f"insert into {table} ({names}) overriding system value values ({values})"  # noqa: S608


def _value(kind: str) -> str:
    if kind.endswith("[]"):
        return f"'{{}}'::{kind}"
    match kind:
        case "uuid":
            return "lpad('$1', 32, '0')::uuid"
        case "timestamp with time zone" | "date":
            return f"'2026-06-10'::{kind}"
        case "jsonb":
            return "'{}'::jsonb"
        case "boolean":
            return "false"
        case "bytea":
            return "''::bytea"
    return f"'$1'::{kind}"
