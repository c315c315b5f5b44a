"""Background tasks that are kept, named, and whose failures are logged and never lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

log = structlog.get_logger(__name__)

AGAIN_S = 1.0
CLOSE_S = 5.0
"""A cancelled task may wait for a database that does not answer, up to the time-out of its command: not for us."""


class Tasks:
    """A set of running tasks; `close` cancels what is left."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def spawn(self, doing: Coroutine[Any, Any, Any], what: str) -> asyncio.Task[Any]:
        """Run a coroutine in the background under a name that its failure is logged with."""
        task = asyncio.get_running_loop().create_task(doing, name=what)
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    def keep(self, making: Callable[[], Coroutine[Any, Any, Any]], what: str) -> None:
        """Run something for ever: when it fails it is logged and begun again after a second."""
        self.spawn(self._kept(making, what), what)

    async def _kept(self, making: Callable[[], Coroutine[Any, Any, Any]], what: str) -> None:
        while True:
            try:
                await making()
            except Exception:
                log.exception("background task failed and begins again", task=what)
                await asyncio.sleep(AGAIN_S)
            else:
                return

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background task failed", task=task.get_name(), exc_info=error)

    async def close(self) -> None:
        """Cancel all tasks and wait until they have ended, a few seconds at most."""
        for task in list(self._running):
            task.cancel()
        if not self._running:
            return
        _, stuck = await asyncio.wait(self._running, timeout=CLOSE_S)
        if stuck:
            log.warning("background tasks did not end", tasks=sorted(task.get_name() for task in stuck))


async def wait_at_most(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, at most some seconds; Python 3.11's `wait_for` may swallow a cancellation here."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
