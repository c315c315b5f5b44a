"""Agents' shifts and what they were doing when; reports are made from these rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql

OFF = "off"


async def agents_on_record(conn: Connection, node: str) -> dict[int, datetime]:
    """Return the agents whose session on a node is still open, with the newest moment (UTC) recorded in it."""
    return {row["agent_id"]: row["known_until"] for row in await conn.fetch(sql("sessions_of_node"), node)}


async def nodes_on_record(conn: Connection) -> set[str]:
    """Return the nodes on which a session is still open."""
    return {row["node"] for row in await conn.fetch(sql("sessions_nodes"))}


async def paused_on_record(conn: Connection) -> set[int]:
    """Return the agents who were in a pause, or had asked for one, when their last session was last heard of.

    Sessions that are open, or began in the last day: one may have ended only because its node counted as lost.
    """
    return {row["agent_id"] for row in await conn.fetch(sql("sessions_in_pause"))}


@dataclass(frozen=True, slots=True)
class StateChange:
    """What an agent does from `at` (UTC) on; the first state opens a session and `off` ends it.

    `pause_wanted`: a pause is to follow, by the agent's wish or a hold; written when that changes, too, in the state
    that goes on.
    """

    agent_id: int
    state: str
    at: datetime
    node: str
    campaign_id: int | None = None
    attempt_id: str | None = None
    pause_wanted: bool = False


async def record_states(
    conn: Connection, changes: Sequence[StateChange], reason: str = "the leg is gone", *, late: bool = False
) -> None:
    """Record changes in their order, a handful of statements for any number of them.

    `late` ones were held by an earlier engine: what another engine has written of the agents meanwhile stands, so
    they open no session before one that is known, and end none in which something happened after them.
    """
    async with conn.transaction():
        for turn in _turns(changes):
            await _record_turn(conn, turn, reason, late)


def _turns(changes: Sequence[StateChange]) -> Iterator[list[StateChange]]:
    """Cut where an agent comes back after going off: a turn knows one session per agent."""
    turn: list[StateChange] = []
    off: set[int] = set()
    for change in changes:
        if change.agent_id in off:
            yield turn
            turn, off = [], set()
        turn.append(change)
        if change.state == OFF:
            off.add(change.agent_id)
    if turn:
        yield turn


async def _record_turn(conn: Connection, turn: Sequence[StateChange], reason: str, late: bool) -> None:
    sessions = await _sessions(conn, turn, late)
    await conn.execute(
        sql("states_add"),
        [sessions[c.agent_id] for c in turn],
        [c.agent_id for c in turn],
        [c.state for c in turn],
        [c.at for c in turn],
        [c.campaign_id for c in turn],
        [c.attempt_id for c in turn],
        [c.pause_wanted for c in turn],
    )
    gone = [c for c in turn if c.state == OFF]
    if gone:
        ids, times = [sessions[c.agent_id] for c in gone], [c.at for c in gone]
        ending = sql("sessions_end_late") if late else sql("sessions_end")
        await conn.execute(ending, ids, times, reason)


async def _sessions(conn: Connection, turn: Sequence[StateChange], late: bool) -> dict[int, int]:
    """Return agent -> open session, opening those that are missing."""
    agents = list({c.agent_id for c in turn})
    open_ = {row["agent_id"]: row["id"] for row in await conn.fetch(sql("sessions_open"), agents)}
    if late:
        moments = [c.at for c in turn]
        rows = await conn.fetch(sql("sessions_after"), [c.agent_id for c in turn], moments, min(moments))
        open_ = {row["agent_id"]: row["id"] for row in rows} | open_
    missing = {c.agent_id: c for c in reversed(turn) if c.agent_id not in open_}
    if missing:
        firsts = list(missing.values())
        rows = await conn.fetch(
            sql("sessions_start"),
            [c.agent_id for c in firsts],
            [c.node for c in firsts],
            [c.at for c in firsts],
        )
        open_ |= {row["agent_id"]: row["id"] for row in rows}
    return open_
