"""The lease as a fence: who waits is seen, and nothing of an earlier owner is written once another has taken it."""

import asyncio
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from store_support import WALL, Conn, end_of, fictional, make_world, put_contacts, request, until_it_waits

from dialer_engine.engine.awakening import Awakening
from dialer_engine.engine.identity import owner_name
from dialer_engine.engine.ownership import LEASE_TTL, Ownership
from dialer_engine.engine.tasks import Tasks
from dialer_engine.engine.writer import Writer
from dialer_engine.store import lease
from dialer_engine.store.attempts import AttemptEvent
from dialer_engine.store.errors import LeaseHeld, StaleEpoch
from dialer_engine.store.pool import connect
from dialer_engine.store.reserve import reserve

pytestmark = pytest.mark.postgres

TTL = timedelta(seconds=30)


async def test_who_waits_is_seen_until_the_connection_ends(conn: Conn, pg_url: str) -> None:
    other = await connect(pg_url)
    assert not await lease.somebody_waits(conn, "engine:main")
    await lease.wait_in_line(other, "engine:main")
    assert await lease.somebody_waits(conn, "engine:main")
    assert not await lease.somebody_waits(conn, "engine:east")
    await lease.leave_line(other, "engine:main")
    assert not await lease.somebody_waits(conn, "engine:main")
    await lease.wait_in_line(other, "engine:main")
    await other.close()
    for _ in range(100):  # the server notices the end of a connection a moment later
        if not await lease.somebody_waits(conn, "engine:main"):
            return
        await asyncio.sleep(0.05)
    pytest.fail("a standby that is gone is still in line")


async def test_a_taking_waits_for_a_write_that_has_begun_and_stops_the_next(conn: Conn, pg_url: str) -> None:
    other = await connect(pg_url)
    epoch = await lease.take(conn, "engine", "one", timedelta(0))
    async with conn.transaction():
        await lease.guard(conn, "engine", epoch)
        taking = asyncio.create_task(lease.take(other, "engine", "two", TTL))
        await until_it_waits(conn, other)
        assert not taking.done(), "taken in the middle of a write"
    assert await taking == epoch + 1
    with pytest.raises(StaleEpoch, match="epoch 2"):
        async with conn.transaction():
            await lease.guard(conn, "engine", epoch)
    await other.close()


async def test_a_heartbeat_does_not_wait_for_a_write(conn: Conn, pg_url: str) -> None:
    other = await connect(pg_url)
    epoch = await lease.take(conn, "engine", "one", TTL)
    async with conn.transaction():
        await lease.guard(conn, "engine", epoch)
        assert await asyncio.wait_for(lease.heartbeat(other, "engine", "one", epoch, TTL), 5.0)
    await other.close()


async def test_a_reservation_of_a_displaced_engine_is_refused(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(3))
    epoch = await lease.take(conn, "engine", "one", timedelta(0))
    wanted = replace(request(world, 1), epoch=epoch, lease="engine")
    assert len((await reserve(conn, wanted)).reserved) == 1
    await lease.take(conn, "engine", "two", TTL)
    with pytest.raises(StaleEpoch):
        await reserve(conn, wanted)
    assert await conn.fetchval("select count(*) from attempts") == 1


async def test_the_writer_of_a_displaced_engine_writes_nothing_and_sets_its_records_aside(
    conn: Conn, pg_url: str, tmp_path: Path
) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(1))
    owned = Ownership(pg_url, "engine", "one")
    await owned.take()
    assert owned.holds()
    taken = (await reserve(conn, replace(request(world, 1), epoch=owned.epoch))).reserved[0]
    rejected = tmp_path / "rejected.jsonl"
    writer = Writer(lambda: connect(pg_url), tmp_path / "held", rejected, owned.epoch, owned.guard)
    displaced = asyncio.Event()
    writer.on_displaced = displaced.set
    running = asyncio.create_task(writer.run())
    writer.put(AttemptEvent(taken.attempt_id, 1, "dialing", WALL))
    await asyncio.wait_for(writer.flushed(), 20.0)
    assert await conn.fetchval("select count(*) from attempt_events") == 1

    await owned.release()
    await lease.take(conn, "engine", "two", TTL)
    writer.put(end_of(taken))
    await asyncio.wait_for(displaced.wait(), 20.0)
    writer.put(AttemptEvent(taken.attempt_id, 9, "ringing", WALL))
    await asyncio.wait_for(writer.flushed(), 20.0)
    assert await conn.fetchval("select count(*) from attempt_events") == 1
    assert await conn.fetchval("select count(*) from cdrs") == 0
    aside = [json.loads(line)["kind"] for line in rejected.read_text(encoding="utf-8").splitlines()]
    assert aside == ["AttemptEnd", "AttemptEvent"]
    running.cancel()
    await writer.close()
    owned.close()


async def test_a_second_asterisk_on_one_database_is_refused_until_the_first_engine_has_ended(
    conn: Conn, pg_url: str
) -> None:
    main, east = Ownership(pg_url, "engine:main", "one"), Ownership(pg_url, "engine:east", "two")
    await main.take()
    with pytest.raises(LeaseHeld, match=r"engine:main.*database of its own") as held:
        await east.take()
    assert held.value.owner == "one"
    assert await conn.fetchval("select count(*) from leases") == 1
    await Ownership(pg_url, "engine:west", "one").take()  # its own Asterisk may get another name
    await conn.execute("update leases set expires_at = 'yesterday'")
    await east.take()
    assert (main.epoch, east.epoch) == (1, 1)
    with pytest.raises(LeaseHeld, match="engine:east"):
        await main.take()


