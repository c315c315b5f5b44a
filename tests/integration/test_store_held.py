"""What keeps contacts back follows the settings: lists that a campaign has, and settings that verdicts go by."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from store_support import (
    NOON,
    RETRY,
    WALL,
    Campaign,
    Conn,
    World,
    end_of,
    fictional,
    gate,
    make_world,
    put_contacts,
    request,
)

from dialer_engine.core.gate import GateContext
from dialer_engine.store import suppress
from dialer_engine.store.attempts import Disposed, dispose, write
from dialer_engine.store.directory import sync_campaigns
from dialer_engine.store.pool import connect
from dialer_engine.store.preview import ShowRequest, show
from dialer_engine.store.preview_ends import PreviewEnd, end_previews
from dialer_engine.store.queue import fill, settings_text, settle_held
from dialer_engine.store.reserve import ReserveResult, reserve

pytestmark = pytest.mark.postgres

BOTH = {"spring": Campaign(lists=("june", "july"))}
WITHOUT_JUNE = {"spring": Campaign(lists=("july",))}


async def held(conn: Conn) -> dict[int, str | None]:
    rows = await conn.fetch(
        "select contact_id, held_rule from queue where state = 'held' order by contact_id"
    )
    return {row["contact_id"]: row["held_rule"] for row in rows}


async def one_contact(conn: Conn) -> tuple[World, int]:
    world = await make_world(conn, BOTH)
    [contact] = await put_contacts(conn, world.members["acme"], "june", fictional(1))
    return world, contact


# --- lists ------------------------------------------------------------------------------------------


async def test_a_call_that_outlives_its_list_is_the_last_one(conn: Conn) -> None:
    world, contact = await one_contact(conn)
    [call] = (await reserve(conn, request(world, 1))).reserved
    await sync_campaigns(conn, WITHOUT_JUNE)
    await write(conn, [], [end_of(call, "failed", retry_at=NOON)], 1)
    after = await reserve(conn, request(world, 1, NOON + timedelta(minutes=1)))
    assert (after.reserved, after.held) == ((), {"list": 1})
    assert await held(conn) == {contact: "list"}
    await sync_campaigns(conn, BOTH)
    assert len((await reserve(conn, request(world, 1, NOON + timedelta(minutes=1)))).reserved) == 1


async def test_a_number_that_is_freed_does_not_bring_its_list_back(conn: Conn) -> None:
    world, contact = await one_contact(conn)
    await fill(conn, world.campaigns["spring"], NOON)
    await suppress.add(conn, "+12105550100", None, "x", WALL, who="x")
    await sync_campaigns(conn, WITHOUT_JUNE)
    await suppress.remove(conn, "+12105550100", None, WALL, who="x")
    assert (await reserve(conn, request(world, 1))).held == {"list": 1}
    assert await held(conn) == {contact: "list"}


async def test_contacts_that_are_filled_in_while_the_list_is_taken_away(conn: Conn, pg_url: str) -> None:
    """What takes the list away waits for the filling and does not see the contacts that it brings."""
    world, contact = await one_contact(conn)
    other = await connect(pg_url, batch=True)
    async with other.transaction():
        assert await fill(other, world.campaigns["spring"], NOON) == 1
        taking = asyncio.create_task(sync_campaigns(conn, WITHOUT_JUNE))
        done, _ = await asyncio.wait({taking}, timeout=0.5)
        assert not done
    await taking
    await other.close()
    assert await held(conn) == {}
    assert (await reserve(conn, request(world, 1))).held == {"list": 1}
    assert await held(conn) == {contact: "list"}


async def test_a_contact_on_show_whose_list_is_gone_is_not_dialed(conn: Conn) -> None:
    world, _ = await one_contact(conn)
    agent = await conn.fetchval("insert into agents (name, password) values ('ann', 'x') returning id")
    shown = (await show(conn, ShowRequest(request(world, 1), agent, "ann", timedelta(seconds=60)))).contact
    assert shown is not None
    await conn.execute("update campaign_lists set active = false")
    result = await reserve(conn, request(world, 1, shown=shown.on_show))
    assert (result.reserved, result.why_not) == ((), "list: its list was taken away from the campaign")


CALLBACK = NOON + timedelta(days=2)
HOUR = timedelta(hours=1)


async def agreed_callback(conn: Conn) -> tuple[World, int]:
    """One contact whom an agent spoke to and who is to be called again two days later."""
    world, contact = await one_contact(conn)
    [call] = (await reserve(conn, request(world, 1))).reserved
    await write(conn, [], [end_of(call, "bridged")], 1)
    callback = Disposed(call.attempt_id, "callback", "Call back", "agent", WALL, NOON, final=False)
    await dispose(conn, [replace(callback, retry=CALLBACK - NOON)])
    return world, contact


async def waits(conn: Conn) -> tuple[datetime | None, str | None]:
    """Until when the only contact waits, and by which rule."""
    row = await conn.fetchrow("select next_at, held_rule from queue")
    assert row is not None
    return row["next_at"], row["held_rule"]


async def reserve_at(conn: Conn, world: World, now: datetime) -> ReserveResult:
    """Reserve one call at a moment of the gate's clock."""
    return await reserve(conn, request(world, 1, now))


async def test_a_list_that_comes_back_brings_no_agreed_callback_forward(conn: Conn) -> None:
    """The person was just spoken to: nothing else than the agreed moment keeps the engine from dialing at once."""
    world, _ = await agreed_callback(conn)
    assert await waits(conn) == (CALLBACK, "retry")
    await sync_campaigns(conn, WITHOUT_JUNE)
    await sync_campaigns(conn, BOTH)
    assert (await reserve_at(conn, world, NOON + HOUR)).reserved == ()
    assert await waits(conn) == (CALLBACK, "retry")
    assert len((await reserve_at(conn, world, CALLBACK)).reserved) == 1


