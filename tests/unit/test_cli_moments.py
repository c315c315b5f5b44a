"""Days and moments of the command line, and commands that wait for the engine's end."""

import asyncio
import os
import re
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from aiohttp import web

from dialer_engine.cli.database import LAST, moment
from dialer_engine.settings.values import _AGENT

pytestmark = pytest.mark.unit

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-06-10", "20260610", "2026-W24-3", "2026W243"])
def test_a_last_day_is_included_however_it_is_written(text: str) -> None:
    assert moment(text, NOW, end=True) == datetime(2026, 6, 11, tzinfo=UTC)
    assert moment(text, NOW) == datetime(2026, 6, 10, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-06-10T00:00", "20260610T0000", "2026-06-10 02:00+02:00"])
def test_a_last_moment_is_what_it_says(text: str) -> None:
    assert moment(text, NOW, end=True) == datetime(2026, 6, 10, tzinfo=UTC)


def test_the_ends_of_the_calendar() -> None:
    assert moment("9999-12-31", NOW, end=True) == LAST
    assert moment("9999-12-30", NOW, end=True) == datetime(9999, 12, 31, tzinfo=UTC)
    for text in ("0001-01-01T00:00+05:00", "9999-12-31T23:00-05:00", "tomorrow"):
        with pytest.raises(typer.BadParameter, match="neither a date"):
            moment(text, NOW, end=True)


def test_agents_have_one_pattern_in_settings_and_database() -> None:
    migration = Path(__file__).parents[2] / "sql" / "migrations" / "0003_agents.sql"
    checked = re.search(
        r"name text not null check \(name ~ '\^(.*)\$'\)", re.sub(" +", " ", migration.read_text())
    )
    assert checked is not None
    assert checked[1] == _AGENT.pattern


@pytest.mark.parametrize("command", ["stop", "drain"])
async def test_one_interrupt_ends_the_wait_for_the_engine(command: str, tmp_path: Path) -> None:
    lasting = await asyncio.create_subprocess_exec("sleep", "60")

    async def accept(request: web.Request) -> web.Response:
        return web.json_response({"pid": lasting.pid})

    app = web.Application()
    app.add_routes([web.post("/shutdown", accept), web.post("/drain", accept)])
    runner = web.AppRunner(app)
    await runner.setup()
    (tmp_path / "run").mkdir()
    await web.UnixSite(runner, str(tmp_path / "run" / "control.sock")).start()
    waiting = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dialer_engine", command, "--config", str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"DIALER_HOME": str(tmp_path)},
    )
    try:
        assert waiting.stdout is not None
        assert b"engine" in await asyncio.wait_for(waiting.stdout.readline(), 60)
        await asyncio.sleep(0.5)
        waiting.send_signal(signal.SIGINT)
        _, errors = await asyncio.wait_for(waiting.communicate(), 20)
        assert b"Traceback" not in errors
        assert waiting.returncode != 0
    finally:
        for process in (lasting, waiting):
            if process.returncode is None:
                process.kill()
                await process.wait()
        await runner.cleanup()
