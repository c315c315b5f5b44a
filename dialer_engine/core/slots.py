"""Calls per second without bursts, exact where it is counted: at the carrier.

A carrier counts INVITEs in rolling seconds by its own clock. Between the engine's decision and the wire lie a
busy event loop, Asterisk's threads and the network, so departures that are evenly apart here can arrive
together there. Two rules hold the limit whatever happens in between:

* a departure is counted when it really leaves, never when it was planned, and the next one is a gap later;
* with `calls` allowed per `period`, no call leaves before the one `calls` places earlier is *known* to be on the
  wire (Asterisk said so) for a whole period and a guard. A delay on the way only moves later calls away.

A call on a node whose link is lost can give no word for minutes, and other nodes must go on. So it is taken to be on
the wire from the loss on: the socket throws away what has not arrived. Word that comes after all counts instead. What
is left is an Asterisk that was frozen until its link was given up: the calls that it has, but has not read, may leave
when it goes on, one period's calls at most.

What remains is the time from Asterisk's word until the INVITE is out, and the network's jitter: `GUARD_S`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import islice

GUARD_S = 0.05
"""Seconds added to every period for what happens after Asterisk's word; it costs 5 % of the limit."""


@dataclass(slots=True)
class CallSlots:
    """Departures of one trunk or account; `rate` in calls per second, times in monotonic seconds.

    A rate of 1 or more is rounded down, since no rolling second can hold half a call; below 1 it is one call
    every `1 / rate` seconds.
    """

    rate: float
    _last: float = -math.inf
    _sent: dict[str, float | None] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)

    @property
    def calls(self) -> int:
        """How many calls a period may hold."""
        return max(1, int(self.rate + 1e-9))

    @property
    def period(self) -> float:
        """The rolling period in which calls are counted, in seconds."""
        return max(1.0, 1.0 / self.rate)

    @property
    def gap(self) -> float:
        """The least time between two departures, in seconds."""
        return self.period / self.calls

    def wait(self, now: float) -> float:
        """Return the seconds until a call may leave; infinite until an earlier one is known, or taken, to be out."""
        even = self._last + self.gap
        if len(self._sent) < self.calls:
            return max(0.0, even - now)
        # After a reload with a lower rate more calls are remembered than count.
        counted = next(islice(self._sent.values(), len(self._sent) - self.calls, None))
        if counted is None:
            return math.inf
        return max(0.0, even - now, counted + self.period + GUARD_S - now)

    def begin(self, now: float) -> None:
        """Count as if the limit had been used up just now: by whom did calls leave before we were there?"""
        self._last = now
        self._sent = {f"before us, {number}": now for number in range(self.calls)}
        self._taken.clear()

    def leave(self, now: float, call: str) -> None:
        """A call leaves now."""
        self._last = now
        self._sent[call] = None
        while len(self._sent) > self.calls:
            oldest = next(iter(self._sent))
            del self._sent[oldest]
            self._taken.discard(oldest)

    def counts(self, call: str) -> bool:
        """Return whether a call is one of those that are counted."""
        return call in self._sent

    def on_wire(self, now: float, call: str) -> None:
        """A call is known to be on the wire, or never to get there; without effect the second time."""
        if call in self._sent and (self._sent[call] is None or call in self._taken):
            self._sent[call] = now
            self._taken.discard(call)

    def no_word(self, now: float, call: str) -> None:
        """No word of a call can come for now: it is taken to be on the wire, until word comes after all."""
        if call in self._sent and self._sent[call] is None:
            self._sent[call] = now
            self._taken.add(call)

    def free(self, now: float, horizon: float, queued: int = 0) -> int:
        """Return how many calls may leave within `horizon` seconds, beyond those that are queued."""
        wait = self.wait(now)
        if wait > horizon:
            return 0
        return max(0, int((horizon - wait) / self.gap + 1e-9) + 1 - queued)
