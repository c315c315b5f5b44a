"""Writing what happens to attempts: events, ends, call-detail records and dispositions.

A batch is one transaction of a few statements, whatever its size. It may be written again, whole or in
part, after a crash or a lost link: events are told apart by (attempt, number) and an attempt ends once.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from dialer_engine.store.errors import StaleEpoch
from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql

TIME_OF_STATE: Mapping[str, str | None] = {
    "reserved": None,
    "dialing": "originated_at",
    "ringing": "ringing_at",
    "waiting": "answered_at",
    "joining": None,
    "bridged": "joined_at",
    "unclaimed": None,
    "message": "message_at",
}
"""An event whose kind is one of these moves the attempt's row into that state and sets that time."""


@dataclass(frozen=True, slots=True)
class AttemptEvent:
    """Something that happened to an attempt; `number` counts from 1 within the attempt, `at` is UTC.

    A `kind` of TIME_OF_STATE also moves the row; every other kind stands only in the trail. `data` may hold the
    `agent_id` of who has the person or is chosen to; the row remembers that of the last `bridged`, who talked.
    """

    attempt_id: str
    number: int
    kind: str
    at: datetime
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """The end of an attempt; times are UTC.

    `retry_at` is a moment of the gate's clock: the contact is due again then (at once when None). `final`:
    this contact is finished in the campaign, but after `not_in_service` its other numbers are still tried.
    A disposition may later decide otherwise. Only a trunk fault may be not `counted`: no phone rang for certain,
    so no cap counts it. A trunk fault never adds to the contact's tries. `agent_id` is the last agent who talked; a
    talk without it has the one of the attempt's row. `audio` tells who was heard in a talk (see core.audio); a talk
    without it is recorded as unknown. `number`, `campaign` and `member` are written nowhere: they tell whom it was
    about when it is set aside, because the database does not have the attempt.
    """

    attempt_id: str
    event_number: int
    result: str
    ended_at: datetime
    ended_by: str
    originated_at: datetime | None = None
    ringing_at: datetime | None = None
    answered_at: datetime | None = None
    message_at: datetime | None = None
    joined_at: datetime | None = None
    cause: int | None = None
    cause_text: str | None = None
    sip_code: int | None = None
    agent_id: int | None = None
    prompt_version: str | None = None
    caller_id_name: str | None = None
    used_prerecorded: bool = False
    retry_at: datetime | None = None
    final: bool = False
    counted: bool = True
    audio: str | None = None
    number: str | None = field(default=None, repr=False)
    campaign: str | None = None
    member: str | None = None


@dataclass(frozen=True, slots=True)
class LiveAttempt:
    """An attempt without an end, as the database knows it; `last_event` is the highest event number.

    `agent` is the last one who talked, though another may have been chosen since; `dialed_by` is the one who looked at
    the contact and started the call. `early` says that `ringing_at` is that of a 183 and no 180 came yet.
    """

    attempt_id: str
    campaign_id: int
    campaign: str
    member_id: int
    contact_id: int
    number_id: int
    number: str
    caller_id: str
    trunk: str
    node: str
    epoch: int
    state: str
    local_time: str
    reserved_at: datetime
    originated_at: datetime | None
    ringing_at: datetime | None
    answered_at: datetime | None
    message_at: datetime | None
    joined_at: datetime | None
    agent_id: int | None
    agent: str | None
    dialed_by: str | None
    audio: str | None
    early: bool
    last_event: int


@dataclass(slots=True)
class _Move:
    """What a batch's events do to one attempt's row."""

    version: int = 0
    state: str | None = None
    agent_id: int | None = None
    times: dict[str, datetime] = field(default_factory=dict)


async def write(
    conn: Connection, events: Sequence[AttemptEvent], ends: Sequence[AttemptEnd], epoch: int
) -> tuple[str, ...]:
    """Write a batch in one transaction and return the ids of attempts the database does not have.

    Raises StaleEpoch, and writes nothing, when one of the attempts belongs to a newer engine.
    """
    ids = {e.attempt_id for e in events} | {e.attempt_id for e in ends}
    if not ids:
        return ()
    async with conn.transaction():
        known = await _lock(conn, ids, epoch)
        await _write_events(conn, [e for e in events if e.attempt_id in known], epoch)
        await _write_ends(conn, [e for e in ends if e.attempt_id in known], epoch)
    return tuple(sorted(ids - known))


async def live_attempts(conn: Connection, node: str | None) -> list[LiveAttempt]:
    """Return the attempts that have not ended, of one node or (None) of all, oldest first."""
    rows = await conn.fetch(sql("attempts_live"), node)
    return [LiveAttempt(**dict(row)) for row in rows]


async def adopt(conn: Connection, attempt_ids: Sequence[str], epoch: int) -> set[str]:
    """Take live attempts over from an older engine and return the ids that are now ours."""
    rows = await conn.fetch(sql("attempts_adopt"), list(attempt_ids), epoch)
    return {str(row["id"]) for row in rows}


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation that has ended."""

    attempt_id: str
    campaign: str
    agent: str


async def talks_without_disposition(conn: Connection, node: str) -> list[Talk]:
    """Return the last day's ended conversations of a node that nobody disposed of."""
    rows = await conn.fetch(sql("talks_without_disposition"), node)
    return [Talk(str(row["id"]), row["campaign"], row["agent"]) for row in rows]


