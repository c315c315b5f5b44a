"""`dialer bench flood`: what a flood of SIP requests from strangers does to calls, with and without it in turn.

All kinds of round meet the same machine. The judge of calls is the carrier's ledger, of delays the agents' phones.
The flood's sender runs on the same machine and takes its share of it, which a real one does not. So there are rounds in
which it sends as much aside, to a socket that nobody reads: what is slower than there is what the flood does.
The flood meets Asterisk itself, the front that stands before it, or the rules of `dialer firewall` in a network that
this process has for itself.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from dialer_engine.lab.agents import Manners
from dialer_engine.lab.behaviours import uniform
from dialer_engine.lab.chaos.talks import ended_by_us
from dialer_engine.lab.chaos.verdict import is_silent
from dialer_engine.lab.crowd import CROWD_CLOCK, make_crowd
from dialer_engine.lab.firewalled import Firewall
from dialer_engine.lab.flood import Rates, Sent
from dialer_engine.lab.flooding import Flooding, flooding, sink
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.pairing import Answer, pair, quantile
from dialer_engine.lab.place import LabError, Place
from dialer_engine.lab.scenario import CAMPAIGN, Scenario
from dialer_engine.lab.usage import Meter, rss_mb
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


class Kind(StrEnum):
    """What the flood's sender does in a round: nothing, send aside, or flood."""

    QUIET = "quiet"
    ASIDE = "aside"
    FLOOD = "flood"


class Guard(StrEnum):
    """What stands between strangers and Asterisk."""

    NONE = "nothing"
    FRONT = "front"
    FIREWALL = "firewall"


@dataclass(frozen=True, slots=True)
class FloodPlan:
    """Rounds of `seconds` seconds of each kind at `rate` answered calls a second, and the flood."""

    rate: float
    seconds: float
    rounds: int
    rates: Rates = Rates()  # noqa: RUF009  (frozen)
    guard: Guard = Guard.NONE


@dataclass(frozen=True, slots=True)
class Round:
    """One round: calls of people who answered, what was wrong with them, and p95 of answer to agent in ms.

    `cpu` is the share of a CPU that each process had, 1.0 is a whole one.
    """

    kind: Kind
    calls: int
    calls_cut: int
    unheard: int
    silent: int
    p95_ms: float | None
    sent: Sent = field(default_factory=Sent)
    cpu: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class FloodResult:
    """All rounds, and what was left in Asterisk afterwards: tasks that wait, memory in MB before and after.

    `rss_trimmed_mb` is what Asterisk holds once what it had freed has been given back (`malloc trim`), as the engine
    does from time to time.
    `refused` are the requests that Asterisk refused by its log, `dropped` the packets that the firewall dropped.
    """

    plan: FloodPlan
    rounds: list[Round] = field(default_factory=list)
    waiting_tasks: int = 0
    most_waiting: int = 0
    rss_before_mb: float = 0.0
    rss_after_mb: float = 0.0
    rss_trimmed_mb: float = 0.0
    refused: int = 0
    dropped: int | None = None

    @property
    def calls_cut(self) -> int:
        """Answered calls that our side ended."""
        return sum(each.calls_cut for each in self.rounds)

    def of(self, kind: Kind) -> list[Round]:
        """The rounds of one kind, in order."""
        return [each for each in self.rounds if each.kind is kind]

    def ratios(self, without: Kind) -> list[float]:
        """p95 with the flood by p95 of the round of the same turn without it."""
        pairs = zip(self.of(without), self.of(Kind.FLOOD), strict=False)
        return [b.p95_ms / a.p95_ms for a, b in pairs if a.p95_ms and b.p95_ms]

    def cpu_us_per_request(self) -> dict[str, float]:
        """CPU that each process used more with the flood than aside, in microseconds for each request sent."""
        sent, used = 0, dict.fromkeys(self.rounds[0].cpu if self.rounds else (), 0.0)
        for aside, flooded in zip(self.of(Kind.ASIDE), self.of(Kind.FLOOD), strict=False):
            sent += round(flooded.sent.requests * self.plan.seconds / (self.plan.seconds + LEAD_S))
            for name in used:
                used[name] += (flooded.cpu[name] - aside.cpu[name]) * self.plan.seconds
        return {name: round(seconds * 1e6 / sent, 1) for name, seconds in used.items()} if sent else {}

    def as_json(self) -> dict[str, Any]:
        """The figures under the names that checks expect."""
        quiet, aside = self.ratios(Kind.QUIET), self.ratios(Kind.ASIDE)
        return {
            "guard": self.plan.guard.value,
            "calls_cut": self.calls_cut,
            "p95_ratio": _middle(quiet),
            "p95_ratios": [round(ratio, 3) for ratio in quiet],
            "p95_ratio_to_aside": _middle(aside),
            "p95_ratios_to_aside": [round(ratio, 3) for ratio in aside],
            **{f"p95_{kind}_ms": _median(self.of(kind)) for kind in Kind},
            **{f"calls_{kind}": sum(each.calls for each in self.of(kind)) for kind in Kind},
            "unheard": sum(each.unheard for each in self.rounds),
            "silent_answers": sum(each.silent for each in self.rounds),
            "waiting_tasks": self.waiting_tasks,
            "most_waiting": self.most_waiting,
            "rss_before_mb": self.rss_before_mb,
            "rss_after_mb": self.rss_after_mb,
            "rss_trimmed_mb": self.rss_trimmed_mb,
            "sent": sum(each.sent.requests for each in self.of(Kind.FLOOD)),
            "refused": self.refused,
            "dropped": self.dropped,
            "cpu_us_per_request": self.cpu_us_per_request(),
            "rates": asdict(self.plan.rates),
            "rounds": [asdict(each) for each in self.rounds],
        }


