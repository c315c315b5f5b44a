"""Reserving the next attempts: queue, gate and attempt rows in one transaction.

Why it is safe
--------------
* Due rows are taken with `for update skip locked`, so two reservations never look at the same contact.
* Every number looked at, and every other one of the same persons, is locked by a try-lock of the transaction,
  so two campaigns (or two Members' lists) never decide on the same number or person at the same time: caps and
  results read here stay true until the commit.
* A suppression takes, just before it commits, the exclusive form of a lock that every reservation holds in
  its shared form from before it reads the lists until it commits. So a suppression that is committed before
  a reservation is seen by it, and a reservation committed before a suppression is seen by the cancelling
  that follows it. There is no third case.
* The partial unique indexes on live attempts stand behind all this: an attempt that would be a second live
  one is left out and its contact is put back, the others are kept.

The gate's clock comes in with the request; only it decides. Wall times are recorded beside it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import asyncpg

from dialer_engine.core.budget import Admission, Budget
from dialer_engine.core.gate import Decision, GateContext, Outcome, evaluate
from dialer_engine.core.gate.rules import live_call
from dialer_engine.store.caller_ids import CallerIds
from dialer_engine.store.candidates import NOT_LISTED, WHY_NOT_LISTED, Candidate, load_candidates, load_shown
from dialer_engine.store.errors import StaleEpoch, UnknownName
from dialer_engine.store.lease import guard
from dialer_engine.store.pool import Connection
from dialer_engine.store.queue import fill
from dialer_engine.store.sql import sql
from dialer_engine.store.stops import in_force

MOST_EXAMINED = 200  # contacts looked at in one transaction: bounds its locks and its time
SPARE = 4  # contacts looked at beyond those asked for at least, in case some are held
INLINE_FILL = 500
RETRY_SOONEST = timedelta(seconds=1)  # never at once: the same pass would look at it again
RETRY_ROOM = timedelta(seconds=2)
RETRY_UNKNOWN = timedelta(seconds=60)
"""When a rule says "not now" without a moment, or the number is live elsewhere: look again after this."""
SEVERAL = "several"
"""What holds a contact whose numbers different rules forbid, which the reason names: what lifts one rule frees it."""


@dataclass(frozen=True, slots=True)
class OnShow:
    """A contact that is held for an agent who dials it now: the hold's id, the contact, the number that was shown."""

    preview_id: str
    contact_id: int
    number: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReserveRequest:
    """Up to `limit` attempts for one campaign; `now` is the gate's clock, `wall` the real time, both UTC.

    `budget` is how many calls may be abandoned in which country; None: no ledger is kept. `spare` is how many
    contacts to look at beyond `limit`, as many as were held the last time: a second look costs as much again.
    `lease` is the name under which `epoch` was given: the reservation is refused once another engine has it.
    `shown` asks for this one contact and no other: its agent looked at it and dials. `held_under` are the settings
    that verdicts go by (`store.queue.settle_held`; None: not known). `unsettled`: the database has others already,
    which are about to be taken over, so nothing is held for longer than RETRY_UNKNOWN. `record_version` names what the
    records will say (`store.kept_text.RecordFields`); without it they say what the campaign does when a call ends.
    """

    campaign_id: int
    member_id: int
    limit: int
    now: datetime
    wall: datetime
    node: str
    trunk: str
    caller_ids: tuple[str, ...]
    epoch: int
    context: GateContext
    budget: Budget | None = None
    spare: int = SPARE
    lease: str | None = None
    shown: OnShow | None = None
    held_under: str | None = None
    unsettled: bool = False
    record_version: str | None = None


@dataclass(frozen=True, slots=True)
class Reservation:
    """A committed attempt that may be originated; its id is the channel id.

    `ring_window` is how many seconds it must ring at least and may ring at most. `list_id` is the list that the
    contact stands on (0: not known), `tries` how often it was tried in this campaign before.
    """

    attempt_id: str
    contact_id: int
    number_id: int
    number: str
    caller_id: str
    trunk: str
    node: str
    reserved_at: datetime
    local_time: str
    ring_window: tuple[int, int] | None = None
    list_id: int = 0
    tries: int = 0


