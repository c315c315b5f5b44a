"""What bounds the link to Asterisk.

Commands that a frozen Asterisk does not answer, the length of an answer, and events that a frozen engine does not read.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import aiohttp
import pytest
from asterisk_support import Pair, Watcher, destroy_bridge, until

from dialer_engine.pbx.ari.client import MOST_WAITING, AriClient
from dialer_engine.pbx.ari.commands import Commands
from dialer_engine.pbx.ari.errors import AriError, AriLinkLost

pytestmark = pytest.mark.asterisk

TAKEN_S = 20.0
FLOOD, WORDS = 800, "x" * 20_000
"""More than both ends' sockets hold: 16 MB of events."""
DEADLY = 3000
"""Asterisk 22.10.1 died of a list of 2100 bridges over its websocket, 490 kB."""


@asynccontextmanager
async def frozen(pair: Pair) -> AsyncIterator[None]:
    """An engine's node that keeps its connections and does nothing."""
    pid = pair.engine.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def destroy(commands: Commands, count: int) -> None:
    """Destroy the bridges of a test."""
    await asyncio.gather(*(destroy_bridge(commands, f"bound-{n}") for n in range(count)))


async def test_a_list_of_any_length_leaves_asterisk_alive(pair: Pair, commands: Commands) -> None:
    pid = pair.engine.pid
    await asyncio.gather(*(commands.bridge_create(f"bound-{n}") for n in range(DEADLY)))
    assert len(await commands.bridges()) == DEADLY
    assert await commands.channels() == []
    await destroy(commands, DEADLY)
    assert await commands.bridges() == []
    assert pair.engine.pid == pid


async def test_a_frozen_engine_with_a_full_socket_is_given_up_for_the_next_one(pair: Pair) -> None:
    """Asterisk holds events for it, and the application, only for as long as it waits for a reader."""
    secrets, url = pair.engine.secrets, f"{pair.engine.config.ari_url}/ari/events"
    login = {"Authorization": aiohttp.encode_basic_auth(secrets.ari_user, secrets.ari_password)}
    async with (
        aiohttp.ClientSession(headers=login) as http,
        http.ws_connect(url, params={"app": "deaf"}),  # connected, and nobody reads
    ):
        for _ in range(FLOOD):
            await flood(http, f"{url}/user/flood?application=deaf")
        await until(lambda: events_waiting(pair) > 0)
        watcher = Watcher()
        client = await taken_over(pair, watcher)
        assert watcher.links == [True]
        await client.close()
    await until(lambda: events_waiting(pair) == 0, 30.0)


async def flood(http: aiohttp.ClientSession, url: str) -> None:
    """Let Asterisk send one big event."""
    async with http.post(url, json={"variables": {"words": WORDS}}) as told:
        assert told.status == HTTPStatus.NO_CONTENT


def events_waiting(pair: Pair) -> int:
    """How many events wait in Asterisk for the reader of the application `deaf`."""
    lines = pair.engine.console("core show taskprocessors like stasis").splitlines()
    return sum(int(line.split()[2]) for line in lines if "application/deaf" in line)


async def taken_over(pair: Pair, watcher: Watcher) -> AriClient:
    """Connect as the next engine, again and again as a standby does."""
    async with asyncio.timeout(TAKEN_S):
        while True:
            client = pair.client(watcher, app="deaf")
            try:
                await client.start()
            except AriError:
                await asyncio.sleep(0.2)
            else:
                return client


async def test_commands_to_a_frozen_asterisk_are_bounded_and_everybody_is_told(
    pair: Pair, watcher: Watcher
) -> None:
    client = pair.client(watcher, heartbeat=600.0, reply_timeout=120.0)
    commands = Commands(client)
    await client.start()
    try:
        async with frozen(pair):
            sent = [asyncio.create_task(commands.bridge_create(f"bound-{n}")) for n in range(MOST_WAITING)]
            await until(lambda: len(client._waiting) == MOST_WAITING, 30.0)
            with pytest.raises(AriLinkLost, match=f"was not sent: {MOST_WAITING} commands wait for a reply"):
                await client.request("GET", "/channels")
            lost = await asyncio.gather(*sent, return_exceptions=True)
            assert {type(each) for each in lost} == {AriLinkLost}
            assert client._waiting == {}
            assert (watcher.links, client.counts["resynchronised"]) == ([True, False], 1)
        await until(lambda: client.connected, 60.0)
        assert watcher.links == [True, False, True], "its owner compares everything anew"
        assert len(await commands.bridges()) <= MOST_WAITING
        await destroy(commands, MOST_WAITING)
    finally:
        await client.close()
