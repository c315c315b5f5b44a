"""Files of registries for a real Postgres: bring them in, and ask what is in force."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
from store_support import load_shipped

from dialer_engine.contacts.registry.load import LoadReport, LoadRequest, load
from dialer_engine.store.registry.facts import lists_naming
from dialer_engine.store.registry.lists import subscribe
from dialer_engine.store.registry.loads import recount

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SAN, OTHER = "10203040", "55667788"
Conn = asyncpg.Connection  # type: ignore[type-arg]
RULES, PLAN = load_shipped()


def text(npa: int, numbers: Iterable[int]) -> str:
    return "".join(f"{npa},{number:07d}\n" for number in numbers)


MANY = range(2_000_000, 9_000_000, 701)


def write(file: Path, content: str | bytes) -> None:
    file.write_bytes(content.encode() if isinstance(content, str) else content)


async def bring(
    conn: Conn, file: Path, content: str | bytes, name: str = "us_national", **changes: object
) -> LoadReport:
    """Load a file with this content as the account's download."""
    write(file, content)
    base: dict[str, object] = {
        "name": name,
        "files": (file,),
        "as_of": NOW - DAY,
        "now": NOW,
        "who": "tester",
        "account": SAN,
    }
    return await load(conn, LoadRequest(**(base | changes)), PLAN)  # type: ignore[arg-type]


async def own(conn: Conn, *codes: int, name: str = "us_national") -> None:
    await subscribe(conn, name, SAN, None, codes or None, NOW, "tester")


async def on_list(conn: Conn, npa: int, numbers: Iterable[int]) -> list[bool]:
    return [bool(await lists_naming(conn, f"+1{npa}{number:07d}")) for number in numbers]


async def in_force(conn: Conn, name: str = "us_national") -> tuple[int | None, int]:
    row = await conn.fetchrow("select id, load_id from registry_lists where name = $1", name)
    assert row is not None
    return row["load_id"], sum((await recount(conn, row["id"])).values())
