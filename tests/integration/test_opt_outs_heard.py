"""Opt-outs that the engine heard of itself, on a real Postgres: neither a file nor a row is needed for them."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from held_support import Desk, at, desk, on_disk, outage, put_all, take_off_all, talk, until
from store_support import WALL, end_of
from structlog.testing import capture_logs

from dialer_engine.store import suppress
from dialer_engine.store.agents import StateChange
from dialer_engine.store.attempts import AttemptEnd, Disposed
from dialer_engine.store.errors import StaleEpoch
from dialer_engine.store.held import _opened, _sealed, held_records
from dialer_engine.store.journal import take_journal
from dialer_engine.store.opt_outs import OptOutGiven
from dialer_engine.store.pool import connect
from dialer_engine.store.suppress import Forbidden

pytestmark = pytest.mark.postgres

__all__ = ["desk"]

LOST = "f3b0c7a2-0000-4000-8000-000000000000"
"""An attempt that a restored database does not have."""


async def listed(desk: Desk) -> list[tuple[Any, ...]]:
    return await desk.fetch(
        "select s.number, m.key, s.source, s.note from suppressions s left join members m on m.id = s.member_id "
        "order by s.id"
    )


def numbers(told: list[Forbidden]) -> list[str]:
    """What the engine is told to cancel, each for one Member only."""
    assert None not in {what.member_id for what in told}
    return [what.number for what in told]


async def test_the_key_counts_once_without_a_file_over_an_outage_and_a_kill(desk: Desk) -> None:
    one = desk.attempts[0]
    told = list[Forbidden]()
    async with desk.writer(killed=True) as first:
        await outage(desk, first)
        first.put(OptOutGiven(one.attempt_id, one.number, "acme", at(9)))
        await on_disk(first, 1)
    await desk.come_back()
    async with desk.writer(epoch=2) as second:
        second.on_suppressed = told.append
        await second.caught_up()
    assert numbers(told) == [one.number]
    note = f"attempt {one.attempt_id}"
    assert await listed(desk) == [(one.number, "acme", "drop_message", note)]
    assert await desk.fetch("select attempt_id, number, at, key from opt_outs") == [
        (one.attempt_id, one.number, at(9), "9")
    ]
    assert await desk.fetch("select who from suppression_log") == [("called party",)]
    assert desk.rejected == []


async def test_a_file_that_comes_after_a_person_took_the_number_off_changes_nothing(desk: Desk) -> None:
    one = desk.attempts[0]
    async with desk.writer() as writer:
        writer.put(OptOutGiven(one.attempt_id, one.number, "acme", at(9)))
        await writer.flushed()
        assert len(await listed(desk)) == 1
    conn = await connect(desk.url)
    member = await conn.fetchval("select id from members where key = 'acme'")
    assert await suppress.remove(conn, one.number, member, WALL, who="operator")
    directory = desk.home / "optout"
    directory.mkdir()
    file = {
        "attempt_id": one.attempt_id,
        "number": one.number,
        "member_id": str(member),
        "at": at(9).isoformat(),
        "key": "9",
    }
    (directory / f"{one.attempt_id}.json").write_text(json.dumps(file))
    assert (await take_journal(conn, directory)).unreadable == {}
    await conn.close()
    assert list(directory.iterdir()) == []
    assert await listed(desk) == []


@pytest.mark.parametrize("file_first", [True, False])
async def test_file_and_record_of_one_opt_out_are_one(desk: Desk, file_first: bool) -> None:
    one, told = desk.attempts[0], list[Forbidden]()
    directory = desk.home / "optout"
    directory.mkdir()
    file = {"attempt_id": one.attempt_id, "number": one.number, "member_id": "acme", "at": at(9).isoformat()}
    (directory / "x.json").write_text(json.dumps(file))
    conn = await connect(desk.url)
    if file_first:
        await take_journal(conn, directory)
    async with desk.writer() as writer:
        writer.on_suppressed = told.append
        writer.put(OptOutGiven(one.attempt_id, one.number, "acme", at(9)))
        await writer.flushed()
        await until(lambda: numbers(told) == [one.number], "the engine cancels what it has to that number")
    if not file_first:
        await take_journal(conn, directory)
    await conn.close()
    assert [row[:3] for row in await listed(desk)] == [(one.number, "acme", "drop_message")]
    assert await desk.fetch("select count(*) from suppression_log") == [(1,)]


async def test_an_attempt_that_a_restore_lost_forbids_by_what_was_said_with_it(desk: Desk) -> None:
    conn = await connect(desk.url)
    member = str(await conn.fetchval("select id from members where key = 'acme'"))
    await conn.close()
    async with desk.writer() as writer:
        writer.put(OptOutGiven(LOST, "+12105550177", "acme", at(9)))
        writer.put(OptOutGiven(LOST.replace("f3", "f4"), "+12105550178", member, at(9)))
        writer.put(OptOutGiven(LOST.replace("f3", "f5"), "+12105550179", "gone", at(9)))
        writer.put(OptOutGiven("no uuid", "+12105550180", "acme", at(9)))
        writer.put(OptOutGiven(LOST.replace("f3", "f6"), None, "acme", at(9)))
        await writer.flushed()
    found = {row[0]: row[1:] for row in await listed(desk)}
    assert {number: row[0] for number, row in found.items()} == {
        "+12105550177": "acme",
        "+12105550178": "acme",
        "+12105550179": None,
        "+12105550180": "acme",
    }
    assert "its Member is not in this database" in found["+12105550179"][2]
    assert desk.rejected == []


async def test_an_agents_do_not_call_outlives_a_restore_that_lost_the_attempt(desk: Desk) -> None:
    """The engine held what happened; the database that comes back is older than the call."""
    one, other = desk.attempts[:2]
    lost = replace(one, attempt_id=LOST)
    records = [
        replace(each, number=lost.number, member="acme")
        if isinstance(each, Disposed)
        else replace(each, number=lost.number, campaign="spring", member="acme")
        if isinstance(each, AttemptEnd)
        else each
        for each in talk(lost, desk.agent, suppress=True)
        if not isinstance(each, StateChange)
    ]
    told = list[Forbidden]()
    async with desk.writer() as writer:
        writer.on_suppressed = told.append
        await outage(desk, writer)
        put_all(writer, [*records, *talk(other, desk.agent)])
        await on_disk(writer, len(records) + 8)
        await desk.come_back()
        await until(lambda: writer.healthy, "the database is back")
    assert numbers(told) == [lost.number]
    assert await listed(desk) == [(lost.number, "acme", "disposition", f"attempt {LOST}")]
    assert await desk.fetch("select who from suppression_log") == [("agent",)]
    assert [each["kind"] for each in desk.rejected] == [*["AttemptEvent"] * 4, "AttemptEnd", "Disposed"]
    end = desk.rejected[4]["record"]
    assert (end["number"], end["campaign"], end["member"]) == (lost.number, "spring", "acme")
    assert await desk.fetch("select attempt_id::text, code from dispositions") == [(other.attempt_id, "sale")]


async def test_a_disposition_that_was_held_before_the_number_stood_in_it_is_read(desk: Desk) -> None:
    one = desk.attempts[0]
    async with desk.writer(killed=True) as first:
        await outage(desk, first)
        put_all(first, talk(one, desk.agent, suppress=True))
        await on_disk(first, 8)
    [file] = desk.held.iterdir()
    newer = b',"number":null,"member":null', b',"number":null,"campaign":null,"member":null'
    older = [_opened(line) for line in file.read_bytes().splitlines()]
    for words in newer:
        assert sum(words in line for line in older) == 1
        older = [line.replace(words, b"") for line in older]
    file.write_bytes(b"".join(_sealed(content) for content in older))
    await desk.come_back()
    async with desk.writer(epoch=2) as second:
        await second.caught_up()
    assert [row[:3] for row in await listed(desk)] == [(one.number, "acme", "disposition")]
    assert desk.rejected == []


async def test_a_late_do_not_call_in_an_outage_is_obeyed_once_after_it(desk: Desk) -> None:
    """The default disposition and the late one are held together, and written by the next engine."""
    one, told = desk.attempts[0], list[Forbidden]()
    *rest, given = talk(one, desk.agent)
    assert isinstance(given, Disposed)
    default = replace(given, code="later", by="default", final=False, retry=timedelta(days=2))
    late = replace(given, code="dnc", suppress=True, at=at(95), number=one.number, member="acme")
    async with desk.writer(killed=True) as first:
        await outage(desk, first)
        put_all(first, [*rest, default, late])
        await on_disk(first, 9)
    await desk.come_back()
    async with desk.writer(epoch=2) as second:
        second.on_suppressed = told.append
        await second.caught_up()
    assert numbers(told) == [one.number]
    assert [row[:3] for row in await listed(desk)] == [(one.number, "acme", "disposition")]
    assert await desk.fetch("select code, given_by, at from dispositions order by id") == [
        ("later", "default", at(70)),
        ("dnc", "agent", at(95)),
    ]
    assert await desk.fetch("select disposition from cdr_export") == [("dnc",)]
    query = "select contact_id from queue where state = 'done' and final"
    assert await desk.fetch(query) == [(one.contact_id,)]
    assert desk.rejected == []


class Fence:
    """The lease, as the writer's guard: `lost` once another engine has it."""

    lost = False

    async def guard(self, conn: object) -> None:
        if self.lost:
            raise StaleEpoch("another engine owns the lease")


