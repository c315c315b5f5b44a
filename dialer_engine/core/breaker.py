"""Leaves a faulty trunk alone, and finds out soon that it works again.

The life
--------
*Closed*: calls go out. `FAULTS` trunk faults within `WINDOW_S`, with nothing between them that the carrier
handled as a call, open it. *Open*: no calls but a probe, an ordinary call to a contact that is due, after
`FIRST_PAUSE_S`, then after pauses that double up to `LONGEST_PAUSE_S`. *Half open*: a probe is out. The first
sign that the carrier handles a call (ringing is enough) closes it.

Because probes leave at the end of every pause, whatever became of the one before, a carrier that recovers gets
one within `LONGEST_PAUSE_S`, also when it was silent and earlier probes still wait for a word.

News comes late: a silent call tells of a fault only when it times out. So every piece of news carries the moment
the call left. A fault of a call that left before the last good one is old, and so is the success of a call that
left before the breaker opened; both change nothing. While it is closed a good sign counts when it comes, whenever the
call left: refusals are fast and ringing takes seconds, so on a busy trunk that works every sign is of a call that left
before some refusals.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

FAULTS = 5
WINDOW_S = 60.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 8.0
"""At most this long after its recovery a carrier gets a probe, in seconds."""


class BreakerState(StrEnum):
    """Whether calls may go out."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(slots=True)
class Breaker:
    """The breaker of one trunk; times in monotonic seconds, `sent` is the moment a call left."""

    last_code: str | None = None
    opened_at: float | None = None
    closed_at: float | None = None
    opened: int = 0
    _good: float = -math.inf
    _faults: deque[float] = field(default_factory=lambda: deque(maxlen=FAULTS))
    _pause: float = FIRST_PAUSE_S
    _probe_at: float = 0.0
    _probes: int = 0

    @property
    def state(self) -> BreakerState:
        """Whether calls may go out."""
        if self.opened_at is None:
            return BreakerState.CLOSED
        return BreakerState.HALF_OPEN if self._probes else BreakerState.OPEN

    def allows(self, now: float) -> int | None:
        """Return how many calls may go out now; None when the breaker sets no limit."""
        if self.opened_at is None:
            return None
        return 1 if now >= self._probe_at else 0

    def opens_in(self, now: float) -> float:
        """Return the seconds until a call may go out."""
        return 0.0 if self.opened_at is None else max(0.0, self._probe_at - now)

    def probe(self, now: float) -> None:
        """A call was taken for this trunk; while the breaker is open it is the probe of this pause."""
        if self.opened_at is not None:
            self._probes += 1
            self._pause = min(LONGEST_PAUSE_S, self._pause * 2)
            self._probe_at = now + self._pause

    def no_probe(self, now: float) -> None:
        """The probe found nobody to call: the next contact that is due may be it."""
        if self.opened_at is not None:
            self._probes = max(0, self._probes - 1)
            self._probe_at = now

    def fault(self, now: float, sent: float, code: str) -> bool:
        """A call met a trunk fault; returns whether the breaker opened by it."""
        if sent <= self._good:
            return False
        self.last_code = code
        if self.opened_at is not None:
            return False
        self._faults.append(now)
        if len(self._faults) < FAULTS or now - self._faults[0] > WINDOW_S:
            return False
        self.opened_at, self.opened = now, self.opened + 1
        self._pause, self._probe_at, self._probes = FIRST_PAUSE_S, now + FIRST_PAUSE_S, 0
        return True

    def success(self, now: float, sent: float) -> bool:
        """The first sign, as it comes, that the carrier handles a call; returns whether the breaker closed by it."""
        if self.opened_at is not None and sent < self.opened_at:
            return False
        self._good = max(self._good, sent)
        self._faults.clear()
        if self.opened_at is None:
            return False
        self.opened_at, self.closed_at = None, now
        return True
