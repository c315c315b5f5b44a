"""A TCP proxy on loopback that can be cut, slow, half open or deaf, between the engine and Asterisk."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

CHUNK = 65536


class Mood(StrEnum):
    """What the proxy does with connections: pass bytes, refuse and end them, swallow all bytes, or all answers."""

    PASS = "pass"  # noqa: S105
    CUT = "cut"
    HALF_OPEN = "half_open"
    DEAF = "deaf"


class Proxy:
    """Forwards a port of its own to `host:port`; `delay_s` holds every byte back for so long, each way.

    `spy` is told whatever the near side sends, also what is swallowed then.
    """

    @classmethod
    def to_socket(cls, path: Path) -> Proxy:
        """A proxy to a unix socket."""
        made = cls("", 0)
        made._socket = path
        return made

    def __init__(self, host: str, port: int) -> None:
        self._socket: Path | None = None
        self.mood = Mood.PASS
        self.delay_s = 0.0
        self.spy: Callable[[bytes], None] | None = None
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port that the engine connects to."""
        if self._server is None:
            raise RuntimeError("the proxy was not started")
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen on a free port of loopback."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    def cut(self) -> None:
        """End every connection now and refuse new ones until the mood changes."""
        self.mood = Mood.CUT
        self.end_connections()

    def end_connections(self) -> None:
        """End every connection now, as a middle box does that has lost its state."""
        for writer in list(self._open):
            writer.transport.abort()

    def heal(self) -> None:
        """Pass everything at once again; what was swallowed is lost, so those connections end."""
        if self.mood in (Mood.HALF_OPEN, Mood.DEAF):
            self.end_connections()
        self.mood, self.delay_s = Mood.PASS, 0.0

    async def close(self) -> None:
        """End everything."""
        if self._server is not None:
            self._server.close()
        self.end_connections()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mood is Mood.CUT:
            writer.transport.abort()
            return
        self._open.add(writer)
        try:
            far_reader, far_writer = await self._far_side()
        except OSError:
            self._end(writer)
            return
        self._open.add(far_writer)
        for source, sink, asks in ((reader, far_writer, True), (far_reader, writer, False)):
            task = asyncio.create_task(self._carry(source, sink, asks), name="proxy")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _far_side(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._socket is not None:
            return await asyncio.open_unix_connection(self._socket)
        return await asyncio.open_connection(*self._target)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, asks: bool) -> None:
        loop = asyncio.get_running_loop()
        free_at = loop.time()
        with contextlib.suppress(OSError):
            while data := await source.read(CHUNK):
                if asks and self.spy is not None:
                    self.spy(data)
                if self._swallows(asks):
                    continue
                free_at = max(free_at, loop.time() + self.delay_s)
                loop.call_at(free_at, self._write, sink, data, asks)
        loop.call_at(max(free_at, loop.time()), self._end, sink)

    def _swallows(self, asks: bool) -> bool:
        return self.mood is Mood.HALF_OPEN or (self.mood is Mood.DEAF and not asks)

    def _write(self, sink: asyncio.StreamWriter, data: bytes, asks: bool) -> None:
        if not self._swallows(asks) and not sink.is_closing():
            sink.write(data)

    def _end(self, writer: asyncio.StreamWriter) -> None:
        self._open.discard(writer)
        writer.close()
