"""The commands' side of the control socket."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp


class EngineNotRunning(Exception):
    """No engine answers on the control socket; the message says how to start one."""

    def __init__(self, socket: Path) -> None:
        super().__init__(f"{socket}: no engine answers here. Start it with: dialer run")


class EngineRefused(Exception):
    """The engine answered with an error; the message is the engine's."""


class ControlClient:
    """Talks HTTP to a running engine over its unix socket."""

    def __init__(self, socket: Path, timeout_s: float = 30.0) -> None:
        self._socket = socket
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)

    async def status(self) -> dict[str, Any]:
        """Return the engine's whole status. Raises EngineNotRunning."""
        return await self._ask("GET", "/status", None)

    async def desk(self, agent: str, known: str | None = None) -> dict[str, Any]:
        """Return what is on an agent's desk once it is not the known version. Raises as `post` does."""
        query = f"?known={quote(known)}" if known else ""
        return await self._ask("GET", f"/agents/{quote(agent, safe='')}/desk{query}", None)

    async def act(self, agent: str, action: str, **wish: Any) -> dict[str, Any]:
        """Carry out `dial`, `skip` or `key` at an agent's desk. Raises as `post` does."""
        return await self.post(f"/agents/{quote(agent, safe='')}/desk/{action}", {"wish": wish})

    async def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send one command. Raises EngineNotRunning, or EngineRefused with the engine's reason."""
        return await self._ask("POST", path, body)

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        connector = aiohttp.UnixConnector(path=str(self._socket))
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=self._timeout) as session,
                session.request(method, f"http://engine{path}", json=body) as reply,
            ):
                answer: dict[str, Any] = await reply.json()
        except TimeoutError as error:
            raise EngineRefused(
                f"{self._socket}: the engine did not answer in time; is it overloaded?"
            ) from error
        except (aiohttp.ClientConnectionError, FileNotFoundError) as error:
            raise EngineNotRunning(self._socket) from error
        except aiohttp.ClientResponseError as error:
            raise EngineRefused(f"{self._socket}: the answer is not an engine's ({error.message})") from error
        if reply.status >= 400:
            raise EngineRefused(str(answer.get("error", f"status {reply.status}")))
        return answer
