"""A pause outlasts the engine: nobody who answers is joined to a headset that lies on an empty desk."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from engine_support import (
    HUMAN,
    PROGRESSIVE,
    agent_state,
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
from preview_support import agent, desk, until_desk

from dialer_engine.lab.proxy import Mood
from dialer_engine.lab.second_engine import second_engine
from dialer_engine.lab.world import World

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

SCENARIO = replace(PROGRESSIVE, wrap_seconds=3)
WATCHED_S, LONG_S = 3.0, 10.0


async def kill(made: World) -> None:
    """Kill the engine that works now."""
    process = made.engine.process
    assert process is not None
    process.kill()
    await process.wait()


async def again(made: World) -> None:
    """Kill the engine and start it anew."""
    await kill(made)
    await made.engine.start()
    await made.engine.ready()


async def left_in_peace(made: World, calls: int, seconds: float = WATCHED_S) -> None:
    """For a while the agent stays paused and nobody is called for them, though the campaign runs."""
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        assert await agent_state(made) == "paused"
        await asyncio.sleep(0.2)
    assert (await status(made))["campaigns"][0]["state"] == "running"
    assert len(at_carrier(made)) == calls
    assert [row["n"] for row in await rows(made, "select count(*) as n from attempts")] == [calls]


async def until_wanted(made: World, wanted: bool) -> None:
    """Wait until the desk says whether a pause is to follow."""

    async def told() -> bool:
        return bool((await desk(made))["pause_wanted"]) is wanted

    await until(told, f"a pause is wanted: {wanted}")


async def test_a_pause_outlasts_engines_that_are_killed_and_the_key_ends_it() -> None:
    async with lab(SCENARIO, table(HUMAN), 5) as made:
        await until_state(made, "ready")
        press(made, "0")
        await until_state(made, "paused")
        await begin(made)
        await again(made)
        await left_in_peace(made, 0, LONG_S)
        await again(made)
        assert await agent_state(made) == "paused"
        assert (await desk(made))["state"] == "paused"
        press(made, "0")
        await until_state(made, "in_call")

        press(made, "0")  # a pause after this talk
        await until_wanted(made, True)
        assert await rows(made, "select 1 from agent_states where pause_wanted")
        await until_kept(made)
        await again(made)
        await until_state(made, "in_call")
        await until_wanted(made, True)
        press(made, "*")
        await until_state(made, "paused")
        await left_in_peace(made, 1)

        standby = second_engine(made)
        first = made.engine
        try:
            await kill(made)
            await standby.start("--standby")
            made.engine = standby

            async def taken_over() -> bool:
                return (await status(made))["engine"]["state"] != "standby"

            await until(taken_over, f"the standby has taken over: {standby.last_words()}", 60.0)
            await left_in_peace(made, 1)
            press(made, "0")
            await until_desk(made, "in_call")
            for wanted in (True, False):  # and taken back
                await made.engine.control.act(agent(made), "key", digit="0")
                await until_wanted(made, wanted)
            last = await rows(made, "select state, pause_wanted from agent_states order by id desc limit 1")
            assert [tuple(row) for row in last] == [("in_call", False)]
        finally:
            await standby.stop(5.0)
            made.engine = first
        await made.engine.start("--standby")  # the lease has some seconds left
        await until(taken_over, "the first engine works again", 60.0)
        await until_state(made, "in_call")
        await until_wanted(made, False)
        phone = next(iter(made.phones.agents.values()))
        assert phone.lost_legs == 0, "one leg all the time"


async def test_a_wish_in_the_wrap_up_counts_when_the_engine_dies_in_it_and_who_dials_in_anew_is_ready() -> (
    None
):
    """All the while the new engine calls for another agent, who is ready because it ended their wrap-up."""
    scenario = replace(SCENARIO, agents=2, wrap_seconds=60)
    async with lab(scenario, table(replace(HUMAN, talk_s=1.0)), 8) as made:
        await begin(made)
        await until_state(made, "wrap")
        await until_state(made, "wrap", 1)
        press(made, "0")
        await until_wanted(made, True)
        assert await rows(made, "select 1 from agent_states where pause_wanted and state = 'wrap'")
        await again(made)

        async def other_was_called() -> bool:
            return len(at_carrier(made)) == 3

        await until(other_was_called, "the other agent has another customer")
        await left_in_peace(made, 3)
        await kill(made)
        killed = datetime.now(UTC)
        next(iter(made.phones.agents.values())).leave()
        await asyncio.sleep(3.0)
        await made.engine.start()
        await made.engine.ready()
        await until_state(made, "offline")
        [shift] = await rows(made, "select ended_at from agent_sessions where ended_at is not null")
        assert abs(shift["ended_at"] - killed) < timedelta(seconds=2), "as long as an engine could know of it"
        await made.phones.go_on_duty(60.0)
        await until_state(made, "in_call")


async def test_a_pause_outlasts_a_node_that_counted_as_lost() -> None:
    async with lab(replace(SCENARIO, lost_after_s=10), table(HUMAN), 5, proxied=True) as made:
        await until_state(made, "ready")
        press(made, "0")
        await until_state(made, "paused")
        await begin(made)
        for turn in ("the same engine", "another engine"):
            for proxy in made.proxies.values():
                proxy.mood = Mood.CUT
                proxy.end_connections()
            await until(lambda: session_over(made), f"the shift is over: {turn}", 60.0)
            if turn == "another engine":
                await kill(made)
            for proxy in made.proxies.values():
                proxy.heal()
            if turn == "another engine":
                await made.engine.start()
                await made.engine.ready()
            await until_state(made, "paused")
            await left_in_peace(made, 0)
        press(made, "0")
        await until_state(made, "in_call")


async def session_over(made: World) -> bool:
    """Whether no shift is open in the records."""
    return not await rows(made, "select 1 from agent_sessions where ended_at is null")
