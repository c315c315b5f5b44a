"""Calls that are reserved and wait for their moment to leave a trunk, in order."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

Send = Callable[[], bool]
"""Sends a call now; False when it may not leave any more."""


class Line(Protocol):
    """What a queue asks of its trunk; times in monotonic seconds."""

    def wait(self, now: float) -> float:
        """Return the seconds until the next call may leave, infinite until word of an earlier one."""

    def leave(self, now: float, call: str) -> None:
        """A call leaves now."""


class Departures:
    """One trunk's queue. A timer that comes late, or a whole stalled loop, never lets two calls leave at once."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._queue: deque[tuple[str, Send]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._pumping = False

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, call: str, send: Send) -> None:
        """Let a call leave as soon as it may."""
        self._queue.append((call, send))
        self.pump()

    def pump(self) -> None:
        """Send what may leave now and set the timer for the next; called again at word of an earlier call.

        Such a word may come while one is sent, or instead of it: who may not leave ends at once. Then this goes on.
        """
        if self._pumping:
            return
        self._pumping = True
        try:
            self._pump()
        finally:
            self._pumping = False

    def _pump(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._queue:
            wait = self._line.wait(time.monotonic())
            if wait > 0:
                self._sleep(wait)
                return
            call, send = self._queue.popleft()
            if send():
                self._line.leave(time.monotonic(), call)

    def _sleep(self, wait: float) -> None:
        if wait < float("inf"):
            self._timer = asyncio.get_running_loop().call_later(wait, self.pump)
