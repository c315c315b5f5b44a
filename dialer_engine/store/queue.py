"""A campaign's queue: filled from its lists piece by piece, and counted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql

COUNT_LIMIT = 100_000
"""No count goes beyond this: counting must cost the same for a thousand contacts and for ten million."""


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """Contacts of a campaign by what they wait for; every count stops at COUNT_LIMIT, meaning "or more".

    `held` names the rule for contacts that a rule put aside, for good or until a later moment: contacts that
    wait for their hours stand in `waiting` and in `held`. `unfilled` are still on the lists.
    """

    due: int = 0
    waiting: int = 0
    done: int = 0
    unfilled: int = 0
    held: Mapping[str, int] | None = None


async def fill(conn: Connection, campaign_id: int, now: datetime, chunk: int = 5000) -> int:
    """Move up to `chunk` further contacts into the queue, due at `now` (gate's clock); return how many."""
    moved: int = await conn.fetchval(sql("queue_fill"), campaign_id, now, chunk)
    return moved


async def queue_counts(conn: Connection, campaign_id: int, now: datetime) -> QueueCounts:
    """Count the queue at `now` (gate's clock)."""
    rows = await conn.fetch(sql("queue_counts"), campaign_id, now, COUNT_LIMIT)
    held = {row["rule"]: row["n"] for row in rows if row["kind"] == "held"}
    counts = {row["kind"]: row["n"] for row in rows if row["kind"] != "held"}
    return QueueCounts(counts["due"], counts["waiting"], counts["done"], counts["unfilled"], held)


async def requeue_held(conn: Connection, campaign_id: int, now: datetime, rule: str | None = None) -> int:
    """Make held contacts due again, of one rule or of all, after rules or lists changed; return how many."""
    done = await conn.execute(sql("queue_requeue"), campaign_id, now, rule)
    return int(done.split()[-1])
