"""The control socket: a small HTTP API on a unix socket, for the commands of the same machine.

It is open before anything is dialed; what a command changes waits until the engine has started.
The socket's directory and file are only open to the user who runs the engine; that is the whole access rule.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import structlog
from aiohttp import web

from dialer_engine.core.numbers import is_e164_nanp
from dialer_engine.engine.tasks import wait_at_most

log = structlog.get_logger(__name__)

LONGEST_DRAIN_S = 86_400
CLOSE_S = 2.0
"""Desks wait at the socket for news all the time: the engine's end does not wait for them."""
START_S = 10.0
AT_ANY_TIME = frozenset({"/status", "/drain", "/shutdown"})
"""What is answered while the engine still starts; all else waits for that, START_S at most."""


class Refused(Exception):
    """The engine cannot do what a command asked; the message says why and what to do."""


class ControlError(Exception):
    """The control socket cannot be opened; the message says which and why."""


class Controlled(Protocol):
    """What the commands can ask of a running engine."""

    def status(self) -> dict[str, Any]:
        """Return the whole status document."""

    async def set_campaign(self, name: str, action: str) -> dict[str, Any]:
        """Carry out `start`, `pause` or `stop`. Raises Refused."""

    async def reload(self) -> dict[str, Any]:
        """Read the configuration again, all or nothing. Raises Refused."""

    async def reload_agents(self) -> dict[str, Any]:
        """Read the agents from the database and let their phones register."""

    def log_out_agent(self, name: str) -> dict[str, Any]:
        """Hang up an agent's leg. Raises Refused."""

    async def look_at_desk(self, name: str, known: str | None) -> dict[str, Any]:
        """Return what is on an agent's desk, when it is not the known version or after a while. Raises Refused."""

    def act_at_desk(self, name: str, action: str, wish: dict[str, Any]) -> dict[str, Any]:
        """Carry out `dial`, `skip` or `key` for an agent. Raises Refused."""

    def number_suppressed(self, number: str, member_id: int | None) -> dict[str, Any]:
        """Cancel what a Member, or (None) anybody, has queued or ringing for a number just suppressed (P5)."""

    def drain(self, wait_s: float) -> dict[str, Any]:
        """Hand over to a standby, or wait so many seconds for calls to end; then end."""

    def shut_down(self) -> dict[str, Any]:
        """Drain and end."""


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
STARTED = web.AppKey("started", asyncio.Event)


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        await _until_started(request)
        return await handler(request)
    except Refused as error:
        return web.json_response({"error": str(error)}, status=409)
    except web.HTTPException:
        raise
    except Exception as error:
        log.exception("command failed", path=request.path)
        return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=500)


async def _until_started(request: web.Request) -> None:
    """Wait until the engine has started. Raises Refused when that takes long."""
    started = request.app[STARTED]
    if request.path not in AT_ANY_TIME and not started.is_set():
        await wait_at_most(started, START_S)
        if not started.is_set():
            raise Refused("the engine is still starting, and nothing was changed; say it again in a moment")


async def _field(request: web.Request, name: str) -> object:
    """Return one field of a request's body. Raises Refused when the body is no JSON object with it."""
    try:
        body = await request.json()
        return body[name]
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(f"the request's body must be a JSON object with '{name}'") from error


def routes(engine: Controlled) -> list[web.RouteDef]:
    """Return the API's routes."""

    async def status(request: web.Request) -> web.Response:
        return web.json_response(engine.status())

    async def campaign(request: web.Request) -> web.Response:
        info = request.match_info
        return web.json_response(await engine.set_campaign(info["name"], info["action"]))

    async def reload(request: web.Request) -> web.Response:
        return web.json_response(await engine.reload())

    async def agents(request: web.Request) -> web.Response:
        return web.json_response(await engine.reload_agents())

    async def log_out(request: web.Request) -> web.Response:
        return web.json_response(engine.log_out_agent(request.match_info["name"]))

    async def look(request: web.Request) -> web.Response:
        return web.json_response(
            await engine.look_at_desk(request.match_info["name"], request.query.get("known"))
        )

    async def act(request: web.Request) -> web.Response:
        info, wish = request.match_info, await _field(request, "wish")
        if not isinstance(wish, dict):
            raise Refused("'wish' must be a JSON object")
        return web.json_response(engine.act_at_desk(info["name"], info["action"], wish))

    async def suppressed(request: web.Request) -> web.Response:
        number = await _field(request, "number")
        if not isinstance(number, str) or not is_e164_nanp(number):
            raise Refused("'number' must be a US or Canadian number in E.164 form")
        member_id = (await request.json()).get("member_id")  # a command of an earlier version names none
        if member_id is not None and type(member_id) is not int:
            raise Refused("'member_id' must be the id of a Member, or null for everybody")
        return web.json_response(engine.number_suppressed(number, member_id))

    async def drain(request: web.Request) -> web.Response:
        seconds = await _field(request, "wait_s")
        if not isinstance(seconds, int | float) or not 0 <= seconds <= LONGEST_DRAIN_S:
            raise Refused(f"'wait_s' must be a number of seconds from 0 to {LONGEST_DRAIN_S}")
        return web.json_response(engine.drain(float(seconds)))

    async def shut_down(request: web.Request) -> web.Response:
        return web.json_response(engine.shut_down())

    return [
        web.get("/status", status),
        web.post("/campaigns/{name}/{action:start|pause|stop}", campaign),
        web.post("/reload", reload),
        web.post("/agents/reload", agents),
        web.post("/agents/{name}/logout", log_out),
        web.get("/agents/{name}/desk", look),
        web.post("/agents/{name}/desk/{action:dial|skip|key}", act),
        web.post("/suppressions/changed", suppressed),
        web.post("/drain", drain),
        web.post("/shutdown", shut_down),
    ]


class ControlServer:
    """Serves the control socket until closed; what changes something waits for `started`, if there is such a moment."""

    def __init__(self, engine: Controlled, socket: Path, started: asyncio.Event | None = None) -> None:
        self._socket = socket
        app = web.Application(middlewares=[_errors])
        app[STARTED] = started or _over()
        app.add_routes(routes(engine))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_S)

    async def start(self) -> None:
        """Open the socket, for the engine's own user only. Raises ControlError."""
        try:
            await self._open()
        except OSError as error:
            await self._runner.cleanup()
            raise ControlError(
                f"{self._socket}: the control socket cannot be opened ({error.strerror or error}); make its directory "
                "writable for the engine's user, or set control.socket in dialer.yaml to another place"
            ) from error

    async def _open(self) -> None:
        self._socket.parent.mkdir(parents=True, exist_ok=True)
        self._socket.unlink(missing_ok=True)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self._socket)).start()
        self._socket.chmod(0o600)

    async def close(self) -> None:
        """Close the socket and remove it."""
        await self._runner.cleanup()
        self._socket.unlink(missing_ok=True)


def _over() -> asyncio.Event:
    """A start that is over."""
    event = asyncio.Event()
    event.set()
    return event
