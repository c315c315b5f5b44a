"""Reservations: what is taken, what is held back, and why."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from store_support import (
    NOON,
    WALL,
    Campaign,
    Conn,
    Member,
    end_of,
    fictional,
    gate,
    make_world,
    put_contacts,
    request,
)

from dialer_engine.core.gate.rules.live_call import RINGS_ON
from dialer_engine.store import suppress
from dialer_engine.store.attempts import write
from dialer_engine.store.candidates import number_facts
from dialer_engine.store.directory import sync_campaigns
from dialer_engine.store.errors import StaleEpoch, UnknownName
from dialer_engine.store.measured import past
from dialer_engine.store.queue import fill, queue_counts, requeue_held
from dialer_engine.store.reserve import Reservation, reserve
from dialer_engine.store.sql import sql

pytestmark = pytest.mark.postgres

COLUMNS = (
    "campaign_id, member_id, contact_id, number_id, number, caller_id, trunk, node, epoch, gate_at,"
    " local_time, zone, rule_versions, list_versions, reserved_at"
)
SECOND_ATTEMPT = " ".join(("insert into attempts (", COLUMNS, ") select", COLUMNS, "from attempts"))


async def test_takes_the_list_in_order_and_records_the_verdict(conn: Conn) -> None:
    world = await make_world(conn)
    contacts = await put_contacts(conn, world.members["acme"], "june", fictional(30))
    result = await reserve(conn, request(world, 10))
    assert [r.contact_id for r in result.reserved] == contacts[:10]
    assert result.held == {}
    row = await conn.fetchrow("select * from attempts where id = $1", result.reserved[0].attempt_id)
    assert row is not None
    assert row["state"] == "reserved"
    assert row["gate_at"] == NOON
    assert row["reserved_at"] == WALL
    assert row["zone"] == "America/Chicago"
    assert row["local_time"] == result.reserved[0].local_time == "2026-06-10T13:00:00-05:00"
    assert "rules:" in row["rule_versions"]
    assert row["list_versions"] == "suppressions:0"


async def test_tells_the_list_and_the_tries_and_recalls_them_from_the_records(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(2))
    first = (await reserve(conn, request(world, 10))).reserved
    june = await conn.fetchval("select id from lists where name = 'june'")
    assert [(r.list_id, r.tries) for r in first] == [(june, 0)] * 2
    await write(conn, [], [end_of(r, originated_at=WALL, retry_at=NOON) for r in first], 1)
    hours = timedelta(hours=5)
    later = request(world, 10, NOON + hours, wall=WALL + hours)
    again = (await reserve(conn, later)).reserved
    assert [(r.list_id, r.tries) for r in again] == [(june, 1)] * 2
    await write(conn, [], [end_of(r, originated_at=later.wall) for r in again], 1)
    seen = await past(conn, world.campaigns["spring"], WALL - timedelta(days=1), 10)
    assert [(call.list_id, call.again) for call in seen.calls] == [(june, False)] * 2 + [(june, True)] * 2


async def test_fewer_than_asked_tells_when_to_ask_again(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(3))
    result = await reserve(conn, request(world, 10))
    assert len(result.reserved) == 3
    assert result.next_due is None
    assert not result.exhausted, "three calls are under way"
    ends = [end_of(r, retry_at=NOON + timedelta(hours=4)) for r in result.reserved]
    await write(conn, [], ends, 1)
    later = await reserve(conn, request(world, 10))
    assert later.reserved == ()
    assert later.next_due == NOON + timedelta(hours=4)
    assert not later.exhausted


async def test_exhausted_when_all_is_done(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(3))
    result = await reserve(conn, request(world, 10))
    await write(conn, [], [end_of(r, "bridged", final=True) for r in result.reserved], 1)
    assert (await reserve(conn, request(world, 10))).exhausted


async def test_a_live_contact_is_not_taken_again(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(5))
    assert len((await reserve(conn, request(world, 5))).reserved) == 5
    assert (await reserve(conn, request(world, 5))).reserved == ()


async def test_number_live_in_another_campaign_waits(conn: Conn) -> None:
    both = {"spring": Campaign(), "autumn": Campaign()}
    world = await make_world(conn, both)
    await put_contacts(conn, world.members["acme"], "june", fictional(5))
    await reserve(conn, request(world, 5))
    other = await reserve(conn, replace(request(world, 5), campaign_id=world.campaigns["autumn"]))
    assert other.reserved == ()
    assert sum(other.held.values()) == 5
    assert other.next_due is not None
    assert other.next_due > NOON


async def test_number_live_for_another_member_waits(conn: Conn) -> None:
    members = {"acme": Member(), "bolt": Member("Bolt")}
    campaigns = {"spring": Campaign(), "bolts": Campaign(member="bolt")}
    world = await make_world(conn, campaigns, members)
    for key in members:
        await put_contacts(conn, world.members[key], "june", fictional(5))
    await reserve(conn, request(world, 5))
    other = replace(request(world, 5), campaign_id=world.campaigns["bolts"], member_id=world.members["bolt"])
    result = await reserve(conn, other)
    assert result.reserved == ()
    assert set(result.held) == {"live_call"}


async def test_suppressed_numbers_are_held_and_come_back(conn: Conn) -> None:
    world = await make_world(conn)
    acme = world.members["acme"]
    contacts = fictional(6)
    await put_contacts(conn, acme, "june", contacts)
    await suppress.add(conn, contacts[0][0], None, "request", WALL, who="op")
    await suppress.add(conn, contacts[1][0], acme, "request", WALL, who="op")
    result = await reserve(conn, request(world, 10))
    assert len(result.reserved) == 4
    assert result.held == {"internal_suppression": 1, "member_suppression": 1}
    counts = await queue_counts(conn, world.campaigns["spring"], NOON)
    assert counts.held == {"internal_suppression": 1, "member_suppression": 1}
    assert await suppress.remove(conn, contacts[1][0], acme, WALL, who="op")
    again = await reserve(conn, request(world, 10))
    assert [r.number for r in again.reserved] == contacts[1]


async def test_another_members_suppression_does_not_count(conn: Conn) -> None:
    world = await make_world(conn, members={"acme": Member(), "bolt": Member("Bolt")})
    contacts = fictional(1)
    await put_contacts(conn, world.members["acme"], "june", contacts)
    await suppress.add(conn, contacts[0][0], world.members["bolt"], "request", WALL, who="op")
    assert len((await reserve(conn, request(world))).reserved) == 1


async def test_out_of_hours_waits_until_the_window_opens(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(3))
    night = NOON + timedelta(hours=14)
    result = await reserve(conn, request(world, now=night))
    assert result.reserved == ()
    assert result.held == {"calling_hours": 3}
    assert result.next_due is not None
    morning = await reserve(conn, request(world, now=result.next_due))
    assert len(morning.reserved) == 3


async def test_cap_of_attempts_in_24_hours_on_the_gates_clock(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(1))
    moment = NOON
    for _ in range(3):
        got = await reserve(conn, request(world, now=moment))
        assert len(got.reserved) == 1
        await write(conn, [], [end_of(got.reserved[0], "failed", retry_at=moment)], 1)
        moment += timedelta(minutes=10)
    capped = await reserve(conn, request(world, now=moment))
    assert capped.held == {"number_attempts": 1}
    assert capped.next_due is not None
    assert capped.next_due >= NOON + timedelta(hours=24, minutes=1)
    (number,) = await conn.fetchrow("select number from contact_numbers") or ("",)
    a_day_later = NOON + timedelta(hours=24)
    for late, counted in ((timedelta(seconds=59), 3), (timedelta(minutes=1), 2)):
        known = await number_facts(conn, [number], world.members["acme"], a_day_later + late)
        assert len(known.recent[number]) == counted


async def test_a_trunk_fault_costs_no_try_and_only_a_doubtful_one_counts_for_the_caps(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", [["+12105550101"]])
    moment, no_more = NOON, datetime.now(UTC) - RINGS_ON
    for counted in (False, False, False, False, True, True, True):
        (reservation,) = (await reserve(conn, request(world, now=moment))).reserved
        known = {"ended_at": no_more, "retry_at": moment, "counted": counted}
        fault = end_of(reservation, "trunk_fault", sip_code=503, **known)
        await write(conn, [], [fault], 1)
        (queued,) = await conn.fetch("select state, tries, last_result from queue")
        assert tuple(queued) == ("due", 0, "trunk_fault")
        moment += timedelta(minutes=1)
    capped = await reserve(conn, request(world, now=moment))
    assert capped.held == {"number_attempts": 1}
    assert (await conn.fetchrow("select count(*), min(result) from cdrs")) == (7, "trunk_fault")
    assert await conn.fetchval("select distinct standing from ledger_calls") == "unanswered"


async def test_a_call_that_never_left_costs_neither_a_try_nor_a_part_of_a_cap(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", [["+12105550101"]])
    moment = NOON
    for _ in range(8):
        (reservation,) = (await reserve(conn, request(world, now=moment))).reserved
        await write(conn, [], [end_of(reservation, "cancelled", retry_at=moment, counted=False)], 1)
        (queued,) = await conn.fetch("select state, tries, last_result from queue")
        assert tuple(queued) == ("due", 0, None)
        moment += timedelta(minutes=1)
    (reservation,) = (await reserve(conn, request(world, now=moment))).reserved
    sent = end_of(reservation, "cancelled", originated_at=WALL, retry_at=moment, counted=False)
    with pytest.raises(asyncpg.CheckViolationError):
        await write(conn, [], [sent], 1)


async def test_a_call_that_never_left_waits_for_what_the_call_before_it_was(conn: Conn) -> None:
    """The delay of cancelled calls is for those who heard it ring."""
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", [["+12105550101"]])
    hour, soon = timedelta(hours=1), timedelta(minutes=1)
    retry = {"cancelled": hour, "no_answer": 4 * hour}

    async def call(at: datetime) -> tuple[Reservation, ...]:
        made = gate(at)
        context = replace(made, limits=replace(made.limits, retry=retry))
        return (await reserve(conn, request(world, now=at, context=context))).reserved

    async def withdraw(reservation: Reservation, at: datetime) -> None:
        await write(conn, [], [end_of(reservation, "cancelled", retry_at=at + soon, counted=False)], 1)

    (first,) = await call(NOON)
    await withdraw(first, NOON)
    (second,) = await call(NOON + soon)
    await write(conn, [], [end_of(second, originated_at=WALL, retry_at=NOON + soon + 4 * hour)], 1)
    late = NOON + soon + 4 * hour
    (third,) = await call(late)
    await withdraw(third, late)
    (queued,) = await conn.fetch("select tries, last_result, last_attempt_at from queue")
    assert tuple(queued) == (1, "no_answer", NOON + soon)
    assert len(await call(late + soon)) == 1


async def test_only_a_trunk_fault_may_be_left_uncounted(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", [["+12105550101"]])
    (reservation,) = (await reserve(conn, request(world))).reserved
    with pytest.raises(asyncpg.CheckViolationError):
        await write(conn, [], [end_of(reservation, "no_answer", counted=False)], 1)


async def test_blocked_contacts_come_back_when_rules_change(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(4))
    strict = replace(gate(), lab=False)
    blocked = await reserve(conn, request(world, context=strict))
    assert blocked.held == {"number_class": 4}
    spring = world.campaigns["spring"]
    assert await requeue_held(conn, spring, ["calling_hours"]) == 0
    assert await requeue_held(conn, spring, ["number_class"]) == 4
    assert len((await reserve(conn, request(world))).reserved) == 4


async def test_a_rule_that_breaks_holds_the_contact(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(2))
    broken = replace(gate(), plan=None)  # type: ignore[arg-type]
    result = await reserve(conn, request(world, context=broken))
    assert result.reserved == ()
    assert sum(result.held.values()) == 2


async def test_other_numbers_of_the_contact_take_turns(conn: Conn) -> None:
    world = await make_world(conn)
    numbers = ["+12105550101", "+12105550102", "+12105550103"]
    await put_contacts(conn, world.members["acme"], "june", [numbers])
    called = []
    for _ in range(3):
        got = await reserve(conn, request(world))
        called.append(got.reserved[0].number)
        await write(conn, [], [end_of(got.reserved[0], "failed", retry_at=NOON)], 1)
    assert called == numbers


async def test_a_suppressed_number_covers_all_numbers_of_the_person_until_it_is_removed(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", [["+12105550101", "+12105550102"]])
    await suppress.add(conn, "+12105550102", None, "request", WALL, who="op")
    assert (await reserve(conn, request(world))).held == {"internal_suppression": 1}
    reason = await conn.fetchval("select held_reason from queue")
    assert reason.startswith("another number of this person is on the internal do-not-call list")
    await suppress.remove(conn, "+12105550102", None, WALL, who="op")
    outlook = await conn.fetchrow(sql("reserve_outlook"), world.campaigns["spring"], NOON)
    assert outlook is not None
    assert outlook["next_at"] == NOON
    assert [r.number for r in (await reserve(conn, request(world))).reserved] == ["+12105550101"]


async def test_after_not_in_service_the_other_number_is_tried_then_the_contact_is_done(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", [["+12105550101", "+12105550102"]])
    for number in ("+12105550101", "+12105550102"):
        got = await reserve(conn, request(world))
        assert [r.number for r in got.reserved] == [number]
        await write(conn, [], [end_of(got.reserved[0], "not_in_service", final=True)], 1)
    assert (await reserve(conn, request(world))).exhausted
    assert (await queue_counts(conn, world.campaigns["spring"], NOON)).done == 1


async def test_contact_without_numbers_is_held(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", [[]])
    assert (await reserve(conn, request(world))).held == {"number": 1}


async def test_caller_ids_go_round_least_used_first(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(9))
    ids = ("+12105550171", "+12105550172", "+12105550173")
    first = await reserve(conn, request(world, 4, caller_ids=ids))
    assert sorted(r.caller_id for r in first.reserved) == sorted([*ids, ids[0]])
    second = await reserve(conn, request(world, 5, caller_ids=ids))
    used = [r.caller_id for r in (*first.reserved, *second.reserved)]
    assert all(used.count(one) == 3 for one in ids)


async def test_older_engine_is_refused(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(5))
    await reserve(conn, request(world, 1, epoch=7))
    with pytest.raises(StaleEpoch, match="epoch 7"):
        await reserve(conn, request(world, 1, epoch=6))
    assert await conn.fetchval("select count(*) from attempts") == 1


async def test_unknown_campaign(conn: Conn) -> None:
    world = await make_world(conn)
    with pytest.raises(UnknownName):
        await reserve(conn, request(world, campaign_id=999))


async def test_list_taken_away_holds_its_contacts_until_it_is_back(conn: Conn) -> None:
    world = await make_world(conn, {"spring": Campaign(lists=("june", "july"))})
    acme = world.members["acme"]
    await put_contacts(conn, acme, "june", fictional(5))
    await put_contacts(conn, acme, "july", fictional(5, ("512",)))
    await fill(conn, world.campaigns["spring"], NOON)
    await sync_campaigns(conn, {"spring": Campaign(lists=("july",))})
    assert len((await reserve(conn, request(world))).reserved) == 5
    assert (await queue_counts(conn, world.campaigns["spring"], NOON)).held == {"list": 5}
    await sync_campaigns(conn, {"spring": Campaign(lists=("june", "july"))})
    assert len((await reserve(conn, request(world))).reserved) == 5


async def test_lists_imported_later_are_found(conn: Conn) -> None:
    world = await make_world(conn)
    acme = world.members["acme"]
    await put_contacts(conn, acme, "june", fictional(2))
    await reserve(conn, request(world))
    await put_contacts(conn, acme, "june", fictional(2, ("512",)))
    assert len((await reserve(conn, request(world))).reserved) == 2


async def test_fill_moves_in_order_and_only_once(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(25))
    spring = world.campaigns["spring"]
    assert [await fill(conn, spring, NOON, 10) for _ in range(4)] == [10, 10, 5, 0]
    counts = await queue_counts(conn, spring, NOON)
    assert (counts.due, counts.waiting, counts.unfilled) == (25, 0, 0)


async def test_database_refuses_a_second_live_attempt(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(1))
    await reserve(conn, request(world))
    with pytest.raises(asyncpg.UniqueViolationError, match="one_live_attempt_per"):
        await conn.execute(SECOND_ATTEMPT)
