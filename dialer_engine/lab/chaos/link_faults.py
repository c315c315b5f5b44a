"""The links between engine and Asterisk are cut, slow, or half open: open, but nothing passes."""

from __future__ import annotations

import asyncio
import time

from dialer_engine.lab.chaos.fault import Fault, Strike
from dialer_engine.lab.chaos.ground import Ground
from dialer_engine.lab.chaos.stage import Needs
from dialer_engine.lab.proxy import Mood, Proxy

ARI, AMI = "ari_port", "ami_port"
LINKS = Needs(links=True)
CUT_S = 2.0
SLOW_S = 6.0
DELAY_S = 0.2
HALF_OPEN_S = 12.0
ON_ITS_WAY_S = 1.0
"""A call that left just before the link was cut reaches the carrier within this time."""


async def cut(ground: Ground, link: str, seconds: float) -> Strike:
    """Cut the link for so many seconds; no call may leave while the engine is blind."""
    proxy = ground.world.proxies[link]
    down = time.time()
    proxy.cut()
    return await _healed(ground, proxy, down, seconds, blind=link == ARI)


async def half_open(ground: Ground, link: str, seconds: float) -> Strike:
    """Swallow every byte for so many seconds."""
    proxy = ground.world.proxies[link]
    down = time.time()
    proxy.mood = Mood.HALF_OPEN
    return await _healed(ground, proxy, down, seconds, blind=link == ARI)


async def slow(ground: Ground, seconds: float) -> Strike:
    """Hold every byte of ARI back for a while, each way; dialing goes on meanwhile."""
    proxy = ground.world.proxies[ARI]
    proxy.delay_s = DELAY_S
    return await _healed(ground, proxy, time.time(), seconds, blind=False)


async def _healed(ground: Ground, proxy: Proxy, down: float, seconds: float, *, blind: bool) -> Strike:
    try:
        await asyncio.sleep(seconds)
    finally:
        proxy.heal()
    now = time.time()
    late = [call for call in ground.calls if blind and down + ON_ITS_WAY_S < call.came_at < now]
    return Strike(now, now, broken=tuple(f"dialed {call.number} while blind" for call in late))


def link_faults() -> list[Fault]:
    """The faults of this module."""
    return [
        Fault("ari-cut", "cut ARI for 2 s", lambda g: cut(g, ARI, CUT_S), needs=LINKS),
        Fault("ari-delay", "hold ARI back by 0.2 s each way for 6 s", lambda g: slow(g, SLOW_S), needs=LINKS),
        Fault(
            "ari-half-open",
            "let no byte of ARI pass for 12 s",
            lambda g: half_open(g, ARI, HALF_OPEN_S),
            needs=LINKS,
        ),
        Fault("ami-cut", "cut AMI for 2 s", lambda g: cut(g, AMI, CUT_S), needs=LINKS),
    ]
