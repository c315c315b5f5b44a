"""What the fault suite asks the database: who is due again though called, and what an earlier owner wrote."""

from datetime import timedelta

import pytest
from store_support import NOON, WALL, Conn, end_of, fictional, make_world, put_contacts, request

from dialer_engine.lab.chaos.records import Record
from dialer_engine.store.attempts import AttemptEvent, adopt, write
from dialer_engine.store.reserve import reserve
from dialer_engine.store.sql import sql

pytestmark = pytest.mark.postgres

DAY, HOUR, SOON = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


async def test_whoever_was_called_and_waits_for_a_second_call_is_found(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(8))
    placed = (await reserve(conn, request(world, 8))).reserved
    left = {"originated_at": WALL}
    ends = [
        end_of(placed[0], "no_answer", **left),
        end_of(placed[1], "no_answer", **left, retry_at=NOON + 4 * HOUR),
        end_of(placed[2], "unknown", **left, retry_at=NOON + DAY),
        end_of(placed[3], "node_lost", **left, retry_at=NOON + DAY - HOUR),
        end_of(placed[4], "bridged", **left, final=True),
        end_of(placed[5], "cancelled", retry_at=NOON + SOON, counted=False),
        end_of(placed[6], "trunk_fault", **left, retry_at=NOON),
        end_of(placed[7], "unknown", **left),  # the gate lets nobody call it
    ]
    await write(conn, [], ends, 1)

    async def found() -> dict[str, str | None]:
        return {row["number"]: row["due"] for row in await conn.fetch(sql("chaos_due_again"))}

    due = await found()
    assert set(due) == {placed[0].number, placed[1].number}
    assert due[placed[0].number] == "-infinity"

    again = await reserve(conn, request(world, 8, now=NOON + timedelta(seconds=1)))
    assert [one.number for one in again.reserved] == [placed[6].number], "only the trunk was at fault"
    due = await found()
    assert set(due) == {placed[0].number, placed[1].number}
    assert due[placed[0].number] is None, "the gate refused"


async def test_whoever_was_never_tried_and_waits_no_more_is_found(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(4))
    placed = (await reserve(conn, request(world, 4))).reserved
    left = {"originated_at": WALL}
    ends = [
        end_of(placed[0], "bridged", **left, final=True),
        end_of(placed[1], "cancelled", counted=False, final=True),
        end_of(placed[2], "cancelled", counted=False, retry_at=NOON + DAY),
    ]
    await write(conn, [], ends, 1)
    rows = [dict(row) for row in await conn.fetch(sql("chaos_passed_over"))]
    assert rows == [{"number": placed[1].number, "state": "done", "why": "no reason"}]


async def test_what_stands_under_an_earlier_owners_epoch_is_told_apart(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(2))
    done, live = (await reserve(conn, request(world, 2))).reserved
    await write(conn, [AttemptEvent(done.attempt_id, 1, "dialing", WALL)], [end_of(done)], 1)
    await conn.execute("insert into leases values ('engine', 'one', 1, now(), now())")

    async def found() -> set[str]:
        return {row["what"] for row in await conn.fetch(sql("chaos_earlier"))}

    assert await found() == set()
    await conn.execute("update leases set owner = 'two', epoch = 2")
    await adopt(conn, [live.attempt_id], 2)
    await write(conn, [AttemptEvent(live.attempt_id, 1, "dialing", WALL)], [end_of(live)], 2)
    ended = f"attempt {done.attempt_id}"
    assert await found() == {ended, f"event 1 of {ended}", f"event 5 of {ended}", f"record of {ended}"}


async def test_a_refusal_by_a_code_of_the_trunks_fault_that_counts_for_the_caps_is_found(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(4))
    placed = (await reserve(conn, request(world, 4))).reserved
    left = {"originated_at": WALL}
    ends = [
        end_of(placed[0], "trunk_fault", **left, sip_code=503, counted=False),
        end_of(placed[1], "trunk_fault", **left),  # the carrier said nothing: a phone may have rung
        end_of(placed[2], "congestion", **left, sip_code=503),
        end_of(placed[3], "trunk_fault", **left, sip_code=503),
    ]
    await write(conn, [], ends, 1)
    rows = await conn.fetch(sql("chaos_counted_refusals"))
    assert [row["number"] for row in rows] == [placed[3].number]


async def test_an_attempt_that_ended_without_a_record_is_found(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(3))
    placed = (await reserve(conn, request(world, 3))).reserved
    ends = [end_of(one, "trunk_fault", originated_at=WALL, sip_code=503, counted=False) for one in placed[:2]]
    await write(conn, [], ends, 1)
    assert await conn.fetch(sql("chaos_unrecorded")) == []
    await conn.execute(
        "update attempts set state = 'ended', result = 'trunk_fault', ended_at = now() where id = $1",
        placed[2].attempt_id,
    )
    rows = await conn.fetch(sql("chaos_unrecorded"))
    assert [row["number"] for row in rows] == [placed[2].number]


async def test_records_tell_what_is_compared(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(2))
    one, two = (await reserve(conn, request(world, 2))).reserved
    said = {"sip_code": 200, "cause_text": "SIP 200 OK"}
    joined = end_of(one, "bridged", originated_at=WALL, answered_at=WALL, joined_at=WALL, final=True, **said)
    await write(conn, [], [joined, end_of(two, "cancelled", counted=False)], 1)
    talk, unsent = sorted(
        (Record(**row) for row in await conn.fetch(sql("chaos_records"))), key=lambda each: each.result
    )
    assert (talk.number, talk.answered_at, talk.joined_at, talk.message_at, talk.left) == (
        one.number,
        WALL.timestamp(),
        WALL.timestamp(),
        None,
        True,
    )
    assert (talk.sip_code, talk.cause_text, unsent.sip_code) == (200, "SIP 200 OK", None)
    assert (unsent.number, unsent.originated_at, unsent.left) == (two.number, None, False)
