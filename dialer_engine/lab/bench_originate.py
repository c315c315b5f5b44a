"""`dialer bench originate`: sustained calls a second through the whole engine, beside bare call files.

Every call passes everything: reservation and gate in the database, originate, answer, claim, agent's bridge,
end and record. The carrier answers at once and hangs up after a second, without sound. The yardstick is the
same Asterisk fed with call files in the same run, with as many calls up at once and the same carrier.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dialer_engine.lab.agents import Manners
from dialer_engine.lab.behaviours import Kind, uniform
from dialer_engine.lab.callfiles import CallFiles
from dialer_engine.lab.crowd import CROWD_CLOCK, make_crowd
from dialer_engine.lab.place import Place
from dialer_engine.lab.run import export
from dialer_engine.lab.scenario import CAMPAIGN, Scenario
from dialer_engine.lab.usage import Meter, rss_mb
from dialer_engine.lab.world import Setting, World, world
from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.node import Node

CALL_S = 1.0
WARM_UP_S = 5.0
SETTLE_S = 4.0
STEP_S = 0.5
MOST_PER_SECOND = 300
TRUNK = "carrier"
QUIET = Manners(ends_share=0.0, digits="")

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Round:
    """One round: calls the carrier saw begin, in how many seconds, and who used which share of a CPU."""

    calls: int
    seconds: float
    shares: dict[str, float]
    deepest: tuple[str, int]

    @property
    def per_second(self) -> float:
        """Calls a second."""
        return round(self.calls / self.seconds, 1) if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class OriginateResult:
    """The engine's round beside the call files'."""

    engine: Round
    files: Round
    engine_cpu_s: float
    rss_mb: float
    records: int

    def as_json(self) -> dict[str, Any]:
        """The figures under the names that checks expect."""
        return {
            "engine_cps": self.engine.per_second,
            "callfile_cps": self.files.per_second,
            "ratio": round(self.engine.per_second / max(self.files.per_second, 0.1), 2),
            "cpu_ms_per_call": round(self.engine_cpu_s * 1000 / max(self.engine.calls, 1), 2),
            "rss_mb": self.rss_mb,
            "engine_cpu_shares": self.engine.shares,
            "callfile_cpu_shares": self.files.shares,
            "engine_deepest_task_processor": self.engine.deepest,
            "callfile_deepest_task_processor": self.files.deepest,
            "calls": self.engine.calls,
            "callfile_calls": self.files.calls,
            "cdrs": self.records,
            "limit": limit(self.engine),
        }


def limit(measured: Round) -> str:
    """What held the engine's round back, in words, from the shares of CPU."""
    total = sum(measured.shares.values())
    name, share = max(measured.shares.items(), key=lambda item: item[1], default=("nobody", 0.0))
    queue, depth = measured.deepest
    cpu = f"all measured processes together used {total:.2f} CPUs, most of it {name} with {share:.2f}"
    return f"{cpu}; deepest task processor in Asterisk: {queue} with {depth} waiting"


async def bench_originate(
    bundle: Bundle, place: Place, seconds: float, agents: int, tell: Tell
) -> OriginateResult:
    """Measure the engine, then call files, `seconds` seconds each, with `agents` calls up at most."""
    each = round((seconds + WARM_UP_S + 5) * MOST_PER_SECOND)
    crowd = make_crowd(2 * each)
    setting = Setting(
        _scenario(agents), uniform(0.0, CALL_S, Kind.ANSWER_HANGUP), crowd[:each], QUIET, deaf=True
    )
    async with world(bundle, place, setting, tell) as lab:
        await asyncio.sleep(SETTLE_S)
        engine, cpu = await _engine_round(lab, seconds, tell)
        pid = lab.engine.pid
        memory = rss_mb(pid) if pid else 0.0
        records = await _records(lab, tell)
        await asyncio.sleep(SETTLE_S)
        files = await _file_round(lab, lab.main_node, [p.number for p in crowd[each:]], seconds, tell)
        return OriginateResult(engine, files, cpu, memory, records)


def _scenario(agents: int) -> Scenario:
    return Scenario(
        agents=agents,
        mode="progressive",
        wrap_seconds=0,
        calls_per_second=MOST_PER_SECOND,
        max_channels=2 * agents,
        clock=CROWD_CLOCK,
    )


async def _engine_round(lab: World, seconds: float, tell: Tell) -> tuple[Round, float]:
    tell(f"the engine dials as fast as it can for {seconds:g} s")
    await lab.engine.control.post(f"/campaigns/{CAMPAIGN}/start")
    await asyncio.sleep(WARM_UP_S)
    measured, used = await _measure(lab, seconds, tell)
    await lab.engine.control.post(f"/campaigns/{CAMPAIGN}/stop")
    await _until_quiet(lab)
    return measured, used.get("engine", 0.0)


async def _file_round(lab: World, node: Node, numbers: list[str], seconds: float, tell: Tell) -> Round:
    tell(f"call files into the same Asterisk for {seconds:g} s")
    files = CallFiles(node, TRUNK)
    await files.open()
    feeding = asyncio.create_task(
        files.run(numbers, lab.setting.scenario.agents, WARM_UP_S + seconds + 1, lab.ledger)
    )
    try:
        await asyncio.sleep(WARM_UP_S)
        measured, _ = await _measure(lab, seconds, tell)
        await feeding
    finally:
        feeding.cancel()
        await _until_quiet(lab)
        await files.close()
    return measured


async def _measure(lab: World, seconds: float, tell: Tell) -> tuple[Round, dict[str, float]]:
    """Count the calls that come to the carrier during `seconds` seconds, and who uses which CPU time."""
    node = lab.main_node
    lab.ledger.read()
    count, first, begin = lab.ledger.count, Meter.read(lab.named_pids), time.monotonic()
    deepest = ("none", 0)
    said = begin
    while time.monotonic() - begin < seconds:
        await asyncio.sleep(min(STEP_S, max(0.0, begin + seconds - time.monotonic())))
        lab.ledger.read()
        if time.monotonic() - said >= 5:
            said = time.monotonic()
            deepest = max(deepest, await _deepest(node), key=lambda item: item[1])
            tell(f"{said - begin:4.0f} s: {(lab.ledger.count - count) / (said - begin):.0f} calls/s")
    lab.ledger.read()
    span, last = time.monotonic() - begin, Meter.read(lab.named_pids)
    return Round(lab.ledger.count - count, span, last.shares(first), deepest), last.since(first)


async def _deepest(node: Node) -> tuple[str, int]:
    """The task processor of Asterisk in which most tasks wait now."""
    waiting = {name: each.waiting for name, each in (await node.task_processors()).items()}
    return max(waiting.items(), key=lambda item: item[1], default=("none", 0))


async def _until_quiet(lab: World) -> None:
    for _ in range(60):
        lab.ledger.read()
        if not lab.ledger.live:
            return
        await asyncio.sleep(0.25)


async def _records(lab: World, tell: Tell) -> int:
    """How many call records there are once the engine has written everything."""
    for _ in range(120):
        unwritten = (await lab.engine.control.status())["engine"]["unwritten"]
        if not unwritten:
            break
        tell(f"{unwritten} facts wait to be written")
        await asyncio.sleep(0.5)
    return sum(line.startswith("{") for line in (await export(lab)).splitlines())
