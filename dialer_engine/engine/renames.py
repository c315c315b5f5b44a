"""What a name that left the settings takes along, in words: opt-outs of a Member, what a campaign knows of its people.

Nothing is refused for it: a Member or a campaign may be gone for good. But nobody would notice otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping

from dialer_engine.settings.models import Campaign, MemberSettings
from dialer_engine.store.pool import Connection
from dialer_engine.store.renames import LostCampaign, LostMember, lost_campaigns, lost_members


async def renames(
    conn: Connection, members: Mapping[str, MemberSettings], campaigns: Mapping[str, Campaign]
) -> list[str]:
    """Return what these settings have left behind, each with what to do."""
    lost = await lost_members(conn, members)
    return [
        *map(member_in_words, lost),
        *map(campaign_in_words, await lost_campaigns(conn, campaigns)),
    ]


def member_in_words(lost: LostMember) -> str:
    """Say who asked in vain not to be called, and what to do."""
    whom = (
        f"Member {lost.key} is not in dialer.yaml any more, but {lost.numbers:,} numbers asked it not to call"
    )
    new = lost.likely or "NEW"
    if lost.likely is not None:
        rest = f"{new} looks like the same one under another name, and may call them"
    else:
        rest = "whoever takes its place may call them"
    return (
        f"{whom}: {rest}. If it goes on under another name: stop the engine, "
        f"'dialer member rename {lost.key} {new}', and start it again; else put it back: a Member without campaigns "
        "calls nobody"
    )


def campaign_in_words(lost: LostCampaign) -> str:
    """Say who is due again, and what to do."""
    return (
        f"campaign {lost.old} is gone and {lost.new} is new with a list of the same Member: in it everybody is due "
        "again, also who was finished, has a callback or whose last call's end is not known. If it is the same one "
        f"under another name: stop the engine, 'dialer campaign rename {lost.old} {lost.new}', and start it again"
    )
