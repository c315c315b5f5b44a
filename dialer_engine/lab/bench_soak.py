"""`dialer bench soak`: does anything grow with the number of calls?

A campaign with predictive pacing dials a long list at a simulated carrier: people who talk, hang up early or press 9,
machines, busy and failing numbers, abandoned calls. Memory, descriptors, tasks and threads of the engine are read all
the time, also for a while after the last call; channels and bridges of its Asterisk and sessions at its database before
the first call and after the last. What a call leaves behind shows as a slope, or as a difference between the two ends;
what comes by time alone shows as a slope without calls.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence

from dialer_engine.lab.agents import Manners
from dialer_engine.lab.behaviours import Behaviour, Kind, Table
from dialer_engine.lab.crowd import CROWD_CLOCK, make_crowd
from dialer_engine.lab.place import LabError, Place
from dialer_engine.lab.run import export
from dialer_engine.lab.scenario import CAMPAIGN, Scenario
from dialer_engine.lab.soak_result import Sample, SoakResult, Still
from dialer_engine.lab.usage import descriptors, rss_bytes, rss_mb, threads
from dialer_engine.lab.world import Setting, World, world
from dialer_engine.pbx.bundle import Bundle
from dialer_engine.store.pool import connect
from dialer_engine.store.sql import sql

STEP_S = 5.0
STILL_S = 60.0
SETTLE_S = 90.0
KINDS = (
    *((Kind.ANSWER_HANGUP, 1.0),) * 9,
    *((Kind.BUSY, 0.0),) * 5,
    *((Kind.HUMAN, 0.5), (Kind.MACHINE, 1.0), (Kind.IMPATIENT, 1.0), (Kind.OPT_OUT, 1.0)),
    *((Kind.NOT_IN_SERVICE, 0.0), (Kind.CONGESTION, 0.0)),
)
"""Mostly short talks: the phones are silent here, and people who wait for a word take eight seconds."""
PEOPLE: Table = tuple(
    Behaviour(kind, 0.2 + 0.02 * (n % 20), talk_s)
    for n in range(100)
    for kind, talk_s in (KINDS[n % len(KINDS)],)
)

Tell = Callable[[str], None]


async def bench_soak(
    bundle: Bundle, place: Place, attempts: int, agents: int, idle_s: float, tell: Tell
) -> SoakResult:
    """Dial `attempts` contacts once each, then watch for `idle_s` seconds without calls.

    Raises LabError when the list is not done for a long time.
    """
    scenario = Scenario(
        agents=agents,
        mode="predictive",
        wrap_seconds=0,
        calls_per_second=100.0,
        max_channels=8 * agents,
        clock=CROWD_CLOCK,
        retry_s=24 * 3600,
        cap=1,
    )
    setting = Setting(scenario, PEOPLE, make_crowd(attempts), Manners(ends_share=0.1, digits=""), deaf=True)
    async with world(bundle, place, setting, tell) as lab:
        before = await _still(lab)
        await lab.begin()
        begun = time.monotonic()
        samples = await _watch(lab, attempts, tell)
        seconds = time.monotonic() - begun
        await lab.engine.control.post(f"/campaigns/{CAMPAIGN}/stop")
        await _until_still(lab)
        idle = await _watch_idle(lab, idle_s, tell)
        after = await _still(lab)
        lab.ledger.read()
        records = [json.loads(line) for line in (await export(lab)).splitlines() if line.startswith("{")]
        kept = Counter(record["called_number"] for record in records if record["originated_at"] is not None)
        placed = Counter(call.number for call in lab.ledger.calls)
        return SoakResult(before, after, placed, kept, seconds, samples, idle)


async def _watch(lab: World, attempts: int, tell: Tell) -> list[Sample]:
    """Sample until every contact was called; some the law's budget holds back are left out at the end."""
    samples: list[Sample] = []
    nothing_left = 0
    grew = said = time.monotonic()
    while True:
        await asyncio.sleep(STEP_S)
        sample = await _sample(lab)
        if samples and sample.calls > samples[-1].calls:
            grew = time.monotonic()
        samples.append(sample)
        nothing_left = nothing_left + 1 if await _nobody_left(lab) else 0
        if time.monotonic() - said >= 6 * STEP_S:
            said = time.monotonic()
            tell(f"{sample.calls:,} of {attempts:,} calls; engine {sample.rss_mb:g} MB, {sample.tasks} tasks")
        if sample.calls >= attempts or nothing_left == 2 or time.monotonic() - grew > STILL_S:
            return samples


async def _watch_idle(lab: World, seconds: float, tell: Tell) -> list[Sample]:
    """Sample for so many seconds with agents on duty and no calls."""
    tell(f"{seconds:g} s without calls")
    end, samples = time.monotonic() + seconds, [await _sample(lab)]
    while time.monotonic() < end:
        await asyncio.sleep(min(STEP_S, seconds))
        samples.append(await _sample(lab))
    return samples


async def _nobody_left(lab: World) -> bool:
    """Whether no call is up and no contact is due."""
    [campaign] = (await lab.engine.control.status())["campaigns"]
    return not any(campaign["calls"].values()) and not campaign["queue"]["due"]


async def _sample(lab: World) -> Sample:
    status = await lab.engine.control.status()
    lab.ledger.read()
    pid = int(status["engine"]["pid"])
    tasks = int(status["engine"]["tasks"])
    memory = round(rss_bytes(pid) / 1e6, 3)
    return Sample(time.monotonic(), lab.ledger.count, memory, descriptors(pid), tasks, threads(pid))


async def _until_still(lab: World) -> None:
    """Wait until nobody is on the line and everything is written."""
    end = time.monotonic() + SETTLE_S
    while time.monotonic() < end:
        status = await lab.engine.control.status()
        lab.ledger.read()
        flying = any(sum(each["calls"].values()) for each in status["campaigns"])
        if not flying and not lab.ledger.live and not status["engine"]["unwritten"]:
            return
        await asyncio.sleep(0.5)
    raise LabError(f"calls are still up {SETTLE_S:g} s after the last was dialed; see {lab.place.log}")


async def _still(lab: World) -> Still:
    """Look at the system once it has been quiet for some seconds; the least of several looks counts."""
    node, looks = lab.main_node, list[Still]()
    held = rss_mb(node.pid or 0)
    await node.trim_memory()
    for _ in range(5):
        await asyncio.sleep(1.0)
        sample = await _sample(lab)
        channels = await asyncio.to_thread(node.console, "core show channels count")
        bridges = await asyncio.to_thread(node.console, "bridge show all")
        sessions = await _sessions(lab)
        memory = rss_mb(node.pid or 0)
        looks.append(Still(sample, _first_number(channels), len(_bridges(bridges)), sessions, held, memory))
    return min(
        looks, key=lambda look: (look.channels, look.bridges, look.engine.tasks, look.engine.descriptors)
    )


async def _sessions(lab: World) -> int:
    """Count the sessions at the database but our own."""
    conn = await connect(lab.postgres.url())
    try:
        return int(await conn.fetchval(sql("bench_sessions")))
    finally:
        await conn.close()


def _first_number(text: str) -> int:
    found = re.search(r"\d+", text)
    if found is None:
        raise LabError(f"Asterisk's console says {text!r} where the number of channels should be")
    return int(found.group())


def _bridges(text: str) -> Sequence[str]:
    """The lines of bridges below the title line of `bridge show all`."""
    return [line for line in text.splitlines()[1:] if line.strip()]
