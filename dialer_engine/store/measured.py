"""A campaign's own history as a forecast needs it: its newest calls and wrap-ups."""

from datetime import datetime

from dialer_engine.core.pacing.measured import Measured, SeenCall, measure
from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql

MOST = 5000
"""Calls and wrap-ups looked at, the newest ones."""


async def measured(
    conn: Connection, campaign_id: int, since: datetime, ring_limit_s: float
) -> tuple[Measured | None, int]:
    """Return what the campaign's calls since a moment (UTC) say, None when they are too few, and their number."""
    rows = await conn.fetch(sql("plan_measured_calls"), campaign_id, since, MOST)
    calls = [SeenCall(**dict(row)) for row in rows]
    wraps = [row["seconds"] for row in await conn.fetch(sql("plan_measured_wraps"), campaign_id, since, MOST)]
    return measure(calls, wraps, ring_limit_s), len(calls)
