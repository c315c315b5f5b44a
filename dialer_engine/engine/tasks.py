"""Background tasks that are kept, named, and whose failures are logged and never lost."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.get_logger(__name__)


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

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background task failed", task=task.get_name(), exc_info=error)

    async def close(self) -> None:
        """Cancel all tasks and wait until they have ended."""
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
