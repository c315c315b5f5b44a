"""The clock by which hours are judged is stepped by an hour: nothing is dialed until somebody has looked at it.

There are people who may be called by that clock, and not by the right one.
"""

from __future__ import annotations

import asyncio
import re
import signal
import time
from datetime import datetime, timedelta

from dialer_engine.lab.chaos.fault import Fault, Strike
from dialer_engine.lab.chaos.ground import Ground
from dialer_engine.lab.chaos.stage import Needs
from dialer_engine.lab.chaos.trunk_faults import LOADED

STEP = timedelta(hours=1)
BY_HAND = timedelta(seconds=45)
"""Who sets the clock right by hand is so far off: too far for the engine to go on by itself."""
ON_ITS_WAY_S = 1.0
WAITS_S = 5.0
NOTICED_S = 20.0
STEPPED = "the clock was stepped"
RIGHT = "the stepped clock is taken for right"


async def step(ground: Ground) -> Strike:
    """Step the gate's clock forward or back by an hour, from round to round; set it right by hand, and confirm it."""
    world = ground.world
    status = await world.engine.control.status()
    off = datetime.fromisoformat(status["engine"]["clock"]) - world.clock_now
    said = await _set(ground, off + (STEP if ground.round % 2 == 1 else -STEP), STEPPED)
    down = time.time()
    await asyncio.sleep(WAITS_S)
    righted = await _set(ground, off + (BY_HAND if off < BY_HAND / 2 else -BY_HAND), LOADED)
    confirmed = time.time()
    taken = righted and await _reads(ground, RIGHT)
    late = [call for call in ground.calls if down + ON_ITS_WAY_S < call.came_at < confirmed]
    broken = [f"dialed {call.number} though the hour was in doubt" for call in late]
    broken += [] if said else ["nothing was said about the step"]
    broken += [] if taken else ["the confirmation was not taken"]
    return Strike(confirmed, confirmed, broken=tuple(broken))


async def _set(ground: Ground, off: timedelta, words: str) -> bool:
    """Let the gate's clock be off by so much, and wait for words in the log."""
    path = ground.world.config / "dialer.yaml"
    moment = ground.world.clock_now + off
    text = re.sub(r"clock: .*", f"clock: {moment.isoformat()}", path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")
    return await _reads(ground, words)


async def _reads(ground: Ground, words: str) -> bool:
    """Send SIGHUP and wait for words in the log."""
    log = ground.world.engine.log

    def count() -> int:
        return log.read_text("utf-8", "replace").count(words)

    before = count()
    ground.world.engine.send(signal.SIGHUP)
    return await ground.until(lambda: count() > before, NOTICED_S)


def clock_faults() -> list[Fault]:
    """The faults of this module."""
    does = "step the clock of the calling hours by an hour, forward and back in turn"
    return [Fault("clock-step", does, step, needs=Needs(edges=True))]
