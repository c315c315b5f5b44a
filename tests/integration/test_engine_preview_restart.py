"""Preview when engines and databases fail: a ringing call stays its agent's, a desk shows on, no skip is lost."""

import asyncio
from dataclasses import replace

import pytest
from engine_support import HUMAN, at_carrier, begin, lab, press, rows, table, until, until_kept
from preview_support import FIRST, PREVIEW, SECOND, agent, desk, dial, looking, skip, until_desk

from dialer_engine.lab.second_engine import second_engine
from dialer_engine.lab.world import World

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

SLOW = replace(HUMAN, ring_s=25.0, talk_s=300.0)
"""Rings for so long that an engine can be killed and started meanwhile."""
SCENARIO = replace(PREVIEW, agents=2, ring_seconds=50, wrap_seconds=60)


async def kill(made: World) -> None:
    """Kill the engine that serves the desks."""
    process = made.engine.process
    assert process is not None
    process.kill()
    await process.wait()


async def test_a_ringing_call_is_its_agents_after_a_restart_and_the_desk_shows_the_talk_on() -> None:
    async with lab(SCENARIO, table(SLOW), 2) as made:
        await begin(made)
        seen = [await looking(made, n) for n in (0, 1)]
        mine = 1
        number = seen[mine]["contact"]["number"]
        await dial(made, mine)
        await until_desk(made, "ringing", mine)
        await kill(made)
        await made.engine.start()
        await made.engine.ready()
        ringing = await until_desk(made, "ringing", mine, 10.0)
        assert ringing["number"] == number

        async def known() -> bool:
            return ((await desk(made, mine))["contact"] or {}).get("number") == number

        await until(known, "the desk shows whom it calls, read from the database")
        talk = await until_desk(made, "in_call", mine, 40.0)
        assert ringing["attempt"] == talk["attempt"]
        assert (await looking(made, 0))["contact"]["number"] != number, (
            "the other agent looks at somebody else"
        )

        await until_kept(made)
        assert [row["state"] for row in await rows(made, "select state from attempts")] == ["bridged"]
        await kill(made)
        standby = second_engine(made)
        first, made.engine = made.engine, standby
        try:
            await standby.start("--standby")

            async def taken_over() -> bool:
                return bool((await standby.control.status())["engine"].get("dialing"))

            await until(taken_over, f"the standby has taken over: {standby.last_words()}", 60.0)
            await until_desk(made, "in_call", mine)
            await until(known, "the desk shows whom the agent talks to after the takeover")
            again = await desk(made, mine)
            assert (again["attempt"], again["since"]) == (talk["attempt"], talk["since"])
            assert (again["contact"]["first_name"], again["contact"]["history"]) == ("Ann", [])
            await made.engine.control.act(agent(made, mine), "key", digit="*")
            wrap = await until_desk(made, "wrap", mine)
            assert wrap["contact"]["number"] == number
            assert 0.0 < wrap["seconds_left"] <= 60.0
            assert [one["digit"] for one in wrap["dispositions"]] == ["1", "2", "3"]
            press(made, "1", mine)

            async def disposed() -> bool:
                return (await desk(made, mine))["state"] != "wrap"

            await until(disposed, "the wrap-up is over")
            assert (await desk(made, mine))["number"] != number
            found = await rows(made, "select agent, disposition, disposition_by from cdr_export")
            assert [tuple(row) for row in found] == [(agent(made, mine), "sale", "agent")]
            assert [call.number for call in at_carrier(made)] == [number]
        finally:
            await standby.stop(5.0)
            made.engine = first


async def test_a_skip_without_a_database_is_obeyed_when_it_is_back() -> None:
    async with lab(PREVIEW, table(HUMAN), 2) as made:
        await begin(made)
        await looking(made, at=FIRST)
        await asyncio.to_thread(made.postgres.stop)
        await skip(made, 0, "wrong-person")

        async def told() -> bool:
            seen = await desk(made)
            away = "the database is away" in (seen["waits_for"] or "")
            return away and (seen["state"], seen["notice"]) == ("ready", "skipped: wrong-person")

        await until(told, "the desk says why nothing comes")
        await asyncio.to_thread(made.postgres.start)
        await looking(made, at=SECOND)
        ended = await rows(made, "select number, outcome, reason from previews where ended_at is not null")
        assert [tuple(row) for row in ended] == [(FIRST, "skipped", "wrong-person")]
        waits = await rows(made, "select held_rule from queue where next_at > '2026-06-10'")
        assert "skipped" in [row["held_rule"] for row in waits]
