"""Which database: the one that the settings name, or the embedded one."""

from pathlib import Path

from dialer_engine.settings.home import prepare_home, service_user
from dialer_engine.settings.models import Settings
from dialer_engine.store.embedded import EmbeddedPostgres
from dialer_engine.store.migrate import migrate
from dialer_engine.store.pool import connect
from dialer_engine.store.sql import sql


def embedded(home: Path) -> EmbeddedPostgres:
    """The embedded server of this DIALER_HOME, running or not."""
    return EmbeddedPostgres(home / "postgres", service_user())


def database_url(settings: Settings, home: Path) -> str:
    """Return the database's URL; StoreError when it is the embedded one and that does not run."""
    return settings.database.url or embedded(home).url()


def ensure_database(settings: Settings, home: Path) -> str:
    """Return the database's URL, starting the embedded server when it is that one and does not run."""
    if settings.database.url:
        return settings.database.url
    user = service_user()
    prepare_home(home, user)
    return EmbeddedPostgres(home / "postgres", user).start()


async def engine_database_url(settings: Settings, home: Path) -> str:
    """Return the URL by which the engine works in a migrated database; for use with ENGINE_ROLE.

    The embedded server lets the engine log in by itself. On a server it is `database.engine_url`, else the owner's
    login, which then only puts its rights down. Raises StoreError.
    """
    given = settings.database.engine_url or settings.database.url
    if given:
        return given
    server = embedded(home)
    conn = await connect(server.url())
    try:
        await conn.execute(sql("engine_login"), server.engine_password())
    finally:
        await conn.close()
    return server.engine_url()


async def ensure_migrated(url: str) -> list[str]:
    """Bring the database up to date; return the names of the migrations applied now."""
    conn = await connect(url, batch=True)
    try:
        return await migrate(conn)
    finally:
        await conn.close()