@dataclass(frozen=True, slots=True)
class ReserveResult:
    """What a reservation brought.

    `held` counts contacts put aside in this pass by rule. `next_due` (gate's clock) is set only when fewer
    were reserved than asked: when to ask again, None when nothing waits. `exhausted`: nothing is due,
    waiting, live or left on the lists. `why_not` is why the one contact of an agent who dials may not be called.
    """

    reserved: tuple[Reservation, ...] = ()
    held: Mapping[str, int] = field(default_factory=dict)
    next_due: datetime | None = None
    exhausted: bool = False
    why_not: str | None = None

    @property
    def spare(self) -> int:
        """How many contacts the next reservation should look at beyond those it asks for."""
        return SPARE + sum(self.held.values()) * 9 // 8


@dataclass(frozen=True, slots=True)
class Aside:
    """A contact that a rule keeps from being called, until a moment or (None) until something changes."""

    contact_id: int
    next_at: datetime | None
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Choice:
    candidate: Candidate
    decision: Decision


async def reserve(conn: Connection, request: ReserveRequest) -> ReserveResult:
    """Reserve up to `request.limit` attempts; raises StaleEpoch when a newer engine owns the campaign."""
    if request.shown is not None:
        return await _dial(conn, request, request.shown)
    reserved: list[Reservation] = []
    held: Counter[str] = Counter()
    while len(reserved) < request.limit:
        missing = replace(request, limit=request.limit - len(reserved))
        more, put_aside, looked_at = await _transaction(conn, missing, reserved)
        reserved += more
        held += put_aside
        if len(reserved) >= request.limit or looked_at >= MOST_EXAMINED:
            break
        if not await fill(conn, request.campaign_id, request.now, INLINE_FILL):
            break
    if len(reserved) >= request.limit:
        return ReserveResult(tuple(reserved), dict(held))
    return await outlook(conn, request, reserved, held)


async def _dial(conn: Connection, request: ReserveRequest, shown: OnShow) -> ReserveResult:
    """Reserve the call to a contact on show, by what the gate says now and not when it was shown."""
    caller_ids = CallerIds(request.campaign_id, request.wall.date(), request.caller_ids)
    async with conn.transaction():
        request = await open_pass(conn, request)
        if not await conn.fetchval(sql("preview_take"), shown.preview_id):
            return ReserveResult(why_not="the contact is not held for this agent any more")
        groups = await load_shown(conn, request, shown.contact_id, shown.number)
        choices, aside = judge(groups, request, 1, _admission(request, ()))
        placed = await _place(conn, request, choices, caller_ids)
        aside += _lost(choices, placed, request)
        await put_aside(conn, request, aside)
        why_not = None if placed else _said(aside)
        attempt = placed[0].attempt_id if placed else None
        await conn.execute(sql("preview_dialed"), shown.preview_id, attempt, why_not)
        await caller_ids.save(conn)
    return ReserveResult(tuple(placed), Counter(a.rule for a in aside), why_not=why_not)


def _said(aside: Sequence[Aside]) -> str:
    return f"{aside[0].rule}: {aside[0].reason}" if aside else "the contact is finished in this campaign"


async def _transaction(
    conn: Connection, request: ReserveRequest, earlier: Sequence[Reservation]
) -> tuple[list[Reservation], Counter[str], int]:
    reserved: list[Reservation] = []
    held: Counter[str] = Counter()
    looked_at = 0
    admission = _admission(request, earlier)
    caller_ids = CallerIds(request.campaign_id, request.wall.date(), request.caller_ids)
    async with conn.transaction():
        request = await open_pass(conn, request)
        while len(reserved) < request.limit and looked_at < MOST_EXAMINED:
            # Most contacts are allowed; when many are held, the next pass looks at more of them.
            wanted = min(request.limit - len(reserved) + request.spare + looked_at, MOST_EXAMINED - looked_at)
            groups = await load_candidates(conn, request, wanted)
            looked_at += len(groups)
            choices, holds = judge(groups, request, request.limit - len(reserved), admission)
            placed = await _place(conn, request, choices, caller_ids)
            holds += _lost(choices, placed, request)
            await put_aside(conn, request, holds)
            reserved += placed
            held.update(h.rule for h in holds)
            if len(groups) < wanted:
                break
        await caller_ids.save(conn)
    return reserved, held, looked_at


