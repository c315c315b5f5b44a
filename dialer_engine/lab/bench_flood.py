"""`dialer bench flood`: what a flood of SIP requests from strangers does to calls, with and without it in turn.

Both kinds of round meet the same machine. The judge of calls is the carrier's ledger, of delays the agents' phones.
The flood's sender runs on the same machine and takes its share of it, so the ratio is worse than with a real one.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from dialer_engine.lab.agents import Manners
from dialer_engine.lab.behaviours import uniform
from dialer_engine.lab.chaos.verdict import is_cut, is_silent
from dialer_engine.lab.crowd import CROWD_CLOCK, make_crowd
from dialer_engine.lab.flood import Rates
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.pairing import Answer, pair, quantile
from dialer_engine.lab.place import LabError, Place
from dialer_engine.lab.scenario import CAMPAIGN, Scenario
from dialer_engine.lab.usage import rss_mb
from dialer_engine.lab.world import Setting, World, world
from dialer_engine.pbx.bundle import Bundle

RING_S = 0.3
TALK_S = 2.5
SETTLE_S = 20.0
STEP_S = 0.25
LEAD_S = 1.0
"""The flood runs so long before the first call of its round."""
FREE_SHARE = 1.6
POLITE = Manners(ends_share=0.0, digits="")

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Round:
    """One round: calls of people who answered, what was wrong with them, and p95 of answer to agent in ms."""

    flooded: bool
    calls: int
    calls_cut: int
    unheard: int
    silent: int
    p95_ms: float | None
    sent: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class FloodResult:
    """All rounds, and what was left in Asterisk afterwards: tasks that wait, memory in MB before and after."""

    rates: Rates
    rounds: list[Round] = field(default_factory=list)
    waiting_tasks: int = 0
    most_waiting: int = 0
    rss_before_mb: float = 0.0
    rss_after_mb: float = 0.0
    refused: int = 0

    @property
    def calls_cut(self) -> int:
        """Answered calls that our side ended."""
        return sum(each.calls_cut for each in self.rounds)

    def ratios(self) -> list[float]:
        """p95 with the flood by p95 of the round before without it."""
        pairs = zip(self.rounds[::2], self.rounds[1::2], strict=False)
        return [b.p95_ms / a.p95_ms for a, b in pairs if a.p95_ms and b.p95_ms]

    def as_json(self) -> dict[str, Any]:
        """The figures under the names that checks expect."""
        ratios = self.ratios()
        return {
            "calls_cut": self.calls_cut,
            "p95_ratio": round(statistics.median(ratios), 3) if ratios else None,
            "p95_ratios": [round(ratio, 3) for ratio in ratios],
            "p95_quiet_ms": _median(self.rounds[::2]),
            "p95_flooded_ms": _median(self.rounds[1::2]),
            "calls_quiet": sum(each.calls for each in self.rounds[::2]),
            "calls_flooded": sum(each.calls for each in self.rounds[1::2]),
            "unheard": sum(each.unheard for each in self.rounds),
            "silent_answers": sum(each.silent for each in self.rounds),
            "waiting_tasks": self.waiting_tasks,
            "most_waiting": self.most_waiting,
            "rss_before_mb": self.rss_before_mb,
            "rss_after_mb": self.rss_after_mb,
            "refused": self.refused,
            "rates": asdict(self.rates),
            "rounds": [asdict(each) for each in self.rounds],
        }


def _median(rounds: Sequence[Round]) -> float | None:
    known = [each.p95_ms for each in rounds if each.p95_ms is not None]
    return round(statistics.median(known), 1) if known else None


async def bench_flood(
    bundle: Bundle, place: Place, rate: float, seconds: float, rounds: int, rates: Rates, tell: Tell
) -> FloodResult:
    """Measure `rounds` rounds of `seconds` seconds each way, at `rate` answered calls a second."""
    agents = round(rate * (TALK_S + 0.3) * FREE_SHARE) + 2
    scenario = Scenario(
        agents=agents,
        mode="progressive",
        wrap_seconds=0,
        calls_per_second=rate,
        max_channels=agents,
        clock=CROWD_CLOCK,
    )
    crowd = make_crowd(round(2 * rounds * rate * (seconds + SETTLE_S)) + 100)
    setting = Setting(scenario, uniform(RING_S, TALK_S), crowd, POLITE)
    async with world(bundle, place, setting, tell) as lab:
        result = FloodResult(rates)
        result.rss_before_mb = _rss(lab)
        for turn in range(rounds):
            for flooded in (False, True):
                tell(f"round {turn + 1} of {rounds}: {'with the flood' if flooded else 'without a flood'}")
                result.rounds.append(await _round(lab, seconds, rates if flooded else None))
        await _aftermath(lab, result)
        return result


async def _round(lab: World, seconds: float, rates: Rates | None) -> Round:
    """Dial for so many seconds, with a flood when there are rates, and let all calls end."""
    before = len(_calls(lab))
    flood = await _flood(lab, seconds + LEAD_S, rates) if rates is not None else None
    try:
        await asyncio.sleep(LEAD_S if flood else 0.0)
        await lab.engine.control.post(f"/campaigns/{CAMPAIGN}/start")
        await asyncio.sleep(seconds)
        await lab.engine.control.post(f"/campaigns/{CAMPAIGN}/pause")
        words = (await flood.communicate())[0] if flood is not None else b"{}"
    finally:
        if flood is not None and flood.returncode is None:
            flood.kill()
            await flood.wait()
    await _quiet(lab)
    return _judge(lab, _calls(lab)[before:], json.loads(words), flooded=rates is not None)


async def _flood(lab: World, seconds: float, rates: Rates) -> asyncio.subprocess.Process:
    agent = lab.setting.scenario.agent_names[0]
    words = (lab.main.bind, lab.main.sip_port, agent, seconds, rates.registers, rates.options, rates.invites)
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dialer_engine.lab.flood", *map(str, words), stdout=asyncio.subprocess.PIPE
    )


def _calls(lab: World) -> list[CarrierCall]:
    lab.ledger.read()
    return lab.ledger.calls


async def _quiet(lab: World) -> None:
    end = time.monotonic() + SETTLE_S
    # An ear notes what it heard only after a silence, so the newest call is not noted yet when it ends.
    while any(call.live for call in _calls(lab)) or lab.phones.hearing:
        if time.monotonic() > end:
            raise LabError(f"calls did not end within {SETTLE_S:g} s after the campaign was paused")
        await asyncio.sleep(STEP_S)


def _judge(lab: World, calls: list[CarrierCall], sent: dict[str, float], *, flooded: bool) -> Round:
    answers: list[Answer] = pair(calls, lab.phones.heard)
    delays = sorted(each.delay_ms for each in answers if each.delay_ms is not None)
    return Round(
        flooded,
        calls=len(answers),
        calls_cut=sum(map(is_cut, calls)),
        unheard=sum(each.heard is None for each in answers),
        silent=sum(map(is_silent, calls)),
        p95_ms=quantile(delays, 0.95) if delays else None,
        sent=sent,
    )


async def _aftermath(lab: World, result: FloodResult) -> None:
    """Wait until Asterisk's queues are empty, and note what is not."""
    end = time.monotonic() + SETTLE_S
    while True:
        queues = (await lab.main_node.task_processors()).values()
        result.waiting_tasks = sum(queue.waiting for queue in queues)
        result.most_waiting = max((queue.most_waiting for queue in queues), default=0)
        if not result.waiting_tasks or time.monotonic() > end:
            break
        await asyncio.sleep(STEP_S)
    result.rss_after_mb = _rss(lab)
    strangers = (await lab.engine.control.status())["strangers"]
    result.refused = strangers["refused"]


def _rss(lab: World) -> float:
    pid = lab.main_node.pid
    return rss_mb(pid) if pid is not None else 0.0
