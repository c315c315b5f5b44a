"""A campaign's own history as a forecast needs it: its newest calls and wrap-ups."""

from datetime import datetime

from dialer_engine.core.pacing.measured import Looks, Measured, Past, SeenCall, measure, measure_looks
from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql

MOST = 5000
"""Calls and wrap-ups looked at for a plan, the newest ones."""


async def measured(
    conn: Connection, campaign_id: int, since: datetime, ring_limit_s: float
) -> tuple[Measured | None, int]:
    """Return what the campaign's calls since a moment (UTC) say, None when they are too few, and their number."""
    seen = await past(conn, campaign_id, since, MOST)
    return measure(seen.calls, seen.wraps, ring_limit_s), len(seen.calls)


async def past(conn: Connection, campaign_id: int, since: datetime, most: int) -> Past:
    """Return the campaign's newest `most` calls and wrap-ups since a moment (UTC)."""
    calls = await conn.fetch(sql("plan_measured_calls"), campaign_id, since, most)
    wraps = await conn.fetch(sql("plan_measured_wraps"), campaign_id, since, most)
    return Past(
        [SeenCall(**dict(row)) for row in reversed(calls)], [row["seconds"] for row in reversed(wraps)]
    )


async def measured_looks(conn: Connection, campaign_id: int, since: datetime) -> Looks | None:
    """Return how agents looked at the campaign's contacts on show since a moment (UTC), None when too few were seen."""
    rows = await conn.fetch(sql("plan_measured_looks"), campaign_id, since, MOST)
    return measure_looks([(row["seconds"], row["dialed"]) for row in rows])
