"""An agent's own password reaches the database, and no list of processes: real commands, pipes and a terminal."""

import asyncio
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from dialer_engine.store.directory import add_agent
from dialer_engine.store.pool import connect

pytestmark = pytest.mark.postgres

SECRET = "s3cret word-1"


@pytest.fixture
def config(tmp_path: Path, pg_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DIALER_HOME", str(tmp_path / "home"))
    directory = tmp_path / "config"
    directory.mkdir()
    (directory / "dialer.yaml").write_text(
        "members: {acme: {name: Acme, callback_number: +18005550100}}\n"
        "trunks: {main: {host: 127.0.0.1}}\n"
        f"control: {{socket: '{tmp_path / 'none.sock'}'}}\n"
        f"database: {{url: '{pg_url}'}}\n",
        encoding="utf-8",
    )
    return directory


def add(config: Path, *words: str, given: str = "", name: str = "ana") -> subprocess.CompletedProcess[str]:
    """Add an agent as a script would."""
    command = [sys.executable, "-m", "dialer_engine", "agent", "add", name, "--config", str(config), *words]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False)


def password(pg_url: str) -> list[str]:
    """The passwords of the agents that the database has."""

    async def ask() -> list[str]:
        conn = await connect(pg_url)
        try:
            return [row["password"] for row in await conn.fetch("select password from agents")]
        finally:
            await conn.close()

    return asyncio.run(ask())


def test_a_password_from_a_file_is_taken_and_not_repeated(config: Path, pg_url: str) -> None:
    done = add(config, "--password-stdin", given=f"{SECRET}\nmore\n")
    assert done.returncode == 0, done.stderr
    assert "as given" in done.stdout
    assert SECRET not in done.stdout + done.stderr
    assert password(pg_url) == [SECRET]


def test_without_one_a_random_one_is_made_and_shown(config: Path, pg_url: str) -> None:
    done = add(config)
    [made] = password(pg_url)
    assert f"password    {made}\n" in done.stdout
    assert len(made) == 24


def test_a_password_that_processes_would_show_is_refused_with_the_remedy(config: Path, pg_url: str) -> None:
    for words in (("--password", SECRET), (f"--password={SECRET}",)):
        done = add(config, *words)
        assert done.returncode == 1
        assert "--password-stdin < FILE" in done.stderr + done.stdout
        assert SECRET not in done.stderr + done.stdout
    assert password(pg_url) == []


@pytest.mark.parametrize("name", ["agent", "global", "system", "trunk-x", "transport-udp", "agent-aor"])
def test_a_name_of_asterisks_own_is_refused(config: Path, pg_url: str, name: str) -> None:
    done = add(config, name=name)
    assert done.returncode == 1
    assert f"{name!r} cannot be an agent's name" in done.stderr + done.stdout
    assert password(pg_url) == []


def test_doctor_names_an_account_that_cannot_register(config: Path, pg_url: str) -> None:
    def agents() -> tuple[str, str]:
        command = [sys.executable, "-m", "dialer_engine", "doctor", "--json", "--config", str(config)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        [found] = [each for each in json.loads(done.stdout) if each["what"] == "agents"]
        return found["state"], found["words"]

    assert add(config).returncode == 0
    assert agents() == ("ok", "1 accounts")

    async def of_before() -> None:
        conn = await connect(pg_url)
        await add_agent(conn, None, "global", SECRET)
        await conn.close()

    asyncio.run(of_before())
    state, words = agents()
    assert state == "critical"
    assert "'global' is reserved" in words
    assert "dialer agent remove" in words


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("", "must not be empty"),
        ("semi;colon\n", "not allowed"),
        ("eleven-sign\n", "11 signs are too few, give at least 12"),
    ],
)
def test_what_asterisk_cannot_take_is_refused(config: Path, pg_url: str, given: str, why: str) -> None:
    done = add(config, "--password-stdin", given=given)
    assert done.returncode == 1
    assert why in done.stderr + done.stdout
    assert password(pg_url) == []


def test_at_a_terminal_it_is_asked_for_twice_and_unseen(config: Path, pg_url: str) -> None:
    words = ["agent", "add", "ana", "--config", str(config), "--password-stdin"]
    terminal, side = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "dialer_engine", *words],
        stdin=side,
        stdout=side,
        stderr=side,
        start_new_session=True,
    ) as process:
        os.close(side)
        shown = b""
        for prompt in (b"SIP password: ", b"confirmation: "):
            while not shown.endswith(prompt):
                shown += os.read(terminal, 1000)
            os.write(terminal, SECRET.encode() + b"\n")
        shown += _rest(terminal)
    os.close(terminal)
    assert process.returncode == 0, shown
    assert SECRET.encode() not in shown
    assert password(pg_url) == [SECRET]


def _rest(terminal: int) -> bytes:
    """What a terminal shows until its last process has ended."""
    shown = b""
    try:
        while piece := os.read(terminal, 1000):
            shown += piece
    except OSError:  # nobody has the other side any more
        pass
    return shown