async def test_a_callback_that_comes_due_without_its_list_is_held_until_the_list_is_back(conn: Conn) -> None:
    world, contact = await agreed_callback(conn)
    await sync_campaigns(conn, WITHOUT_JUNE)
    assert (await reserve_at(conn, world, NOON + HOUR)).held == {}
    after = await reserve_at(conn, world, CALLBACK)
    assert (after.reserved, after.held) == ((), {"list": 1})
    assert await held(conn) == {contact: "list"}
    await sync_campaigns(conn, BOTH)
    assert len((await reserve_at(conn, world, CALLBACK + HOUR)).reserved) == 1


@pytest.mark.parametrize("gone_first", [False, True])
async def test_a_skip_keeps_its_moment_over_a_list_that_comes_back(conn: Conn, gone_first: bool) -> None:
    """Also where the list is taken away while the agent still looks at the contact."""
    world, _ = await one_contact(conn)
    agent = await conn.fetchval("insert into agents (name, password) values ('ann', 'x') returning id")
    shown = (await show(conn, ShowRequest(request(world, 1), agent, "ann", timedelta(seconds=60)))).contact
    assert shown is not None
    skip = PreviewEnd(shown.on_show.preview_id, "skipped", "in a meeting", WALL + HOUR, CALLBACK)
    if gone_first:
        await sync_campaigns(conn, WITHOUT_JUNE)
    await end_previews(conn, [skip])
    await sync_campaigns(conn, WITHOUT_JUNE)
    await sync_campaigns(conn, BOTH)
    assert await waits(conn) == (CALLBACK, "skipped")
    assert (await reserve_at(conn, world, NOON + HOUR)).reserved == ()


# --- settings ---------------------------------------------------------------------------------------

ONCE = settings_text({"contact_attempts": 1, "number_class": []})
TWICE = settings_text({"contact_attempts": 2, "number_class": []})


async def tried_once(conn: Conn) -> World:
    """One contact that was tried, and one whose number may not be called at all."""
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", [["+12105550101"], ["+18005550102"]])
    await settle_held(conn, world.campaigns["spring"], ONCE)
    [call] = (await once(conn, world)).reserved
    await write(conn, [], [end_of(call, "failed", retry_at=NOON)], 1)
    return world


async def once(conn: Conn, world: World) -> ReserveResult:
    """Reserve with one attempt per contact, under the settings that say so."""
    return await reserve(conn, request(world, context=gate(per_contact_total=1), held_under=ONCE))


async def test_contacts_held_under_other_settings_are_looked_at_again(conn: Conn) -> None:
    """Also when the settings changed while no engine ran: what they were held under is in the database."""
    world = await tried_once(conn)
    await once(conn, world)
    before = await held(conn)
    assert sorted(filter(None, before.values())) == ["contact_attempts", "number_class"]
    spring = world.campaigns["spring"]
    assert await settle_held(conn, spring, ONCE) == 0
    assert await held(conn) == before
    assert await settle_held(conn, spring, TWICE) == 1
    assert list((await held(conn)).values()) == ["number_class"], "it went by what is as it was"
    later = request(world, context=gate(per_contact_total=2), held_under=TWICE)
    assert len((await reserve(conn, later)).reserved) == 1


async def test_an_engine_with_the_old_settings_holds_nothing_for_good(conn: Conn) -> None:
    """Its reservation comes after the change was written: nobody would look at the contact again."""
    world = await tried_once(conn)
    await settle_held(conn, world.campaigns["spring"], TWICE)
    assert (await once(conn, world)).held == {"contact_attempts": 1}
    assert list((await held(conn)).values()) == ["number_class"]
    later = NOON + timedelta(seconds=61)
    twice = replace(gate(later), limits=gate(per_contact_total=2).limits)
    assert len((await reserve(conn, request(world, 1, later, context=twice, held_under=TWICE))).reserved) == 1


NEVER = settings_text({"retry_delay": {"unknown": None}})
A_DAY = settings_text({"retry_delay": {"unknown": 86400.0}})


def after_unknown(now: datetime, delay: timedelta | None) -> GateContext:
    """The gate of a campaign that tries a call of unknown outcome again after so long, or never."""
    usual = gate(now)
    return replace(usual, limits=replace(usual.limits, retry={**RETRY, "unknown": delay}))


async def test_whom_a_call_of_unknown_outcome_may_have_reached_is_held_until_somebody_sets_a_delay(
    conn: Conn,
) -> None:
    world, contact = await one_contact(conn)
    spring, later, day = world.campaigns["spring"], NOON + timedelta(hours=25), timedelta(days=1)
    await settle_held(conn, spring, NEVER)
    [call] = (await reserve(conn, request(world, 1))).reserved
    await write(conn, [], [end_of(call, "unknown", originated_at=WALL)], 1)
    never = request(world, 1, later, context=after_unknown(later, None), held_under=NEVER)
    assert (await reserve(conn, never)).held == {"retry_delay": 1}
    assert await held(conn) == {contact: "retry_delay"}
    assert (await reserve(conn, never)).reserved == ()
    assert await settle_held(conn, spring, A_DAY) == 1
    early = request(world, 1, context=after_unknown(NOON, day), held_under=A_DAY)
    assert (await reserve(conn, early)).held == {"retry_delay": 1}
    due = request(world, 1, later, context=after_unknown(later, day), held_under=A_DAY)
    assert [each.number for each in (await reserve(conn, due)).reserved] == [call.number]
