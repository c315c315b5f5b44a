"""The end of an engine's work: no new calls, then wait until it may leave.

`dialer stop` waits for every call and wrap. `dialer drain` hands over when a standby waits: calls that still ring or
wait for an agent are seen through, because nobody would be there for their answer, and conversations are left to the
standby, which adopts them. An agent in wrap has some seconds to press a key, because that is remembered here only.

A standby may have a home of its own, and what waits on this one's disk never reaches it: a hand-over waits, as long as
it may wait for calls, until the database has everything.
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

CALLS = "calls and wraps to end"
SETTLING = "calls that ring or wait for an agent, and agents in wrap"
STANDBY = "calls to end, or a standby"
RECORDS = "the database to take what happened"
"""What is waited for, in words."""


@dataclass(frozen=True, slots=True)
class HandOver:
    """A request to hand over: leave without a standby at `until` at the latest, in monotonic seconds."""

    until: float


Wanted = Callable[[], HandOver | None]


@dataclass(slots=True)
class Drain:
    """One drain; `hurry` is set by a second request to stop and by the loss of the lease.

    `unwritten`: whether the database lacks records, or cannot be asked. `tell` hears what is waited for, "" at the end.
    """

    floor: Floor
    hurry: asyncio.Event
    standby_waits: Callable[[], Awaitable[bool]]
    unwritten: Callable[[], bool]
    tell: Callable[[str], None] = field(default=lambda words: None)
    handed_over: bool = False
    _settled_since: float | None = field(default=None)
    _told: str = field(default="")

    async def wait(self, wanted: Wanted) -> None:
        """Return when the engine may leave."""
        while not self.hurry.is_set() and (words := await self._waits_for(wanted())):
            await self._wait_for(words)
        self._say("")

    async def wait_for_records(self, left: Callable[[], int], wanted: Wanted, most_s: float) -> None:
        """Wait until the database has what is `left`: `most_s` seconds, for a hand-over as long as that may wait."""
        end = time.monotonic() + most_s
        while not self.hurry.is_set() and left():
            handing_over = wanted()
            if time.monotonic() >= (handing_over.until if handing_over is not None else end):
                break
            await self._wait_for(RECORDS)
        self._say("")

    async def _wait_for(self, words: str) -> None:
        self._say(words)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.hurry.wait(), LOOK_S)

    def _say(self, words: str) -> None:
        if words == self._told:
            return
        self._told = words
        if words:
            log.info("draining", waits_for=words)
        self.tell(words)

    async def _waits_for(self, wanted: HandOver | None) -> str:
        """Return what has to happen before the engine may leave, "" when it may."""
        calls, wraps = self.floor.dispatcher.calls, self.floor.legs.wraps
        empty = not calls and not wraps
        if wanted is None:
            return "" if empty else CALLS
        settled = empty or self._settled(wraps)
        if time.monotonic() >= wanted.until:
            self._warn(len(calls))
            self.handed_over = empty and await self.standby_waits()
            return ""
        if not settled:
            return SETTLING
        if self.unwritten():
            return RECORDS
        self.handed_over = await self.standby_waits()
        return "" if empty or self.handed_over else STANDBY

    def _warn(self, calls: int) -> None:
        if calls:
            log.warning("calls are still up after the time to wait", calls=calls)
        if self.unwritten():
            log.error(
                "the database has not taken everything after the time to wait: an engine of another DIALER_HOME "
                "that takes over will not have it"
            )

    def _settled(self, wraps: int) -> bool:
        """Return whether every call can be left alone, and every wrap has ended or had its time."""
        if any(call.phase in UNSETTLED for call in self.floor.dispatcher.calls.values()):
            self._settled_since = None
            return False
        if self._settled_since is None:
            self._settled_since = time.monotonic()
        return not wraps or time.monotonic() - self._settled_since >= WRAP_PATIENCE_S
