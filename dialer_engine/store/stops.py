"""Emergency stops per region, and which version of the calling rules is in force; both are audited.

A stop takes the same turn as a suppression before it commits (see `store.reserve`), and every reservation
reads the stops in its own transaction: a stop that is committed before a reservation is obeyed by it, in
every engine on this database.
"""

from dataclasses import dataclass
from datetime import datetime

from dialer_engine.core.gate import EmergencyStop
from dialer_engine.store.directory import audit
from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql
from dialer_engine.store.suppress import take_turn, wait_for_passes


@dataclass(frozen=True, slots=True)
class StopRecord:
    """One stop and how it ended."""

    region: str
    reason: str
    since: datetime
    who: str
    exempts_consent: bool
    ended_at: datetime | None
    ended_by: str | None
    end_reason: str | None


@dataclass(frozen=True, slots=True)
class LivePlace:
    """A live attempt of a Member that nobody answered yet, with the hints to where its contact is."""

    attempt_id: str
    member_id: int
    number: str
    regions: tuple[str, ...]
    zones: tuple[str, ...]


async def in_force(conn: Connection) -> tuple[EmergencyStop, ...]:
    """Return the stops in force."""
    return tuple(EmergencyStop(**dict(row)) for row in await conn.fetch(sql("stops_in_force")))


async def stop(
    conn: Connection, region: str, reason: str, at: datetime, *, who: str, exempts_consent: bool = False
) -> bool:
    """Stop all calls into a region from this commit on; False when they are stopped already."""
    async with conn.transaction():
        added = await conn.fetchval(sql("stop_add"), region, reason, at, who, exempts_consent)
        if added is None:
            return False
        detail = {"reason": reason, "exempts_consent": "yes" if exempts_consent else "no"}
        await audit(conn, at, who, "emergency stop", region, detail)
        await take_turn(conn)
    return True


async def resume(conn: Connection, region: str, reason: str, at: datetime, *, who: str) -> bool:
    """End a region's stop and let the contacts it held be looked at again; False when there is none.

    A second look, at those whom passes under way held, comes after the commit. Both are made also when there is no
    stop any more: the command may have been ended in between when it was said first.
    """
    async with conn.transaction():
        ended = await conn.fetchval(sql("stop_end"), region, at, who, reason) is not None
        if ended:
            await audit(conn, at, who, "emergency stop ended", region, {"reason": reason})
        await conn.execute(sql("stop_requeue"))
    await wait_for_passes(conn)
    await conn.execute(sql("stop_requeue"))
    return ended


async def history(conn: Connection) -> list[StopRecord]:
    """Return all stops that ever were, newest first."""
    return [StopRecord(**dict(row)) for row in await conn.fetch(sql("stops_history"))]


async def unanswered(conn: Connection) -> list[LivePlace]:
    """Return the live attempts that nobody answered yet."""
    return [
        LivePlace(str(row["id"]), row["member_id"], row["number"], tuple(row["regions"]), tuple(row["zones"]))
        for row in await conn.fetch(sql("live_with_places"))
    ]
