"""Simulated time: what is going to happen, in order."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

DAY_S = 86400.0


class Agenda:
    """What happens when; `now` is in seconds, the first day begins at 0 and each at a multiple of `DAY_S`."""

    def __init__(self) -> None:
        self.now = self.day_start = 0.0
        self.events = 0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    @property
    def second(self) -> float:
        """The second of the day."""
        return self.now - self.day_start

    def next_at(self) -> float | None:
        """Return when something happens next, None when nothing is ahead."""
        return self._heap[0][0] if self._heap else None

    def step(self) -> None:
        """Go to the next moment and let everything of that moment happen."""
        self.now = self._heap[0][0]
        while self._heap and self._heap[0][0] == self.now:
            heappop(self._heap)[2]()
            self.events += 1

    def _at(self, moment: float, happens: Callable[[], None]) -> None:
        heappush(self._heap, (moment, next(self._order), happens))
