"""The engine is killed at any moment or exactly when a call crosses a boundary, or it freezes."""

from __future__ import annotations

import asyncio
import signal
import time

from dialer_engine.core.outcome import Result
from dialer_engine.lab.chaos.boundaries import BOUNDARIES, next_boundary
from dialer_engine.lab.chaos.do_not_call import UNHEARD_KEY
from dialer_engine.lab.chaos.fault import Fault, Strike
from dialer_engine.lab.chaos.ground import Ground, Talks
from dialer_engine.lab.chaos.records import UNTIMED, UNWRITTEN_S, Wrong
from dialer_engine.lab.chaos.stage import Needs
from dialer_engine.lab.chaos.verdict import Promise

KILLED = Promise().excusing(Wrong.TALK_ABANDONED).leaving(Result.UNKNOWN, *UNTIMED, UNHEARD_KEY)
"""Who was joined with an agent just before the engine's death, and left before the next one came, is taken for
abandoned: nobody has written the join down, and the law's budget must not be passed. Whoever answered and left, or did
not answer, while there was no engine is unknown, and so is what it had reserved. When it was, nobody saw, and nobody
hears keys meanwhile."""
FROZEN = Promise().leaving(Wrong.LEFT_LATE)
"""A call is stamped right before it is sent. Frozen between the last look at the lease and the sending it leaves with
the wake-up, as decision 0016 says; frozen before that look it never leaves."""
WINDOW_S = 0.008
"""From an event until the engine has acted on it: kills at a boundary are spread over this time."""


async def kill(ground: Ground) -> Strike:
    """Kill the engine and start it again at once, as systemd does."""
    since = time.time()
    await ground.world.engine.kill()
    await ground.world.start_engine_again()
    return Strike(since, time.time(), excused=((since - UNWRITTEN_S, since),))


async def kill_at_boundary(ground: Ground, boundary: str) -> Strike:
    """Kill it when the next call crosses the boundary, or a few milliseconds later."""
    await next_boundary(ground.world, boundary)
    await asyncio.sleep(ground.chance(0.0, WINDOW_S, "window"))
    return await kill(ground)


async def kill_at_each(ground: Ground) -> Strike:
    """Kill it at one boundary after the other, from round to round."""
    return await kill_at_boundary(ground, BOUNDARIES[ground.round % len(BOUNDARIES)])


async def freeze(ground: Ground, seconds: float) -> Strike:
    """Stop the engine's process for so many seconds and let it go on."""
    engine = ground.world.engine
    engine.send(signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        engine.send(signal.SIGCONT)
    now = time.time()
    return Strike(now, now)


def engine_faults() -> list[Fault]:
    """The faults of this module."""
    return [
        Fault("engine-kill", "SIGKILL the engine at a random moment and start it again", kill, KILLED),
        Fault(
            "engine-kill-boundary",
            f"SIGKILL it when a call is {', '.join(BOUNDARIES)}: one after the other, up to 8 ms later",
            kill_at_each,
            KILLED,
        ),
        Fault("engine-freeze", "SIGSTOP the engine for 5 s", lambda ground: freeze(ground, 5.0), FROZEN),
        Fault(
            "engine-freeze-long",
            "SIGSTOP the engine for 30 s",
            lambda ground: freeze(ground, 30.0),
            FROZEN,
            needs=Needs(talks=Talks.LASTING),
        ),
    ]
