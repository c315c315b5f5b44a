"""A TCP proxy on loopback that can be cut, slow or half open, between the engine and Asterisk."""

from __future__ import annotations

import asyncio
import contextlib
from enum import StrEnum
from pathlib import Path

CHUNK = 65536


class Mood(StrEnum):
    """What the proxy does with connections: pass bytes, refuse and end them, or swallow all bytes in silence."""

    PASS = "pass"  # noqa: S105
    CUT = "cut"
    HALF_OPEN = "half_open"


class Proxy:
    """Forwards a port of its own to `host:port`; `delay_s` holds every byte back for so long, each way."""

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
        if self.mood is Mood.HALF_OPEN:
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
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(self._carry(source, sink), name="proxy")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _far_side(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._socket is not None:
            return await asyncio.open_unix_connection(self._socket)
        return await asyncio.open_connection(*self._target)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        free_at = loop.time()
        with contextlib.suppress(OSError):
            while data := await source.read(CHUNK):
                if self.mood is Mood.HALF_OPEN:
                    continue
                free_at = max(free_at, loop.time() + self.delay_s)
                loop.call_at(free_at, self._write, sink, data)
        loop.call_at(max(free_at, loop.time()), self._end, sink)

    def _write(self, sink: asyncio.StreamWriter, data: bytes) -> None:
        if self.mood is not Mood.HALF_OPEN and not sink.is_closing():
            sink.write(data)

    def _end(self, writer: asyncio.StreamWriter) -> None:
        self._open.discard(writer)
        writer.close()
