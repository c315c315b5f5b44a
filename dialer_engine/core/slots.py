"""Calls per second without bursts: each call gets a moment of its own, `1 / rate` seconds after the last."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class CallSlots:
    """Departure moments of one trunk; `rate` in calls per second, times in monotonic seconds.

    Because departures are at least `1 / rate` apart, no rolling second ever holds more than
    ceil(rate) calls, which is what carriers count.
    """

    rate: float
    _next: float = 0.0

    def free(self, now: float, horizon: float) -> int:
        """Return how many calls may depart from `now` until `now + horizon` seconds."""
        first = max(self._next, now)
        return max(0, int((now + horizon - first) * self.rate + 1e-9) + 1) if first <= now + horizon else 0

    def take(self, now: float) -> float:
        """Take the next departure moment and return the seconds to wait for it."""
        moment = max(self._next, now)
        self._next = moment + 1.0 / self.rate
        return moment - now

    def opens_in(self, now: float) -> float:
        """Return the seconds until the next departure is free."""
        return max(0.0, self._next - now)
