"""Leases: one engine owns a thing at a time, and every taking has a higher epoch than all before.

The epoch goes with every write. A frozen engine that wakes up after another took its lease carries the old
epoch and is refused (`StaleEpoch`), whatever its own clock says: `guard` reads the lease inside the writing
transaction and keeps it from being taken until that ends, and `take` waits for such transactions.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from dialer_engine.store.errors import LeaseHeld, StaleEpoch
from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql


@dataclass(frozen=True, slots=True)
class Holder:
    """Who had the lease last, and whether it has expired by the database's clock."""

    owner: str
    epoch: int
    expired: bool


@dataclass(frozen=True, slots=True)
class Renewal:
    """When a lease was renewed by the database's clock, and what stood there before."""

    before: datetime
    at: datetime


async def take(conn: Connection, name: str, owner: str, ttl: timedelta, family: str | None = None) -> int:
    """Take the lease for `ttl` and return its new epoch; LeaseHeld when another owner has it.

    Of the leases whose names begin with `family` only one owner may have any.
    """
    async with conn.transaction():
        if family is not None:
            await _refuse_rival(conn, name, owner, family)
        await conn.execute(sql("lease_lock"), name, owner)
        epoch: int | None = await conn.fetchval(sql("lease_take"), name, owner, ttl)
    if epoch is not None:
        return epoch
    row = await conn.fetchrow(sql("lease_holder"), name)
    other = str(row["owner"]) if row else "another engine"
    until = f" until {row['expires_at']:%H:%M:%S} UTC" if row else ""
    remedy = (
        "stop that engine, wait until its lease has expired, or start this one with: dialer run --standby"
    )
    raise LeaseHeld(f"{name}: held by {other}{until}; {remedy}", other)


async def _refuse_rival(conn: Connection, name: str, owner: str, family: str) -> None:
    await conn.execute(sql("lease_turn"))
    row = await conn.fetchrow(sql("lease_rival"), name, owner, family)
    if row is not None:
        other, theirs = str(row["owner"]), row["name"]
        raise LeaseHeld(
            f"{name}: {other} works on this database with another Asterisk ({theirs}); what people may be called, "
            "and how many calls abandoned, is counted by one engine: give this one a database of its own, or the "
            "same Asterisk and --standby",
            other,
        )


async def refuse_owned(conn: Connection, family: str) -> None:
    """Inside a transaction: keep leases whose names begin with `family` from being taken until it ends.

    Who had one and is only frozen or cut off finds another epoch when it comes back, as if it had been replaced.
    Raises LeaseHeld when somebody has one.
    """
    await conn.execute(sql("lease_turn"))
    # Whatever relies on such a lease commits first, and no heartbeat comes between the look and the new epoch.
    await conn.execute(sql("lease_lock_family"), family)
    row = await conn.fetchrow(sql("lease_rival"), "", "", family)
    if row is not None:
        raise LeaseHeld(
            f"the engine {row['owner']} works on this database; stop it, and every standby before it, and try again",
            str(row["owner"]),
        )
    await conn.execute(sql("lease_new_epochs"), family)


async def holder(conn: Connection, name: str) -> Holder | None:
    """Return who has or had the lease, None when nobody ever did."""
    row = await conn.fetchrow(sql("lease_holder"), name)
    return Holder(row["owner"], row["epoch"], row["expired"]) if row else None


async def guard(conn: Connection, name: str, epoch: int) -> None:
    """Inside a transaction: nobody takes the lease until it ends. Raises StaleEpoch when somebody has."""
    found: int | None = await conn.fetchval(sql("lease_guard"), name)
    if found != epoch:
        raise StaleEpoch(f"{name}: an engine of epoch {found} owns it now, this one's is {epoch}")


async def heartbeat(conn: Connection, name: str, owner: str, epoch: int, ttl: timedelta) -> Renewal | None:
    """Hold the lease for another `ttl`; None when it was lost."""
    row = await conn.fetchrow(sql("lease_heartbeat"), name, owner, epoch, ttl)
    return Renewal(**dict(row)) if row else None


async def release(conn: Connection, name: str, owner: str, epoch: int) -> None:
    """Let go of the lease, if it is still ours."""
    await conn.execute(sql("lease_release"), name, owner, epoch)


async def wait_in_line(conn: Connection, name: str) -> None:
    """Show for as long as this connection lives that somebody waits for the lease."""
    await conn.execute(sql("lease_wait"), name)


async def leave_line(conn: Connection, name: str) -> None:
    """Wait no longer."""
    await conn.execute(sql("lease_wait_no_longer"), name)


async def somebody_waits(conn: Connection, name: str) -> bool:
    """Return whether a living connection waits for the lease."""
    return not await conn.fetchval(sql("lease_nobody_waits"), name)
