"""The end of consents when a number goes on a do-not-call list; `store.opt_outs` ends those of keys and agents itself.

Registries of numbers that others keep are nobody's word to a Member and end nothing. Taking a number off a list gives
no consent back, nor does another record of one that was given before: see `end_older`. Entries are written before
consents end, and `take_turn` comes after both: one order for everybody, so that no two wait for each other.
"""

from collections.abc import Sequence
from datetime import datetime

from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql

COPIED = "copy"
"""The source of do-not-call entries that were another Member's: they are nobody's word to this one."""


async def standing(conn: Connection, numbers: Sequence[str], member_id: int | None) -> list[int]:
    """Return the ids of the consents of these numbers' persons that nobody revoked: a Member's, or (None) all.

    Locks nothing, so that a long transaction can ask early and end them last.
    """
    rows = await conn.fetch(sql("consents_standing"), list(numbers), member_id)
    return [row["id"] for row in rows]


async def standing_before(conn: Connection, numbers: Sequence[str], member_id: int | None) -> list[int]:
    """Return the ids of those no newer than a number's own entry: some entries ended nothing (docs/legal.md)."""
    rows = await conn.fetch(sql("consents_standing_before"), list(numbers), member_id)
    return [row["id"] for row in rows]


async def end(
    conn: Connection, consents: Sequence[int], at: datetime, channel: str, *, who: str, note: str | None
) -> list[int]:
    """End consents in the caller's transaction, shortly before its commit; return those that were not ended yet.

    `channel` is how the person said so: key, agent, command, api, inbound_call, sms, email.
    """
    if not consents:
        return []
    rows = await conn.fetch(sql("consents_revoke"), list(consents), at, channel, who, note)
    return [row["consent_id"] for row in rows]


async def end_older(conn: Connection, consents: Sequence[int], member_id: int) -> int:
    """End those of a Member's consents, in the transaction that records them, that their persons took back later.

    Whatever asked not to be called since, or ended another consent, counts, also when its entry was taken off the list
    again. They end at the first such moment, by its channel. Returns how many.
    """
    if not consents:
        return 0
    return len(await conn.fetch(sql("consents_revoke_older"), list(consents), member_id, COPIED))
