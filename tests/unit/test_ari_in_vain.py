"""A link whose events come while no command is answered: it is dropped, and comes back once commands are answered."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import web

from dialer_engine.pbx.ari import client as ari_client
from dialer_engine.pbx.ari.client import AriClient
from dialer_engine.pbx.ari.errors import AriError, AriTimeout

pytestmark = pytest.mark.unit

PATIENCE_S = 0.2
ABOUT = {"application": "dialer", "timestamp": "2026-01-01T00:00:00.000+0000"}


class Asterisk:
    """Sends an event now and then, and answers commands after `slow_s`; while it is stuck it reads none.

    The next `garbled` connections begin with something that is no message.
    """

    def __init__(self) -> None:
        self.stuck = False
        self.slow_s = 0.0
        self.connections = 0
        self.garbled = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        self.connections += 1
        socket = web.WebSocketResponse(autoping=False, autoclose=False)
        await socket.prepare(request)
        if self.garbled:
            self.garbled -= 1
            await socket.send_str("{")
        events = asyncio.create_task(self._events(socket))
        try:
            async for message in socket:
                if self.stuck:
                    await asyncio.Event().wait()
                self._soon(self._answer(socket, msgspec.json.decode(message.data)))
        finally:
            events.cancel()
        return socket

    def _soon(self, doing: Any) -> None:
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _events(self, socket: web.WebSocketResponse) -> None:
        while True:
            await asyncio.sleep(0.05)
            await self._send(socket, {"type": "ChannelHangupRequest", **ABOUT})

    async def _answer(self, socket: web.WebSocketResponse, command: dict[str, Any]) -> None:
        await asyncio.sleep(self.slow_s)
        if command["uri"].startswith("events/user"):
            told = {"type": "ChannelUserevent", **ABOUT, "eventname": "dialer-link", "userevent": {}}
            await self._send(socket, told)
        reply = {"request_id": command["request_id"], "uri": command["uri"], "message_body": "{}"}
        await self._send(socket, {"type": "RESTResponse", "status_code": 200, "reason_phrase": "OK", **reply})

    async def _send(self, socket: web.WebSocketResponse, what: dict[str, Any]) -> None:
        if not socket.closed:
            await socket.send_str(msgspec.json.encode(what).decode())


class Linked:
    def __init__(self, client: AriClient, asterisk: Asterisk, links: list[bool]) -> None:
        self.client, self.asterisk, self.links = client, asterisk, links

    async def ask(self, seconds: float) -> None:
        """Ask something again and again, many questions at a time."""
        until = time.monotonic() + seconds
        asking = set()
        while time.monotonic() < until:
            asking.add(asyncio.create_task(self.ask_once()))
            await asyncio.sleep(0.03)
        await asyncio.gather(*asking)

    async def is_back(self) -> None:
        """Wait for the link, a few seconds at most."""
        for _ in range(200):
            if self.client.connected:
                return
            await asyncio.sleep(0.02)

    async def ask_once(self) -> None:
        try:
            await self.client.request("GET", "/asterisk/ping")
        except AriError:
            return


@asynccontextmanager
async def linked(patience_s: float = PATIENCE_S, garbled: int = 0) -> AsyncIterator[Linked]:
    asterisk, links = Asterisk(), list[bool]()
    asterisk.garbled = garbled
    app = web.Application()
    app.router.add_get("/ari/events", asterisk.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    client = AriClient(
        f"http://127.0.0.1:{port}",
        "engine",
        "x",
        "dialer",
        on_event=lambda event: None,
        on_link=links.append,
        reply_timeout=patience_s,
    )
    try:
        await client.start()
        yield Linked(client, asterisk, links)
    finally:
        await client.close()
        await runner.cleanup()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ari_client, "_CLOSE_TIMEOUT", 0.3)


async def test_a_link_that_answers_nothing_is_dropped_though_events_come() -> None:
    async with linked() as one:
        one.asterisk.stuck = True
        await one.ask(3 * PATIENCE_S)
        assert one.links == [True, False]
        assert one.client.counts["resynchronised"] == 1
        one.asterisk.stuck = False
        await one.is_back()
        assert one.links == [True, False, True]
        assert await one.client.request("GET", "/asterisk/ping") == b"{}"


async def test_one_that_answers_late_is_kept() -> None:
    async with linked() as one:
        one.asterisk.slow_s = 1.5 * PATIENCE_S
        await one.ask(5 * PATIENCE_S)
        assert one.client.counts["timeouts"] > 10
        assert one.links == [True]


async def test_some_time_outs_at_the_same_time_are_not_enough() -> None:
    async with linked(patience_s=1.0) as one:
        one.asterisk.stuck = True
        await asyncio.gather(*(one.ask_once() for _ in range(8)))
        assert one.client.counts["timeouts"] == 8
        assert one.client.counts["resynchronised"] == 0
        assert one.links == [True]


async def test_nor_is_a_question_after_a_long_silence() -> None:
    async with linked() as one:
        await asyncio.sleep(3 * PATIENCE_S)
        one.asterisk.stuck = True
        for _ in range(5):
            with pytest.raises(AriTimeout):
                await one.client.request("GET", "/asterisk/ping", timeout=0.02)
        assert one.client.counts["resynchronised"] == 0
        assert one.links == [True]


async def test_the_end_waits_for_nobody_who_goes_on_sending() -> None:
    async with linked() as one:
        one.asterisk.stuck = True
        with pytest.raises(AriTimeout):
            await one.client.request("GET", "/asterisk/ping", timeout=0.02)
        async with asyncio.timeout(2.0):
            await one.client.close()


async def test_a_new_connection_that_begins_with_something_unreadable_is_given_up_for_the_next_one() -> None:
    async with linked() as one:
        one.asterisk.garbled = 2
        one.client.resynchronise("a test")
        for _ in range(200):
            if one.links[-1] is False:
                break
            await asyncio.sleep(0.02)
        await one.is_back()
        assert one.links == [True, False, True]
        assert one.client.counts["failed_connects"] == 2
        assert await one.client.request("GET", "/asterisk/ping") == b"{}"


async def test_nor_does_it_hold_up_the_first_connection() -> None:
    async with linked(garbled=1) as one:
        assert one.links == [True]
        assert one.asterisk.connections == 2
