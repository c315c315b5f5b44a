"""Calls that nobody could cancel: the number has peace from everybody while the phone may still ring."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from store_support import (
    NOON,
    WALL,
    Campaign,
    Conn,
    Member,
    World,
    end_of,
    gate,
    make_world,
    put_contacts,
    request,
)

from dialer_engine.core.gate.rules.live_call import RINGS_ON
from dialer_engine.store.attempts import write
from dialer_engine.store.directory import add_agent
from dialer_engine.store.facts import facts_for
from dialer_engine.store.plan import Question, survey
from dialer_engine.store.preview import ShowRequest, show
from dialer_engine.store.reserve import RETRY_UNKNOWN, ReserveRequest, reserve

pytestmark = pytest.mark.postgres

NUMBER, OTHER = "+12105550101", "+12105550102"
MEMBERS = {"acme": Member(), "bolt": Member("Bolt")}
CAMPAIGNS = {"spring": Campaign(), "autumn": Campaign(), "bolts": Campaign(member="bolt")}
EVERYBODY = tuple(CAMPAIGNS)
JUST_NOW = timedelta(seconds=1)
SILENT = {"result": "trunk_fault", "originated_at": WALL}
RANG = {"result": "node_lost", "originated_at": WALL, "ringing_at": WALL}
UNSEEN = {**RANG, "result": "unknown"}
UNHEARD_OF = {"result": "unknown"}


def of(world: World, campaign: str, now: datetime = NOON) -> ReserveRequest:
    """A request of one of the campaigns."""
    member = world.members[CAMPAIGNS[campaign].member]
    return replace(request(world, 1, now), campaign_id=world.campaigns[campaign], member_id=member)


async def called(
    conn: Conn, ago: timedelta, end: Mapping[str, Any], numbers: tuple[str, ...] = (NUMBER,)
) -> World:
    """Two Members have the number; a call of the campaign spring to it ended so long ago by the wall's clock."""
    world = await make_world(conn, CAMPAIGNS, MEMBERS)
    await put_contacts(conn, world.members["acme"], "june", [numbers])
    await put_contacts(conn, world.members["bolt"], "june", [[NUMBER]])
    (reservation,) = (await reserve(conn, of(world, "spring"))).reserved
    assert reservation.number == NUMBER
    ended = end_of(reservation, **{"ended_at": datetime.now(UTC) - ago, "retry_at": NOON, **end})
    await write(conn, [], [ended], 1)
    return world


@pytest.mark.parametrize(
    "end",
    [SILENT, RANG, UNSEEN, UNHEARD_OF],
    ids=["silent trunk", "asterisk died", "nobody saw the end", "nobody saw anything"],
)
async def test_while_the_phone_may_ring_nobody_calls_the_number(conn: Conn, end: Mapping[str, Any]) -> None:
    world = await called(conn, JUST_NOW, end)
    for campaign in EVERYBODY:
        result = await reserve(conn, of(world, campaign))
        assert (result.reserved, result.held) == ((), {"live_call": 1}), campaign
        assert result.next_due == NOON + RETRY_UNKNOWN, "somebody must look again"
        assert not result.exhausted


@pytest.mark.parametrize(
    ("ago", "end"),
    [
        (RINGS_ON + timedelta(minutes=1), SILENT),
        (JUST_NOW, {**SILENT, "counted": False}),
        (JUST_NOW, {"result": "failed", "originated_at": WALL}),
        (JUST_NOW, {**RANG, "result": "no_answer"}),
    ],
    ids=["silent long ago", "refused at the door", "failed", "rang out"],
)
async def test_other_ends_leave_the_number_to_the_next(
    conn: Conn, ago: timedelta, end: Mapping[str, Any]
) -> None:
    world = await called(conn, ago, end)
    assert len((await reserve(conn, of(world, "bolts"))).reserved) == 1


@pytest.mark.parametrize(
    ("ago", "end"),
    [
        (RINGS_ON + timedelta(minutes=1), RANG),
        (JUST_NOW, {**RANG, "answered_at": WALL}),
        (RINGS_ON + timedelta(minutes=1), UNSEEN),
        (JUST_NOW, {**UNSEEN, "answered_at": WALL}),
    ],
    ids=["died long ago", "died in a talk", "unseen long ago", "unseen after an answer"],
)
async def test_a_phone_that_rang_long_ago_or_was_answered_rings_no_more(
    conn: Conn, ago: timedelta, end: Mapping[str, Any]
) -> None:
    world = await called(conn, ago, end)
    assert len((await reserve(conn, of(world, "bolts"))).reserved) == 1


async def test_the_contact_that_was_held_is_called_when_the_time_is_over(conn: Conn) -> None:
    world = await called(conn, JUST_NOW, SILENT)
    held = await reserve(conn, of(world, "spring"))
    assert held.next_due is not None
    await conn.execute("update attempts set ended_at = ended_at - $1::interval", RINGS_ON)
    (again,) = (await reserve(conn, of(world, "spring", held.next_due))).reserved
    assert again.number == NUMBER


async def test_the_gates_clock_may_be_another_one(conn: Conn) -> None:
    """It runs from whatever moment a laboratory says, and the time of peace is one of the wall's clock."""
    world = await called(conn, JUST_NOW, SILENT)
    for later in (timedelta(minutes=10), timedelta(hours=5)):
        assert (await reserve(conn, of(world, "bolts", NOON + later))).held == {"live_call": 1}


async def test_nor_is_another_phone_of_the_same_person_called_meanwhile(conn: Conn) -> None:
    world = await called(conn, JUST_NOW, SILENT, (NUMBER, OTHER))
    assert (await reserve(conn, of(world, "autumn"))).held == {"live_call": 1}


@pytest.mark.parametrize("end", [SILENT, UNSEEN], ids=["silent trunk", "nobody saw the end"])
async def test_agents_see_no_such_contact_and_why_and_plan_say_so(conn: Conn, end: Mapping[str, Any]) -> None:
    world = await called(conn, JUST_NOW, end)
    assert await add_agent(conn, None, "ana", "secret") == 1
    seen = await show(conn, ShowRequest(of(world, "bolts"), 1, "ana", timedelta(seconds=75)))
    assert (seen.contact, seen.held) == (None, {"live_call": 1})
    entries = await facts_for(conn, NUMBER, None, NOON)
    assert {entry.campaign: entry.facts.number_live for entry in entries} == dict.fromkeys(EVERYBODY, True)
    lists = [
        row["id"]
        for row in await conn.fetch("select id from lists where member_id = $1", world.members["bolt"])
    ]
    asked = Question(world.campaigns["bolts"], world.members["bolt"], lists, NOON, gate(NOON))
    assert (await survey(conn, asked, 1000, WALL)).waiting == {"live_call": 1}
