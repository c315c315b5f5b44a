"""Writing attempts: idempotent events, one record each, retries, dispositions, immutability, epochs."""

import uuid
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest
from store_support import (
    NOON,
    WALL,
    Campaign,
    Conn,
    World,
    end_of,
    fictional,
    make_world,
    put_contacts,
    request,
    sizes,
)

from dialer_engine.store import suppress
from dialer_engine.store.attempts import (
    AttemptEvent,
    Disposed,
    adopt,
    dispose,
    live_attempts,
    write,
)
from dialer_engine.store.batch import Batch, Numbered, Written, write_once
from dialer_engine.store.directory import add_agent, remove_agent
from dialer_engine.store.errors import StaleEpoch
from dialer_engine.store.reserve import Reservation, reserve

pytestmark = pytest.mark.postgres

LIFE = ("dialing", "ringing", "waiting", "joining", "bridged")


async def reserved(conn: Conn, count: int = 1) -> tuple[World, list[Reservation]]:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(count))
    return world, list((await reserve(conn, request(world, count))).reserved)


def life_of(reservation: Reservation) -> list[AttemptEvent]:
    return [
        AttemptEvent(reservation.attempt_id, n, kind, WALL + timedelta(seconds=n))
        for n, kind in enumerate(LIFE, start=1)
    ]


async def anybody(conn: object) -> None:
    """A lease that nobody else ever takes."""


def disposed(reservation: Reservation, **changes: object) -> Disposed:
    base = Disposed(reservation.attempt_id, "sale", "Sale", "agent", WALL, NOON, final=True)
    return replace(base, **changes)  # type: ignore[arg-type]


async def held_rules(conn: Conn, campaign_id: int) -> list[str | None]:
    """Return which rule holds each contact of a campaign."""
    rows = await conn.fetch("select held_rule from queue where campaign_id = $1", campaign_id)
    return [row["held_rule"] for row in rows]


async def test_events_move_the_row_and_set_its_times(conn: Conn) -> None:
    _, [one] = await reserved(conn)
    agent = await add_agent(conn, None, "ana", "secret")
    events = life_of(one)
    events[4] = replace(events[4], data={"agent_id": str(agent), "why": 'quo"te'})
    await write(conn, events, [], 1)
    [live] = await live_attempts(conn, "main")
    assert (live.state, live.agent, live.last_event) == ("bridged", "ana", 5)
    assert live.originated_at == WALL + timedelta(seconds=1)
    assert live.ringing_at == WALL + timedelta(seconds=2)
    assert live.answered_at == WALL + timedelta(seconds=3)
    assert live.joined_at == WALL + timedelta(seconds=5)
    assert await live_attempts(conn, "other") == []


@pytest.mark.parametrize("together", [False, True])
async def test_the_row_has_the_180s_time_when_that_comes_after_a_183(conn: Conn, together: bool) -> None:
    """So has the next engine, and the record that it writes; until the 180 it knows that none came."""
    _, [one] = await reserved(conn)
    kinds = (("dialing", {}), ("ringing", {"alerting": "False"}), ("ringing", {"alerting": "True"}))
    events = [
        AttemptEvent(one.attempt_id, n, kind, WALL + timedelta(seconds=n), data)
        for n, (kind, data) in enumerate(kinds, start=1)
    ]
    if not together:
        await write(conn, events[:2], [], 1)
        [live] = await live_attempts(conn, None)
        assert (live.ringing_at, live.early) == (events[1].at, True)
    await write(conn, events, [], 1)
    await write(conn, events[:2], [], 1)
    [live] = await live_attempts(conn, None)
    assert (live.state, live.ringing_at, live.early) == ("ringing", events[2].at, False)
    await write(conn, [], [end_of(one, "no_answer", event_number=4)], 1)
    assert await conn.fetchval("select ringing_at from cdrs") == events[2].at


@pytest.mark.parametrize(
    ("joined", "agent"),
    [((), None), (("ana",), "ana"), (("ana", "bob"), "bob"), (("bob", "ana"), "ana")],
)
@pytest.mark.parametrize("together", [False, True])
async def test_the_record_names_the_last_agent_who_was_joined(
    conn: Conn, joined: tuple[str, ...], agent: str | None, together: bool
) -> None:
    """Whoever was chosen and never had the person stands in the trail alone; a later engine may write the end."""
    _, [one] = await reserved(conn)
    ids = {name: await add_agent(conn, None, name, "secret") for name in ("ana", "bob", "cy")}
    steps = [(kind, name) for name in joined for kind in ("joining", "bridged")] + [("joining", "cy")]
    steps += [("unclaimed", ""), ("message", "")]
    events = [
        AttemptEvent(
            *(one.attempt_id, n, kind, WALL + timedelta(seconds=n)),
            {"agent_id": str(ids[name])} if name else {},
        )
        for n, (kind, name) in enumerate(steps, start=1)
    ]
    end = end_of(one, "bridged" if joined else "abandoned", event_number=9)
    for batch in [events] if together else [[event] for event in events]:
        await write(conn, batch, [], 1)
    assert [live.agent for live in await live_attempts(conn, None)] == [agent]
    await write(conn, [], [end], 1)
    assert await conn.fetchval("select agent from cdrs") == agent
    chosen = "select count(*) from attempt_events where data ->> 'agent_id' = $1"
    assert await conn.fetchval(chosen, str(ids["cy"])) == 1


