"""Leases: one engine owns a thing at a time, and every taking has a higher epoch than all before.

The epoch goes with every write. A frozen engine that wakes up after another took its lease carries the old
epoch and is refused (`StaleEpoch`), whatever its own clock says.
"""

from datetime import timedelta

from dialer_engine.store.errors import LeaseHeld
from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql


async def take(conn: Connection, name: str, owner: str, ttl: timedelta) -> int:
    """Take the lease for `ttl` and return its new epoch; LeaseHeld when another owner has it."""
    epoch: int | None = await conn.fetchval(sql("lease_take"), name, owner, ttl)
    if epoch is not None:
        return epoch
    row = await conn.fetchrow(sql("lease_holder"), name)
    holder = f"{row['owner']} until {row['expires_at']:%H:%M:%S} UTC" if row else "another engine"
    raise LeaseHeld(f"{name}: held by {holder}; stop that engine, or wait until its lease has expired")


async def heartbeat(conn: Connection, name: str, owner: str, epoch: int, ttl: timedelta) -> bool:
    """Hold the lease for another `ttl`; False when it was lost."""
    return await conn.fetchval(sql("lease_heartbeat"), name, owner, epoch, ttl) is not None


async def release(conn: Connection, name: str, owner: str, epoch: int) -> None:
    """Let go of the lease, if it is still ours."""
    await conn.execute(sql("lease_release"), name, owner, epoch)
