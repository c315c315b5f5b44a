"""The agents' phones die in the middle of their talks, without a word, and the agents dial in again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dialer_engine.lab.chaos.boundaries import listening
from dialer_engine.lab.chaos.do_not_call import UNHEARD_KEY
from dialer_engine.lab.chaos.fault import Fault, Strike
from dialer_engine.lab.chaos.ground import Ground, Talks
from dialer_engine.lab.chaos.records import Wrong
from dialer_engine.lab.chaos.stage import Needs
from dialer_engine.lab.chaos.talks import Talk, talks
from dialer_engine.lab.chaos.verdict import JUST_BEFORE_S, MEASURING_S, Promise
from dialer_engine.lab.pairing import quantile
from dialer_engine.pbx.ari.models import ChannelUserevent
from dialer_engine.store.sql import sql

MESSAGE = "DropMessageStarted"
GONE_S = 12.0
LONGEST_SILENCE_S = 8.0
BACK_S = 30.0
NEVER = float("inf")
NOTED_S = 1.0
PROMISE = (
    Promise(recovery_s=LONGEST_SILENCE_S)
    .excusing("silent_answers", "left_alone", "rung", Wrong.UNHEARD, Wrong.OTHER_AGENT)
    .leaving(UNHEARD_KEY)
    .ending("silent_answers", "left_alone")
)
"""Whoever answers just then may be connected to a phone of which nobody can know yet that it is dead, and hears
somebody when that is known. Lines whose agents are gone may be given up at once, where the law leaves no room for
people who get none. How long those who were talking are alone is looked at here."""


async def vanish(ground: Ground) -> Strike:
    """Kill the phones, start others in their place, and let the agents dial in again at once."""
    async with _messages(ground) as told:
        since = time.time()
        await ground.world.phones.vanish()
        await ground.world.phones.come_back(BACK_S)
        back = time.time()
        broken = await _given_to_somebody(ground, since, told)
    return Strike(since, back, broken=broken, excused=(_then(since),))


async def go(ground: Ground) -> Strike:
    """Kill the phones, and let nobody come back for a while: the dialplan's message goes on with the customers."""
    async with _messages(ground) as told:
        since = time.time()
        await ground.world.phones.vanish()
        await asyncio.sleep(GONE_S)
        await ground.world.phones.come_back(BACK_S)
        back = time.time()
        broken = await _given_to_somebody(ground, since, told)
    return Strike(back, back, broken=broken, excused=(_then(since),))


def _then(since: float) -> tuple[float, float]:
    return since - JUST_BEFORE_S, since + LONGEST_SILENCE_S + MEASURING_S


@asynccontextmanager
async def _messages(ground: Ground) -> AsyncIterator[dict[str, float]]:
    """When Asterisk begins the drop message in a channel, by the channel's id, from now on."""
    told: dict[str, float] = {}

    def on_event(event: object) -> None:
        if isinstance(event, ChannelUserevent) and event.eventname == MESSAGE and event.channel is not None:
            told.setdefault(event.channel.id, time.time())

    async with listening(ground.world, on_event):
        yield told


async def _given_to_somebody(ground: Ground, since: float, told: dict[str, float]) -> tuple[str, ...]:
    """Wait until the calls of then are over; say how many customers got neither an agent nor the message in time.

    They were in a talk when the phones died, and stayed for longer than they may be alone.
    """
    then = {call.number for call in ground.calls if call.came_at < since and call.until > since}

    def over() -> bool:
        return not [call for call in ground.calls if call.number in then and call.live]

    await ground.until(over, ground.longest_talk_s + ground.message_s)
    await asyncio.sleep(NOTED_S)
    number_of = {row["id"]: row["number"] for row in await ground.ask(sql("chaos_numbers"))}
    message = {number_of.get(channel): at for channel, at in told.items()}
    left = [
        talk
        for talk in talks(ground.calls, ground.world.phones.heard)
        if talk.call.number in then and _stayed(talk, since)
    ]
    if not left:
        return ("nobody talked for long enough to be left alone",)
    waited = sorted(
        min(_agent_again(talk, since), message.get(talk.call.number, NEVER)) - since for talk in left
    )
    late = quantile(waited, 0.95)
    nobody = sum(each == NEVER for each in waited)
    broken = [f"{nobody} of {len(left)} customers got neither an agent nor the message"] if nobody else []
    if LONGEST_SILENCE_S + MEASURING_S < late < NEVER:
        broken.append(f"customers were alone for {late:.1f} s (p95)")
    return tuple(broken)


def _stayed(talk: Talk, since: float) -> bool:
    """Whether an agent was there when it happened, and the person stayed for long enough to get another one."""
    there = any(piece.first < since and piece.last > since - NOTED_S for piece in talk.heard)
    return there and talk.call.until - since > LONGEST_SILENCE_S + MEASURING_S


def _agent_again(talk: Talk, since: float) -> float:
    """When a phone heard this person again."""
    return min((piece.first for piece in talk.heard if piece.first > since), default=NEVER)


def phone_faults() -> list[Fault]:
    """The faults of this module."""
    does = "SIGKILL the agents' phones in their talks; the agents dial in again from others"
    gone = f"SIGKILL the agents' phones in their talks; nobody dials in for {GONE_S:g} s"
    return [
        Fault("phone-vanish", does, vanish, PROMISE, Needs(talks=Talks.LONG)),
        Fault("phones-gone", gone, go, PROMISE, Needs(talks=Talks.LONG)),
    ]