async def test_an_agent_of_an_end_without_a_join_stands_in_no_record(conn: Conn) -> None:
    """An engine of before wrote whoever was chosen into the row and into the ends that it held on its disk."""
    _, [one, two] = await reserved(conn, 2)
    agent = await add_agent(conn, None, "ana", "secret")
    await conn.execute("update attempts set agent_id = $1 where id = $2", agent, one.attempt_id)
    await write(conn, [], [end_of(one, "abandoned"), end_of(two, "abandoned", agent_id=agent)], 1)
    rows = await conn.fetch("select agent_id, agent from cdrs")
    assert [tuple(row) for row in rows] == [(None, None)] * 2


async def test_writing_again_changes_nothing(conn: Conn) -> None:
    _, attempts = await reserved(conn, 3)
    events = [event for one in attempts for event in life_of(one)]
    ends = [end_of(one, "bridged", event_number=6, final=True) for one in attempts]
    for _ in range(3):
        await write(conn, events, ends, 1)
        await write(conn, events[:4], ends[:1], 1)
    assert await sizes(conn, "attempt_events", "cdrs") == [3 * 6, 3]


async def test_late_older_events_do_not_turn_the_row_back(conn: Conn) -> None:
    _, [one] = await reserved(conn)
    events = life_of(one)
    await write(conn, events[3:], [], 1)
    await write(conn, events[:3], [], 1)
    [live] = await live_attempts(conn, None)
    assert live.state == "bridged"
    assert (await sizes(conn, "attempt_events")) == [5]


async def test_the_end_writes_the_record_and_frees_the_number(conn: Conn) -> None:
    _, [one] = await reserved(conn)
    end = end_of(
        one,
        "bridged",
        originated_at=WALL + timedelta(milliseconds=100),
        ringing_at=WALL + timedelta(seconds=1),
        answered_at=WALL + timedelta(seconds=5),
        joined_at=WALL + timedelta(seconds=5, milliseconds=17),
        cause=16,
        sip_code=200,
        ended_by="agent",
        caller_id_name="ACME",
        final=True,
    )
    await write(conn, life_of(one), [end], 1)
    cdr = await conn.fetchrow("select * from cdr_export")
    assert cdr is not None
    assert (cdr["member"], cdr["seller"], cdr["offer"], cdr["campaign"]) == (
        "Acme",
        "Acme",
        "roof repair",
        "spring",
    )
    assert (cdr["calling_number"], cdr["called_number"]) == (one.caller_id, one.number)
    assert (cdr["ring_ms"], cdr["answer_to_agent_ms"], cdr["talk_ms"]) == (4000, 17, 14983)
    assert (cdr["result"], cdr["cause"], cdr["sip_code"], cdr["ended_by"]) == ("bridged", 16, 200, "agent")
    assert cdr["local_time"] == one.local_time
    assert cdr["disposition"] is None
    assert await live_attempts(conn, None) == []


async def test_the_record_tells_who_was_heard_in_a_talk(conn: Conn) -> None:
    _, [heard, short, rang] = await reserved(conn, 3)
    finding = AttemptEvent(heard.attempt_id, 6, "audiochecked", WALL, {"audio": "none_from_agent"})
    await write(conn, [*life_of(heard), finding, *life_of(short), *life_of(rang)[:2]], [], 1)
    live = {each.attempt_id: each.audio for each in await live_attempts(conn, None)}
    assert live == {heard.attempt_id: "none_from_agent", short.attempt_id: None, rang.attempt_id: None}
    ends = [
        end_of(heard, "bridged", event_number=7, audio="none_from_agent"),
        end_of(short, "bridged", event_number=6),
        end_of(rang, "no_answer", event_number=3),
    ]
    await write(conn, [], ends, 1)
    told = {str(row["attempt_id"]): row["audio"] for row in await conn.fetch("select * from cdr_export")}
    assert told == {heard.attempt_id: "none_from_agent", short.attempt_id: "unknown", rang.attempt_id: None}