async def test_two_homes_at_the_same_path_of_hosts_of_one_name_are_two_engines(
    conn: Conn, pg_url: str, tmp_path: Path
) -> None:
    """As two machines with the same compose file are, on one database."""
    home = tmp_path / "home"
    first = Ownership(pg_url, "engine:main", owner_name(home))
    await first.take()
    home.rename(tmp_path / "kept")
    elsewhere = owner_name(home)
    for name in ("engine:main", "engine:two"):
        other = Ownership(pg_url, name, elsewhere)
        with pytest.raises(LeaseHeld) as held:
            await other.take()
        other.close()
        assert held.value.owner == first.owner
    shutil.rmtree(home)
    (tmp_path / "kept").rename(home)
    again = Ownership(pg_url, "engine:main", owner_name(home))
    await again.take()
    assert again.epoch == 2, "an engine of the same home need not wait"
    for one in (first, again):
        one.close()


async def test_of_engines_that_come_at_once_with_an_asterisk_each_one_may_work(pg_url: str) -> None:
    engines = [Ownership(pg_url, f"engine:{n}", f"owner {n}") for n in range(6)]
    taken = await asyncio.gather(*(one.take() for one in engines), return_exceptions=True)
    assert sum(isinstance(each, LeaseHeld) for each in taken) == 5
    assert sum(each is None for each in taken) == 1
    for one in engines:
        one.close()


async def test_an_ownership_learns_that_it_was_lost_and_who_has_it(conn: Conn, pg_url: str) -> None:
    owned, second = Ownership(pg_url, "engine", "one"), Ownership(pg_url, "engine", "two")
    await owned.take()
    with pytest.raises(LeaseHeld) as held:
        await second.take()
    assert held.value.owner == "one"
    await second.wait_in_line()
    assert await owned.standby_waits()
    lost = asyncio.Event()
    owned.on_lost = lost.set
    keeping = asyncio.create_task(owned.keep())
    await conn.execute("update leases set expires_at = 'yesterday'")
    for _ in range(100):
        try:
            await second.take()
        except LeaseHeld:  # a heartbeat came between
            await conn.execute("update leases set expires_at = 'yesterday'")
        else:
            break
    await asyncio.wait_for(lost.wait(), 20.0)
    await keeping
    assert second.epoch == owned.epoch + 1
    assert not await second.standby_waits(), "the owner does not wait for itself"
    owned.close()
    second.close()


async def test_what_was_said_during_a_freeze_waits_until_it_is_known_who_owns_the_calls(
    conn: Conn, pg_url: str
) -> None:
    owned, tasks = Ownership(pg_url, "engine", "one"), Tasks()
    acted: list[object] = []
    lost = asyncio.Event()
    owned.on_lost = lost.set
    awakening = Awakening(owned, tasks, lambda node, event: acted.append(event), lost.is_set)
    await owned.take()
    awakening.on_event("main", "fresh")
    assert acted == ["fresh"]

    sleep_through(owned)
    awakening.on_event("main", "still ours")
    assert acted == ["fresh"]
    assert awakening.behind
    tasks.keep(owned.keep, "lease")
    await until_true(lambda: acted == ["fresh", "still ours"])
    assert not awakening.behind
    await tasks.close()

    await conn.execute("update leases set expires_at = 'yesterday'")
    await lease.take(conn, "engine", "two", TTL)
    sleep_through(owned)
    awakening.on_event("main", "not ours any more")
    tasks.keep(owned.keep, "lease")
    await until_true(lambda: not len(tasks))
    assert lost.is_set()
    assert awakening.behind
    assert acted == ["fresh", "still ours"]
    owned.close()


async def test_a_failed_renewal_after_a_freeze_does_not_tell_who_owns_the_calls(
    conn: Conn, pg_url: str
) -> None:
    """The old connection may have died in the sleep, so the next try tells; unless the database stays away."""
    owned, tasks = Ownership(pg_url, "engine", "one"), Tasks()
    acted: list[object] = []
    lost = asyncio.Event()
    owned.on_lost = lost.set
    awakening = Awakening(owned, tasks, lambda node, event: acted.append(event), lost.is_set)
    await owned.take()

    sleep_through(owned)
    lose_sight(owned, NOBODY_THERE)
    awakening.on_event("main", "of an outage")
    tasks.keep(owned.keep, "lease")
    began = time.monotonic()
    await until_true(lambda: acted == ["of an outage"])
    assert time.monotonic() - began >= LEASE_TTL.total_seconds() - 0.1
    awakening.on_event("main", "still in the outage")
    assert acted == ["of an outage", "still in the outage"]
    await tasks.close()

    await conn.execute("update leases set expires_at = 'yesterday'")
    await lease.take(conn, "engine", "two", TTL)
    sleep_through(owned)
    awakening.on_event("main", "not ours any more")
    tasks.keep(owned.keep, "lease")
    await owned.looked()
    await asyncio.sleep(0.05)
    lose_sight(owned, pg_url)
    await until_true(lambda: not len(tasks))
    assert lost.is_set()
    assert acted == ["of an outage", "still in the outage"]
    owned.close()


NOBODY_THERE = "postgresql://dialer@127.0.0.1:1/dialer"


def lose_sight(owned: Ownership, url: str) -> None:
    """From now on the database is looked for here."""
    owned._drop()
    owned._url = url


def sleep_through(owned: Ownership) -> None:
    """As if the process had been frozen for longer than the lease lasts."""
    assert owned._clock.renewed is not None
    owned._clock.renewed -= 60.0
    owned._tried -= 60.0
    assert owned.woken
    assert not owned.holds()


async def until_true(what: Callable[[], bool]) -> None:
    for _ in range(400):
        if what():
            return
        await asyncio.sleep(0.05)
    pytest.fail("never came true")
