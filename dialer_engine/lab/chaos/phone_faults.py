"""The agents' phones die in the middle of their talks, without a word, and the agents dial in again."""

from __future__ import annotations

import asyncio
import time

from dialer_engine.lab.behaviours import pitch_hz
from dialer_engine.lab.chaos.boundaries import listening
from dialer_engine.lab.chaos.fault import Fault, Strike
from dialer_engine.lab.chaos.ground import Ground
from dialer_engine.lab.chaos.stage import Needs
from dialer_engine.lab.chaos.verdict import MEASURING_S, Promise
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.pairing import PITCH_TOLERANCE_HZ, quantile
from dialer_engine.pbx.ari.models import ChannelUserevent
from dialer_engine.store.sql import sql

MESSAGE = "DropMessageStarted"
GONE_S = 12.0
LONGEST_SILENCE_S = 8.0
BACK_S = 30.0
LONGEST_TALK_S = 20.0
NOTED_S = 1.0
PROMISE = Promise(recovery_s=LONGEST_SILENCE_S).without("silent_answers")
"""Whoever answers just then may be connected to a phone of which nobody can know yet that it is dead."""
GONE = Promise(recovery_s=LONGEST_SILENCE_S).without("silent_answers", "calls_cut")
"""The message ends the call when it is over."""


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


async def go(ground: Ground) -> Strike:
    """Kill the phones, and let nobody come back for a while: the dialplan's message goes on with the customers."""
    told: dict[str, float] = {}

    def on_event(event: object) -> None:
        if isinstance(event, ChannelUserevent) and event.eventname == MESSAGE and event.channel is not None:
            told.setdefault(event.channel.id, time.time())

    async with listening(ground.world, on_event):
        since = time.time()
        talking = [call for call in ground.calls if call.live]
        await ground.world.phones.vanish()
        await asyncio.sleep(GONE_S)
    await ground.world.phones.come_back(BACK_S)
    back = time.time()
    await ground.until(lambda: not [c for c in _now(ground, talking) if c.live], LONGEST_TALK_S)
    await asyncio.sleep(NOTED_S)
    number_of = {row["id"]: row["number"] for row in await ground.ask(sql("chaos_numbers"))}
    message = {number_of.get(channel): at for channel, at in told.items()}
    waits = [
        message.get(call.number) for call in _now(ground, talking) if _waits_for_it(call, since + NOTED_S)
    ]
    alone = sum(at is None for at in waits)
    late = (
        quantile(sorted(at - since for at in waits if at is not None), 0.95) if waits and not alone else 0.0
    )
    broken = (
        [f"{alone} of {len(waits)} customers were given to nobody, not to the message either"]
        if alone
        else []
    )
    if late > LONGEST_SILENCE_S + MEASURING_S:
        broken.append(f"the message began after {late:.1f} s (p95)")
    return Strike(back, back, broken=tuple(broken))


def _now(ground: Ground, calls: list[CarrierCall]) -> list[CarrierCall]:
    """The same calls as they stand now."""
    numbers = {call.number for call in calls}
    return [call for call in ground.calls if call.number in numbers]


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
    gone = f"SIGKILL the agents' phones in their talks; nobody dials in for {GONE_S:g} s"
    return [
        Fault("phone-vanish", does, vanish, PROMISE, Needs(long=True)),
        Fault("phones-gone", gone, go, GONE, Needs(long=True)),
    ]
