"""Postgres is stopped, killed or locked: calls go on, new ones stop within a second, no record is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import replace

from dialer_engine.lab.chaos.fault import Fault, Strike
from dialer_engine.lab.chaos.ground import Ground, Talks
from dialer_engine.lab.chaos.stage import Needs
from dialer_engine.lab.place import LabError
from dialer_engine.store import postmaster
from dialer_engine.store.pool import connect
from dialer_engine.store.sql import sql

STOPS_WITHIN_S = 1.0
LOOK_S = 0.01
LASTING = Needs(talks=Talks.LASTING)


async def stop(ground: Ground, seconds: float) -> Strike:
    """Stop Postgres in good order, and start it again after so many seconds; meanwhile agents give do-not-calls."""
    with ground.world.phones.forbidding():
        down = time.time()
        await asyncio.to_thread(ground.world.postgres.stop)
        strike = await _start_again(ground, down, seconds)
    return replace(strike, notes=(*strike.notes, forbade(ground, down, strike.able)))


def forbade(ground: Ground, down: float, back: float) -> str:
    """How many do-not-calls agents gave while the database was away, in words."""
    keys = [each for each in ground.world.phones.pressed if down + STOPS_WITHIN_S < each.at < back]
    return f"round {ground.round}: {len(keys)} do-not-calls of agents while the database was away"


async def kill(ground: Ground) -> Strike:
    """Kill Postgres and start it again at once."""
    found = postmaster.read(ground.world.postgres.data)
    if found is None:
        raise LabError("the embedded Postgres does not run")
    down = time.time()
    os.kill(found.pid, signal.SIGKILL)
    return await _start_again(ground, down, 0.0)


async def _start_again(ground: Ground, down: float, seconds: float) -> Strike:
    await asyncio.sleep(seconds)
    back = await started(ground)
    late = [call for call in ground.calls if down + STOPS_WITHIN_S < call.came_at < back]
    return Strike(time.time(), back, broken=tuple(f"dialed {c.number} without a database" for c in late))


async def started(ground: Ground) -> float:
    """Start Postgres, and return the last moment at which it did not answer yet.

    A killed one takes a second or more; when the start returns it may have been there for a moment already.
    """
    postgres, away = ground.world.postgres, time.time()
    starting = asyncio.create_task(asyncio.to_thread(postgres.start))
    while not starting.done():
        asked = time.time()
        if await asyncio.to_thread(postgres.running):
            break
        away = asked
        await asyncio.sleep(LOOK_S)
    await starting
    return away


async def lock(ground: Ground, seconds: float) -> Strike:
    """Hold a lock on the attempts that nobody else can write against, for so many seconds; agents give do-not-calls."""
    conn = await connect(ground.world.postgres.url(), batch=True)
    try:
        with ground.world.phones.forbidding():
            async with conn.transaction():
                await conn.execute(sql("chaos_lock"))
                down = time.time()
                await asyncio.sleep(seconds)
                before = time.time()
    finally:
        await conn.close()
    late = [call for call in ground.calls if down + STOPS_WITHIN_S < call.came_at < before]
    now = time.time()
    broken = tuple(f"dialed {call.number} against a lock" for call in late)
    return Strike(now, now, broken=broken, notes=(forbade(ground, down, before),))


def postgres_faults() -> list[Fault]:
    """The faults of this module."""
    return [
        Fault("postgres-stop", "stop Postgres for 5 s", lambda ground: stop(ground, 5.0)),
        Fault(
            "postgres-stop-long", "stop Postgres for 60 s", lambda ground: stop(ground, 60.0), needs=LASTING
        ),
        Fault("postgres-kill", "SIGKILL Postgres and start it again", kill),
        Fault("postgres-lock", "lock the attempts in the database for 5 s", lambda g: lock(g, 5.0)),
        Fault("postgres-lock-long", "lock the attempts for 30 s", lambda g: lock(g, 30.0), needs=LASTING),
    ]
