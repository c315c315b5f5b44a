"""The frame of a look of `dialer doctor` into the database: what keeps it from looking is a warning, not an error."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from dialer_engine.cli.database import database_left_alone
from dialer_engine.cli.finding import WARNING, Finding
from dialer_engine.settings.load import Config, SettingsError, load_config
from dialer_engine.store.errors import StoreError
from dialer_engine.store.migrate import pending
from dialer_engine.store.pool import Connection

Look = Callable[[Connection, Config], Awaitable[Finding]]


async def by_database(config: Path, what: str, look: Look) -> Finding:
    """Return what a look finds in a database of today's schema, else why nobody looked."""
    try:
        loaded = load_config(config)
        async with database_left_alone(loaded) as conn:
            if await pending(conn):
                return Finding(what, WARNING, "not looked at: migrations are missing")
            return await look(conn, loaded)
    except (SettingsError, StoreError) as error:
        return Finding(what, WARNING, f"not looked at: {str(error).splitlines()[0]}")
