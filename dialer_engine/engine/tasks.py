"""Background tasks that are kept, named, and whose failures are logged and never lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import structlog

log = structlog.get_logger(__name__)

T = TypeVar("T")

AGAIN_S = 1.0
CLOSE_S = 5.0
"""A cancelled task may wait for a database that does not answer, up to the time-out of its command: not for us."""
_LEFT = set[asyncio.Future[Any]]()
"""What was cancelled and nobody waits for: the loop alone would not keep it."""


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


async def within(seconds: float | None, doing: Coroutine[Any, Any, T]) -> T:
    """Wait for something, at most some seconds; then it is cancelled, and its end is not waited for.

    `wait_for` and `timeout` wait for that end: a query that is cancelled has to tell the server, and one that does not
    answer keeps it for half a minute. Raises TimeoutError.
    """
    task = asyncio.ensure_future(doing)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if task.done():
            return task.result()
    finally:
        if not task.done():
            _LEFT.add(task)
            task.add_done_callback(_forget)
            task.cancel()
    raise TimeoutError(f"no end within {seconds:g} s")


def _forget(task: asyncio.Future[Any]) -> None:
    _LEFT.discard(task)
    if not task.cancelled():
        task.exception()  # nobody else asks for it