@dataclass(frozen=True, slots=True)
class Disposed:
    """One call's disposition: `at` is UTC, `now` the gate's clock, `by` is 'agent' or 'default'.

    `person` is False when the agent found a machine: such a call was not answered live. `suppress` forbids the number
    to the Member: those of the attempt's row, or else `number` (E.164) and `member` (short name).
    """

    attempt_id: str
    code: str
    label: str
    by: str
    at: datetime
    now: datetime
    final: bool
    suppress: bool = False
    retry: timedelta | None = None
    person: bool = True
    number: str | None = field(default=None, repr=False)
    member: str | None = None


async def dispose(conn: Connection, disposed: Sequence[Disposed]) -> tuple[str, ...]:
    """Record dispositions, let them decide about their contacts, return the ids of attempts the database does not have.

    Those of one attempt are taken one after the other, as they come. Write the attempts' ends first. A contact that
    stands in no queue any more has nothing to be decided about. What they forbid `store.opt_outs` puts on the lists.
    """
    if not disposed:
        return ()
    async with conn.transaction():
        unknown = [await _dispose_once(conn, each) for each in _rounds(disposed)]
    return tuple(sorted(set().union(*unknown)))


def _rounds(disposed: Sequence[Disposed]) -> list[list[Disposed]]:
    """Deal dispositions out so that none has two of one attempt, and those of an attempt keep their order."""
    rounds: list[list[Disposed]] = []
    had: Counter[str] = Counter()
    for each in disposed:
        if had[each.attempt_id] == len(rounds):
            rounds.append([])
        rounds[had[each.attempt_id]].append(each)
        had[each.attempt_id] += 1
    return rounds


async def _dispose_once(conn: Connection, disposed: Sequence[Disposed]) -> set[str]:
    """Record at most one disposition per attempt and return the ids of attempts the database does not have."""
    ids = [d.attempt_id for d in disposed]
    codes = [d.code for d in disposed]
    await conn.execute(
        sql("dispositions_add"),
        *(ids, codes, [d.label for d in disposed], [d.by for d in disposed], [d.at for d in disposed]),
        [d.person for d in disposed],
    )
    retries = [None if d.retry is None else d.now + d.retry for d in disposed]
    finals = [d.final for d in disposed]
    rows = await conn.fetch(sql("dispositions_decide"), ids, finals, retries, codes)
    return set(ids) - {str(row["id"]) for row in rows}


async def _lock(conn: Connection, ids: Iterable[str], epoch: int) -> set[str]:
    rows = await conn.fetch(sql("attempts_lock"), list(ids))
    newer = {str(row["id"]): row["epoch"] for row in rows if row["epoch"] > epoch}
    if newer:
        owner = max(newer.values())
        words = f"an attempt of this batch belongs to an engine of epoch {owner}; ours is {epoch}"
        raise StaleEpoch(words, frozenset(newer))
    return {str(row["id"]) for row in rows}


async def _write_events(conn: Connection, events: Sequence[AttemptEvent], epoch: int) -> None:
    if not events:
        return
    await conn.execute(
        sql("events_add"),
        [e.attempt_id for e in events],
        [e.number for e in events],
        [e.kind for e in events],
        [e.at for e in events],
        [msgspec.json.encode(e.data).decode() if e.data else "{}" for e in events],
        epoch,
    )
    moves = _moves(events)
    if moves:
        await _move(conn, moves)


def _moves(events: Sequence[AttemptEvent]) -> dict[str, _Move]:
    """Fold events into one change per attempt: the newest state, and the first time of each kind that they tell.

    Of ringing it is the newest: a 180 after a 183.
    """
    moves: dict[str, _Move] = {}
    for event in sorted(events, key=lambda e: e.number):
        move = moves.setdefault(event.attempt_id, _Move())
        move.version = event.number
        agent = event.data.get("agent_id") if event.kind == "bridged" else None
        move.agent_id = int(agent) if agent else move.agent_id
        if event.kind in TIME_OF_STATE:
            move.state = event.kind
            column = TIME_OF_STATE[event.kind]
            if column and (column == "ringing_at" or column not in move.times):
                move.times[column] = event.at
    return moves


async def _move(conn: Connection, moves: Mapping[str, _Move]) -> None:
    columns = ("originated_at", "ringing_at", "answered_at", "message_at", "joined_at")
    changes = moves.values()
    await conn.execute(
        sql("attempts_move"),
        list(moves),
        [m.version for m in changes],
        [m.state for m in changes],
        *([m.times.get(column) for m in changes] for column in columns),
        [m.agent_id for m in changes],
    )


async def _write_ends(conn: Connection, ends: Sequence[AttemptEnd], epoch: int) -> None:
    if ends:
        columns = (
            *(
                "attempt_id",
                "event_number",
                "result",
                "ended_at",
                "originated_at",
                "ringing_at",
                "answered_at",
            ),
            *("message_at", "joined_at", "cause", "cause_text", "sip_code", "ended_by", "agent_id"),
            *("prompt_version", "caller_id_name", "used_prerecorded", "retry_at", "final", "counted"),
            "audio",
        )
        values = ([getattr(end, column) for end in ends] for column in columns)
        await conn.fetch(sql("attempts_end"), epoch, *values)
