"""Run a campaign in a lab world from its start until its list is done, and gather what everybody saw."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

from dialer_engine.lab.board import FLIGHT, View
from dialer_engine.lab.compare import EngineCall
from dialer_engine.lab.pairing import delays, pair
from dialer_engine.lab.people import oracle_for
from dialer_engine.lab.scenario import CAMPAIGN
from dialer_engine.lab.summary import Summary, summarize
from dialer_engine.lab.world import World

POLL_S = 0.25
QUIET_S = 4.0
DRAIN_S = 45.0
SETTLE_S = 5.0

Show = Callable[[View], None]


async def run_campaign(world: World, seconds: float, show: Show, started_at: float) -> Summary:
    """Dial until the list is done or `seconds` have passed, let calls end, and count."""
    await world.begin()
    await _watch(world, seconds, show, started_at)
    world.tell("no new calls; waiting for those in progress")
    await world.engine.control.post(f"/campaigns/{CAMPAIGN}/stop")
    await drain(world, show, started_at)
    records = await records_of(world)
    world.ledger.read()
    oracle = oracle_for(world.setting.people, world.setting.scenario.cap)
    return summarize(world.ledger.calls, world.phones.heard, records, oracle, started_at)


async def _watch(world: World, seconds: float, show: Show, started_at: float) -> None:
    end = time.monotonic() + seconds
    quiet_since: float | None = None
    while time.monotonic() < end:
        view = await look(world, started_at)
        show(view)
        if busy(view):
            quiet_since = None
        elif quiet_since is None:
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since > QUIET_S + world.setting.scenario.retry_s:
            return
        await asyncio.sleep(POLL_S)


async def drain(world: World, show: Show, started_at: float, seconds: float = DRAIN_S) -> None:
    """Wait until no call is up, at most so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        view = await look(world, started_at)
        show(view)
        if not any(view.campaign["calls"].values()) and not view.carrier_live:
            return
        await asyncio.sleep(POLL_S)


async def look(world: World, started_at: float) -> View:
    """Ask the engine, and read what carrier and phones have seen."""
    status = await world.engine.control.status()
    world.ledger.read()
    calls = world.ledger.calls
    waits = [a.delay_ms for a in pair(calls, world.phones.heard) if a.delay_ms is not None]
    return View(time.time() - started_at, status, len(calls), world.ledger.live, delays(waits))


def busy(view: View) -> bool:
    """Whether calls are up, or contacts are due or will be within this run."""
    calls, queue = view.campaign["calls"], view.campaign["queue"]
    return bool(any(calls[state] for state in (*FLIGHT, "bridged", "message")) or queue["due"])


async def records_of(world: World) -> list[EngineCall]:
    """The engine's call records, once there are as many as the carrier saw calls, or after a while anyway."""
    end = time.monotonic() + SETTLE_S
    while True:
        records = [_record(line) for line in (await export(world)).splitlines() if line.startswith("{")]
        world.ledger.read()
        if len(records) >= len(world.ledger.calls) or time.monotonic() > end:
            return records
        await asyncio.sleep(0.5)


async def export(world: World, form: str = "jsonl") -> str:
    """All call records of this world, as `dialer cdr export` prints them."""
    day = ("--from", "2020-01-01", "--to", "2100-01-01")
    return await world.engine.run("cdr", "export", *day, "--format", form, "--config", str(world.config))


def _record(line: str) -> EngineCall:
    row = json.loads(line)
    return EngineCall(
        number=row["called_number"],
        result=row["result"],
        originated_at=_seconds(row["originated_at"]),
        answered_at=_seconds(row["answered_at"]),
        ended_at=_seconds(row["ended_at"]) or 0.0,
    )


def _seconds(text: str | None) -> float | None:
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
