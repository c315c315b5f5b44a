"""Three nodes behind a front, under one engine: agents are spread, calls meet their agents, a node is lost."""

from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from chaos_support import KEPT, broken, ground, struck

from dialer_engine.lab.chaos.ground import Ground
from dialer_engine.lab.chaos.node_faults import NODES
from dialer_engine.lab.chaos.stage import Needs
from dialer_engine.pbx.bundle import Bundle

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def floor(bundle: Bundle) -> AsyncIterator[Ground]:
    """One world of three nodes behind a front."""
    async with ground(bundle, 3, Needs(nodes=NODES, front=True)) as made:
        yield made


@pytest.mark.asyncio(loop_scope="module")
async def test_every_node_has_agents_and_calls_of_its_own(floor: Ground) -> None:
    await floor.begin()
    await floor.busy()
    status = await floor.world.engine.control.status()
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
    status = await floor.world.engine.control.status()
    assert all(node["up"] for node in status["nodes"])