async def test_the_first_end_counts(conn: Conn) -> None:
    _, [one] = await reserved(conn)
    await write(conn, [], [end_of(one, "busy")], 1)
    await write(conn, [], [end_of(one, "bridged", event_number=9)], 1)
    assert await conn.fetchval("select string_agg(result, ',') from cdrs") == "busy"


async def test_unknown_attempts_are_named_and_do_not_stop_the_others(conn: Conn) -> None:
    _, [one] = await reserved(conn)
    stranger = str(uuid.uuid4())
    events = [AttemptEvent(stranger, 1, "dialing", WALL), *life_of(one)]
    assert await write(conn, events, [end_of(one, event_number=6)], 1) == (stranger,)
    assert await sizes(conn, "attempt_events", "cdrs") == [6, 1]


async def test_retry_and_final_decide_about_the_contact(conn: Conn) -> None:
    world, [first, second, third] = await reserved(conn, 3)
    ends = [
        end_of(first, "no_answer", retry_at=NOON + timedelta(hours=4)),
        end_of(second, "failed"),
        end_of(third, "bridged", final=True),
    ]
    await write(conn, [], ends, 1)
    rows = await conn.fetch(
        "select state, next_at, held_rule, last_result, tries from queue order by contact_id"
    )
    assert [row["state"] for row in rows] == ["due", "due", "done"]
    assert rows[0]["next_at"] == NOON + timedelta(hours=4)
    assert rows[0]["held_rule"] == "retry"
    again = await reserve(conn, request(world, 5))
    assert [r.number for r in again.reserved] == [second.number]


async def test_a_disposition_decides_over_the_result(conn: Conn) -> None:
    world, [one, two] = await reserved(conn, 2)
    await write(conn, [], [end_of(r, "bridged", final=False) for r in (one, two)], 1)
    await dispose(conn, [disposed(one, final=False, retry=timedelta(days=2))])
    await dispose(conn, [disposed(two)])
    await dispose(conn, [disposed(two)])
    rows = await conn.fetch("select state, next_at from queue order by contact_id")
    assert (rows[0]["state"], rows[0]["next_at"]) == ("due", NOON + timedelta(days=2))
    assert rows[1]["state"] == "done"
    assert await sizes(conn, "dispositions") == [2]
    assert (await reserve(conn, request(world))).reserved == ()


async def test_a_talk_finishes_its_contact_until_the_disposition_asks_for_a_further_call(conn: Conn) -> None:
    _, [one, two] = await reserved(conn, 2)
    await write(conn, [], [end_of(r, "bridged", final=True) for r in (one, two)], 1)
    await dispose(conn, [disposed(one, code="callback", final=False, retry=timedelta(days=2))])
    await dispose(
        conn, [disposed(two), disposed(one, code="later", final=False, at=WALL + timedelta(minutes=1))]
    )
    rows = await conn.fetch("select state, final, next_at, held_reason from queue order by contact_id")
    assert tuple(rows[0]) == ("due", False, NOON + timedelta(days=2), "waits after disposition callback")
    assert (rows[1]["state"], rows[1]["final"]) == ("done", True)


async def test_a_disposition_can_suppress_for_its_member(conn: Conn) -> None:
    world, [one] = await reserved(conn)
    await write(conn, [], [end_of(one, "bridged", final=True)], 1)
    batch = Batch(str(uuid.uuid4()), 1, [Numbered(1, disposed(one, code="dnc", suppress=True))])
    assert await write_once(conn, batch, anybody) == Written([(one.number, world.members["acme"])], ())
    [entry] = await suppress.check(conn, one.number)
    assert (entry.member, entry.source) == ("acme", "disposition")
    assert (await reserve(conn, request(world))).reserved == ()


async def test_a_contact_that_was_taken_out_of_its_queue_still_has_its_disposition(conn: Conn) -> None:
    world, [one] = await reserved(conn)
    await conn.execute("delete from queue")
    await write(conn, [], [end_of(one, "bridged", final=True)], 1)
    batch = Batch(str(uuid.uuid4()), 1, [Numbered(1, disposed(one, code="dnc", suppress=True))])
    assert await write_once(conn, batch, anybody) == Written([(one.number, world.members["acme"])], ())
    assert [entry.member for entry in await suppress.check(conn, one.number)] == ["acme"]
    assert await sizes(conn, "dispositions", "queue") == [1, 0]


async def test_a_corrected_disposition_is_a_further_row_and_the_newest_counts(conn: Conn) -> None:
    _, [one] = await reserved(conn)
    await write(conn, [], [end_of(one, "bridged", final=True)], 1)
    await dispose(conn, [disposed(one)])
    await dispose(conn, [disposed(one, code="no", at=WALL + timedelta(minutes=1))])
    assert await conn.fetchval("select disposition from cdr_export") == "no"


