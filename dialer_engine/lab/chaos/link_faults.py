"""The links between engine and Asterisk are cut, slow, or open while nothing passes, or no answer.

Calls are asked for and seen by ARI: without it the engine is blind. AMI tells of phones and trunks only.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from dialer_engine.core.outcome import Result
from dialer_engine.lab.chaos.blindness import differences, originates
from dialer_engine.lab.chaos.do_not_call import UNHEARD_KEY
from dialer_engine.lab.chaos.fault import Fault, Strike
from dialer_engine.lab.chaos.ground import STEP_S, Ground
from dialer_engine.lab.chaos.records import UNTIMED
from dialer_engine.lab.chaos.stage import Needs
from dialer_engine.lab.chaos.trunk_faults import Limit
from dialer_engine.lab.chaos.verdict import Promise
from dialer_engine.lab.proxy import Mood, Proxy
from dialer_engine.lab.second_engine import break_off

ARI, AMI = "ari_port", "ami_port"
LINKS = Needs(links=True)
BLINDING = ("ari-cut", "ari-half-open", "ari-deaf")
CUT_S = 2.0
SLOW_S = 6.0
DELAY_S = 0.2
HALF_OPEN_S = 12.0
KEEP_ALIVE_S = 20.0
"""AMI that does not answer is noticed within 15 s, on a machine that does other things too."""
GOES_ON_S = 20.0
"""So long at most until somebody is called, however long all agents talk just then."""
RETURNS_S = 20.0
"""AMI is tried again every 5 s."""
LAST_WORD_S = 0.2
"""A word that was on its way when the link was lost reaches the engine within this time."""
ON_ITS_WAY_S = 1.0
"""A call that left just before the link was cut reaches the carrier within this time."""
NOTICED_S = 8.0
"""A link on which nothing comes back counts as lost after 7.5 s: no call is asked for after that."""


async def cut(ground: Ground, seconds: float) -> Strike:
    """Cut ARI for so many seconds; no call may leave while the engine is blind."""
    proxy = ground.world.proxies[ARI]
    down = time.time()
    proxy.cut()
    now = await _healed(proxy, seconds)
    late = [call for call in ground.calls if down + ON_ITS_WAY_S < call.came_at < now]
    dialed = (f"dialed {call.number} while blind" for call in late)
    return Strike(now, now, broken=(*dialed, *await differences(ground)))


async def swallow(ground: Ground, mood: Mood, seconds: float) -> Strike:
    """Swallow every byte of ARI, or every answer; no call is asked for once the engine can know, and few before."""
    proxy = ground.world.proxies[ARI]
    with originates(proxy) as asked:
        down = time.time()
        proxy.mood = mood
        now = await _healed(proxy, seconds)
    most = Limit.of(ground.world.setting.scenario.calls_per_second).calls
    return Strike(now, now, broken=(*unseen(asked, down, now, most), *await differences(ground)))


def unseen(asked: Sequence[float], down: float, now: float, most: int) -> tuple[str, ...]:
    """What is wrong with calls that were asked for while no answer came from `down` to `now`.

    The engine notices late that it is blind. Until then no call may leave before one of as many earlier ones as the
    limit allows at once (`most`) is known to be on the wire, and of none comes any word.
    """
    early = sum(down + LAST_WORD_S < at <= min(down + NOTICED_S, now) for at in asked)
    late = sum(down + NOTICED_S < at < now for at in asked)
    many = (f"asked for {early} calls without word of any, {most} may leave",) if early > most else ()
    return (*many, f"asked for {late} calls while blind") if late else many


async def without_ami(ground: Ground, mood: Mood, seconds: float) -> Strike:
    """Take AMI away for so many seconds, and until the engine says so: calls need none, so dialing goes on."""
    proxy = ground.world.proxies[AMI]
    down = time.time()
    break_off((proxy,), mood)
    try:
        await asyncio.sleep(seconds)
        noticed = await _has_ami(ground, False, KEEP_ALIVE_S)
        dialed = await ground.first_call_after(down + ON_ITS_WAY_S, GOES_ON_S)
    finally:
        proxy.heal()
    now = time.time()
    broken = [] if noticed else ["the status says nothing of the lost AMI"]
    broken += [] if dialed is not None else ["nobody was dialed without AMI"]
    broken += await differences(ground)
    broken += [] if await _has_ami(ground, True, RETURNS_S) else ["AMI did not come back"]
    return Strike(now, now, broken=tuple(broken))


async def _has_ami(ground: Ground, connected: bool, seconds: float) -> bool:
    """Wait until the engine's status says whether it has AMI, at most so many seconds; returns whether it did."""
    end = time.monotonic() + seconds
    while await _node_says(ground, "ami") is not connected:
        if time.monotonic() > end:
            return False
        await asyncio.sleep(STEP_S)
    return True


async def slow(ground: Ground, link: str, seconds: float) -> Strike:
    """Hold every byte of a link back for a while, each way: it counts as well, and dialing goes on meanwhile."""
    proxy = ground.world.proxies[link]
    down = time.time()
    proxy.delay_s = DELAY_S
    try:
        await asyncio.sleep(seconds)
        dialed = await ground.first_call_after(down + ON_ITS_WAY_S, GOES_ON_S)
        lost = [name for name in ("ari", "ami") if not await _node_says(ground, name)]
    finally:
        proxy.heal()
    now = time.time()
    broken = [f"the status says that {name} is away" for name in lost]
    broken += [] if dialed is not None else ["nobody was dialed by a slow link"]
    return Strike(now, now, broken=(*broken, *await differences(ground)))


async def _node_says(ground: Ground, link: str) -> bool:
    """Whether the engine's status says that it has this link to its Asterisk."""
    return bool((await ground.world.engine.control.status())["nodes"][0][link])


async def _healed(proxy: Proxy, seconds: float) -> float:
    """When the link was well again, so many seconds from now."""
    try:
        await asyncio.sleep(seconds)
    finally:
        proxy.heal()
    return time.time()


def link_faults() -> list[Fault]:
    """The faults of this module."""
    both, answers = Mood.HALF_OPEN, Mood.DEAF
    return [
        linked("ari-cut", "cut ARI for 2 s", lambda g: cut(g, CUT_S)),
        linked("ari-delay", "hold ARI back by 0.2 s each way for 6 s", lambda g: slow(g, ARI, SLOW_S)),
        linked("ari-half-open", "let no byte of ARI pass for 12 s", lambda g: swallow(g, both, HALF_OPEN_S)),
        linked("ari-deaf", "let no answer of ARI pass for 12 s", lambda g: swallow(g, answers, HALF_OPEN_S)),
        linked("ami-cut", "cut AMI for 2 s", lambda g: without_ami(g, Mood.CUT, CUT_S)),
        linked("ami-delay", "hold AMI back by 0.2 s each way for 6 s", lambda g: slow(g, AMI, SLOW_S)),
        linked(
            "ami-half-open", "let no byte of AMI pass for 12 s", lambda g: without_ami(g, both, HALF_OPEN_S)
        ),
    ]


def linked(name: str, does: str, strike: Callable[[Ground], Awaitable[Strike]]) -> Fault:
    """A fault of the links between engine and Asterisk; what ended while the engine was blind is unknown, or when.

    It hears no key then.
    """
    blinded = Promise().leaving(Result.UNKNOWN, *UNTIMED, UNHEARD_KEY)
    promise = blinded if name in BLINDING else Promise()
    return Fault(name, does, strike, promise, LINKS)
