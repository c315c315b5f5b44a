"""Agents' shifts and what they were doing when; reports are made from these rows."""

from datetime import datetime

from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql

OFF = "off"


async def start_session(conn: Connection, agent_id: int, node: str, channel: str, at: datetime) -> int:
    """Open the agent's session, or return the one that is open (an adopted leg); `at` is UTC."""
    found: int | None = await conn.fetchval(sql("session_start"), agent_id, node, channel, at)
    if found is None:
        found = await conn.fetchval(sql("session_open"), agent_id)
    if found is None:  # it was ended between the two statements
        return await start_session(conn, agent_id, node, channel, at)
    return found


async def end_session(conn: Connection, agent_id: int, at: datetime, reason: str) -> bool:
    """End the agent's open session; False when none was open."""
    return await conn.fetchval(sql("session_end"), agent_id, at, reason) is not None


async def end_sessions(conn: Connection, node: str, at: datetime, reason: str) -> None:
    """End every open session of a node, whose legs are gone."""
    await conn.execute(sql("sessions_end_all"), node, at, reason)


async def record_state(
    conn: Connection,
    agent_id: int,
    state: str,
    at: datetime,
    *,
    node: str,
    channel: str = "",
    campaign_id: int | None = None,
    attempt_id: str | None = None,
    reason: str = "the leg is gone",
) -> None:
    """Record what an agent does from `at` (UTC) on; the first state opens a session and `off` ends it."""
    async with conn.transaction():
        session = await start_session(conn, agent_id, node, channel, at)
        await conn.execute(sql("state_add"), session, agent_id, state, at, campaign_id, attempt_id)
        if state == OFF:
            await end_session(conn, agent_id, at, reason)