@pytest.mark.parametrize("together", [False, True])
async def test_a_do_not_call_that_comes_after_another_disposition_counts_in_every_campaign(
    conn: Conn, together: bool
) -> None:
    """Also when both are in one batch, as after an outage."""
    world = await make_world(conn, {"spring": Campaign(), "autumn": Campaign()})
    await put_contacts(conn, world.members["acme"], "june", fictional(1))
    [one] = (await reserve(conn, request(world))).reserved
    await write(conn, [], [end_of(one, "bridged", final=True)], 1)
    later = disposed(one, code="later", final=False, retry=timedelta(days=2))
    late = disposed(one, code="dnc", suppress=True, at=WALL + timedelta(seconds=90))
    records = [Numbered(1, later), Numbered(2, late)]
    batches = [records] if together else [records[:1], records[1:]]
    writer = str(uuid.uuid4())
    written = [await write_once(conn, Batch(writer, 1, batch), anybody) for batch in batches]
    assert written[-1] == Written([(one.number, world.members["acme"])], ())
    assert [tuple(row) for row in await conn.fetch("select code from dispositions order by id")] == [
        ("later",),
        ("dnc",),
    ]
    assert await conn.fetchval("select disposition from cdr_export") == "dnc"
    spring = "select state, final, next_at, held_rule from queue where campaign_id = $1"
    row = await conn.fetchrow(spring, world.campaigns["spring"])
    assert tuple(row or ()) == ("done", True, None, None)
    [entry] = await suppress.check(conn, one.number)
    assert (entry.member, entry.source) == ("acme", "disposition")
    autumn = request(world, campaign_id=world.campaigns["autumn"], now=NOON + timedelta(days=3))
    assert (await reserve(conn, autumn)).reserved == ()
    assert "member_suppression" in await held_rules(conn, world.campaigns["autumn"])


async def test_of_two_dispositions_in_one_batch_the_first_decides_and_the_second_only_finishes(
    conn: Conn,
) -> None:
    _, [one, two] = await reserved(conn, 2)
    await write(conn, [], [end_of(r, "bridged", final=True) for r in (one, two)], 1)
    retry = timedelta(days=2)
    later = [disposed(r, code="later", final=False, retry=retry) for r in (one, two)]
    soon = disposed(two, code="soon", final=False, retry=retry / 2, at=WALL + timedelta(minutes=1))
    await dispose(conn, [*later, soon])
    rows = await conn.fetch("select state, next_at, held_reason from queue order by contact_id")
    assert [tuple(row) for row in rows] == [("due", NOON + retry, "waits after disposition later")] * 2
    assert await sizes(conn, "dispositions") == [3]


@pytest.mark.parametrize(
    "statement",
    [
        "update cdrs set result = 'busy'",
        "delete from cdrs",
        "truncate cdrs",
        "update attempt_events set kind = 'x'",
        "delete from attempt_events",
        "delete from dispositions",
        "update dispositions set code = 'x'",
    ],
)
async def test_records_cannot_be_changed(conn: Conn, statement: str) -> None:
    _, [one] = await reserved(conn)
    await write(conn, life_of(one), [end_of(one)], 1)
    await dispose(conn, [disposed(one)])
    refused = "only ever added|kept for five years"
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=refused):
        await conn.execute(statement)


async def test_an_unknown_result_is_refused_whole(conn: Conn) -> None:
    _, [one] = await reserved(conn)
    with pytest.raises(asyncpg.CheckViolationError):
        await write(conn, life_of(one), [end_of(one, "great")], 1)
    assert await sizes(conn, "attempt_events", "cdrs") == [0, 0]


async def test_an_older_engine_cannot_write_to_adopted_attempts(conn: Conn) -> None:
    _, [one, two] = await reserved(conn, 2)
    assert await adopt(conn, [one.attempt_id, two.attempt_id], 5) == {one.attempt_id, two.attempt_id}
    with pytest.raises(StaleEpoch):
        await write(conn, life_of(one), [end_of(one)], 1)
    assert await sizes(conn, "attempt_events", "cdrs") == [0, 0]
    await write(conn, life_of(one), [end_of(one)], 5)
    assert await adopt(conn, [one.attempt_id, two.attempt_id], 4) == set()


async def test_removed_agents_stay_in_the_records(conn: Conn) -> None:
    _, [one] = await reserved(conn)
    agent = await add_agent(conn, None, "ana", "secret")
    await write(conn, [], [end_of(one, "bridged", agent_id=agent, joined_at=WALL, final=True)], 1)
    await remove_agent(conn, "ana", WALL)
    await add_agent(conn, None, "ana", "other")
    assert await conn.fetchval("select agent from cdrs") == "ana"