async def open_pass(conn: Connection, request: ReserveRequest) -> ReserveRequest:
    """Open a transaction that asks the gate; return the request with what the database says about it.

    Raises StaleEpoch when a newer engine owns the campaign.
    """
    if request.lease is not None:
        await guard(conn, request.lease, request.epoch)
    await conn.execute(sql("reserve_open"))
    await conn.execute(sql("reserve_raise_epoch"), request.campaign_id, request.epoch)
    row = await conn.fetchrow(sql("reserve_epoch"), request.campaign_id)
    if row is None:
        raise UnknownName(f"campaign {request.campaign_id} is not in the database")
    if row["epoch"] > request.epoch:
        raise StaleEpoch(f"campaign {request.campaign_id} belongs to an engine of epoch {row['epoch']}")
    # The emergency stops that are committed now go before the gate, beside those the caller knows.
    stops = (*request.context.stops, *await in_force(conn))
    unsettled = request.held_under is not None and request.held_under != row["held_under"]
    return replace(request, context=replace(request.context, stops=stops), unsettled=unsettled)


def _admission(request: ReserveRequest, earlier: Sequence[Reservation]) -> Admission | None:
    """Return the way into the budget, after what was reserved already."""
    if request.budget is None:
        return None
    admission = Admission(request.budget)
    for reservation in earlier:
        admission.admit(_country(reservation.number, request))
    return admission


def _country(number: str, request: ReserveRequest) -> str:
    area = request.context.plan.area(number)
    return area.country if area is not None else "US"


def _no_room(choice: _Choice, request: ReserveRequest) -> Aside:
    country = _country(choice.candidate.number, request)
    reason = f"the law leaves {country} no further line that may be abandoned; waits for a free agent"
    until = request.now + RETRY_ROOM
    return Aside(choice.candidate.contact_id, until, "abandonment_budget", reason)


def judge(
    groups: Sequence[Sequence[Candidate]], request: ReserveRequest, limit: int, admission: Admission | None
) -> tuple[list[_Choice], list[Aside]]:
    """Ask the gate about each contact's numbers in order until `limit` are allowed; the rest stays due."""
    choices: list[_Choice] = []
    holds: list[Aside] = []
    chosen: set[str] = set()
    for group in groups:
        if len(choices) == limit:
            break
        if not chosen.isdisjoint(group[0].person):
            holds.append(_same_person(group[0], request))
            continue
        verdict = _judge_contact(group, request)
        if isinstance(verdict, Aside):
            holds.append(verdict)
            continue
        if admission is not None and not admission.admit(_country(verdict.candidate.number, request)):
            holds.append(_no_room(verdict, request))
            continue
        choices.append(verdict)
        chosen |= verdict.candidate.person
    return choices, holds


def _same_person(candidate: Candidate, request: ReserveRequest) -> Aside:
    """Of a person's contacts one is called at a time; what that call counts for is read before the next one."""
    reason = "the same person is being called as another contact"
    return Aside(candidate.contact_id, request.now + RETRY_UNKNOWN, live_call.NAME, reason)


def _judge_contact(group: Sequence[Candidate], request: ReserveRequest) -> _Choice | Aside:
    later: list[Aside] = []
    for candidate in group:
        if not candidate.listed:
            return Aside(candidate.contact_id, None, NOT_LISTED, WHY_NOT_LISTED)
        if candidate.facts is None:
            later.append(Aside(candidate.contact_id, None, "number", "no number left to call"))
            continue
        decision = evaluate(candidate.facts, request.context)
        if decision.allowed:
            return _Choice(candidate, decision)
        later.append(_held_by(candidate, decision, request.now))
    waiting = [h for h in later if h.next_at is not None]
    return min(waiting, key=lambda h: h.next_at or request.now) if waiting else _for_good(later)


