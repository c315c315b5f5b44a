"""Opt-outs that the engine heard of itself, on a real Postgres: neither a file nor a row is needed for them."""

import json
from dataclasses import replace
from typing import Any

import pytest
from held_support import Desk, at, desk, on_disk, outage, put_all, talk, until
from store_support import WALL

from dialer_engine.store import suppress
from dialer_engine.store.agents import StateChange
from dialer_engine.store.attempts import AttemptEnd, Disposed
from dialer_engine.store.held import _opened, _sealed
from dialer_engine.store.journal import take_journal
from dialer_engine.store.opt_outs import OptOutGiven
from dialer_engine.store.pool import connect

pytestmark = pytest.mark.postgres

__all__ = ["desk"]

LOST = "f3b0c7a2-0000-4000-8000-000000000000"
"""An attempt that a restored database does not have."""


async def listed(desk: Desk) -> list[tuple[Any, ...]]:
    return await desk.fetch(
        "select s.number, m.key, s.source, s.note from suppressions s left join members m on m.id = s.member_id "
        "order by s.id"
    )


async def test_the_key_counts_once_without_a_file_over_an_outage_and_a_kill(desk: Desk) -> None:
    one = desk.attempts[0]
    told: list[str] = []
    async with desk.writer(killed=True) as first:
        await outage(desk, first)
        first.put(OptOutGiven(one.attempt_id, one.number, "acme", at(9)))
        await on_disk(first, 1)
    await desk.come_back()
    async with desk.writer(epoch=2) as second:
        second.on_suppressed = told.append
        await second.caught_up()
    assert told == [one.number]
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
    assert (await take_journal(conn, directory, WALL)).unreadable == {}
    await conn.close()
    assert list(directory.iterdir()) == []
    assert await listed(desk) == []


@pytest.mark.parametrize("file_first", [True, False])
async def test_file_and_record_of_one_opt_out_are_one(desk: Desk, file_first: bool) -> None:
    one, told = desk.attempts[0], list[str]()
    directory = desk.home / "optout"
    directory.mkdir()
    file = {"attempt_id": one.attempt_id, "number": one.number, "member_id": "acme", "at": at(9).isoformat()}
    (directory / "x.json").write_text(json.dumps(file))
    conn = await connect(desk.url)
    if file_first:
        await take_journal(conn, directory, WALL)
    async with desk.writer() as writer:
        writer.on_suppressed = told.append
        writer.put(OptOutGiven(one.attempt_id, one.number, "acme", at(9)))
        await writer.flushed()
        await until(lambda: told == [one.number], "the engine cancels what it has to that number")
    if not file_first:
        await take_journal(conn, directory, WALL)
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
    told: list[str] = []
    async with desk.writer() as writer:
        writer.on_suppressed = told.append
        await outage(desk, writer)
        put_all(writer, [*records, *talk(other, desk.agent)])
        await on_disk(writer, len(records) + 8)
        await desk.come_back()
        await until(lambda: writer.healthy, "the database is back")
    assert told == [lost.number]
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
