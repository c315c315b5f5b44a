"""Predictive pacing in a running engine: it learns from real calls, dials ahead, and stays within the law."""

import json
from dataclasses import replace

import pytest
from engine_support import POWER, at_carrier, begin, lab, rows, status, until

from dialer_engine.lab.behaviours import Behaviour, Kind
from dialer_engine.lab.world import World

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

SCENARIO = replace(POWER, agents=3, mode="predictive", wrap_seconds=1, retry_s=3600)
PEOPLE = tuple(
    Behaviour(Kind.HUMAN, 1.0, 3.0) if number % 4 == 0 else Behaviour(Kind.BUSY, 0.5, 0.0)
    for number in range(100)
)
"""One in four answers, the others are busy."""


async def test_it_learns_dials_ahead_and_keeps_the_budget() -> None:
    async with lab(SCENARIO, PEOPLE, 80) as made:
        seen: set[str] = set()
        ahead = False

        async def all_called() -> bool:
            nonlocal ahead
            [campaign] = (await status(made))["campaigns"]
            seen.update(campaign["limits"])
            flying = sum(campaign["calls"][state] for state in ("reserved", "dialing", "ringing"))
            ahead = ahead or flying > campaign["agents"]["ready"] > 0
            return await _ended(made) >= 80

        await begin(made)
        await until(all_called, "everybody was called once", 120.0)
        assert any("of 20 calls seen, one line per agent" in text for text in seen)
        assert any("idle seconds" in text for text in seen)
        assert ahead, "with one answer in four it dials ahead of the free agents"
        records = await rows(made, "select result, count(*) as n from cdrs group by result")
        counted = {row["result"]: row["n"] for row in records}
        assert counted.get("abandoned", 0) <= 2
        assert counted["bridged"] >= 18
        assert len(at_carrier(made)) == sum(counted.values())
        await _history(made, counted)
        await _remembers(made)


async def _history(made: World, counted: dict[str, int]) -> None:
    """The engine's end closes the last minute; together they hold every call and what was forecast for it."""
    placed = sum(counted.values()) - counted.get("cancelled", 0)
    await made.engine.stop()
    minutes = await rows(made, "select * from pacing_minutes order by minute")
    assert {row["mode"] for row in minutes} == {"predictive"}
    assert len(minutes) == len({row["minute"] for row in minutes})
    assert sum(row["placed"] for row in minutes) >= placed
    assert sum(row["live"] for row in minutes) == counted["bridged"] + counted.get("abandoned", 0)
    assert sum(row["abandoned"] for row in minutes) == counted.get("abandoned", 0)
    assert sum(row["agent_waits"] for row in minutes) >= counted["bridged"]
    assert max(row["talking"] for row in minutes) > 0.3
    assert all(0 < row["seconds"] <= 61 for row in minutes)
    forecast = sum(sum(row["risk_answers"]) for row in minutes)
    assert 0 < forecast < counted["bridged"] + 3, "answers after the first calls had a forecast"
    told = await made.engine.run("report", "pacing", "--json", "--config", str(made.config))
    hours = json.loads(told)["hours"]
    assert sum(hour["placed"] for hour in hours) >= placed
    assert {"learning", "risk"} & {hour["bound"] for hour in hours}


async def _remembers(made: World) -> None:
    """The next engine learns from the records: nobody is left to be called, and yet it has a forecast."""
    await made.start_engine_again()
    await made.engine.ready()

    async def forecasts() -> bool:
        [campaign] = (await status(made))["campaigns"]
        return any("idle seconds" in text for text in campaign["limits"])

    await until(forecasts, "the next engine knows what the one before had learned", 40.0)


async def _ended(made: World) -> int:
    return int((await rows(made, "select count(*) as n from cdrs"))[0]["n"])
