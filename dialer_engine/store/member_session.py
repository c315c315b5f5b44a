"""A Member's session: a transaction that sees and writes one Member's rows and nothing else.

The database holds the fence (row security, migration 0014), so a forgotten `where member_id` shows nothing of
others. Role and Member end with the transaction: a connection goes back to the pool as the engine's.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from dialer_engine.store.errors import StoreError
from dialer_engine.store.pool import Connection, Pool
from dialer_engine.store.sql import sql


@asynccontextmanager
async def member_session(pool: Pool, member_id: int) -> AsyncIterator[Connection]:
    """Open a transaction of this Member on a connection of the engine's pool; an error rolls it back.

    Run named queries only: a statement made from text could put the role down again. Raises StoreError when there
    is no such Member.
    """
    async with pool.acquire() as conn, conn.transaction():
        try:
            await conn.execute(sql("member_open"), member_id)
        except asyncpg.NoDataFoundError as error:
            raise StoreError(f"there is no Member with the id {member_id}") from error
        await conn.execute(sql("member_role"))
        yield conn
