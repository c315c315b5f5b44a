"""Asterisk's AudioSocket protocol: a TCP connection per phone leg, 20 ms frames of 16-bit audio at 8 kHz."""

from __future__ import annotations

import asyncio
import struct
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Protocol

KIND_HANGUP = 0x00
KIND_ID = 0x01
KIND_AUDIO = 0x10
FRAME_SECONDS = 0.02
FRAME_BYTES = 320
LATE_FRAMES = 5

_HEADER = struct.Struct(">BH")


def pack(kind: int, payload: bytes) -> bytes:
    """One message of the protocol."""
    return _HEADER.pack(kind, len(payload)) + payload


class Leg(Protocol):
    """What the server needs of a phone leg: a place for what is heard, and something to say."""

    def opened(self, connection: Connection) -> None:
        """The leg's audio is connected."""

    def heard(self, at: float, audio: bytes) -> None:
        """Some audio arrived at wall-clock time `at`, in seconds."""

    def closed(self) -> None:
        """The leg's audio is gone."""

    def next_frame(self) -> bytes:
        """The next 20 ms to say."""


class Unpacker:
    """Cuts the byte stream into (kind, payload)."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Every complete message, in order."""
        self._rest += data
        while len(self._rest) >= _HEADER.size:
            kind, length = _HEADER.unpack_from(self._rest)
            end = _HEADER.size + length
            if len(self._rest) < end:
                return
            payload = self._rest[_HEADER.size : end]
            self._rest = self._rest[end:]
            yield kind, payload


class Connection(asyncio.Protocol):
    """One phone's audio."""

    def __init__(self, server: AudioServer) -> None:
        self._server = server
        self._unpacker = Unpacker()
        self._leg: Leg | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; the leg names itself in the first message."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Stamp the audio with the time of its arrival, before anything else."""
        at = time.time()
        for kind, payload in self._unpacker.feed(data):
            if kind == KIND_AUDIO and self._leg is not None:
                self._leg.heard(at, payload)
            elif kind == KIND_ID:
                self._introduce(str(uuid.UUID(bytes=payload)))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the leg."""
        self._server.connections.discard(self)
        if self._leg is not None:
            self._leg.closed()

    def say(self) -> None:
        """Send the leg's next frame."""
        if self._transport is not None and self._leg is not None:
            self._transport.write(pack(KIND_AUDIO, self._leg.next_frame()))

    def hang_up(self) -> None:
        """End the leg from the phone's side."""
        if self._transport is not None:
            self._transport.write(pack(KIND_HANGUP, b""))
            self._transport.close()

    def _introduce(self, leg_id: str) -> None:
        self._leg = self._server.find_leg(leg_id)
        if self._leg is None:
            self.hang_up()
            return
        self._server.connections.add(self)
        self._leg.opened(self)


class AudioServer:
    """Listens for phone legs and gives each a frame every 20 ms, as a softphone does, so RTP always flows."""

    def __init__(self, find_leg: Callable[[str], Leg | None]) -> None:
        self.find_leg = find_leg
        self.connections: set[Connection] = set()
        self.port = 0
        self.late_ticks = 0
        self._server: asyncio.Server | None = None
        self._ticker: asyncio.Task[None] | None = None

    async def start(self, bind: str = "127.0.0.1") -> None:
        """Listen on a free port of `bind`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), bind, 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        self._ticker = asyncio.create_task(self._tick(), name="audio ticker")

    async def close(self) -> None:
        """Hang up every leg and stop listening."""
        if self._ticker is not None:
            self._ticker.cancel()
        for connection in list(self.connections):
            connection.hang_up()
        if self._server is not None:
            self._server.close()

    async def _tick(self) -> None:
        due = time.monotonic()
        while True:
            for connection in tuple(self.connections):
                connection.say()
            due += FRAME_SECONDS
            behind = time.monotonic() - due
            if behind > LATE_FRAMES * FRAME_SECONDS:
                self.late_ticks += 1
                due += behind
            await asyncio.sleep(max(0.0, -behind))
