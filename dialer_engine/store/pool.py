"""Connections to Postgres, with errors that say what to do.

A long-lived loop should hold one connection: taking one from the pool costs about 60 microseconds because the
session is reset each time.
"""

from typing import TYPE_CHECKING, Any

import asyncpg

from dialer_engine.store.errors import StoreError

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    type_params = asyncpg.Record
    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Connection = Any
    Pool = Any

ENGINE_ROLE = "dialer_engine"
"""The role of migration 0014 that may add records and never change them, and makes no tables."""

CONNECT_TIMEOUT_S = 10.0
COMMAND_TIMEOUT_S = 30.0
# A frozen engine must not keep the locks of half-done work longer than its lease: the server ends its session.
# The engine asks for single rows only; a plan made while a table was small must not read all of it once it is large.
_SESSION = {
    "application_name": "dialer",
    "timezone": "UTC",
    "idle_in_transaction_session_timeout": "4s",
    "lock_timeout": "10s",
    "jit": "off",
    "enable_seqscan": "off",
}
_BATCH_SESSION = {
    **_SESSION,
    "enable_seqscan": "on",
    "idle_in_transaction_session_timeout": "0",
    "lock_timeout": "60s",
}


FAILED = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What the driver raises when the database is away, or refuses.

The last one is called an internal error and comes when a server says that it ends as a query begins.
"""


async def open_pool(url: str, size: int, role: str | None = None) -> Pool:
    """Open a pool of `size` connections, all connected at once so that trouble shows at the start.

    With `role` its sessions have that role's rights, whatever the login of `url` may do.
    """
    try:
        return await asyncpg.create_pool(
            url,
            min_size=size,
            max_size=size,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
            server_settings=_SESSION | _as(role),
        )
    except (*FAILED, ValueError) as error:
        raise explain(error, url) from error


async def connect(
    url: str, *, batch: bool = False, role: str | None = None
) -> "asyncpg.Connection[asyncpg.Record]":
    """Open one connection; `batch` is for imports and exports, which may take as long as they need."""
    settings = _BATCH_SESSION if batch else _SESSION
    try:
        return await asyncpg.connect(
            url,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=None if batch else COMMAND_TIMEOUT_S,
            server_settings=settings | _as(role),
        )
    except (*FAILED, ValueError) as error:
        raise explain(error, url) from error


def _as(role: str | None) -> dict[str, str]:
    return {"role": role} if role else {}


def explain(error: Exception, url: str) -> StoreError:
    """Put a failed connection into words; the password is never part of them."""
    where = place(url)
    match error:
        case asyncpg.InvalidPasswordError() | asyncpg.InvalidAuthorizationSpecificationError():
            return StoreError(f"{where}: user or password refused; correct database.url in dialer.yaml")
        case asyncpg.InvalidCatalogNameError():
            return StoreError(f"{where}: this database does not exist; create it, or correct database.url")
        case asyncpg.TooManyConnectionsError():
            return StoreError(
                f"{where}: the server takes no more connections; lower database.pool, or raise its limit"
            )
        case asyncpg.CannotConnectNowError():
            return StoreError(f"{where}: the server is starting or stopping; try again in a moment")
        case asyncpg.InvalidParameterValueError() | asyncpg.InsufficientPrivilegeError():
            return StoreError(
                f"{where}: the login may not become {ENGINE_ROLE!r} ({error}); an administrator must run: "
                f"GRANT {ENGINE_ROLE} TO the user of that address"
            )
        case TimeoutError():
            return StoreError(f"{where}: no answer within {CONNECT_TIMEOUT_S:.0f} s; is the address right?")
        case OSError():
            return StoreError(f"{where}: no server answers there ({error.strerror or error}); is it running?")
        case ValueError() | asyncpg.InterfaceError():
            # Its own words may quote a piece of the password.
            return StoreError(
                f"{where}: this address cannot be read; in user and password write signs such as @ / : ? # % "
                "as %40 %2F %3A %3F %23 %25, and correct database.url in dialer.yaml"
            )
    return StoreError(f"{where}: cannot connect ({type(error).__name__}: {error})")


def interrupted(
    error: asyncpg.PostgresError | asyncpg.InterfaceError | asyncpg.InternalClientError | OSError,
) -> StoreError:
    """Put what went wrong in the middle of a command into words; its last transaction left nothing.

    An OSError, TimeoutError among them, must be the connection's.
    """
    undone = "what was not finished is undone"
    match error:
        case asyncpg.LockNotAvailableError() | asyncpg.DeadlockDetectedError():
            return StoreError(
                f"the database: other work held what this needs for too long ({error}); {undone}, try again"
            )
        case asyncpg.DiskFullError():
            return StoreError(f"the database's disk is full; {undone}")
        case TimeoutError():
            return StoreError(f"the database did not answer in time; {undone}, try again")
        case (
            asyncpg.PostgresConnectionError()
            | asyncpg.AdminShutdownError()
            | asyncpg.CrashShutdownError()
            | asyncpg.CannotConnectNowError()
            | asyncpg.InterfaceError()
            | asyncpg.InternalClientError()
            | OSError()
        ):
            return StoreError(f"the connection to the database was lost ({error}); {undone}, try again")
    return StoreError(f"the database refused this ({type(error).__name__}: {error}); {undone}")


def place(url: str) -> str:
    """The database's server and name without user, password and options; a broken address shows neither."""
    scheme, mark, rest = url.partition("://")
    address, _, options = rest.rpartition("@")[2].partition("?")
    ports = [host.rpartition("]")[2].partition(":")[2] for host in address.partition("/")[0].split(",")]
    if not mark or any(port and not port.isdigit() for port in ports):
        return "database"  # perhaps a password: the server may have been left out
    shown = [part for part in options.split("&") if part.partition("=")[0] in ("host", "port", "dbname")]
    return f"{scheme}://{address}{'?' if shown else ''}{'&'.join(shown)}"
