"""The configuration is broken and the engine is asked to read it again: the old one stays in force."""

from __future__ import annotations

import asyncio
import signal
import time

from dialer_engine.lab.chaos.fault import Fault, Strike
from dialer_engine.lab.chaos.ground import Ground

BROKEN = "members: {sunrise: {name: [\ntrunks: 7\n"
READS_S = 2.0
REFUSED = "reload refused"


async def broken_yaml(ground: Ground) -> Strike:
    """Break `dialer.yaml`, send SIGHUP, and mend it after two seconds; a call after that was not on its way before."""
    engine = ground.world.engine
    path = ground.world.config / "dialer.yaml"
    good = path.read_text(encoding="utf-8")
    said = _refusals(ground)
    path.write_text(BROKEN, encoding="utf-8")
    try:
        engine.send(signal.SIGHUP)
        await asyncio.sleep(READS_S)
    finally:
        path.write_text(good, encoding="utf-8")
    now = time.time()
    silent = () if _refusals(ground) > said else ("nothing was said about the broken file",)
    return Strike(now, now, broken=silent)


def _refusals(ground: Ground) -> int:
    return ground.world.engine.log.read_text("utf-8", "replace").count(REFUSED)


def config_faults() -> list[Fault]:
    """The faults of this module."""
    return [Fault("config-broken", "SIGHUP with a broken dialer.yaml", broken_yaml)]
