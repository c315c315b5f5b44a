"""A pass reads what forbids a call and commits its hold later: what is lifted in between must find that hold."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from store_support import (
    NOON,
    WALL,
    Conn,
    World,
    gate,
    load_shipped,
    make_world,
    put_contacts,
    request,
    until_it_waits,
)

from dialer_engine.contacts.consent_file import import_consents
from dialer_engine.contacts.registry.load import LoadRequest, load
from dialer_engine.core.gate import ConsentKind
from dialer_engine.store import consent, stops, suppress
from dialer_engine.store.pool import connect
from dialer_engine.store.registry.lists import subscribe, waive
from dialer_engine.store.reserve import ReserveRequest, reserve
from dialer_engine.store.sql import sql
from dialer_engine.store.suppression_journal import SuppressionJournal

pytestmark = pytest.mark.postgres

TEXAS, FLORIDA, NEW_YORK = "+12105550101", "+13055550101", "+12122342000"
DAY = timedelta(days=1)
RULES, PLAN = load_shipped()
Lift = Callable[[Conn, World, Path], Awaitable[object]]


async def nothing(conn: Conn, world: World, home: Path) -> None:
    """What holds the contact needs no preparation."""


async def stop(conn: Conn, world: World, home: Path) -> None:
    await stops.stop(conn, "US-TX", "hurricane", WALL, who="op")


async def resume(conn: Conn, world: World, home: Path) -> None:
    assert await stops.resume(conn, "US-TX", "over", WALL, who="op")


async def suppressed(conn: Conn, world: World, home: Path) -> None:
    await suppress.add(conn, TEXAS, None, "request", WALL, who="op")


async def removed(conn: Conn, world: World, home: Path) -> None:
    assert await suppress.remove(conn, TEXAS, None, WALL, who="op")


async def agreed(conn: Conn, world: World, home: Path) -> None:
    signed = consent.NewConsent(FLORIDA, ConsentKind.express_written, NOON - DAY, "form", "roofs", "I agree")
    assert (await consent.add(conn, world.members["acme"], [signed], WALL, who="op")).numbers


async def agreed_in_a_file(conn: Conn, world: World, home: Path) -> None:
    file = home / "consents.csv"
    file.write_text(f"number,kind,since,text\n{FLORIDA},express_written,2026-06-09,I agree\n")
    assert (await import_consents(conn, file, world.members["acme"], WALL, who="op")).added == 1


async def listed(conn: Conn, name: str, number: str, file: Path, **changes: object) -> None:
    file.write_text(f"{number[2:5]},{number[5:]}\n")
    asked = LoadRequest(name, (file,), NOON - DAY, NOON, "op")
    await load(conn, replace(asked, **changes), PLAN)  # type: ignore[arg-type]


async def on_a_list(conn: Conn, world: World, home: Path) -> None:
    await listed(conn, "litigator:acme", TEXAS, home / "old.txt")


async def off_the_list(conn: Conn, world: World, home: Path) -> None:
    await listed(conn, "litigator:acme", FLORIDA, home / "new.txt")


async def not_subscribed(conn: Conn, world: World, home: Path) -> None:
    await subscribe(conn, "us_national", "10203040", None, [212], NOON, "op")
    await listed(conn, "us_national", "+12122342001", home / "n.txt", account="10203040", numbers=1)
    await conn.execute("update registry_subscriptions set ended_at = now()")


async def subscribed(conn: Conn, world: World, home: Path) -> None:
    await subscribe(conn, "us_national", "10203040", None, [212], NOON, "op")


async def waived(conn: Conn, world: World, home: Path) -> None:
    await waive(conn, "us_national", None, "a registered charity", NOON, "op")


async def journal_of_a_removal(conn: Conn, world: World, home: Path) -> None:
    """The database is one of before the removal, as after a restore."""
    await suppressed(conn, world, home)
    journal = SuppressionJournal(home / "suppressions.jsonl")
    await journal.open(conn, WALL)
    await conn.execute("create table before as select * from suppressions")
    await suppress.remove(conn, TEXAS, None, WALL + DAY, who="op")
    await journal.flush(conn)
    await conn.execute("alter table suppression_log disable trigger user")
    await conn.execute("delete from suppression_log where action = 'remove'")
    await conn.execute("insert into suppressions overriding system value select * from before")


async def compared(conn: Conn, world: World, home: Path) -> None:
    assert (await SuppressionJournal(home / "suppressions.jsonl").open(conn, WALL + DAY)).applied == 1


CASES: dict[str, tuple[str, str, Lift, Lift]] = {
    "a stop that ends": (TEXAS, "emergency_stop", stop, resume),
    "an entry that is removed": (TEXAS, "internal_suppression", suppressed, removed),
    "a consent": (FLORIDA, "automated_dialing", nothing, agreed),
    "a file of consents": (FLORIDA, "automated_dialing", nothing, agreed_in_a_file),
    "a new list": (TEXAS, "litigator", on_a_list, off_the_list),
    "a subscription": (NEW_YORK, "list_freshness", not_subscribed, subscribed),
    "a waiver": (NEW_YORK, "list_freshness", not_subscribed, waived),
    "a journal": (TEXAS, "internal_suppression", journal_of_a_removal, compared),
}


def asking(world: World, number: str) -> ReserveRequest:
    """A pass; lists are needed only for the number that is about them."""
    context = gate()
    return request(
        world, context=replace(context, lab=False, lists=RULES.lists) if number == NEW_YORK else context
    )


@pytest.mark.parametrize("case", CASES)
async def test_what_is_lifted_while_a_pass_is_under_way_finds_whom_the_pass_holds(
    conn: Conn, pg_url: str, tmp_path: Path, case: str
) -> None:
    number, rule, hold, lift = CASES[case]
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", [[number]])
    await hold(conn, world, tmp_path)
    under_way, other = await connect(pg_url, batch=True), await connect(pg_url)
    transaction = under_way.transaction()
    await transaction.start()
    assert (await reserve(under_way, asking(world, number))).held == {rule: 1}
    lifting = asyncio.create_task(lift(other, world, tmp_path))
    waiting = asyncio.create_task(until_it_waits(conn, other))
    await asyncio.wait([lifting, waiting], return_when=asyncio.FIRST_COMPLETED)
    await transaction.commit()
    await lifting
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    found = await conn.fetchrow("select state, held_rule from queue")
    assert found is not None
    assert tuple(found) == ("due", None), "nobody would look at it again"
    [call] = (await reserve(under_way, asking(world, number))).reserved
    assert call.number == number
    await under_way.close()
    await other.close()


@pytest.mark.parametrize("case", ["an entry that is removed", "a consent", "a stop that ends", "a journal"])
async def test_dialing_does_not_wait_for_whom_a_long_import_has_locked(
    conn: Conn, pg_url: str, tmp_path: Path, case: str
) -> None:
    """With the turn in hand it would, and so would every opt-out."""
    number, rule, hold, lift = CASES[case]
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", [[number]])
    await hold(conn, world, tmp_path)
    long, dialing, other = [await connect(pg_url, batch=True) for _ in range(3)]
    assert (await reserve(dialing, asking(world, number))).held == {rule: 1}
    transaction = long.transaction()
    await transaction.start()
    await long.execute("select 1 from queue where state = 'held' for update")
    lifting = asyncio.create_task(lift(other, world, tmp_path))
    await until_it_waits(conn, other)
    await dialing.execute("set lock_timeout = '2s'")
    async with dialing.transaction():
        await dialing.execute(sql("reserve_open"))
    await suppress.add(dialing, "+12145550102", None, "key", WALL, who="op")
    await transaction.commit()
    await lifting
    assert await conn.fetchval("select state from queue order by contact_id limit 1") == "due"
    for each in (long, dialing, other):
        await each.close()


@pytest.mark.parametrize("case", ["a stop that ends", "a consent", "a file of consents"])
async def test_a_command_that_was_ended_after_its_commit_is_mended_by_another_one(
    conn: Conn, tmp_path: Path, case: str
) -> None:
    number, rule, hold, lift = CASES[case]
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", [[number]])
    await hold(conn, world, tmp_path)
    assert (await reserve(conn, asking(world, number))).held == {rule: 1}
    await conn.execute("create table held_then as select * from queue")
    await lift(conn, world, tmp_path)
    await conn.execute(
        "update queue q set state = h.state, next_at = h.next_at, held_rule = h.held_rule from held_then h"
    )
    with contextlib.suppress(AssertionError):  # it says that there was nothing to do
        await lift(conn, world, tmp_path)
    assert await conn.fetchval("select state from queue") == "due"
