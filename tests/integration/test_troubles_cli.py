"""What goes wrong in the middle of a command is told in words, and never by a traceback."""

import asyncio
import contextlib
import re
from pathlib import Path

import asyncpg
import pytest
import typer
from cli_support import Commands, commands_on

from dialer_engine.cli.common import carry_out
from dialer_engine.cli.database import database, database_left_alone
from dialer_engine.settings.load import load_config
from dialer_engine.store.errors import StoreError

pytestmark = pytest.mark.postgres

NUMBER = "+12105550143"


@pytest.fixture
def commands(tmp_path: Path, pg_url: str, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """A configuration over the test's database."""
    return commands_on(tmp_path, pg_url, monkeypatch)


def test_words_that_are_kept_are_not_blank(commands: Commands) -> None:
    for words in (
        ("dnc", "add", NUMBER, "--source", ""),
        ("dnc", "add", NUMBER, "--source", " "),
        ("consent", "add", NUMBER, "--member", "acme", "--kind", "express", "--source", ""),
        ("consent", "revoke", NUMBER, "--channel", ""),
        ("rules", "stop", "TX", "--reason", ""),
        ("rules", "resume", "TX", "--reason", " "),
    ):
        assert "say it in words" in commands.run(*words, status=2), words
    assert "stands on no list" in commands.run("dnc", "check", NUMBER)


def test_a_file_of_hits_that_cannot_be_written(commands: Commands, tmp_path: Path) -> None:
    file = tmp_path / "june.csv"
    file.write_text("phone\n2104440111\n")
    commands.run("list", "import", str(file), "--member", "acme", "--list", "june")
    target = tmp_path / "no" / "hits.csv"
    told = commands.refused("registry", "scrub", "acme", "june", "--write", str(target))
    assert f"{target}: cannot be written" in told


def test_a_doctor_without_a_service_user(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("DIALER_USER", "nosuchuser")
    (commands.config.parent / "home").mkdir()
    assert "user 'nosuchuser' does not exist on this machine" in commands.run("doctor", status=2)


@pytest.mark.parametrize("fault", ["ended", "locked", "refused"])
def test_a_fault_of_the_database_is_told(
    commands: Commands, pg_url: str, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def work() -> None:
        async with database(load_config(commands.config)) as conn:
            other = await asyncpg.connect(pg_url)
            try:
                if fault == "ended":
                    await other.execute("select pg_terminate_backend($1)", conn.get_server_pid())
                elif fault == "locked":
                    await conn.execute("set lock_timeout = '50ms'")
                    await other.execute("begin; lock table audit")
                await conn.execute("insert into audit (at) values (now())")
            finally:
                await asyncio.wait_for(other.close(), 5)

    with pytest.raises(typer.Exit) as ended:
        carry_out(work())
    assert ended.value.exit_code == 1
    words = {
        "ended": "the connection to the database was lost",
        "locked": "other work held what this needs for too long",
        "refused": "the database refused this (NotNullViolationError",
    }
    told = capsys.readouterr().err
    assert words[fault] in told
    assert "what was not finished is undone" in told


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("ended", "the connection to the database was lost"),
        ("slow", "the database did not answer in time"),
        ("refused", "the database refused this (UndefinedTableError"),
    ],
)
async def test_a_fault_while_a_command_only_looks(
    commands: Commands, pg_url: str, fault: str, words: str
) -> None:
    async def look() -> None:
        async with database_left_alone(load_config(commands.config)) as conn:
            if fault == "ended":
                other = await asyncpg.connect(pg_url)
                await other.execute("select pg_terminate_backend($1, 5000)", conn.get_server_pid())
                await other.close()
                # What is asked after this finds a closed connection: an InterfaceError.
                with contextlib.suppress(asyncpg.PostgresError):
                    await conn.execute("select 1")
            await conn.execute(
                "select * from nothing" if fault == "refused" else "select pg_sleep(9)", timeout=1
            )

    with pytest.raises(StoreError) as told:
        await look()
    assert str(told.value).startswith(words)


async def test_a_doctor_whose_session_is_lost_while_it_looks(commands: Commands, pg_url: str) -> None:
    """Found in the middle of the first question; all other findings are told as well."""
    conn = await asyncpg.connect(pg_url)
    await conn.execute(
        "alter table migrations rename to kept; create view migrations as"
        " select * from kept where pg_terminate_backend(pg_backend_pid())"
    )
    await conn.close()
    told = await asyncio.to_thread(commands.run, "doctor", status=2)
    lost = "the connection to the database was lost"
    assert re.search(rf"critical +database +{lost}", told), told
    assert re.search(rf"warning +agents +not looked at: {lost}", told), told
    assert "host name" in told
    assert "journals" in told


def test_a_fault_of_the_machine_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    async def fail(error: OSError) -> None:
        raise error

    for error, words in (
        (FileNotFoundError(2, "No such file or directory", str(tmp_path)), f"{tmp_path}: No such file"),
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
        (TimeoutError(), "no answer in time"),
    ):
        with pytest.raises(typer.Exit):
            carry_out(fail(error))
        assert words in capsys.readouterr().err
    with pytest.raises(BrokenPipeError):
        carry_out(fail(BrokenPipeError()))
