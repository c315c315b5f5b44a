"""What the commands on stored data share: a connection, and moments given on the command line."""

import getpass
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, date, datetime, timedelta

import asyncpg
import typer

from dialer_engine.settings.home import home
from dialer_engine.settings.load import Config
from dialer_engine.store.directory import campaign_id_of, member_id_of, sync_members
from dialer_engine.store.locate import database_url, ensure_database, ensure_migrated
from dialer_engine.store.pool import Connection, connect, interrupted
from dialer_engine.store.suppression_journal import compare_if_behind, flush_if_kept

DAY = timedelta(days=1)
LAST = datetime.max.replace(tzinfo=UTC)


@asynccontextmanager
async def database(config: Config) -> AsyncIterator[Connection]:
    """Connect to the configuration's database, up to date and with its Members; start the embedded one.

    StoreError says what went wrong in the middle of the work, such as a connection that was lost.
    """
    async with database_as_it_is(config) as conn:
        await sync_members(conn, config.settings.members)
        await compare_if_behind(conn, home(), datetime.now(UTC))
        yield conn
        await flush_if_kept(conn, home(), datetime.now(UTC))


@asynccontextmanager
async def database_as_it_is(config: Config) -> AsyncIterator[Connection]:
    """Connect as `database` does and bring none of the settings into it, for a command that only asks."""
    url = ensure_database(config.settings, home())
    with in_words():
        await ensure_migrated(url)
        conn = await connect(url, batch=True)
        try:
            yield conn
        finally:
            await conn.close()


@asynccontextmanager
async def database_left_alone(config: Config) -> AsyncIterator[Connection]:
    """Connect to the database without starting or migrating it, for a command that only looks.

    StoreError says why that cannot be done, or what went wrong while it was asked.
    """
    conn = await connect(database_url(config.settings, home()))
    try:
        with in_words():
            try:
                yield conn
            finally:
                await conn.close()
    except OSError as error:
        raise interrupted(error) from error


@contextmanager
def in_words() -> Iterator[None]:
    """Turn an error of the database in the middle of work into StoreError."""
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise interrupted(error) from error


async def check_names(
    conn: Connection, config: Config, *, campaign: str | None = None, member: str | None = None
) -> None:
    """Make sure that names given to narrow a command down are those of something; UnknownName tells what there is.

    A campaign of the settings that never ran is known: there is only nothing of it yet.
    """
    if campaign is not None and campaign not in config.campaigns:
        await campaign_id_of(conn, campaign)
    if member is not None:
        await member_id_of(conn, member)


def who() -> str:
    """Return the name of the person at the keyboard, for the logs of changes."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def moment(text: str | None, default: datetime, *, end: bool = False) -> datetime:
    """Read a date (UTC) or an ISO 8601 moment; a date that ends a span includes its whole day."""
    if text is None:
        return default
    try:
        found = datetime.fromisoformat(text)
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(
            f"{text!r} is neither a date (2026-06-10) nor a moment (ISO 8601)"
        ) from error
    if not (end and _is_date(text)):
        return found
    return found + DAY if found < LAST - DAY else LAST


def _is_date(text: str) -> bool:
    """Tell whether a moment is written as a date alone, in any of the forms of ISO 8601."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
