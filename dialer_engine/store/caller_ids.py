"""Which caller ID a reserved attempt shows: the one least used today goes next."""

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql


@dataclass(slots=True)
class CallerIds:
    """A campaign's caller IDs during one reservation.

    What was given out is counted once, as the last statement: rows locked earlier, in several steps, would
    let two reservations wait for each other.
    """

    campaign_id: int
    day: date
    numbers: tuple[str, ...]
    _used: dict[str, int] | None = None
    _given: Counter[str] = field(default_factory=Counter)

    async def take(self, conn: Connection, count: int) -> list[str]:
        """Choose `count` caller IDs, each the least used today (UTC) so far."""
        if len(self.numbers) == 1:
            return [self.numbers[0]] * count
        if self._used is None:
            rows = await conn.fetch(sql("caller_ids_used"), self.campaign_id, self.day)
            self._used = {row["caller_id"]: row["used"] for row in rows}
        chosen = least_used(self.numbers, Counter(self._used) + self._given, count)
        self._given.update(chosen)
        return chosen

    async def save(self, conn: Connection) -> None:
        """Count what was given out; call it last in the transaction."""
        if self._given:
            given = self._given
            await conn.execute(
                sql("caller_ids_count"), self.campaign_id, self.day, list(given), list(given.values())
            )


def least_used(caller_ids: Sequence[str], used: Mapping[str, int], count: int) -> list[str]:
    """Return `count` choices, each the least used so far; ties go in the order given."""
    heap = [(used.get(caller_id, 0), place, caller_id) for place, caller_id in enumerate(caller_ids)]
    heapq.heapify(heap)
    chosen: list[str] = []
    for _ in range(count):
        times, place, caller_id = heap[0]
        heapq.heapreplace(heap, (times + 1, place, caller_id))
        chosen.append(caller_id)
    return chosen
