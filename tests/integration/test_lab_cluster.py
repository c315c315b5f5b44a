"""The cluster that labs copy: made once, migrated, each copy a server of its own; one of another kind is made anew."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dialer_engine.lab.cluster import KEY, READY, lay_cluster
from dialer_engine.settings.home import service_user
from dialer_engine.store import postmaster
from dialer_engine.store.embedded import EmbeddedPostgres
from dialer_engine.store.migrate import pending
from dialer_engine.store.pool import connect

pytestmark = pytest.mark.postgres


@pytest.fixture
def shared(open_directory: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A directory that labs share, in which no server runs at the end."""
    made = open_directory / request.node.name[:20]
    yield made
    EmbeddedPostgres(made / READY, service_user()).stop()


async def test_two_who_ask_at_once_get_copies_of_one_that_are_migrated_and_their_own(shared: Path) -> None:
    user, targets = service_user(), [shared / "one", shared / "two"]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda target: lay_cluster(shared, target, user), targets))
    one, two = (EmbeddedPostgres(target, user) for target in targets)
    try:
        for server in (one, two):
            conn = await connect(await asyncio.to_thread(server.start))
            try:
                assert await pending(conn) == []
                assert await conn.fetchval("select count(*) from members") == 0
                await conn.execute("insert into members (key, name) values ('mine', 'Mine')")
            finally:
                await conn.close()
            assert server.data.stat().st_mode & 0o777 == 0o700
            assert (server.directory / "password").stat().st_mode & 0o777 == 0o600
            assert {path.stat().st_uid for path in server.data.rglob("*")} == {user.uid}
    finally:
        one.stop()
        two.stop()
    assert postmaster.read(shared / READY / "data") is None


def test_it_is_made_once_and_anew_when_what_it_depends_on_has_changed(shared: Path) -> None:
    user = service_user()
    lay_cluster(shared, shared / "one", user)
    mark = shared / READY / "mark"
    mark.touch()
    lay_cluster(shared, shared / "two", user)
    assert mark.exists()
    (shared / KEY).write_text("other migrations")
    lay_cluster(shared, shared / "three", user)
    assert not mark.exists()


def test_one_that_was_not_finished_is_not_used(shared: Path) -> None:
    """Whoever made it was killed: its server runs on in a directory without a key."""
    user = service_user()
    EmbeddedPostgres(shared / READY, user).start()
    left = postmaster.read(shared / READY / "data")
    assert left is not None
    lay_cluster(shared, shared / "one", user)
    assert not Path(f"/proc/{left.pid}").exists()
