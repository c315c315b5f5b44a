"""One of three nodes is lost with everything in it: the others go on, its agents find a seat on another."""

from __future__ import annotations

import asyncio
import time

from dialer_engine.lab.chaos.asterisk_faults import NODE_LOST, NOTICES_S, unrecorded
from dialer_engine.lab.chaos.do_not_call import UNHEARD_KEY
from dialer_engine.lab.chaos.fault import Fault, Strike
from dialer_engine.lab.chaos.ground import Ground
from dialer_engine.lab.chaos.ringing import answers_of, too_long_of
from dialer_engine.lab.chaos.stage import Needs
from dialer_engine.lab.chaos.verdict import JUST_BEFORE_S, Promise
from dialer_engine.lab.further_nodes import FurtherNode
from dialer_engine.store.sql import sql

NODES = 3
SEATED_S = 45.0
AWAY_S = 8.0
BACK_S = 30.0
ON_ITS_WAY_S = 0.2
"""A call that left just before its node died reaches the carrier within this time."""


async def lose_node(ground: Ground) -> Strike:
    """Kill one of the further nodes for a while; its agents notice and dial in elsewhere."""
    world = ground.world
    lost = world.further[ground.round % len(world.further)]
    before = await _numbers_on(ground, lost)
    cut = before & {call.number for call in ground.calls if call.live}
    status = await world.engine.control.status()
    agents = [agent["name"] for agent in status["agents"] if agent["node"] == lost.name]
    since = time.time()
    lost.die()
    on_it = before | await _numbers_on(ground, lost)
    await asyncio.sleep(NOTICES_S)
    await world.phones.dial_elsewhere(agents, SEATED_S)
    seated = time.time()
    await asyncio.sleep(max(0.0, since + AWAY_S - time.time()))
    lost.keep()
    await ground.until(lambda: lost.node.pid is not None, BACK_S)
    back = time.time()
    stuck = await unrecorded(ground, cut, since, back)
    there = [call for call in ground.calls if call.number in on_it]
    arrived = since + ON_ITS_WAY_S
    return Strike(
        since,
        since,
        stuck=tuple(stuck),
        broken=_too_late(seated - since),
        excused=(
            (since - JUST_BEFORE_S, max(back, since + JUST_BEFORE_S)),
            *answers_of(there, world.setting.table, arrived),
            *too_long_of(there, arrived),
        ),
        only=frozenset(on_it),
        manned=seated,
    )


async def _numbers_on(ground: Ground, node: FurtherNode) -> set[str]:
    """The numbers of the live attempts of a node by the database; not each of them has left already."""
    return {row["number"] for row in await ground.ask(sql("chaos_live")) if row["node"] == node.name}


def _too_late(seconds: float) -> tuple[str, ...]:
    return () if seconds <= SEATED_S else (f"the agents were seated after {seconds:.1f} s",)


def node_faults() -> list[Fault]:
    """The faults of this module."""
    promise = Promise().excusing("silent_answers", "left_alone", "rung").leaving(NODE_LOST, UNHEARD_KEY)
    does = f"SIGKILL one of {NODES} nodes, for {AWAY_S:g} s or until its agents have dialed in at another"
    behind = f"{does}, which the front finds for them"
    return [
        Fault("node-lost", does, lose_node, promise, Needs(nodes=NODES)),
        Fault("node-lost-front", behind, lose_node, promise, Needs(nodes=NODES, front=True)),
    ]
