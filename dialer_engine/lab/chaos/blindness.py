"""What an engine does that cannot see Asterisk, and whether both agree once it can: by a proxy and Asterisk itself."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from dialer_engine.engine.recovery import TRUNK_CHANNEL
from dialer_engine.lab.chaos.boundaries import listening
from dialer_engine.lab.chaos.ground import Ground
from dialer_engine.lab.proxy import Proxy
from dialer_engine.pbx.ari.commands import Commands
from dialer_engine.store.sql import sql

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
ORIGINATE = re.compile(rf'"method":\s*"POST",\s*"uri":\s*"channels/{UUID}"')
HANG_UP = re.compile(rf'"method":\s*"DELETE",\s*"uri":\s*"channels/{UUID}"')
FINAL_TEXT, MASKED = 0x81, 0x80
SIZES = {126: 2, 127: 8}
AGREES_WITHIN_S = 2.0
LOOKS_AGAIN_S = 1.0
"""What differs in two looks so far apart is no call that just begins or ends."""
RESERVED = "reserved"


@contextmanager
def originates(proxy: Proxy, hung_up: list[float] | None = None) -> Iterator[list[float]]:
    """The moments at which the engine asked for a call by this proxy, from now on; `hung_up` gets those of hang-ups."""
    asked: list[float] = []
    ended = [] if hung_up is None else hung_up

    def spy(data: bytes) -> None:
        for text in texts(data):
            for found, what in ((asked, ORIGINATE), (ended, HANG_UP)):
                if what.search(text):
                    found.append(time.time())

    proxy.spy = spy
    try:
        yield asked
    finally:
        proxy.spy = None


def texts(data: bytes) -> Iterator[str]:
    """The websocket messages of a client in bytes that begin with a frame, as they do when each is sent at once."""
    while len(data) > 6 and data[0] == FINAL_TEXT and data[1] & MASKED:
        size, head = data[1] & ~MASKED, 2
        if size in SIZES:
            head += SIZES[size]
            size = int.from_bytes(data[2:head])
        mask, body = data[head : head + 4], data[head + 4 : head + 4 + size]
        yield bytes(byte ^ mask[place % 4] for place, byte in enumerate(body)).decode("utf-8", "replace")
        data = data[head + 4 + size :]


async def differences(ground: Ground) -> tuple[str, ...]:
    """In what the database and Asterisk differ, two seconds after the link was healed."""
    await asyncio.sleep(AGREES_WITHIN_S)
    async with listening(ground.world, lambda event: None) as asterisk:
        unknown, gone = await _look(ground, asterisk)
        await asyncio.sleep(LOOKS_AGAIN_S)
        still_unknown, still_gone = await _look(ground, asterisk)
    return (
        *(f"{channel}: in Asterisk, and no live attempt" for channel in unknown & still_unknown),
        *(f"{attempt}: a live attempt, and not in Asterisk" for attempt in gone & still_gone),
    )


async def _look(ground: Ground, asterisk: Commands) -> tuple[set[str], set[str]]:
    """Customers' channels without a live attempt, and attempts that have left without a channel."""
    before = await ground.ask(sql("chaos_live"))
    channels = {each.id for each in await asterisk.channels() if each.name.startswith(TRUNK_CHANNEL)}
    after = await ground.ask(sql("chaos_live"))
    live = {row["id"] for row in (*before, *after)}
    left = {row["id"] for row in before if row["state"] != RESERVED} & {row["id"] for row in after}
    return channels - live, left - channels
