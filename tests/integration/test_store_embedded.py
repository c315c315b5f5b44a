"""The embedded server: start, adopt, survive, stop; and connections that fail with a clear word."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dialer_engine.settings.home import service_user
from dialer_engine.store import postmaster
from dialer_engine.store.embedded import EmbeddedPostgres
from dialer_engine.store.errors import StoreError
from dialer_engine.store.pool import connect, open_pool, place

pytestmark = pytest.mark.postgres


@pytest.fixture
def server(open_directory: Path, request: pytest.FixtureRequest) -> Iterator[EmbeddedPostgres]:
    made = EmbeddedPostgres(open_directory / request.node.name[:20], service_user())
    yield made
    made.stop()


async def one(url: str) -> int:
    conn = await connect(url)
    found: int = await conn.fetchval("select 1")
    await conn.close()
    return found


async def test_starts_is_adopted_and_stops(server: EmbeddedPostgres) -> None:
    url = server.start()
    running = postmaster.read(server.data)
    assert running is not None
    assert await one(url) == 1
    assert server.start() == url
    again = postmaster.read(server.data)
    assert again == running, "the same process"
    server.stop()
    assert not server.running()
    with pytest.raises(StoreError, match="not running"):
        server.url()
    assert await one(server.start()) == 1


async def test_outlives_the_program_that_started_it(server: EmbeddedPostgres) -> None:
    program = (
        "import os, pathlib, signal, sys\n"
        "from dialer_engine.settings.home import service_user\n"
        "from dialer_engine.store.embedded import EmbeddedPostgres\n"
        "EmbeddedPostgres(pathlib.Path(sys.argv[1]), service_user()).start()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", program, str(server.directory)]
    done = await asyncio.to_thread(
        subprocess.run, command, check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
    assert done.returncode == -signal.SIGKILL
    assert await one(server.url()) == 1


async def test_starts_again_after_it_was_killed(server: EmbeddedPostgres) -> None:
    server.start()
    running = postmaster.read(server.data)
    assert running is not None
    os.kill(running.pid, signal.SIGKILL)
    assert await one(server.start()) == 1


async def test_a_pid_file_of_another_process_does_not_stop_the_start(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    (server.data / "postmaster.pid").write_text(f"{os.getpid()}\n{server.data}\n1\n5432\n/tmp\n\n\nready\n")
    assert not server.running()
    assert await one(server.start()) == 1


def test_runs_unprivileged_on_no_port_and_keeps_its_password(server: EmbeddedPostgres) -> None:
    server.start()
    running = postmaster.read(server.data)
    assert running is not None
    status = Path(f"/proc/{running.pid}/status").read_text()
    assert f"Uid:\t{server.user.uid}\t" in status
    assert server.user.uid != 0
    assert (server.directory / "password").stat().st_mode & 0o777 == 0o600
    assert server.data.stat().st_mode & 0o777 == 0o700
    assert Path(running.socket).stat().st_mode & 0o777 == 0o700
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", running.port), 1):
        pass


def test_a_long_path_gets_a_short_socket(open_directory: Path) -> None:
    server = EmbeddedPostgres(open_directory / ("long" * 25), service_user())
    try:
        server.start()
        running = postmaster.read(server.data)
        assert running is not None
        assert len(running.socket) < 60
    finally:
        server.stop()


def test_a_start_that_fails_says_why(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    wrong = EmbeddedPostgres(server.directory, server.user, settings={"shared_buffers": "'lots'"})
    with pytest.raises(StoreError, match="shared_buffers"):
        wrong.start()


async def test_failed_connections_are_put_into_words(postgres: str) -> None:
    parts = urlsplit(postgres)
    with pytest.raises(StoreError, match="does not exist"):
        await connect(parts._replace(path="/nothing").geturl())
    with pytest.raises(StoreError, match="password refused"):
        await connect(parts._replace(netloc=parts.netloc.replace(":", ":x", 1)).geturl())
    with pytest.raises(StoreError, match="no server answers"):
        await connect("postgresql://somebody:secret@127.0.0.1:1/dialer")
    with pytest.raises(StoreError, match="no server answers"):
        await open_pool("postgresql:///dialer?host=/nowhere", 2)


def test_the_password_is_never_part_of_the_words() -> None:
    assert place("postgresql://me:se@cret@db.example/dialer") == "postgresql://db.example/dialer"
