"""The end of an engine's work: no new calls, then wait until it may leave.

`dialer stop` waits for every call and wrap. `dialer drain` hands over when a standby waits: calls that still ring or
wait for an agent are seen through, because nobody would be there for their answer, and conversations are left to the
standby, which adopts them. An agent in wrap has some seconds to press a key, because that is remembered here only.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from dialer_engine.core.attempt import Phase
from dialer_engine.engine.floor import Floor

log = structlog.get_logger(__name__)

LOOK_S = 0.2
WRAP_PATIENCE_S = 20.0
UNSETTLED = (Phase.RESERVED, Phase.DIALING, Phase.RINGING, Phase.WAITING, Phase.JOINING)
"""Where a call needs this engine within seconds: it cannot be left to the next one."""


@dataclass(frozen=True, slots=True)
class HandOver:
    """A request to hand over: leave without a standby at `until` at the latest, in monotonic seconds."""

    until: float


@dataclass(slots=True)
class Drain:
    """One drain; `hurry` is set by a second request to stop and by the loss of the lease."""

    floor: Floor
    hurry: asyncio.Event
    standby_waits: Callable[[], Awaitable[bool]]
    handed_over: bool = False
    _settled_since: float | None = field(default=None)

    async def wait(self, wanted: Callable[[], HandOver | None]) -> None:
        """Return when the engine may leave."""
        while not self.hurry.is_set() and not await self._may_leave(wanted()):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.hurry.wait(), LOOK_S)

    async def _may_leave(self, wanted: HandOver | None) -> bool:
        calls, wraps = self.floor.dispatcher.calls, self.floor.legs.wraps
        if not calls and not wraps:
            self.handed_over = wanted is not None and await self.standby_waits()
            return True
        if wanted is None:
            return False
        if time.monotonic() >= wanted.until:
            log.warning("calls are still up after the time to wait", calls=len(calls))
            return True
        if not self._settled(wraps) or not await self.standby_waits():
            return False
        self.handed_over = True
        return True

    def _settled(self, wraps: int) -> bool:
        """Return whether every call can be left alone, and every wrap has ended or had its time."""
        if any(call.phase in UNSETTLED for call in self.floor.dispatcher.calls.values()):
            self._settled_since = None
            return False
        if self._settled_since is None:
            self._settled_since = time.monotonic()
        return not wraps or time.monotonic() - self._settled_since >= WRAP_PATIENCE_S