async def test_an_engine_that_lost_the_lease_writes_its_opt_outs_and_nothing_else(desk: Desk) -> None:
    one, other, agents = desk.attempts[0], desk.attempts[1], desk.attempts[2]
    fence, told = Fence(), list[Forbidden]()
    async with desk.writer(guard=fence.guard) as writer:
        writer.on_suppressed = told.append
        put_all(writer, talk(one, desk.agent))
        await writer.flushed()
        fence.lost = True
        put_all(writer, [*talk(agents, desk.agent, suppress=True), end_of(other)])
        writer.put(OptOutGiven(other.attempt_id, other.number, "acme", at(9)))
        await writer.flushed()
    assert sorted(numbers(told)) == sorted([agents.number, other.number])
    assert {row[:3] for row in await listed(desk)} == {
        (agents.number, "acme", "disposition"),
        (other.number, "acme", "drop_message"),
    }
    assert await desk.fetch("select attempt_id::text from cdrs") == [(one.attempt_id,)]
    assert await desk.fetch("select attempt_id::text from dispositions") == [(one.attempt_id,)]
    kinds = [each["kind"] for each in desk.rejected]
    assert sorted(kinds) == [*["AttemptEnd"] * 2, *["AttemptEvent"] * 4, "Disposed", *["StateChange"] * 2]


