"""What `dialer doctor` says of names: Members and campaigns that left the settings, lists that are perhaps misspelt."""

from __future__ import annotations

from pathlib import Path

from dialer_engine.cli.doctor_database import by_database
from dialer_engine.cli.finding import CRITICAL, OK, WARNING, Finding
from dialer_engine.engine.renames import campaign_in_words, member_in_words
from dialer_engine.settings.load import Config
from dialer_engine.store.directory import MissedList, missed_lists
from dialer_engine.store.pool import Connection
from dialer_engine.store.renames import lost_campaigns, lost_members

_WHAT = "names"


async def names(config: Path) -> Finding:
    """Look for opt-outs that count for nobody any more, people whom a new name made due again, and empty lists."""
    return await by_database(config, _WHAT, _look)


async def _look(conn: Connection, loaded: Config) -> Finding:
    members = await lost_members(conn, loaded.settings.members)
    campaigns = await lost_campaigns(conn, loaded.campaigns)
    missed = await missed_lists(conn, loaded.campaigns)
    words = [
        *map(member_in_words, members),
        *map(campaign_in_words, campaigns),
        *map(_missed_in_words, missed),
    ]
    if not words:
        return Finding(_WHAT, OK, "Members, campaigns and lists are those that the database knows")
    state = CRITICAL if any(each.likely is not None for each in members) else WARNING
    return Finding(_WHAT, state, "; ".join(words))


def _missed_in_words(missed: MissedList) -> str:
    others = ", ".join(map(repr, missed.others))
    return (
        f"campaign {missed.campaign} calls the list {missed.list!r} of {missed.member}, which has no contacts, and no "
        f"campaign calls {others}: mend the name under `lists`, or import contacts with: "
        f"dialer list import FILE --member {missed.member} --list {missed.list!r}"
    )
