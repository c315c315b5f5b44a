"""Which caller ID a reserved attempt shows: the one least used today goes next."""

import heapq
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql


class Wanted(Protocol):
    """Who shows caller IDs, which ones, and on which day (UTC)."""

    @property
    def campaign_id(self) -> int:
        """The campaign."""

    @property
    def caller_ids(self) -> tuple[str, ...]:
        """Its numbers."""

    @property
    def wall(self) -> datetime:
        """The real time."""


async def assign_caller_ids(conn: Connection, wanted: Wanted, count: int) -> list[str]:
    """Choose `count` caller IDs, least used today first, and count them as used."""
    if len(wanted.caller_ids) == 1:
        return [wanted.caller_ids[0]] * count
    day = wanted.wall.date()
    rows = await conn.fetch(sql("caller_ids_used"), wanted.campaign_id, day)
    chosen = least_used(wanted.caller_ids, {row["caller_id"]: row["used"] for row in rows}, count)
    given = Counter(chosen)
    await conn.execute(sql("caller_ids_count"), wanted.campaign_id, day, list(given), list(given.values()))
    return chosen


def least_used(caller_ids: Sequence[str], used: dict[str, int], count: int) -> list[str]:
    """Return `count` choices, each the least used so far; ties go in the order given."""
    heap = [(used.get(caller_id, 0), place, caller_id) for place, caller_id in enumerate(caller_ids)]
    heapq.heapify(heap)
    chosen: list[str] = []
    for _ in range(count):
        times, place, caller_id = heap[0]
        heapq.heapreplace(heap, (times + 1, place, caller_id))
        chosen.append(caller_id)
    return chosen
