"""The world that a fault needs: a ground with a proxy, a wire before the carrier, a second engine, a small disk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from dialer_engine.lab.chaos.ground import CALLS_PER_ROUND, Ground, Talks, setting_for
from dialer_engine.lab.dice import Dice
from dialer_engine.lab.place import Place
from dialer_engine.lab.wire import Wire
from dialer_engine.lab.world import world
from dialer_engine.pbx.bundle import Bundle

TRUNK = "front"


@dataclass(frozen=True, slots=True)
class Needs:
    """What a fault needs of its world.

    `links`: engine and Asterisk talk through the lab's proxy. `talks`: how long people talk. `wired`: the only trunk is
    a wire in the lab's hands, whose 503 is the trunk's, and whose calls per second hold dialing back. `split`: a second
    engine waits, each with ways of its own. `small_disk`: a directory below the home that is a disk of so many bytes.
    `nodes`: so many Asterisk nodes, behind a `front` or with a phone of every agent at each. `people` are needed in
    each round for each call up. `edges`: a clock that is wrong by an hour would let some be called who may not.
    """

    links: bool = False
    talks: Talks = Talks.SHORT
    wired: bool = False
    split: bool = False
    small_disk: tuple[str, int] | None = None
    nodes: int = 1
    front: bool = False
    people: int = CALLS_PER_ROUND
    edges: bool = False


@asynccontextmanager
async def staged(
    bundle: Bundle,
    place: Place,
    needs: Needs,
    tell: Callable[[str], None],
    *,
    calls: int,
    rounds: int,
    seed: int = 1,
    pace: float = 1.0,
) -> AsyncIterator[Ground]:
    """A running world for about so many calls up at once and so many rounds, whose campaign has not begun."""
    setting = setting_for(
        calls,
        rounds,
        seed,
        pace,
        talks=needs.talks,
        people=needs.people,
        paced=needs.wired,
        edges=needs.edges,
    )
    setting = replace(
        setting,
        proxied=needs.links,
        split=needs.split,
        small_disk=needs.small_disk,
        nodes=needs.nodes,
        front=needs.front,
    )
    async with AsyncExitStack() as stack:
        wire = None
        if needs.wired:
            wire = await stack.enter_async_context(Wire())
            lines = ((TRUNK, wire.port),)
            scenario = replace(setting.scenario, direct=False, lines_to=lines, codes="{}")
            setting = replace(setting, scenario=scenario)
        made = await stack.enter_async_context(world(bundle, place, setting, tell))
        if wire is not None:
            wire.target = made.carrier.config.sip_port
        yield Ground(made, Dice(seed), calls, wire=wire)
