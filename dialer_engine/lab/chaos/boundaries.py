"""Moments in the life of a call at which the engine is killed: seen in Asterisk's events and in the database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from dialer_engine.engine.recovery import TRUNK_CHANNEL
from dialer_engine.lab.place import LabError
from dialer_engine.lab.world import World
from dialer_engine.pbx.ari import models as ari
from dialer_engine.pbx.ari.client import AriClient
from dialer_engine.pbx.ari.commands import Commands
from dialer_engine.store.pool import connect
from dialer_engine.store.sql import sql

APP = "lab-watch"
LOOK_S = 0.002
LONGEST_WAIT_S = 30.0
BOUNDARIES = ("reserved", "originated", "answered", "bridged", "ended")


def boundary_of(event: object) -> str | None:
    """The boundary that a customer's channel crosses with this event of Asterisk, None for any other event."""
    channel = getattr(event, "channel", None)
    if channel is None or not channel.name.startswith(TRUNK_CHANNEL):
        return None
    match event:
        case ari.ChannelCreated():
            return "originated"
        case ari.ChannelStateChange() if channel.state == "Up":
            return "answered"
        case ari.ChannelEnteredBridge():
            return "bridged"
        case ari.ChannelDestroyed():
            return "ended"
    return None


async def next_boundary(world: World, boundary: str) -> None:
    """Return as soon as a call crosses the boundary. Raises LabError after half a minute without one."""
    try:
        async with asyncio.timeout(LONGEST_WAIT_S):
            if boundary == "reserved":
                await _reservation(world)
                return
            async with _crossings(world) as crossings:
                while await crossings.get() != boundary:
                    pass
    except TimeoutError as error:
        raise LabError(f"no call was {boundary} within {LONGEST_WAIT_S:g} s") from error


async def _reservation(world: World) -> None:
    conn = await connect(world.postgres.url())
    try:
        while True:
            if await conn.fetchval(sql("chaos_reserved")):
                return
            await asyncio.sleep(LOOK_S)
    finally:
        await conn.close()


@asynccontextmanager
async def _crossings(world: World) -> AsyncIterator[asyncio.Queue[str]]:
    """The boundaries that calls cross from now on."""
    found: asyncio.Queue[str] = asyncio.Queue()

    def on_event(event: object) -> None:
        if (boundary := boundary_of(event)) is not None:
            found.put_nowait(boundary)

    async with listening(world, on_event):
        yield found


@asynccontextmanager
async def listening(world: World, on_event: Callable[[object], None]) -> AsyncIterator[Commands]:
    """Listen to the engine's Asterisk with an application of the lab's own, which may ask it, too."""
    node = world.main_node
    secrets = node.secrets
    url, user = node.config.ari_url, secrets.ari_user
    client = AriClient(url, user, secrets.ari_password, APP, on_event=on_event, on_link=lambda up: None)
    await client.start()
    try:
        yield Commands(client)
    finally:
        await client.close()