async def test_an_engine_that_ends_before_it_could_write_leaves_no_opt_out_on_its_disk_only(
    desk: Desk,
) -> None:
    """What an engine before it left there too: this one may not even read on once the lease is lost."""
    one, other = desk.attempts[:2]
    async with desk.writer(killed=True) as first:
        await outage(desk, first)
        put_all(first, talk(one, desk.agent, suppress=True))
        await on_disk(first, 8)
    await desk.come_back()
    fence = Fence()
    fence.lost = True
    async with desk.writer(epoch=2, guard=fence.guard) as second:
        displaced = asyncio.Event()
        second.on_displaced = displaced.set
        await asyncio.wait_for(displaced.wait(), 20.0)
        second.put(OptOutGiven(other.attempt_id, other.number, "acme", at(9)))
    assert {row[:3] for row in await listed(desk)} == {
        (one.number, "acme", "disposition"),
        (other.number, "acme", "drop_message"),
    }
    assert await desk.fetch("select count(*) from dispositions") == [(0,)]
    assert held_records(desk.held) == 9
    conn = await connect(desk.url)
    await take_off_all(conn)  # by a person meanwhile
    await conn.close()
    async with desk.writer(epoch=3) as third:
        await third.caught_up()
    assert await listed(desk) == [], "an opt-out was obeyed twice"
    assert await desk.fetch("select code from dispositions") == [("dnc",)]


async def test_an_engine_that_ends_in_an_outage_says_whose_opt_outs_wait(desk: Desk) -> None:
    one = desk.attempts[0]
    with capture_logs() as logs:
        async with desk.writer() as writer:
            await outage(desk, writer)
            put_all(writer, talk(one, desk.agent, suppress=True))
    said = [entry for entry in logs if entry["log_level"] == "critical"]
    assert [entry["opt_outs"] for entry in said] == [1]
    await desk.come_back()
    async with desk.writer(epoch=2) as second:
        await second.caught_up()
    assert [row[0] for row in await listed(desk)] == [one.number]


async def test_a_do_not_call_counts_also_when_its_disposition_is_refused(desk: Desk) -> None:
    *rest, disposed = talk(desk.attempts[0], desk.agent, suppress=True)
    assert isinstance(disposed, Disposed)
    async with desk.writer() as writer:
        put_all(writer, [*rest, replace(disposed, code="")])
        await writer.flushed()
    assert [row[:3] for row in await listed(desk)] == [(desk.attempts[0].number, "acme", "disposition")]
    assert [each["kind"] for each in desk.rejected] == ["Disposed"]
