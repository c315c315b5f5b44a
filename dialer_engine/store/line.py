"""One session of the engine's role that is opened when it is needed, and again after it was lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from dialer_engine.store.errors import StoreError
from dialer_engine.store.pool import ENGINE_ROLE, FAILED, Connection, connect

AWAY = (*FAILED, StoreError)
"""What is raised while the database is away, or refuses."""


class Line:
    """A session for one user at a time; nothing is kept of one in which something failed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._turn = asyncio.Lock()
        self._conn: asyncpg.Connection[asyncpg.Record] | None = None

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Connection]:
        """Give the session. Raises one of AWAY when there is none, or it is lost meanwhile."""
        async with self._turn:
            if self._conn is None or self._conn.is_closed():
                self._conn = await connect(self._url, role=ENGINE_ROLE)
            try:
                yield self._conn
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Drop the session; the next use opens another."""
        conn, self._conn = self._conn, None
        if conn is not None:
            conn.terminate()
