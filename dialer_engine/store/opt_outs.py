"""Opt-outs, whoever tells of them: the files of the Asterisk-side script, the engine that heard the key, an agent.

An opt-out counts once, by its attempt: a file that is taken in later, or a record that is written again, changes
nothing any more, not even when a person has taken the number off the list on purpose meanwhile. It needs neither
the attempt's row nor the contact's place in a queue, which a restored database may lack. It ends what the person
agreed to until its moment; a consent of after it goes on when the opt-out is taken in late.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter

import asyncpg

from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql
from dialer_engine.store.suppress import Forbidden, insert, still_forbidden, take_turn

DROP_MESSAGE = "drop_message"
DISPOSITION = "disposition"
"""The source of what an agent took down; all others are a key."""


@dataclass(frozen=True, slots=True)
class OptOutGiven:
    """Somebody asked not to be called again, on the call of an attempt; `at` is UTC.

    `number` (E.164) and `member` (short name or id) count when the database does not have the attempt. Of a Member
    it does not have either, nobody may call the number. Without a number an unknown attempt forbids nothing.
    """

    attempt_id: str
    number: str | None = field(repr=False)
    member: str | None
    at: datetime
    source: str = DROP_MESSAGE
    key: str = "9"
    who: str = "called party"


async def forbid_alone(conn: Connection, given: Sequence[OptOutGiven]) -> list[Forbidden]:
    """Put the numbers on their Members' lists as `forbid` does, in a transaction of its own, whoever owns the lease."""
    if not given:
        return []
    async with conn.transaction():
        return await forbid(conn, given)


async def forbid(conn: Connection, given: Sequence[OptOutGiven]) -> list[Forbidden]:
    """Put the numbers on their Members' lists, as the last step of the caller's transaction; return what stands there.

    Consents of the Members who may not call them any more end. A number that was taken off since an opt-out counted
    may be called, and is not returned.
    """
    if not given:
        return []
    rows = await conn.fetch(
        sql("opt_outs_add"),
        [o.attempt_id for o in given],
        [o.number for o in given],
        [o.member for o in given],
        [o.at for o in given],
        [o.key for o in given],
        [o.source for o in given],
        [o.who for o in given],
    )
    new = sorted((row for row in rows if row["new"]), key=itemgetter("number"))
    notes = [_note(row) for row in new]
    for row, note in zip(new, notes, strict=True):
        await insert(
            conn, [row["number"]], row["member_id"], row["source"], row["at"], who=row["who"], note=note
        )
    if new:
        await conn.execute(
            sql("consents_revoke_asked"),
            [row["number"] for row in new],
            [row["member_id"] for row in new],
            [row["at"] for row in new],
            ["agent" if row["source"] == DISPOSITION else "key" for row in new],
            [row["who"] for row in new],
            notes,
        )
    given_now = {Forbidden(row["number"], row["member_id"]) for row in new}
    before = [Forbidden(row["number"], row["member_id"]) for row in rows if not row["new"]]
    stand = given_now.union(await still_forbidden(conn, before) if before else ())
    await take_turn(conn)
    return sorted(stand, key=itemgetter(0))


def _note(row: asyncpg.Record) -> str:
    note = f"attempt {row['attempt_id']}"
    return f"{note}; its Member is not in this database" if row["orphan"] else note
