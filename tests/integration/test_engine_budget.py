"""The abandonment budget in a running engine: ten lines per agent are wanted, the law's two are kept."""

from dataclasses import replace

import pytest
from engine_support import (
    HUMAN,
    POWER,
    at_carrier,
    begin,
    lab,
    press,
    rows,
    status,
    table,
    until,
    until_kept,
    until_state,
)

from dialer_engine.lab.world import World

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

GREEDY = replace(POWER, lines=10.0, wrap_seconds=0)
TALKS = replace(HUMAN, ring_s=1.0, talk_s=2.0)
LONGER = replace(TALKS, ring_s=0.3, talk_s=15.0)
"""Answers before the others who are called at the same time, and talks on while they hang up in the message."""


async def _ended(made: World) -> int:
    return int((await rows(made, "select count(*) as n from cdrs"))[0]["n"])


async def test_everybody_answers_and_two_at_most_are_abandoned() -> None:
    """One agent, ten lines wanted: without the budget nine of the first ten would be abandoned."""
    async with lab(GREEDY, table(TALKS), 12) as made:
        await begin(made)

        async def all_called() -> bool:
            return await _ended(made) == 12

        await until(all_called, "all twelve were called", 120.0)
        results = await rows(made, "select result, count(*) as n from cdrs group by result order by result")
        counted = {row["result"]: row["n"] for row in results}
        assert counted["abandoned"] == 2
        assert counted["bridged"] == 10
        standing = await rows(made, "select standing, count(*) as n from ledger_calls group by standing")
        assert {row["standing"]: row["n"] for row in standing} == {"abandoned": 2, "connected": 10}
        assert len(at_carrier(made)) == 12
        [campaign] = (await status(made))["campaigns"]
        ledger = campaign["abandonment"]["US"]
        assert (ledger["live"], ledger["abandoned"], ledger["allowed"], ledger["left"]) == (12, 2, 2, 0)
        told = await made.engine.run("status", "--config", str(made.config))
        assert "US 2 of 2 abandoned calls" in told


async def test_a_new_engine_goes_on_with_the_old_ones_ledger() -> None:
    """The first one is killed while its only agent is in a talk that is kept, and nobody else is being called."""
    async with lab(GREEDY, table(LONGER, TALKS), 8) as made:
        await begin(made)

        async def two_dropped() -> bool:
            found = await rows(made, "select count(*) as n from ledger_calls where standing = 'abandoned'")
            return bool(found[0]["n"] == 2)

        await until(two_dropped, "the budget is used up", 60.0)
        await until_kept(made)
        process = made.engine.process
        assert process is not None
        process.kill()
        await process.wait()
        await made.engine.start()
        await made.engine.ready()

        async def more_called() -> bool:
            return await _ended(made) == 8

        await until(more_called, "the others were called", 120.0)
        found = await rows(made, "select count(*) as n from cdrs where result = 'abandoned'")
        assert found[0]["n"] == 2


async def test_lines_an_agent_leaves_behind_are_ended_at_once() -> None:
    rings = replace(HUMAN, ring_s=8.0)
    async with lab(replace(GREEDY, lines=3.0), table(rings), 3) as made:
        await begin(made)

        async def ringing() -> bool:
            return bool((await status(made))["campaigns"][0]["calls"]["ringing"] == 3)

        await until(ringing, "three lines ring for one agent")
        press(made, "0")
        await until_state(made, "paused")

        async def one_ended() -> bool:
            found = await rows(made, "select result, cause_text from cdrs")
            return [row["result"] for row in found] == ["cancelled"]

        await until(one_ended, "the line beyond the budget is ended before it rings 15 s", 12.0)
        [campaign] = (await status(made))["campaigns"]
        assert any("cancelled at once" in reason or "ring on" in reason for reason in campaign["limits"])
