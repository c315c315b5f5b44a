"""The AudioSocket codec and server, over a real socket."""

import asyncio
import time
import uuid
from collections.abc import Callable
from itertools import pairwise
from statistics import median

import pytest

from dialer_engine.lab.audiosocket import (
    FRAME_BYTES,
    KIND_AUDIO,
    KIND_HANGUP,
    KIND_ID,
    LATE_FRAMES,
    AudioServer,
    Connection,
    Unpacker,
    pack,
)

pytestmark = pytest.mark.unit


class Recorder:
    """A leg that remembers what it heard and says a fixed frame."""

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.frames: list[tuple[float, bytes]] = []
        self.is_closed = False

    def opened(self, connection: Connection) -> None:
        self.connection = connection

    def heard(self, at: float, audio: bytes) -> None:
        self.frames.append((at, audio))

    def closed(self) -> None:
        self.is_closed = True

    def next_frame(self) -> bytes:
        return b"\x01" * FRAME_BYTES


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, at most two seconds."""
    for _ in range(400):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise TimeoutError


def test_messages_survive_any_cutting_of_the_stream() -> None:
    stream = pack(KIND_ID, b"i" * 16) + pack(KIND_AUDIO, b"a" * 320) + pack(KIND_HANGUP, b"")
    for size in (1, 2, 3, 7, 100, len(stream)):
        unpacker = Unpacker()
        pieces = [stream[i : i + size] for i in range(0, len(stream), size)]
        found = [message for piece in pieces for message in unpacker.feed(piece)]
        assert found == [(KIND_ID, b"i" * 16), (KIND_AUDIO, b"a" * 320), (KIND_HANGUP, b"")]


async def test_leg_is_found_by_its_id_hears_and_speaks() -> None:
    leg, name = Recorder(), uuid.uuid4()
    server = AudioServer(lambda text: leg if text == str(name) else None)
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    before = time.time()
    writer.write(pack(KIND_ID, name.bytes) + pack(KIND_AUDIO, b"\x02" * FRAME_BYTES))
    header = await reader.readexactly(3 + FRAME_BYTES)
    await until(lambda: bool(leg.frames))
    assert header[0] == KIND_AUDIO
    assert leg.frames[0][1] == b"\x02" * FRAME_BYTES
    assert before <= leg.frames[0][0] <= time.time()
    writer.close()
    await until(lambda: leg.is_closed)
    assert not server.connections
    await server.close()


async def test_unknown_leg_is_hung_up() -> None:
    server = AudioServer(lambda text: None)
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(pack(KIND_ID, uuid.uuid4().bytes))
    assert await reader.read() == pack(KIND_HANGUP, b"")
    writer.close()
    await server.close()


async def test_frames_are_sent_every_20_ms() -> None:
    """Not faster even after a stall, but for the few frames that it makes good; and so often whenever there is none."""
    leg = Recorder()
    server = AudioServer(lambda text: leg)
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(pack(KIND_ID, uuid.uuid4().bytes))
    at = [time.monotonic()]
    for _ in range(50):
        await reader.readexactly(3 + FRAME_BYTES)
        at.append(time.monotonic())
    assert at[-1] - at[0] >= (49 - LATE_FRAMES) * 0.02
    assert median(after - before for before, after in pairwise(at)) <= 0.03
    writer.close()
    await server.close()


async def test_closing_the_server_hangs_up_its_legs() -> None:
    leg = Recorder()
    server = AudioServer(lambda text: leg)
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(pack(KIND_ID, uuid.uuid4().bytes))
    await until(lambda: leg.connection is not None)
    await server.close()
    assert (await reader.read()).endswith(pack(KIND_HANGUP, b""))
    writer.close()