def _for_good(holds: Sequence[Aside]) -> Aside:
    """Return the hold of a contact none of whose numbers waits for a moment: by one rule, or by SEVERAL."""
    reasons: dict[str, str] = {}
    for hold in holds:
        reasons.setdefault(hold.rule, hold.reason)
    first = holds[0]
    if len(reasons) == 1:
        return first
    named = "; ".join(f"{rule}: {why}" for rule, why in reasons.items())
    return Aside(first.contact_id, None, SEVERAL, named)


def _held_by(candidate: Candidate, decision: Decision, now: datetime) -> Aside:
    verdict = decision.blocking
    if verdict is None:
        return Aside(candidate.contact_id, None, "gate", "cannot be checked")
    until = None
    if verdict.outcome is Outcome.wait:
        upcoming = decision.next_allowed or verdict.until or now + RETRY_UNKNOWN
        until = max(upcoming, now + RETRY_SOONEST)
    return Aside(candidate.contact_id, until, verdict.rule, verdict.reason)


async def _place(
    conn: Connection, request: ReserveRequest, choices: Sequence[_Choice], caller_ids: CallerIds
) -> list[Reservation]:
    if not choices:
        return []
    shown = await caller_ids.take(conn, len(choices))
    rows = await conn.fetch(
        sql("reserve_place"),
        *(request.campaign_id, request.member_id, request.trunk, request.node, request.epoch),
        *(request.now, request.wall, await conn.fetchval(sql("list_versions"))),
        [c.candidate.contact_id for c in choices],
        [c.candidate.number_id for c in choices],
        [c.candidate.number for c in choices],
        shown,
        [c.decision.local_time for c in choices],
        [c.decision.zone for c in choices],
        [c.decision.rule_versions for c in choices],
        request.record_version,
    )
    return _reservations(rows, request, choices, shown)


def _reservations(
    rows: Sequence[asyncpg.Record],
    request: ReserveRequest,
    choices: Sequence[_Choice],
    caller_ids: Sequence[str],
) -> list[Reservation]:
    ids = {row["contact_id"]: str(row["id"]) for row in rows}
    return [
        Reservation(
            attempt_id=ids[c.candidate.contact_id],
            contact_id=c.candidate.contact_id,
            number_id=c.candidate.number_id,
            number=c.candidate.number,
            caller_id=caller_id,
            trunk=request.trunk,
            node=request.node,
            reserved_at=request.wall,
            local_time=c.decision.local_time,
            ring_window=c.decision.ring_window,
            list_id=c.candidate.list_id,
            tries=c.candidate.facts.contact_attempts if c.candidate.facts else 0,
        )
        for c, caller_id in zip(choices, caller_ids, strict=True)
        if c.candidate.contact_id in ids
    ]


def _lost(choices: Sequence[_Choice], placed: Sequence[Reservation], request: ReserveRequest) -> list[Aside]:
    won = {r.contact_id for r in placed}
    until = request.now + RETRY_UNKNOWN
    return [
        Aside(
            c.candidate.contact_id,
            until,
            live_call.NAME,
            "another call to this number or contact is under way",
        )
        for c in choices
        if c.candidate.contact_id not in won
    ]


async def put_aside(conn: Connection, request: ReserveRequest, holds: Sequence[Aside]) -> None:
    """Write down what was kept back and why."""
    longest = request.now + RETRY_UNKNOWN if request.unsettled else None
    if holds:
        await conn.execute(
            sql("reserve_hold"),
            request.campaign_id,
            [h.contact_id for h in holds],
            [h.next_at or longest for h in holds],
            [h.rule for h in holds],
            [h.reason for h in holds],
        )


async def outlook(
    conn: Connection, request: ReserveRequest, reserved: Sequence[Reservation], held: Counter[str]
) -> ReserveResult:
    """Return what came of a pass, with when to ask again."""
    row = await conn.fetchrow(sql("reserve_outlook"), request.campaign_id, request.now)
    if row is None:
        raise UnknownName(f"campaign {request.campaign_id} is not in the database")
    next_at = row["next_at"]
    if next_at is None and row["more"]:
        next_at = request.now
    over = next_at is None and not row["live"]
    return ReserveResult(tuple(reserved), dict(held), next_at, over)
