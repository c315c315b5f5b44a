"""`dialer bench answer`: from the carrier's 200 OK to the customer's voice at the agent's phone.

Rounds alternate between the engine and bare ARI in one run, so that both meet the same machine. The clock is
the carrier's and the phones', never the engine's.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dialer_engine.lab.agents import Manners
from dialer_engine.lab.behaviours import uniform
from dialer_engine.lab.crowd import CROWD_CLOCK, make_crowd
from dialer_engine.lab.floor import Floor
from dialer_engine.lab.pairing import Delays, delays, pair
from dialer_engine.lab.phones import Phone
from dialer_engine.lab.place import Place
from dialer_engine.lab.scenario import CAMPAIGN, Scenario
from dialer_engine.lab.world import Setting, World, world
from dialer_engine.pbx.bundle import Bundle

RING_S = 0.3
TALK_S = 1.5
SETTLE_S = 3.5
FREE_SHARE = 1.6
FLOOR = "floor"
POLITE = Manners(ends_share=0.0, digits="")

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class AnswerResult:
    """Delays through the engine and through bare ARI; calls that no phone heard are counted, not hidden."""

    engine: Delays
    floor: Delays
    engine_unheard: int
    floor_unheard: int
    late_audio_ticks: int

    def as_json(self) -> dict[str, Any]:
        """The figures under the names that checks expect."""
        return {
            "p50_ms": self.engine.p50,
            "p99_ms": self.engine.p99,
            "over_2s": self.engine.over_2s,
            "floor_p50_ms": self.floor.p50,
            "floor_p99_ms": self.floor.p99,
            "max_ms": self.engine.max,
            "floor_max_ms": self.floor.max,
            "calls": self.engine.count,
            "floor_calls": self.floor.count,
            "unheard": self.engine_unheard,
            "floor_unheard": self.floor_unheard,
            "late_audio_ticks": self.late_audio_ticks,
        }


async def bench_answer(
    bundle: Bundle, place: Place, rate: float, seconds: float, rounds: int, tell: Tell
) -> AnswerResult:
    """Measure `rounds` rounds of `seconds` seconds each way, at `rate` answered calls a second."""
    agents = round(rate * (TALK_S + 0.3) * FREE_SHARE) + 2
    config = place.node("floor", 3)
    phones = tuple(
        Phone(f"{FLOOR}{n:03d}", f"{FLOOR}{n:03d}", secrets.token_hex(8), config.bind, config.sip_port)
        for n in range(1, agents + 1)
    )
    per_round = round(rate * seconds)
    crowd = make_crowd(2 * rounds * per_round + 200)
    half = rounds * per_round
    setting = Setting(_scenario(agents, rate), uniform(RING_S, TALK_S), crowd[half:], POLITE, 1, phones)
    floor: Floor | None = None
    try:
        async with world(bundle, place, setting, tell, on_duty=False) as lab:
            floor = Floor(bundle, config)
            await floor.start(phones, lab.carrier.config.sip_port, "none")
            await lab.phones.go_on_duty()
            numbers = [person.number for person in crowd[:half]]
            await _alternate(lab, floor, numbers, rate, seconds, rounds, tell)
            return _result(lab, set(numbers))
    finally:
        if floor is not None:
            await floor.close()


def _scenario(agents: int, rate: float) -> Scenario:
    return Scenario(
        agents=agents,
        mode="progressive",
        wrap_seconds=0,
        calls_per_second=rate,
        max_channels=agents,
        clock=CROWD_CLOCK,
    )


async def _alternate(
    lab: World, floor: Floor, numbers: list[str], rate: float, seconds: float, rounds: int, tell: Tell
) -> None:
    per_round = round(rate * seconds)
    for turn in range(rounds):
        tell(f"round {turn + 1} of {rounds}: bare ARI, {rate:g} calls a second for {seconds:g} s")
        await floor.dial(numbers[turn * per_round : (turn + 1) * per_round], rate)
        await asyncio.sleep(SETTLE_S)
        tell(f"round {turn + 1} of {rounds}: the engine, as many")
        await lab.engine.control.post(f"/campaigns/{CAMPAIGN}/start")
        await _engine_round(lab, per_round, seconds)
        await lab.engine.control.post(f"/campaigns/{CAMPAIGN}/pause")
        await asyncio.sleep(SETTLE_S)
        lab.ledger.read()


async def _engine_round(lab: World, calls: int, seconds: float) -> None:
    """Until the carrier has seen as many calls as in the floor's round, at most twice as long."""
    end = time.monotonic() + 2 * seconds
    lab.ledger.read()
    before = len(lab.ledger.calls)
    while time.monotonic() < end and len(lab.ledger.calls) - before < calls:
        await asyncio.sleep(0.25)
        lab.ledger.read()


def _result(lab: World, bare_numbers: set[str]) -> AnswerResult:
    lab.ledger.read()
    calls = lab.ledger.calls
    ours = [call for call in calls if call.number not in bare_numbers]
    bare = [call for call in calls if call.number in bare_numbers]
    heard = lab.phones.heard
    engine = pair(ours, [each for each in heard if not each.agent.startswith(FLOOR)])
    floor = pair(bare, [each for each in heard if each.agent.startswith(FLOOR)])
    return AnswerResult(
        delays(a.delay_ms for a in engine if a.delay_ms is not None),
        delays(a.delay_ms for a in floor if a.delay_ms is not None),
        sum(a.heard is None for a in engine),
        sum(a.heard is None for a in floor),
        lab.phones.audio.late_ticks,
    )
