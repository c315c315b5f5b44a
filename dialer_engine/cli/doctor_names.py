"""What `dialer doctor` says of Members and campaigns that left the settings with what they know."""

from __future__ import annotations

from pathlib import Path

from dialer_engine.cli.database import database_left_alone
from dialer_engine.cli.finding import CRITICAL, OK, WARNING, Finding
from dialer_engine.engine.renames import campaign_in_words, member_in_words
from dialer_engine.settings.load import SettingsError, load_config
from dialer_engine.store.errors import StoreError
from dialer_engine.store.migrate import pending
from dialer_engine.store.renames import lost_campaigns, lost_members

_WHAT = "names"


async def names(config: Path) -> Finding:
    """Look for opt-outs that count for nobody any more, and for people whom a new name made due again."""
    try:
        loaded = load_config(config)
        async with database_left_alone(loaded) as conn:
            if await pending(conn):
                return Finding(_WHAT, WARNING, "not looked at: migrations are missing")
            members = await lost_members(conn, loaded.settings.members)
            campaigns = await lost_campaigns(conn, loaded.campaigns)
    except (SettingsError, StoreError) as error:
        return Finding(_WHAT, WARNING, f"not looked at: {str(error).splitlines()[0]}")
    words = [*map(member_in_words, members), *map(campaign_in_words, campaigns)]
    if not words:
        return Finding(_WHAT, OK, "Members and campaigns are those that the database knows")
    state = CRITICAL if any(each.likely is not None for each in members) else WARNING
    return Finding(_WHAT, state, "; ".join(words))
