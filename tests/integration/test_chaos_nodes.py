"""Three nodes behind a front, under one engine: agents are spread, calls meet their agents, a node is lost."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from chaos_support import KEPT, broken, ground, struck

from dialer_engine.lab.chaos.ground import Ground
from dialer_engine.lab.chaos.node_faults import NODES
from dialer_engine.lab.chaos.stage import Needs
from dialer_engine.pbx.bundle import Bundle

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

SOON_S = 30.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def floor(bundle: Bundle) -> AsyncIterator[Ground]:
    """One world of three nodes behind a front."""
    async with ground(bundle, 3, Needs(nodes=NODES, front=True)) as made:
        yield made


async def status_when(floor: Ground, so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first status that is as it should be; fails with the last one when none is in time."""
    deadline = time.monotonic() + SOON_S
    while not so(status := await floor.world.engine.control.status()):
        assert time.monotonic() < deadline, (status["nodes"], status["agents"])
        await asyncio.sleep(0.2)
    return status


def all_seated(status: dict[str, Any]) -> bool:
    """Whether every agent has dialed in, on the node that the front chose."""
    return all(agent["node"] for agent in status["agents"])


def all_up(status: dict[str, Any]) -> bool:
    """Whether the engine has its links to every node."""
    return all(node["up"] for node in status["nodes"])


@pytest.mark.asyncio(loop_scope="module")
async def test_every_node_has_agents_and_calls_of_its_own(floor: Ground) -> None:
    await floor.begin()
    status = await status_when(floor, all_seated)
    await floor.busy()
    assert [node["name"] for node in status["nodes"]] == ["main", "node2", "node3"]
    assert all(node["up"] and node["agents"] >= 1 for node in status["nodes"])
    on_duty = Counter(agent["node"] for agent in status["agents"])
    assert set(on_duty) == {"main", "node2", "node3"}
    await floor.quiet()
    talks = await floor.ask(
        "select c.node, s.node as seat from cdrs c join agent_sessions s on s.agent_id = c.agent_id "
        "where c.joined_at between s.started_at and coalesce(s.ended_at, 'infinity')"
    )
    assert talks
    assert all(talk["node"] == talk["seat"] for talk in talks)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_lost_node_loses_only_its_calls_and_its_agents_sit_down_elsewhere(floor: Ground) -> None:
    assert broken(await struck(floor, "node-lost-front", 2)) == KEPT
    await status_when(floor, all_up)
