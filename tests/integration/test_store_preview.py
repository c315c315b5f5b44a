"""Contacts on show in a real database: held for one agent, dialed through the gate of that moment, given back."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import asyncpg
import pytest
from store_support import (
    NOON,
    WALL,
    Campaign,
    Conn,
    Member,
    World,
    end_of,
    fictional,
    gate,
    make_world,
    put_contacts,
    request,
    sizes,
)

from dialer_engine.store import suppress
from dialer_engine.store.attempts import live_attempts, write
from dialer_engine.store.cards import card_of_attempt
from dialer_engine.store.directory import add_agent
from dialer_engine.store.errors import StaleEpoch
from dialer_engine.store.facts import facts_for
from dialer_engine.store.pool import ENGINE_ROLE, connect
from dialer_engine.store.preview import ShownContact, ShowRequest, show
from dialer_engine.store.preview_ends import PreviewEnd, end_previews
from dialer_engine.store.reserve import ReserveRequest, ReserveResult, reserve
from dialer_engine.store.sql import sql

pytestmark = pytest.mark.postgres

CAMPAIGNS = {"spring": Campaign(), "autumn": Campaign(), "bolts": Campaign(member="bolt")}
MEMBERS = {"acme": Member(), "bolt": Member("Bolt")}


async def floor(conn: Conn, count: int) -> World:
    """Three campaigns of two Members on the same numbers, and two agents with the ids 1 and 2."""
    world = await make_world(conn, CAMPAIGNS, MEMBERS)
    for key in MEMBERS:
        await put_contacts(conn, world.members[key], "june", fictional(count))
    assert [await add_agent(conn, None, name, "secret") for name in ("ana", "ben")] == [1, 2]
    return world


def of(world: World, campaign: str, **changes: object) -> ReserveRequest:
    """A request of one of the campaigns."""
    return replace(
        request(world, 1, **changes),
        campaign_id=world.campaigns[campaign],
        member_id=world.members[CAMPAIGNS[campaign].member],
    )


async def on_show(
    conn: Conn, asked: ReserveRequest, agent_id: int = 1, seconds: float = 75.0
) -> ShownContact | None:
    """Show one contact to an agent."""
    hold = ShowRequest(asked, agent_id, ("ana", "ben")[agent_id - 1], timedelta(seconds=seconds))
    return (await show(conn, hold)).contact


async def shown(conn: Conn, asked: ReserveRequest, agent_id: int = 1, seconds: float = 75.0) -> ShownContact:
    """Show one contact, which is there."""
    contact = await on_show(conn, asked, agent_id, seconds)
    assert contact is not None
    return contact


async def dialed(conn: Conn, asked: ReserveRequest, contact: ShownContact) -> ReserveResult:
    """Dial what is on show."""
    return await reserve(conn, replace(asked, shown=contact.on_show))


async def end(
    conn: Conn, contact: ShownContact, outcome: str, reason: str, until: datetime | None = None
) -> None:
    """End a hold without a call."""
    await end_previews(conn, [PreviewEnd(contact.on_show.preview_id, outcome, reason, NOON, until)])


async def test_a_contact_on_show_is_nobody_elses(conn: Conn) -> None:
    world = await floor(conn, 1)
    first = await shown(conn, of(world, "spring"))
    assert (first.card.number, first.card.member, first.card.list) == ("+12105550100", "Acme", "june")
    assert (first.card.history, await sizes(conn, "attempts")) == ((), [0])
    for campaign in CAMPAIGNS:
        assert await on_show(conn, of(world, campaign), 2) is None
        assert (await reserve(conn, of(world, campaign))).reserved == ()
    entry = (await facts_for(conn, "+12105550100", world.campaigns["spring"], NOON))[0]
    assert (entry.held_rule, entry.held_reason) == ("preview", "on show for agent ana")
    rule = "select distinct held_reason from queue where campaign_id <> $1"
    assert await conn.fetchval(rule, world.campaigns["spring"]) == "an agent is looking at this contact now"


async def test_the_hold_ends_by_itself(conn: Conn) -> None:
    world = await floor(conn, 1)
    first = await shown(conn, of(world, "spring"), seconds=0.05)
    await asyncio.sleep(0.1)
    assert (await dialed(conn, of(world, "spring"), first)).why_not is not None
    later = NOON + timedelta(minutes=5)
    again = await shown(conn, of(world, "bolts", now=later), 2)
    assert again.on_show.number == first.on_show.number
    over = await conn.fetchrow("select outcome, reason from previews where id = $1", first.on_show.preview_id)
    assert over is not None
    assert tuple(over) == ("expired", "the engine that showed it is gone"), "who looked next cleared it"
    assert await sizes(conn, "attempts") == [0]


async def test_dialing_makes_one_attempt_and_ends_the_hold(conn: Conn) -> None:
    world = await floor(conn, 2)
    first = await shown(conn, of(world, "spring"))
    done, twice = [await dialed(conn, of(world, "spring"), first) for _ in range(2)]
    assert [one.number for one in done.reserved] == ["+12105550100"]
    assert (twice.reserved, twice.why_not) == ((), "the contact is not held for this agent any more")
    row = await conn.fetchrow("select outcome, reason, attempt_id::text from previews")
    assert row is not None
    assert tuple(row) == ("dialed", None, done.reserved[0].attempt_id)
    await write(conn, [], [end_of(done.reserved[0], retry_at=NOON + timedelta(hours=4))], 1)
    later = of(world, "spring", now=NOON + timedelta(hours=5))
    fresh, again = await shown(conn, later), await shown(conn, later, 2)
    assert (fresh.on_show.number, fresh.card.history) == ("+12105550101", ()), (
        "who was never tried comes first"
    )
    assert again.on_show.number == first.on_show.number
    assert [(one.campaign, one.number, one.result, one.at) for one in again.card.history] == [
        ("spring", "+12105550100", "no_answer", WALL)
    ]


async def test_two_dials_at_once_are_one_attempt(conn: Conn, pg_url: str) -> None:
    world = await floor(conn, 1)
    first = await shown(conn, of(world, "spring"))
    both = [await connect(pg_url, role=ENGINE_ROLE) for _ in range(2)]
    done = await asyncio.gather(*(dialed(each, of(world, "spring"), first) for each in both))
    for each in both:
        await each.close()
    assert sorted(len(one.reserved) for one in done) == [0, 1]
    assert await sizes(conn, "attempts") == [1]


async def test_the_gate_decides_at_the_moment_of_dialing(conn: Conn) -> None:
    world = await floor(conn, 3)
    asked = of(world, "spring")
    late = datetime.fromisoformat("2026-06-10T21:30:00-05:00")
    first = await shown(conn, asked)
    refused = await dialed(conn, replace(asked, now=late, context=gate(late)), first)
    assert (refused.why_not or "").startswith("calling_hours:")
    assert (refused.reserved, refused.held) == ((), {"calling_hours": 1})
    second = await shown(conn, asked)
    await suppress.add(conn, second.on_show.number, None, "test", NOON, who="test")
    refused = await dialed(conn, asked, second)
    assert (refused.why_not or "").startswith("internal_suppression:")
    assert await sizes(conn, "attempts") == [0]
    assert {row["outcome"] for row in await conn.fetch("select outcome from previews")} == {"refused"}
    states = await conn.fetch(
        "select held_rule from queue where campaign_id = $1 and held_rule is not null", asked.campaign_id
    )
    assert {row["held_rule"] for row in states} == {"calling_hours", "internal_suppression"}


async def test_a_skipped_contact_comes_back_when_it_should(conn: Conn) -> None:
    world = await floor(conn, 2)
    asked = of(world, "spring")
    first = await shown(conn, asked)
    await end(conn, first, "skipped", "wrong-person", NOON + timedelta(hours=1))
    await end(conn, first, "skipped", "late and without effect")
    second = await shown(conn, asked)
    assert second.on_show.number != first.on_show.number
    await end(conn, second, "withdrawn", "the agent is paused")
    assert (await shown(conn, asked, 2)).on_show == replace(
        second.on_show, preview_id=await conn.fetchval("select id::text from previews where ended_at is null")
    )
    soon = NOON + timedelta(hours=1, seconds=1)
    back = await shown(conn, replace(asked, now=soon, context=gate(soon)))
    assert back.on_show.number == first.on_show.number
    assert [(one.result, one.note, one.agent) for one in back.card.history] == [
        ("skipped", "wrong-person", "ana")
    ]


async def test_a_newer_engine_takes_over_what_an_earlier_one_showed(conn: Conn) -> None:
    world = await floor(conn, 1)
    asked = of(world, "spring")
    first = await shown(conn, asked)
    again = await shown(conn, replace(asked, epoch=2), 2)
    assert again.on_show.number == first.on_show.number
    with pytest.raises(StaleEpoch):
        await dialed(conn, asked, first)
    assert (await dialed(conn, replace(asked, epoch=2), first)).reserved == ()
    assert len((await dialed(conn, replace(asked, epoch=2), again)).reserved) == 1


async def test_a_skip_that_comes_late_counts_unless_something_newer_began(conn: Conn) -> None:
    """An outage: the hold ran out and was cleared by another engine before the skip could be written."""
    world = await floor(conn, 1)
    first = await shown(conn, of(world, "spring"), seconds=0.05)
    await asyncio.sleep(0.1)
    await conn.execute(sql("previews_clear"), world.campaigns["bolts"], 1)
    until = NOON + timedelta(hours=1)
    await end(conn, first, "skipped", "not-now", until)
    assert [tuple(row) for row in await conn.fetch("select outcome, reason, ended_at from previews")] == [
        ("skipped", "not-now", NOON)
    ]
    assert await conn.fetchval("select next_at from queue where held_rule = 'skipped'") == until

    soon = until + timedelta(seconds=1)
    asked = of(world, "spring", now=soon, wall=WALL + timedelta(hours=1))
    second = await shown(conn, asked, seconds=0.05)
    await asyncio.sleep(0.1)
    third = await shown(conn, replace(asked, wall=asked.wall + timedelta(minutes=1)), 2)
    await end(conn, second, "skipped", "wrong-person", soon + timedelta(days=9))
    assert (
        await conn.fetchval("select held_rule from queue where campaign_id = $1", asked.campaign_id)
        == "preview"
    )
    assert len((await dialed(conn, asked, third)).reserved) == 1


async def test_a_live_attempt_tells_who_dialed_it_and_whom(conn: Conn) -> None:
    world = await floor(conn, 2)
    first = await shown(conn, of(world, "spring"), 2)
    (call,) = (await dialed(conn, of(world, "spring"), first)).reserved
    (other,) = (await reserve(conn, of(world, "autumn"))).reserved
    by = {one.attempt_id: one.dialed_by for one in await live_attempts(conn, None)}
    assert by == {call.attempt_id: "ben", other.attempt_id: None}
    assert await card_of_attempt(conn, call.attempt_id) == first.card
    assert await card_of_attempt(conn, first.on_show.preview_id) is None


async def test_many_agents_never_see_the_same_person(conn: Conn, pg_url: str) -> None:
    world = await floor(conn, 30)
    sessions = [await connect(pg_url, role=ENGINE_ROLE) for _ in range(6)]
    order = [of(world, name) for name in CAMPAIGNS] * 2

    async def look(each: "asyncpg.Connection[asyncpg.Record]", asked: ReserveRequest) -> list[str]:
        seen = [await on_show(each, asked) for _ in range(4)]
        return [one.on_show.number for one in seen if one is not None]

    found = await asyncio.gather(*(look(each, asked) for each, asked in zip(sessions, order, strict=True)))
    numbers = [number for some in found for number in some]
    for each in sessions:
        await each.close()
    assert len(numbers) == len(set(numbers)) >= 20


async def test_whoever_is_suppressed_while_on_show_is_found(conn: Conn) -> None:
    world = await floor(conn, 1)
    first = await shown(conn, of(world, "spring"))
    assert await suppress.live_suppressed(conn) == []
    await suppress.add(conn, first.on_show.number, world.members["acme"], "test", NOON, who="test")
    assert await suppress.live_suppressed(conn) == [(first.on_show.number, world.members["acme"])]
