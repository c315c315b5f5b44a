"""The clock by which hours are judged is stepped by an hour: nothing is dialed until somebody has looked at it."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from datetime import timedelta

from dialer_engine.lab.chaos.fault import Fault, Strike
from dialer_engine.lab.chaos.ground import Ground

STEP = timedelta(hours=1)
ON_ITS_WAY_S = 1.0
WAITS_S = 5.0
NOTICED_S = 20.0
STEPPED = "the clock was stepped"
RIGHT = "the stepped clock is taken for right"


async def step(ground: Ground) -> Strike:
    """Step the gate's clock forward and back by an hour, from round to round, and confirm it after some seconds."""
    world = ground.world
    path = world.config / "dialer.yaml"
    forward = ground.round % 2 == 1
    moment = world.clock_now + (STEP if forward else timedelta(0))
    text = re.sub(r"clock: .*", f"clock: {moment.isoformat()}", path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")
    said = await _reads(ground, STEPPED)
    down = time.time()
    await asyncio.sleep(WAITS_S)
    confirmed = time.time()
    taken = await _reads(ground, RIGHT)
    late = [call for call in ground.calls if down + ON_ITS_WAY_S < call.came_at < confirmed]
    broken = [f"dialed {call.number} though the hour was in doubt" for call in late]
    broken += [] if said else ["nothing was said about the step"]
    broken += [] if taken else ["the confirmation was not taken"]
    return Strike(confirmed, confirmed, broken=tuple(broken))


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
    return [Fault("clock-step", does, step)]
