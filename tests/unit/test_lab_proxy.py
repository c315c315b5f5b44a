"""The lab's proxy passes, swallows everything or only answers, and tells what was asked for."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from dialer_engine.lab.chaos.blindness import originates
from dialer_engine.lab.proxy import Mood, Proxy
from dialer_engine.pbx.ari.wire import encode_command

pytestmark = pytest.mark.unit

ATTEMPT = "0192f0c1-7a6b-7c3d-8e4f-5a6b7c8d9e0f"
SOON_S = 0.3


class Echo:
    """A proxy before a server that notes what it is told and says it back."""

    def __init__(self) -> None:
        self.heard = b""
        self.proxy = Proxy("127.0.0.1", 0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            self.heard += data
            writer.write(data)
        writer.close()

    async def say(self, words: bytes) -> bytes:
        """Say words by a new connection and return what comes back soon."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.proxy.port)
        try:
            writer.write(words)
            async with asyncio.timeout(SOON_S):
                return await reader.read(1000)
        except TimeoutError:
            return b""
        finally:
            writer.close()


@pytest_asyncio.fixture
async def echo() -> AsyncIterator[Echo]:
    """The proxy and the server behind it."""
    made = Echo()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.proxy = Proxy("127.0.0.1", server.sockets[0].getsockname()[1])
    await made.proxy.start()
    try:
        yield made
    finally:
        await made.proxy.close()
        server.close()


async def test_it_passes_swallows_or_is_deaf(echo: Echo) -> None:
    assert await echo.say(b"one ") == b"one "
    echo.proxy.mood = Mood.DEAF
    assert await echo.say(b"two ") == b""
    echo.proxy.mood = Mood.HALF_OPEN
    assert await echo.say(b"three ") == b""
    echo.proxy.heal()
    assert await echo.say(b"four") == b"four"
    assert echo.heard == b"one two four"


async def test_it_tells_which_calls_and_ends_were_asked_for_also_when_it_swallows_them() -> None:
    originate = encode_command("1", "POST", f"/channels/{ATTEMPT}", None, {"variables": {"LONG": "x" * 300}})
    others = [
        encode_command("2", "POST", f"/channels/{ATTEMPT}/answer", None, None),
        encode_command("3", "GET", f"/channels/{ATTEMPT}", None, None),
        encode_command("4", "POST", f"/channels/{ATTEMPT}/variable", {"variable": "X"}, None),
        encode_command("5", "DELETE", f"/channels/{ATTEMPT}", {"reason": "normal"}, None),
    ]
    heard: list[str] = []
    hung_up: list[float] = []

    async def listen(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            heard.append(message.data)
        return socket

    app = web.Application()
    app.router.add_get("/", listen)
    async with TestServer(app) as server:
        proxy = Proxy("127.0.0.1", server.port or 0)
        await proxy.start()
        try:
            async with (
                ClientSession() as session,
                session.ws_connect(f"http://127.0.0.1:{proxy.port}/") as socket,
            ):
                with originates(proxy, hung_up) as asked:
                    for text in (originate, *others, originate):
                        await socket.send_str(text)
                    await until(lambda: len(heard) == 6)
                    assert (len(asked), len(hung_up)) == (2, 1)
                    proxy.mood = Mood.HALF_OPEN
                    await socket.send_str(originate)
                    await until(lambda: len(asked) == 3)
                proxy.mood = Mood.PASS
                await socket.send_str(originate)
                await until(lambda: len(heard) == 7)
                assert len(asked) == 3, "nobody looks any more"
                proxy.end_connections()
        finally:
            await proxy.close()


async def until(so: Callable[[], bool]) -> None:
    end = asyncio.get_running_loop().time() + 5.0
    while not so():
        assert asyncio.get_running_loop().time() < end
        await asyncio.sleep(0.01)
