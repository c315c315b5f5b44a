"""One engine and three nodes of which some are away: at its start, and for good."""

import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from lab_support import lab_place

from dialer_engine.lab.chaos.ground import Ground, Talks, setting_for
from dialer_engine.lab.dice import Dice
from dialer_engine.lab.world import world
from dialer_engine.pbx.bundle import Bundle

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

CALLS = 6
LOST_AFTER_S = 10
PATIENCE_S = 60.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def floor(bundle: Bundle) -> AsyncIterator[Ground]:
    """A world of three nodes with long talks, in which a node counts as lost after ten seconds."""
    setting = setting_for(CALLS, 2, talks=Talks.LONG)
    scenario = replace(setting.scenario, lost_after_s=LOST_AFTER_S, options_every_s=2)
    with lab_place() as place:
        async with world(
            bundle, place, replace(setting, scenario=scenario, nodes=3), lambda text: None
        ) as made:
            yield Ground(made, Dice(1), CALLS)


async def nodes(floor: Ground) -> dict[str, dict[str, Any]]:
    status = await floor.world.engine.control.status()
    return {node["name"]: node for node in status["nodes"]}


async def agents_on(floor: Ground, node: str) -> set[str]:
    status = await floor.world.engine.control.status()
    return {agent["name"] for agent in status["agents"] if agent["node"] == node}


async def until_reach(floor: Ground, node: str, wanted: bool | None) -> bool:
    """Wait until a node sees this of every carrier, and all other nodes reach them."""
    for _ in range(int(PATIENCE_S) * 5):
        trunks = (await floor.world.engine.control.status())["trunks"]
        seen = [{name: each["reachable"] for name, each in trunk["nodes"].items()} for trunk in trunks]
        if all(each == {"main": True, "node2": True, "node3": True} | {node: wanted} for each in seen):
            return True
        await floor.until(lambda: False, 0.2)
    return False


async def until_away(floor: Ground, agents: set[str]) -> bool:
    """Wait until agents are shown as away, each with the node, and so counted by the campaign."""
    for _ in range(int(PATIENCE_S) * 5):
        status = await floor.world.engine.control.status()
        away = {agent["name"]: agent["node"] for agent in status["agents"] if agent["state"] == "away"}
        if away and set(away) <= agents and set(away.values()) == {floor.world.further[0].name}:
            return bool(status["campaigns"][0]["agents"]["away"] == len(away))
        await floor.until(lambda: False, 0.2)
    return False


async def until(floor: Ground, query: str) -> bool:
    """Wait until a query has no row any more."""
    for _ in range(int(PATIENCE_S) * 5):
        if not await floor.ask(query):
            return True
        await floor.until(lambda: False, 0.2)
    return False


@pytest.mark.asyncio(loop_scope="module")
async def test_calls_and_agents_of_a_node_that_stays_away_end(floor: Ground) -> None:
    await floor.begin()
    await floor.busy()
    lost = floor.world.further[0]
    assert await until_reach(floor, lost.name, True), "not every node reaches the carrier"
    on_duty = await agents_on(floor, lost.name)
    assert on_duty
    before: set[str] = set()
    for _ in range(int(PATIENCE_S) * 5):
        before = {row["id"] for row in await floor.ask(live(lost.name, "bridged"))}
        if before:
            break
        await floor.until(lambda: False, 0.2)
    assert before, "nobody talks on the node that is lost"
    lost.die()
    assert await until_away(floor, on_duty), "agents of a node that is away are shown as if they could work"
    sent = await floor.ask(f"select count(*) as n from attempts where node = '{lost.name}'")  # noqa: S608
    assert await until(floor, live(lost.name)), "attempts of a lost node stay live"
    after = await floor.ask(f"select count(*) as n from attempts where node = '{lost.name}'")  # noqa: S608
    assert await until_reach(floor, lost.name, None), "what a lost node sees of a carrier is not known"
    assert after[0]["n"] == sent[0]["n"], "calls were placed for agents of a node that is away"
    records = await floor.ask("select attempt_id::text as id, node, result, ended_by from cdrs")
    results = {row["result"] for row in records if row["node"] == lost.name}
    assert "node_lost" not in results, "it may only be cut off"
    talks = [row for row in records if row["id"] in before]
    assert ({row["id"] for row in talks}, {row["result"] for row in talks}) == (before, {"bridged"})
    assert "unknown" in {row["ended_by"] for row in talks}, "nobody saw how they ended"
    assert not await agents_on(floor, lost.name)
    status = await nodes(floor)
    assert not status[lost.name]["up"]
    assert status["main"]["up"]


@pytest.mark.asyncio(loop_scope="module")
async def test_an_engine_starts_without_a_node_and_takes_it_in_when_it_is_there(floor: Ground) -> None:
    here, away = floor.world.further[1], floor.world.further[0]
    if away.node.pid is not None:
        away.die()  # the test before did not run
    assert floor.world.engine.pid is not None
    os.kill(floor.world.engine.pid, signal.SIGKILL)
    await floor.world.start_engine_again()
    await floor.world.engine.ready()
    status = await nodes(floor)
    assert (status["main"]["up"], status[here.name]["up"], status[away.name]["up"]) == (True, True, False)
    away.keep()
    for _ in range(int(PATIENCE_S) * 5):
        if (await nodes(floor))[away.name]["up"]:
            break
        await floor.until(lambda: False, 0.2)
    assert (await nodes(floor))[away.name]["up"]
    await floor.world.phones.dial_elsewhere(floor.world.phones.dialed_by(away.name), PATIENCE_S)
    assert await agents_on(floor, here.name)
    assert not await floor.quiet()


@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_on_record_of_a_node_that_was_taken_out_of_the_settings_ends(floor: Ground) -> None:
    gone = floor.world.further[1]
    await floor.begin()
    await floor.busy()
    before: set[str] = set()
    for _ in range(int(PATIENCE_S) * 5):
        before = {row["id"] for row in await floor.ask(live(gone.name, "bridged"))}
        if before:
            break
        await floor.until(lambda: False, 0.2)
    assert before, "nobody talks on the node"
    assert floor.world.engine.pid is not None
    os.kill(floor.world.engine.pid, signal.SIGKILL)
    gone.die()
    floor.world.further.remove(gone)
    try:
        await floor.world.start_engine_again()
        await floor.world.engine.ready()
        assert gone.name not in await nodes(floor)
        assert await until(floor, live(gone.name)), "numbers stay locked by calls of a node that nobody has"
        rows = await floor.ask("select attempt_id::text as id, result from cdrs")
        ended = {row["id"]: row["result"] for row in rows if row["id"] in before}
        assert ended == dict.fromkeys(before, "bridged")
        shifts = f"select 1 from agent_sessions where ended_at is null and node = '{gone.name}'"  # noqa: S608
        assert await until(floor, shifts), "shifts on it stay open"
    finally:
        floor.world.further.append(gone)


def live(node: str, state: str | None = None) -> str:
    """The attempts that are live on a node."""
    also = f" and state = '{state}'" if state else ""
    return f"select id::text from attempts where ended_at is null and node = '{node}'{also}"  # noqa: S608