def _middle(values: Sequence[float]) -> float | None:
    return round(statistics.median(values), 3) if values else None


def _median(rounds: Sequence[Round]) -> float | None:
    known = [each.p95_ms for each in rounds if each.p95_ms is not None]
    return round(statistics.median(known), 1) if known else None


async def bench_flood(bundle: Bundle, place: Place, plan: FloodPlan, tell: Tell) -> FloodResult:
    """Measure rounds of every kind in turn.

    With `Guard.FIREWALL` the caller has entered a network of its own before (`firewalled.enter_network`).
    """
    async with world(bundle, place, _setting(plan), tell) as lab:
        result = FloodResult(plan)
        result.rss_before_mb = _rss(lab)
        firewall = Firewall.load(lab) if plan.guard is Guard.FIREWALL else None
        for turn in range(plan.rounds):
            for kind in Kind:
                tell(f"round {turn + 1} of {plan.rounds}: {kind}")
                result.rounds.append(await _round(lab, plan, kind))
        await _aftermath(lab, result)
        result.dropped = firewall.dropped() if firewall is not None else None
        return result


def _setting(plan: FloodPlan) -> Setting:
    agents = round(plan.rate * (TALK_S + 0.3) * FREE_SHARE) + 2
    scenario = Scenario(
        agents=agents,
        mode="progressive",
        wrap_seconds=0,
        calls_per_second=plan.rate,
        max_channels=agents,
        clock=CROWD_CLOCK,
    )
    crowd = make_crowd(round(len(Kind) * plan.rounds * plan.rate * (plan.seconds + SETTLE_S)) + 100)
    return Setting(scenario, uniform(RING_S, TALK_S), crowd, POLITE, front=plan.guard is Guard.FRONT)


async def _round(lab: World, plan: FloodPlan, kind: Kind) -> Round:
    """Dial for so many seconds, perhaps with a flood, and let all calls end."""
    before = len(_calls(lab))
    async with AsyncExitStack() as stack:
        flood: Flooding | None = None
        if kind is not Kind.QUIET:
            target = lab.sip_address if kind is Kind.FLOOD else stack.enter_context(sink())
            agent = lab.setting.scenario.agent_names[0]
            begun = flooding(target, agent, plan.seconds + LEAD_S, plan.rates)
            flood = await stack.enter_async_context(begun)
            await asyncio.sleep(LEAD_S)
        meter = Meter.read(lab.named_pids)
        await lab.engine.control.post(f"/campaigns/{CAMPAIGN}/start")
        await asyncio.sleep(plan.seconds)
        cpu = Meter.read(lab.named_pids).shares(meter)
        await lab.engine.control.post(f"/campaigns/{CAMPAIGN}/pause")
        sent = await flood.sent() if flood is not None else Sent()
    await _quiet(lab)
    return _judge(lab, _calls(lab)[before:], sent, cpu, kind)


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


def _judge(lab: World, calls: list[CarrierCall], sent: Sent, cpu: dict[str, float], kind: Kind) -> Round:
    answers: list[Answer] = pair(calls, lab.phones.heard)
    delays = sorted(each.delay_ms for each in answers if each.delay_ms is not None)
    return Round(
        kind,
        calls=len(answers),
        calls_cut=sum(map(ended_by_us, calls)),
        unheard=sum(each.heard is None for each in answers),
        silent=sum(map(is_silent, calls)),
        p95_ms=quantile(delays, 0.95) if delays else None,
        sent=sent,
        cpu=cpu,
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
    await lab.main_node.trim_memory()
    result.rss_trimmed_mb = _rss(lab)
    strangers = (await lab.engine.control.status())["strangers"]
    result.refused = strangers["refused"]


def _rss(lab: World) -> float:
    pid = lab.main_node.pid
    return rss_mb(pid) if pid is not None else 0.0
