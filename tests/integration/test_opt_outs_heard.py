"""Opt-outs that the engine heard of itself, on a real Postgres: neither a file nor a row is needed for them."""

import json
from typing import Any

import pytest
from held_support import Desk, at, desk, on_disk, outage, until
from store_support import WALL

from dialer_engine.store import suppress
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
