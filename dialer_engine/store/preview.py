"""Showing a contact to an agent: the gate chooses it, the database holds it, nothing is dialed.

The hold is a row of `previews` that ends by itself: neither this campaign nor any other, of whatever engine, calls
or shows the contact or the number meanwhile. To dial is `store.reserve` with the hold's id, which ends the hold and
asks the gate again in the transaction that makes the attempt. How holds end without a call is in `preview_ends`.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dialer_engine.core.gate import Decision
from dialer_engine.core.gate.rules import live_call
from dialer_engine.store.candidates import Candidate, load_candidates
from dialer_engine.store.cards import Card, card_of_contact
from dialer_engine.store.pool import Connection
from dialer_engine.store.queue import fill
from dialer_engine.store.reserve import (
    INLINE_FILL,
    MOST_EXAMINED,
    RETRY_UNKNOWN,
    Aside,
    OnShow,
    ReserveRequest,
    judge,
    open_pass,
    outlook,
    put_aside,
)
from dialer_engine.store.sql import sql


@dataclass(frozen=True, slots=True)
class ShowRequest:
    """One contact for one agent, held for `hold` from now; `asked` is as for a reservation of one call."""

    asked: ReserveRequest
    agent_id: int
    agent: str
    hold: timedelta


@dataclass(frozen=True, slots=True)
class ShownContact:
    """A contact on show: its hold, and what the agent sees."""

    on_show: OnShow = field(repr=False)
    card: Card


@dataclass(frozen=True, slots=True)
class ShowResult:
    """What a showing brought; without a contact the rest says what a reservation without one says."""

    contact: ShownContact | None
    held: Mapping[str, int] = field(default_factory=dict)
    next_due: datetime | None = None
    exhausted: bool = False


async def show(conn: Connection, request: ShowRequest) -> ShowResult:
    """Choose the next contact through the gate and hold it. Raises StaleEpoch like a reservation."""
    held: Counter[str] = Counter()
    while True:
        contact, put_by, looked_at = await _transaction(conn, request)
        held += put_by
        if contact is not None:
            return ShowResult(contact, dict(held))
        asked = request.asked
        if looked_at >= MOST_EXAMINED or not await fill(conn, asked.campaign_id, asked.now, INLINE_FILL):
            break
    result = await outlook(conn, request.asked, (), held)
    return ShowResult(None, result.held, result.next_due, result.exhausted)


async def _transaction(
    conn: Connection, request: ShowRequest
) -> tuple[ShownContact | None, Counter[str], int]:
    held: Counter[str] = Counter()
    looked_at = 0
    async with conn.transaction():
        asked = await open_pass(conn, request.asked)
        await conn.execute(sql("previews_clear"), request.asked.campaign_id, request.asked.epoch)
        while looked_at < MOST_EXAMINED:
            wanted = min(1 + asked.spare + looked_at, MOST_EXAMINED - looked_at)
            groups = await load_candidates(conn, asked, wanted)
            looked_at += len(groups)
            choices, aside = judge(groups, asked, 1, None)
            found = await _hold(conn, request, choices[0].candidate) if choices else None
            if choices and found is None:
                aside.append(_elsewhere(choices[0].candidate, asked.now))
            await put_aside(conn, asked, aside)
            held.update(a.rule for a in aside)
            if found is not None:
                return await _read(conn, found, choices[0].decision), held, looked_at
            if len(groups) < wanted:
                break
    return None, held, looked_at


def _elsewhere(candidate: Candidate, now: datetime) -> Aside:
    return Aside(
        candidate.contact_id, now + RETRY_UNKNOWN, live_call.NAME, "an agent is looking at this contact now"
    )


async def _hold(conn: Connection, request: ShowRequest, candidate: Candidate) -> OnShow | None:
    asked = request.asked
    preview_id = await conn.fetchval(
        sql("preview_hold"),
        *(asked.campaign_id, asked.member_id, candidate.contact_id, candidate.number, request.agent_id),
        *(asked.node, asked.epoch, asked.wall, request.hold, asked.now + request.hold, request.agent),
    )
    return None if preview_id is None else OnShow(str(preview_id), candidate.contact_id, candidate.number)


async def _read(conn: Connection, on_show: OnShow, decision: Decision) -> ShownContact:
    card = await card_of_contact(conn, on_show.contact_id, on_show.number, decision.zone)
    assert card is not None, "its row is locked by this transaction"  # noqa: S101
    return ShownContact(on_show, card)
