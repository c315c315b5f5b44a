"""The database is put back to an earlier state: nobody is called again by itself, no do-not-call change is lost."""

import asyncio
import shutil
import subprocess
from dataclasses import replace
from typing import Any

import pytest
from engine_support import PROGRESSIVE, at_carrier, begin, lab, rows, status, table, until

from dialer_engine.lab.behaviours import Behaviour, Kind
from dialer_engine.lab.world import World

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

BUSY = Behaviour(Kind.BUSY, 0.2, 0.0)
SCENARIO = replace(PROGRESSIVE, retry_s=24 * 3600, calls_per_second=2.0)
REFUSED = "+12145550190"
QUIET_S = 2.0
"""In which four calls would leave."""


async def test_after_a_restore_nobody_is_called_until_somebody_has_looked() -> None:
    async with lab(SCENARIO, table(BUSY), 100) as made:
        await begin(made)
        await until_called(made, 3)
        await dump(made)
        await until_called(made, len(at_carrier(made)) + 5)
        await made.engine.run("dnc", "add", REFUSED, "--config", str(made.config))
        await made.engine.stop()
        called = await restore(made)

        await made.engine.start()
        await made.engine.ready()
        await paused_and_quiet(made, called)
        assert [row["number"] for row in await rows(made, "select number from suppressions")] == [REFUSED]
        await made.engine.stop()
        await made.engine.start()
        await made.engine.ready()
        assert (await campaign(made))["state"] == "paused", "a second start changes nothing"
        assert len(at_carrier(made)) == called
        await begin(made)
        await until_called(made, called + 2)
        assert (await campaign(made))["state"] == "running"
        # An engine that starts again on a database that did not go back goes on by itself.
        await made.engine.kill()
        await made.engine.start()
        await made.engine.ready()
        assert (await campaign(made))["state"] == "running"
        assert made.engine.log.read_text().count("the database went back to an earlier state") == 1


async def test_a_restore_under_a_running_engine_stops_the_campaigns_before_the_next_call() -> None:
    async with lab(SCENARIO, table(BUSY), 100) as made:
        await begin(made)
        await until_called(made, 3)
        await dump(made)
        await until_called(made, len(at_carrier(made)) + 5)  # an outage alone stops nothing for long
        await made.engine.run("dnc", "add", REFUSED, "--config", str(made.config))
        engine = made.engine.pid
        called = await restore(made)
        await paused_and_quiet(made, called)
        assert [row["number"] for row in await rows(made, "select number from suppressions")] == [REFUSED]
        found = (await status(made))["engine"]
        assert (found["pid"], found["lease"]["epoch"]) == (engine, 1), "the same engine, by the same lease"
        assert found["why_not"] is None
        await begin(made)
        await until_called(made, called + 2)


async def campaign(made: World) -> dict[str, Any]:
    found: dict[str, Any] = (await status(made))["campaigns"][0]
    return found


async def paused_and_quiet(made: World, called: int) -> None:
    """The campaign is paused, says why, and no call leaves."""

    async def paused() -> bool:
        return bool((await campaign(made))["state"] == "paused")

    await until(paused, "the campaign is paused")
    await asyncio.sleep(QUIET_S)
    assert len(at_carrier(made)) == called, "people were called again"
    assert "the database went back" in (await campaign(made))["limits"][0]
    assert "the database went back" in await made.engine.run("status", "--config", str(made.config))
    assert "the database went back to an earlier state" in made.engine.log.read_text()
    states = await rows(made, "select state from campaigns")
    assert [row["state"] for row in states] == ["paused"]


async def until_called(made: World, count: int) -> None:
    async def reached() -> bool:
        return len(at_carrier(made)) >= count

    await until(reached, f"{count} calls", 60.0)


async def dump(made: World) -> None:
    """Copy the whole server as it stands."""
    await asyncio.to_thread(made.postgres.stop)
    await _copy(made.postgres.data, made.postgres.directory / "dump")
    await asyncio.to_thread(made.postgres.start)


async def restore(made: World) -> int:
    """Put the server back to the copy; return how many calls the carrier saw before it came back."""
    await asyncio.to_thread(made.postgres.stop)
    await asyncio.to_thread(shutil.rmtree, made.postgres.data)
    await _copy(made.postgres.directory / "dump", made.postgres.data)
    called = len(at_carrier(made))
    await asyncio.to_thread(made.postgres.start)
    return called


async def _copy(source: Any, target: Any) -> None:
    await asyncio.to_thread(subprocess.run, ["cp", "-a", str(source), str(target)], check=True)
