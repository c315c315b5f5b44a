"""`dialer stop --all` ends every Asterisk of the home, and nothing that another engine works with, or is about to."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_support import Commands, commands_on

from dialer_engine.engine.lock import home_lock
from dialer_engine.settings.home import prepare_home, service_user
from dialer_engine.store import lease
from dialer_engine.store.embedded import EmbeddedPostgres
from dialer_engine.store.pool import connect

pytestmark = pytest.mark.postgres

CONFIG = """\
members: {acme: {name: Acme, callback_number: +18005550100}}
trunks: {main: {host: 127.0.0.1}}
"""


Process = subprocess.Popen[bytes]
Start = Callable[[Path], Process]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a process that is found as the Asterisk of a directory, as the engine leaves one behind."""
    started: list[Process] = []

    def make(directory: Path) -> Process:
        directory.mkdir(parents=True)
        waits = "import signal; signal.pause()"
        made = subprocess.Popen([sys.executable, "-c", waits, "-C", str(directory / "etc" / "asterisk.conf")])
        (directory / "node.pid").write_text(f"{made.pid}\n")
        started.append(made)
        return made

    yield make
    for each in started:
        each.kill()
        each.wait()


async def test_a_standby_that_waits_is_to_be_ended_first(
    tmp_path: Path, pg_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = commands_on(tmp_path, pg_url, monkeypatch)
    standby = await connect(pg_url)
    await lease.wait_in_line(standby, "engine:main")
    refused = await asyncio.to_thread(commands.refused, "stop", "--all")
    assert "a standby waits" in refused
    assert "no engine is running" not in refused, "it was looked at before the engine was told to end"
    assert "no engine is running" in await asyncio.to_thread(commands.run, "stop"), (
        "the engine alone may end: the standby goes on"
    )
    await lease.leave_line(standby, "engine:main")
    assert "no engine is running" in await asyncio.to_thread(commands.run, "stop", "--all")
    await standby.close()


async def test_a_standby_elsewhere_is_in_nobodys_way(
    tmp_path: Path, pg_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = commands_on(tmp_path, pg_url, monkeypatch)
    accounts = "ari_user: a, ari_password: b, ami_host: 127.0.0.1, ami_user: a, ami_password: b"
    node = f"{{name: main, ari_url: 'http://127.0.0.1:9', {accounts}}}"
    text = (commands.config / "dialer.yaml").read_text()
    (commands.config / "dialer.yaml").write_text(f"{text}asterisk: {{managed: false, nodes: [{node}]}}\n")
    standby = await connect(pg_url)
    await lease.wait_in_line(standby, "engine:main")
    assert "no engine is running" in await asyncio.to_thread(commands.run, "stop", "--all")
    await standby.close()


def test_an_engine_that_took_over_keeps_its_postgres(
    open_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = open_directory / "taken-over"
    monkeypatch.setenv("DIALER_HOME", str(home))
    (tmp_path / "dialer.yaml").write_text(CONFIG)
    commands = Commands(tmp_path)
    prepare_home(home, service_user())
    server = EmbeddedPostgres(home / "postgres", service_user(), settings={"fsync": "off"})
    server.start()
    try:
        standby = home_lock(home)
        standby.take()
        refused = commands.refused("stop", "--all")
        assert "a standby that has taken over" in refused
        assert "Postgres has ended" not in refused
        assert server.running()
        standby.release()
        assert "Postgres has ended" in commands.run("stop", "--all")
        assert not server.running()
        standby.take()
        standby.release()
    finally:
        server.stop()


async def test_stop_all_ends_every_asterisk_of_the_home_and_says_which(
    tmp_path: Path, pg_url: str, monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    commands = commands_on(tmp_path, pg_url, monkeypatch)
    old = start(tmp_path / "home" / "nodes" / "old")
    said = await asyncio.to_thread(commands.run, "stop", "--all")
    assert old.poll() is not None
    assert "Asterisk old has ended" in said
    assert "Asterisk has ended" not in said, "the one of the settings did not run"
    own = start(tmp_path / "home" / "nodes" / "main")
    assert "Asterisk has ended" in await asyncio.to_thread(commands.run, "stop", "--all")
    assert own.poll() is not None
    said = await asyncio.to_thread(commands.run, "stop", "--all")
    assert "no Asterisk was running" in said
    assert "has ended" not in said
