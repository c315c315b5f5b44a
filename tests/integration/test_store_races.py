"""What must hold when many do it at once: one live attempt per number, the cap, and suppressions that win."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

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
    make_world,
    put_contacts,
    request,
    until_it_waits,
)

from dialer_engine.store import suppress
from dialer_engine.store.attempts import write
from dialer_engine.store.pool import connect
from dialer_engine.store.reserve import ReserveRequest, reserve

pytestmark = pytest.mark.postgres

MEMBERS = {"acme": Member(), "bolt": Member("Bolt")}
CAMPAIGNS = {
    "spring": Campaign(),
    "autumn": Campaign(),
    "bolts": Campaign(member="bolt"),
    "nuts": Campaign(member="bolt"),
}


def requests(world: World) -> list[ReserveRequest]:
    return [
        replace(
            request(world, 7),
            campaign_id=world.campaigns[name],
            member_id=world.members[campaign.member],
            caller_ids=("+12105550171", "+12105550172"),
        )
        for name, campaign in CAMPAIGNS.items()
    ]


async def overlapping(conn: Conn, count: int) -> World:
    """Four campaigns of two Members on the same numbers."""
    world = await make_world(conn, CAMPAIGNS, MEMBERS)
    for key in MEMBERS:
        await put_contacts(conn, world.members[key], "june", fictional(count))
    return world


async def test_one_live_attempt_per_number_and_the_cap_hold_under_eight_connections(
    conn: Conn, pg_url: str
) -> None:
    world = await overlapping(conn, 60)
    live: Counter[str] = Counter()
    called: Counter[str] = Counter()

    async def worker(seed: int) -> None:
        own = await connect(pg_url)
        for turn in range(25):
            wanted = replace(requests(world)[(seed + turn) % 4], now=NOON + timedelta(seconds=61 * turn))
            got = (await reserve(own, wanted)).reserved
            for one in got:
                live[one.number] += 1
                called[one.number] += 1
                assert live[one.number] == 1, "a number is called twice at once"
            await asyncio.sleep((seed * 7 + turn * 3) % 11 / 2000)
            for one in got:
                live[one.number] -= 1
            await write(own, [], [end_of(one, "failed", retry_at=NOON) for one in got], 1)
        await own.close()

    await asyncio.gather(*(worker(seed) for seed in range(8)))
    assert max(called.values()) == 3, "at most three attempts per number in 24 hours, and the cap was reached"
    assert await conn.fetchval("select count(*) from cdrs") == sum(called.values())


async def test_a_committed_suppression_always_wins(conn: Conn, pg_url: str) -> None:
    world = await overlapping(conn, 80)
    numbers = [one for [one] in fictional(80)]
    suppressed: set[str] = set()
    violations: list[str] = []
    called: set[str] = set()

    async def reserver(seed: int) -> None:
        own = await connect(pg_url)
        for turn in range(25):
            before = set(suppressed)
            got = (await reserve(own, replace(requests(world)[(seed + turn) % 4], limit=5))).reserved
            called.update(one.number for one in got)
            violations.extend(one.number for one in got if one.number in before)
            ends = [end_of(one, "failed", retry_at=NOON + timedelta(seconds=1)) for one in got]
            await write(own, [], ends, 1)
        await own.close()

    async def suppressor() -> None:
        own = await connect(pg_url)
        for number in numbers[::2]:
            await suppress.add(own, number, None, "request", WALL, who="op")
            suppressed.add(number)
            await asyncio.sleep(0.002)
        await own.close()

    await asyncio.gather(suppressor(), *(reserver(seed) for seed in range(6)))
    assert len(suppressed) == 40
    assert violations == []
    assert len(called) >= 40, "whoever is not suppressed"


async def test_a_suppression_waits_for_the_reservation_and_then_finds_its_call(
    conn: Conn, pg_url: str
) -> None:
    """The reservation read the lists before the entry; the entry's commit must come after it and see it."""
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(1))
    held = await connect(pg_url)
    adder = await connect(pg_url)
    transaction = held.transaction()
    await transaction.start()
    [one] = (await reserve(held, request(world))).reserved
    adding = asyncio.create_task(suppress.add(adder, one.number, None, "request", WALL, who="op"))
    await until_it_waits(held, adder)
    assert not adding.done(), "the entry waits for the reservation under way"
    await transaction.commit()
    assert await adding == [one.attempt_id]
    await held.close()
    await adder.close()


async def test_a_reservation_waits_for_a_suppression_that_is_being_committed(conn: Conn, pg_url: str) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(1))
    adder = await connect(pg_url)
    transaction = adder.transaction()
    await transaction.start()
    await suppress.add_within(adder, ["+12105550100"], None, "request", WALL, who="op")
    reserving = asyncio.create_task(reserve(conn, request(world)))
    await until_it_waits(adder, conn)
    assert not reserving.done()
    await transaction.commit()
    result = await reserving
    assert result.reserved == ()
    assert result.held == {"internal_suppression": 1}
    await adder.close()


ATTEMPT = """
insert into attempts (campaign_id, member_id, contact_id, number_id, number, caller_id, trunk, node, epoch, gate_at,
                      reserved_at, local_time, zone, rule_versions, list_versions)
select $1, member_id, contact_id, id, number, '+12105550171', 'main', 'main', 1, $2, $2, '', '', '', ''
from contact_numbers"""


async def test_a_contact_whose_number_became_live_just_now_is_held_as_any_other_live_one(
    conn: Conn, pg_url: str
) -> None:
    """The other attempt is committed after the gate looked: only the index of live numbers sees it."""
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(1))
    other = await connect(pg_url)
    transaction = other.transaction()
    await transaction.start()
    await other.execute(ATTEMPT, world.campaigns["spring"], WALL)
    reserving = asyncio.create_task(reserve(conn, request(world)))
    await asyncio.sleep(0.1)
    assert not reserving.done()
    await transaction.commit()
    result = await reserving
    assert (result.reserved, result.held) == ((), {"live_call": 1})
    await other.close()


async def test_a_session_that_freezes_in_a_transaction_lets_go(pg_url: str) -> None:
    """An engine stopped in the middle of a reservation must not keep opt-outs waiting for ever."""
    frozen = await connect(pg_url)
    await frozen.execute("set idle_in_transaction_session_timeout = '200ms'")
    await frozen.execute("begin; select pg_advisory_xact_lock_shared(7204602)")
    other = await connect(pg_url)
    await asyncio.wait_for(suppress.add(other, "+12105550100", None, "request", WALL, who="op"), 3)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)):
        await frozen.execute("select 1")
    await other.close()
