"""Takes opt-outs from the Asterisk-side journal into the database, at once and again as a safety net."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import asyncpg
import structlog

log = structlog.get_logger(__name__)

SAFETY_NET_S = 1.0


class OptOutIntake:
    """Watches one journal directory; `take` writes its files to the database and returns the numbers."""

    def __init__(
        self,
        directory: Path,
        take: Callable[[Path], Awaitable[Sequence[str]]],
        suppressed: Callable[[str], None],
    ) -> None:
        self._directory = directory
        self._take = take
        self._suppressed = suppressed
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """An opt-out was just recorded: take it in at once."""
        self._wake.set()

    async def run(self) -> None:
        """Take in for ever; while the database is away the files wait on disk."""
        while True:
            try:
                await self.take_all()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
                log.warning("opt-outs wait in the journal", directory=str(self._directory), why=str(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), SAFETY_NET_S)
            self._wake.clear()

    async def take_all(self) -> None:
        """Take in what is there now and cancel what is queued or ringing for those numbers (P5)."""
        if not await asyncio.to_thread(_any_file, self._directory):
            return
        for number in await self._take(self._directory):
            self._suppressed(number)


def _any_file(directory: Path) -> bool:
    return directory.is_dir() and any(directory.glob("*.json"))
