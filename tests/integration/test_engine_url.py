"""A Postgres server of one's own, made as the operations page says: the engine dials by a login that is no owner."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from engine_support import HUMAN, PROGRESSIVE, begin, lab, rows, table, until, until_state

from dialer_engine.lab.engine_process import PROGRAM
from dialer_engine.lab.world import World
from dialer_engine.settings.home import service_user
from dialer_engine.store.embedded import EmbeddedPostgres
from dialer_engine.store.pool import connect

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
OWNER, LOGIN, PASSWORD = "shop", "dialer_app", "of-this-test"
"""The embedded server's master is called dialer already, so the owner here is not."""
WARNING = "this machine only puts down the owner's rights, set database.engine_url"


def documented() -> list[str]:
    """The statements of the operations page for an administrator, with this test's names."""
    page = PAGE.read_text(encoding="utf-8").partition("### Moving to a Postgres server")[2]
    found = re.findall(r"^ {7}((?:CREATE|GRANT) .*);$", page, re.MULTILINE)
    assert len(found) == 7, "the page has changed: look whether this test still does what it says"
    return [re.sub(r"\bdialer\b", OWNER, each).replace("'...'", f"'{PASSWORD}'") for each in found]


@pytest.fixture
async def server(open_directory: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A server of this test alone: roles belong to whole servers."""
    made = EmbeddedPostgres(open_directory / "own", service_user(), settings={"fsync": "off"})
    admin = await connect(await asyncio.to_thread(made.start), batch=True)
    try:
        for statement in documented():
            await admin.execute(statement)
        await admin.close()
        yield made
    finally:
        await asyncio.to_thread(made.stop)


def urls(server: EmbeddedPostgres) -> dict[str, str]:
    """Both settings of the database."""
    options = server.url().partition("?")[2]
    return {
        name: f"postgresql://{user}:{PASSWORD}@/{OWNER}?{options}"
        for name, user in (("url", OWNER), ("engine_url", LOGIN))
    }


async def doctors_word(made: World, config: Path) -> str:
    """What `dialer doctor` says of the database."""
    process = await asyncio.create_subprocess_exec(
        *(*PROGRAM, "doctor", "--config", str(config)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=dict(made.engine.variables) | {"COLUMNS": "300"},
    )
    said = (await process.communicate())[0].decode()
    return next(line for line in said.splitlines() if "PostgreSQL" in line)


def without_engine_url(made: World) -> Path:
    """The same configuration for an engine that only has the owner's login."""
    other = made.home / "config-of-owner"
    (other / "campaigns").mkdir(parents=True)
    for file in made.config.rglob("*.yaml"):
        lines = [line for line in file.read_text().splitlines() if "engine_url:" not in line]
        (other / file.relative_to(made.config)).write_text("\n".join(lines) + "\n")
    return other


async def cannot_change_records(url: str) -> None:
    """Whoever has the engine's login reads records, and no more."""
    conn = await connect(url)
    try:
        await conn.execute("set role dialer_engine")
        assert await conn.fetchval("select count(*) from cdrs") == 1
        for attack in (
            "update cdrs set result = 'busy'",
            "delete from attempt_events",
            "alter table cdrs disable trigger all",
            "create table mine (a int)",
            f"set role {OWNER}",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute(attack)
    finally:
        await conn.close()


async def test_the_engine_dials_by_a_login_that_owns_nothing(server: EmbeddedPostgres) -> None:
    given = urls(server)
    async with lab(PROGRESSIVE, table(HUMAN), 2, server=given) as made:
        await begin(made)
        await until_state(made, "in_call")
        logins = await rows(
            made,
            "select distinct usename::text as name from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid() and usename is not null",
        )
        assert [row["name"] for row in logins] == [LOGIN], "the owner's login stays open"
        await made.engine.run("agent", "logout", "agent001", "--config", str(made.config))

        async def recorded() -> bool:
            return [row["result"] for row in await rows(made, "select result from cdrs")] == ["bridged"]

        await until(recorded, "the call has its record")
        await cannot_change_records(given["engine_url"])
        assert WARNING not in await doctors_word(made, made.config)
        assert WARNING in await doctors_word(made, without_engine_url(made))
