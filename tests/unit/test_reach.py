"""Looking at a node: its clock, what it refuses, and what is no Asterisk at all.

Two clocks of one machine cannot differ, so the answers here come from a server of the test.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from dialer_engine.pbx.instance import NodeError
from dialer_engine.pbx.reach import look

pytestmark = pytest.mark.unit

Serve = Callable[[web.Application], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    servers: list[TestServer] = []

    async def start(app: web.Application) -> str:
        servers.append(TestServer(app))
        await servers[-1].start_server()
        return str(servers[-1].make_url("")).rstrip("/")

    yield start
    for server in servers:
        await server.close()


def asterisk(ahead: timedelta) -> web.Application:
    """Answers as Asterisk 22.10.1 does, with a clock of its own."""

    async def ping(request: web.Request) -> web.Response:
        now = datetime.now(UTC) + ahead
        return web.json_response(
            {"ping": "pong", "timestamp": f"{now:%Y-%m-%dT%H:%M:%S}.{now:%f}"[:-3] + "+0000"}
        )

    async def info(request: web.Request) -> web.Response:
        assert request.query["only"] == "system"
        return web.json_response({"system": {"version": "22.10.1+dfsg+~cs6.17.60671434-1"}})

    async def variable(request: web.Request) -> web.Response:
        return web.json_response({"value": request.query["variable"].lower()})

    app = web.Application()
    app.router.add_get("/ari/asterisk/ping", ping)
    app.router.add_get("/ari/asterisk/info", info)
    app.router.add_get("/ari/asterisk/variable", variable)
    return app


@pytest.mark.parametrize("seconds", [0.0, 3.0, -90.0])
async def test_how_far_the_clock_is_ahead(serve: Serve, seconds: float) -> None:
    seen = await look(await serve(asterisk(timedelta(seconds=seconds))), "u", "p", ["ABC"])
    assert abs(seen.ahead_s - seconds) <= seen.give_or_take_s + 0.002
    assert seen.version == "22.10.1"
    assert seen.facts == {"ABC": "abc"}


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "ari_password"), (403, "control_permit"), (404, "is ari_url that of an Asterisk")],
)
async def test_a_refusal_says_what_to_do(serve: Serve, status: int, words: str) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=status)

    app = web.Application()
    app.router.add_get("/{rest:.*}", refuse)
    with pytest.raises(NodeError, match=words):
        await look(await serve(app), "u", "p")


@pytest.mark.parametrize("text", ["hello", "[]", "{}", '{"system": {"version": 3}}'])
async def test_something_else_is_no_asterisk(serve: Serve, text: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=text)

    app = web.Application()
    app.router.add_get("/{rest:.*}", answer)
    with pytest.raises(NodeError, match="no Asterisk's ARI"):
        await look(await serve(app), "u", "p")
