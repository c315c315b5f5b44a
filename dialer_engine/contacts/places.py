"""Rows about somebody whom the Member has already: what they say of the place counts beside what was known.

A corrected address comes in a row whose number is known, and nobody can tell which of two addresses is right: the
contact may be called when every one of them allows it. The contacts of an import are brought up to date by one
statement; only what differs among their addresses, of which there are few, is united here.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import asyncpg
import msgspec

from dialer_engine.contacts.staging import BATCH
from dialer_engine.core.gate.places import Hints, unite, zones_left, zones_of_address
from dialer_engine.core.numbers import NumberPlan
from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql

_COLUMNS = ("regions", "zones", "said", "all_regions", "all_zones")
_Said = list[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]]


async def unite_places(conn: Connection, member_id: int, plan: NumberPlan) -> int:
    """Add what the staged rows say of the places of contacts that have their numbers; return how many it changed.

    Within the transaction of the import, when its own contacts and numbers are in.
    """

    @cache
    def zones_of(region: str) -> tuple[str, ...]:
        return zones_of_address(region, plan)

    await conn.execute(sql("import_places_find"), member_id)
    united: list[tuple[Any, ...]] = []
    async for kind in conn.cursor(sql("import_places_kinds"), prefetch=1000):
        if (record := _united(kind, zones_of)) is not None:
            united.append(record)
        if len(united) == BATCH:
            await _keep(conn, united)
    await _keep(conn, united)
    await conn.execute(sql("import_places_settle"))
    done = await conn.execute(sql("import_places_unite"), member_id)
    updated = int(done.split()[-1])
    if updated:
        await conn.execute(sql("import_places_requeue"))
    return updated


async def _keep(conn: Connection, united: list[tuple[Any, ...]]) -> None:
    """Write what was united into its table and empty it."""
    await conn.copy_records_to_table("stage_united", records=united, columns=_COLUMNS)
    united.clear()


def _united(kind: asyncpg.Record, zones_of: Callable[[str], tuple[str, ...]]) -> tuple[Any, ...] | None:
    """Return a record of what is known, what rows say and both together; None where they say nothing new."""
    said = msgspec.json.decode(kind["said"], type=_Said)
    postal_zones = next((zones for _, _, zones in said if zones), ())
    kept = Hints(tuple(kind["regions"]), tuple(kind["zones"]))
    known = Hints(kept.regions, kept.zones or postal_zones)
    both = unite((known, *(Hints(regions, zones) for regions, zones, _ in said)), zones_of)
    if {*both.regions} == {*kept.regions} and zones_left(both, zones_of) == zones_left(kept, zones_of):
        return None
    return kind["regions"], kind["zones"], kind["said"], both.regions, both.zones
