"""The agents' phones die in the middle of their talks, without a word, and the agents dial in again."""

from __future__ import annotations

import asyncio
import time

from dialer_engine.lab.behaviours import pitch_hz
from dialer_engine.lab.chaos.fault import Fault, Strike
from dialer_engine.lab.chaos.ground import Ground
from dialer_engine.lab.chaos.verdict import MEASURING_S, Promise
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.pairing import PITCH_TOLERANCE_HZ

LONGEST_SILENCE_S = 8.0
BACK_S = 30.0
LONGEST_TALK_S = 20.0
NOTED_S = 1.0
PROMISE = Promise(recovery_s=LONGEST_SILENCE_S).without("silent_answers")
"""Whoever answers just then may be connected to a phone of which nobody can know yet that it is dead."""


async def vanish(ground: Ground) -> Strike:
    """Kill the phones, start others in their place, and let the agents dial in again at once."""
    since = time.time()
    talking = [call for call in ground.calls if call.live]
    await ground.world.phones.vanish()
    await ground.world.phones.come_back(BACK_S)
    back = time.time()
    numbers = {call.number for call in talking}

    def struck() -> list[CarrierCall]:
        return [call for call in ground.calls if call.number in numbers and call.answered_at]

    await ground.until(lambda: len(struck()) >= len(numbers), LONGEST_TALK_S)
    await asyncio.sleep(NOTED_S)
    lonely = [call for call in struck() if _waits_for_it(call, since) and not _kept(ground, call, since)]
    silence = f"no agent heard them within {LONGEST_SILENCE_S:g} s after the phones died"
    return Strike(since, back, broken=tuple(f"{call.number}: {silence}" for call in lonely))


def _waits_for_it(call: CarrierCall, since: float) -> bool:
    """Whether a person was being talked to when it happened, and stayed long enough to be talked to again."""
    ended = call.ended_at or since
    return call.heard_at is not None and call.heard_at < since and ended - since > LONGEST_SILENCE_S


def _kept(ground: Ground, call: CarrierCall, since: float) -> bool:
    """Whether a phone heard this person's voice again soon enough."""
    latest = since + LONGEST_SILENCE_S + MEASURING_S
    return any(
        since < heard.first <= latest and abs(heard.pitch - pitch_hz(call.number)) <= PITCH_TOLERANCE_HZ
        for heard in ground.world.phones.heard
    )


def phone_faults() -> list[Fault]:
    """The faults of this module."""
    does = "SIGKILL the agents' phones in their talks; the agents dial in again from others"
    return [Fault("phone-vanish", does, vanish, PROMISE, long=True)]
