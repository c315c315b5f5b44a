"""Members and campaigns that go on under another name: who they are is their row, which everything else points to.

The settings know them by name only. A Member whose short name is changed there is a new one, whom nobody asked not to
call; a campaign whose file is renamed is a new one, in which nobody was called yet. A rename gives the old row the
new name. A new row that came into being meanwhile and was never used is set aside under a name that no settings can
have; it is not deleted, because records of agents' states point to campaigns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from dialer_engine.store.directory import (
    CampaignLike,
    MemberLike,
    audit,
    columns_of_lists,
    member_id_of,
)
from dialer_engine.store.errors import StoreError, UnknownName
from dialer_engine.store.lease import refuse_owned
from dialer_engine.store.pool import Connection
from dialer_engine.store.revocations import COPIED
from dialer_engine.store.sql import sql
from dialer_engine.store.suppress import Forbidden, add_within, live_suppressed


@dataclass(frozen=True, slots=True)
class LostMember:
    """A Member that the settings do not have, the count of numbers that asked it alone not to call, and perhaps who
    takes its place."""

    key: str
    likely: str | None
    numbers: int


@dataclass(frozen=True, slots=True)
class LostCampaign:
    """A campaign that has called and that the settings do not have, and one of the same lists that has not called."""

    old: str
    new: str


async def lost_members(conn: Connection, members: Mapping[str, MemberLike]) -> list[LostMember]:
    """Return the Members whose do-not-call entries count for none of these any more."""
    rows = await conn.fetch(
        sql("members_lost"),
        list(members),
        [member.name for member in members.values()],
        [member.callback_number for member in members.values()],
    )
    return [LostMember(**dict(row)) for row in rows]


async def lost_campaigns(conn: Connection, campaigns: Mapping[str, CampaignLike]) -> list[LostCampaign]:
    """Return the campaigns whose people are all due again under another name."""
    rows = await conn.fetch(sql("campaigns_lost"), *columns_of_lists(campaigns))
    return [LostCampaign(**dict(row)) for row in rows]


async def rename_member(
    conn: Connection, old: str, new: str, at: datetime, *, who: str, engines: str
) -> None:
    """Give a Member another short name. Raises StoreError, with nothing changed, when it cannot keep all it has.

    `engines` is how the leases of engines begin, none of which may be held: an engine works by the rows it knows.
    """
    async with conn.transaction():
        await refuse_owned(conn, engines)
        member: int | None = await conn.fetchval(sql("member_lock"), old)
        if member is None:
            await member_id_of(conn, old)
        taken: int | None = await conn.fetchval(sql("member_lock"), new)
        if taken is not None:
            await _refuse_used_member(conn, taken, old, new)
            await conn.execute(sql("member_hand_over"), taken, member)
            await conn.execute(sql("member_set_key"), taken, _aside(new, taken))
        await conn.execute(sql("member_set_key"), member, new)
        await audit(conn, at, who, "member renamed", str(member), {"from": old, "to": new})


async def _refuse_used_member(conn: Connection, taken: int, old: str, new: str) -> None:
    used = [row["what"] for row in await conn.fetch(sql("member_used"), taken)]
    if used:
        raise StoreError(
            f"{new} has {', '.join(used)} of its own, so it cannot become {old}; nothing was changed. What {old} was "
            f"asked not to call can be forbidden to {new} too: dialer dnc copy {old} {new}"
        )


async def rename_campaign(
    conn: Connection, old: str, new: str, member: str, at: datetime, *, who: str, engines: str
) -> None:
    """Give a campaign another name; `member` is the short name of the Member that the settings give it.

    Raises StoreError, with nothing changed, when it cannot keep all it has; `engines` is that of `rename_member`.
    """
    async with conn.transaction():
        await refuse_owned(conn, engines)
        row = await conn.fetchrow(sql("campaign_lock"), old)
        if row is None:
            raise UnknownName(f"no campaign is called {old!r} in the database; nothing was changed")
        if row["member"] != member:
            raise StoreError(
                f"{old} is a campaign of {row['member']}, and {new} one of {member}; nothing was changed"
            )
        taken = await conn.fetchrow(sql("campaign_lock"), new)
        if taken is not None:
            if await conn.fetchval(sql("campaign_used"), taken["id"]):
                raise StoreError(
                    f"{new} has calls of its own, so it cannot become {old}; nothing was changed. Who was called by "
                    f"{old} stays known there only: give its file back the name {old}"
                )
            await conn.execute(sql("campaign_set_aside"), taken["id"], _aside(new, taken["id"]))
        await conn.execute(sql("campaign_set_name"), row["id"], new)
        await audit(conn, at, who, "campaign renamed", str(row["id"]), {"from": old, "to": new})


def _aside(name: str, row: int) -> str:
    """Return a name that no settings can have."""
    return f"{name}#{row}"


async def copy_suppressions(
    conn: Connection, old: str, new: str, at: datetime, *, who: str
) -> tuple[int, list[Forbidden]]:
    """Forbid to one Member what another one may not call; return how many numbers, and those with calls under way."""
    async with conn.transaction():
        from_id, to_id = await member_id_of(conn, old), await member_id_of(conn, new)
        numbers = [row["number"] for row in await conn.fetch(sql("suppressed_numbers"), from_id, to_id)]
        added = await add_within(conn, numbers, to_id, COPIED, at, who=who, note=f"an entry of Member {old}")
    return len(added), await live_suppressed(conn)
