"""A flood beside a running world: its process, started and ended with a block."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from dialer_engine.lab.flood import Rates, Sent
from dialer_engine.lab.place import LabError


class Flooding:
    """One flood that is being sent."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def sent(self) -> Sent:
        """Wait for its end and return what was sent. Raises LabError when the sender failed."""
        words = (await self._process.communicate())[0]
        if self._process.returncode != 0:
            raise LabError(f"the flood's sender ended with status {self._process.returncode}")
        return Sent(**json.loads(words))

    async def stop(self) -> None:
        """End it now."""
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def flooding(
    target: tuple[str, int], user: str, seconds: float, rates: Rates
) -> AsyncIterator[Flooding]:
    """A flood of `seconds` seconds at an address and UDP port, which guesses passwords of `user`."""
    words = (*target, user, seconds, rates.registers, rates.options, rates.invites)
    flood = Flooding(
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "dialer_engine.lab.flood", *map(str, words), stdout=asyncio.subprocess.PIPE
        )
    )
    try:
        yield flood
    finally:
        await flood.stop()


@contextmanager
def sink() -> Iterator[tuple[str, int]]:
    """The address of a UDP socket on loopback that nobody reads, and which keeps next to nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        way.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        way.bind(("127.0.0.1", 0))
        yield way.getsockname()
