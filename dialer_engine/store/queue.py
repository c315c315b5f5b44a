"""A campaign's queue: filled from its lists piece by piece, and counted."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql

REQUEUED_AT_ONCE = 10_000
"""Contacts that are made due again by one statement: so many take well below the time a command may take."""
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


async def requeue_held(
    conn: Connection, campaign_id: int, rules: Collection[str], most: int | None = None
) -> int:
    """Make up to `most` contacts due again that these rules held (None: all of them); return how many."""
    done = await conn.execute(sql("queue_requeue"), campaign_id, list(rules), most)
    return int(done.split()[-1])


def settings_text(verdicts: Mapping[str, object]) -> str:
    """Return the settings that each rule's verdict goes by, rule -> anything JSON knows, as one comparable text."""
    return json.dumps(verdicts, sort_keys=True)


async def settle_held(conn: Connection, campaign_id: int, held_under: str) -> int:
    """Make contacts due again whose rule went by other settings when it held them; return how many.

    `held_under` is `settings_text` of the settings that count from now on. Until they are in force everywhere, a
    reservation that still goes by others holds nothing for long: see `store.reserve.open_pass`.
    """
    before = await conn.fetchval(sql("queue_held_under"), campaign_id)
    if before == held_under:
        return 0
    known = json.loads(before) if before else {}
    other = [
        rule for rule, text in json.loads(held_under).items() if rule not in known or known[rule] != text
    ]
    freed = 0
    while (count := await requeue_held(conn, campaign_id, other, REQUEUED_AT_ONCE)) > 0:
        freed += count
        if count < REQUEUED_AT_ONCE:
            break
    async with conn.transaction():
        await conn.execute(sql("queue_hold_under"), campaign_id, held_under)
        return freed + await requeue_held(conn, campaign_id, other)
