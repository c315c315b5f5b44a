"""Rules for all tests, and a real Postgres for those that ask for one.

Every test module says what it needs with a module-level `pytestmark`; a module without one stops the run, so
that nothing expensive slips into the quick tests. A test that hangs is named while it does.
"""

import asyncio
import os
import shutil
import tempfile
import threading
import uuid
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from types import ModuleType

import asyncpg
import pytest

from dialer_engine.settings.home import service_user
from dialer_engine.store.embedded import EmbeddedPostgres
from dialer_engine.store.migrate import migrate
from dialer_engine.store.pool import connect

CATEGORIES = frozenset({"unit", "postgres", "asterisk", "slow"})
TEMPLATE = "dialer_template"
TERMINAL = pytest.StashKey[int]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse test modules that do not say what they need."""
    modules = {item.module for item in items if isinstance(item, pytest.Function)}
    unmarked = sorted(str(m.__file__) for m in modules if not categories(m))
    if unmarked:
        wanted = ", ".join(sorted(CATEGORIES))
        raise pytest.UsageError(
            "these test modules lack a module-level pytestmark with one of "
            + wanted
            + ":\n"
            + "\n".join(unmarked)
        )


def pytest_configure(config: pytest.Config) -> None:
    """Keep the way to the terminal: what a test writes there is held back until its end."""
    config.stash[TERMINAL] = os.dup(2)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Name a test that takes too long, just before its stacks come: of one that awaits they show only the loop."""
    seconds = 0.99 * float(item.config.getini("faulthandler_timeout"))
    words = f"\n{item.nodeid} takes more than {seconds:.0f} s\n".encode()
    timer = threading.Timer(seconds, os.write, (item.config.stash[TERMINAL], words))
    timer.daemon = True
    if seconds:
        timer.start()
    try:
        return (yield)
    finally:
        timer.cancel()


def categories(module: ModuleType) -> frozenset[str]:
    """Return the categories a test module declares."""
    marks = getattr(module, "pytestmark", [])
    listed = marks if isinstance(marks, list) else [marks]
    return CATEGORIES & {mark.name for mark in listed}


@pytest.fixture(scope="session")
def open_directory() -> Iterator[Path]:
    """A directory that the service user can enter, unlike pytest's own; removed at the end."""
    directory = Path(tempfile.mkdtemp(prefix="dialer-test-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(open_directory: Path) -> Iterator[str]:
    """The URL of a server: DIALER_TEST_DATABASE_URL, else an embedded one of this run."""
    given = os.environ.get("DIALER_TEST_DATABASE_URL")
    if given:
        yield given
        return
    # Losing a test database in a power cut harms nobody.
    server = EmbeddedPostgres(open_directory / "pg", service_user(), settings={"fsync": "off"})
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def template(postgres: str) -> str:
    """A migrated database that every test gets a copy of."""
    asyncio.run(_make_template(postgres))
    return postgres


@pytest.fixture
async def empty_pg_url(postgres: str) -> AsyncIterator[str]:
    """The URL of a database without any table."""
    async for url in _database(postgres, "template0"):
        yield url


@pytest.fixture
async def pg_url(template: str) -> AsyncIterator[str]:
    """The URL of a fresh, migrated database of this test."""
    async for url in _database(template, TEMPLATE):
        yield url


@pytest.fixture
async def conn(pg_url: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    """A connection to a fresh, migrated database."""
    connection = await connect(pg_url)
    yield connection
    await connection.close()


def with_database(url: str, name: str) -> str:
    """The same server's URL for another database."""
    base, mark, query = url.partition("?")
    return base.rpartition("/")[0] + "/" + name + mark + query


async def _make_template(url: str) -> None:
    server = await connect(url, batch=True)
    await server.execute(f"drop database if exists {TEMPLATE} with (force)")
    await server.execute(f"create database {TEMPLATE}")
    fresh = await connect(with_database(url, TEMPLATE))
    await migrate(fresh)
    await fresh.close()
    await server.close()


async def _database(url: str, template: str) -> AsyncIterator[str]:
    name = f"t_{uuid.uuid4().hex[:12]}"
    server = await connect(url, batch=True)
    await server.execute(f"create database {name} template {template}")
    yield with_database(url, name)
    await server.execute(f"drop database {name} with (force)")
    await server.close()
