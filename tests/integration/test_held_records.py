"""Records while the database is away, on a real Postgres that turns connections away: on disk, then written once."""

import asyncio
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from held_support import Desk, at, desk, fill, on_disk, outage, put_all, small_disk, take_off_all, talk, until
from store_support import NOON, end_of
from structlog.testing import capture_logs

from dialer_engine.engine.surroundings import Blockers
from dialer_engine.engine.works import Works
from dialer_engine.engine.writer import MOST_IN_MEMORY
from dialer_engine.store.agents import StateChange
from dialer_engine.store.attempts import AttemptEvent, Disposed, adopt
from dialer_engine.store.held import _opened, _sealed, held_records, read_held
from dialer_engine.store.pool import connect
from dialer_engine.store.preview import ShowRequest, show
from dialer_engine.store.preview_ends import PreviewEnd
from dialer_engine.store.sql import sql
from dialer_engine.store.suppress import Forbidden

pytestmark = pytest.mark.postgres

__all__ = ["desk", "small_disk"]

CDR = (
    "select result, originated_at, ringing_at, answered_at, joined_at, ended_at, ended_by, agent from cdrs "
    "order by reserved_at, attempt_id"
)
TALKED = ("bridged", at(1), at(2), at(5), at(5.02), at(65), "agent", "ana")


async def test_what_happens_during_an_outage_is_on_the_disk_and_then_written_in_order(desk: Desk) -> None:
    suppressed = list[Forbidden]()
    async with desk.writer() as writer:
        writer.on_suppressed = suppressed.append
        await outage(desk, writer)
        for one in desk.attempts[:2]:
            put_all(writer, talk(one, desk.agent, suppress=one is desk.attempts[0]))
            await writer.flushed()
        await on_disk(writer, 16)
        assert held_records(desk.held) == len(writer) == 16
        batch, broken = read_held(sorted(desk.held.glob("*.jsonl"))[0])
        assert [each.number for each in batch] == list(range(1, 17))
        assert broken == []
        await desk.come_back()
        await until(lambda: writer.healthy, "the database is back")
        assert (writer.held, list(desk.held.iterdir())) == (0, [])
        assert desk.said == ["healthy False unsafe False", "before healthy", "healthy True unsafe False"]
    assert await desk.fetch(CDR) == [TALKED, TALKED]
    assert [what.number for what in suppressed] == [desk.attempts[0].number]
    assert await desk.fetch("select number, source from suppressions") == [
        (suppressed[0].number, "disposition")
    ]
    assert await desk.counts() == [10, 2, 2, 1, 1, 2]
    assert desk.rejected == []


async def test_an_engine_killed_in_the_outage_loses_nothing(desk: Desk) -> None:
    async with desk.writer(killed=True) as first:
        put_all(first, talk(desk.attempts[0], desk.agent)[:3])
        await first.flushed()
        await outage(desk, first)
        put_all(first, talk(desk.attempts[0], desk.agent)[3:])
        await on_disk(first, 5)
    await desk.come_back()
    async with desk.writer(epoch=2) as second:
        put_all(second, talk(desk.attempts[1], desk.agent))
        await second.caught_up()
        assert TALKED in await desk.fetch(CDR)
        await second.flushed()
    assert await desk.fetch("select result, epoch from cdrs order by epoch") == [
        ("bridged", 1),
        ("bridged", 2),
    ]
    assert await desk.counts() == [10, 2, 2, 0, 1, 2]


async def test_a_skip_in_an_outage_is_obeyed_once(desk: Desk) -> None:
    """Neither the time to look, which runs out meanwhile, nor a replay after a crash takes it back."""
    conn = await connect(desk.url)
    found = await show(conn, ShowRequest(desk.asked, desk.agent, "ana", timedelta(0)))
    assert found.contact is not None
    preview, contact = found.contact.on_show.preview_id, found.contact.on_show.contact_id
    until_then = NOON + timedelta(hours=1)
    async with desk.writer(killed=True) as first:
        await outage(desk, first)
        first.put(PreviewEnd(preview, "skipped", "not-now", NOON, until_then))
        await on_disk(first, 1)
    kept = desk.home / "kept"
    shutil.copytree(desk.held, kept)
    await desk.come_back()
    await conn.close()
    conn = await connect(desk.url)
    await conn.execute(sql("previews_clear"), desk.asked.campaign_id, 1)
    async with desk.writer(epoch=2) as second:
        await second.caught_up()
    queued = "select held_rule, next_at from queue where contact_id = $1"
    assert tuple(await conn.fetchrow(queued, contact) or ()) == ("skipped", until_then)
    await conn.execute("update queue set held_rule = null, next_at = now() where contact_id = $1", contact)
    shutil.copytree(kept, desk.held, dirs_exist_ok=True)
    async with desk.writer(epoch=3) as third:
        await third.caught_up()
    assert await conn.fetchval("select held_rule from queue where contact_id = $1", contact) is None
    assert [tuple(row) for row in await conn.fetch("select outcome, reason from previews")] == [
        ("skipped", "not-now")
    ]
    await conn.close()
    assert desk.rejected == []


async def test_an_end_that_was_held_before_the_audio_stood_in_it_is_read(desk: Desk) -> None:
    async with desk.writer(killed=True) as first:
        await outage(desk, first)
        put_all(first, talk(desk.attempts[0], desk.agent))
        await on_disk(first, 8)
    [file] = desk.held.iterdir()
    older = [_opened(line).replace(b',"audio":null', b"") for line in file.read_bytes().splitlines()]
    file.write_bytes(b"".join(_sealed(content) for content in older))
    assert b'"audio"' not in file.read_bytes()
    await desk.come_back()
    async with desk.writer(epoch=2) as second:
        await second.caught_up()
    assert await desk.fetch(CDR) == [TALKED]
    assert await desk.fetch("select audio from cdrs") == [("unknown",)]


async def test_a_crash_between_commit_and_removal_writes_nothing_twice(desk: Desk) -> None:
    """Not even a shift that was ended: its states, taken again, would open another one."""
    records = [
        *talk(desk.attempts[0], desk.agent, suppress=True),
        StateChange(desk.agent, "off", at(90), "main"),
    ]
    async with desk.writer(killed=True) as first:
        await outage(desk, first)
        put_all(first, records)
        await on_disk(first, 9)
    kept = desk.home / "kept"
    shutil.copytree(desk.held, kept)
    await desk.come_back()
    async with desk.writer(epoch=2, killed=True) as second:
        await second.caught_up()
        await until(lambda: not second.held, "the files are removed")
    shutil.copytree(kept, desk.held, dirs_exist_ok=True)
    conn = await connect(desk.url)
    await take_off_all(conn)  # by a person meanwhile, which is a line of the log
    before = await desk.counts()
    async with desk.writer(epoch=3) as third:
        await third.caught_up()
    assert await desk.counts() == before == [5, 1, 1, 2, 1, 3]
    assert await conn.fetchval("select count(*) from suppressions") == 0, "a disposition was obeyed twice"
    await conn.close()
    assert list(desk.held.iterdir()) == []
    assert desk.rejected == []


async def test_what_an_earlier_engine_held_changes_nothing_that_a_later_one_has_written(desk: Desk) -> None:
    """Its home was cut off: another engine took over, the agent came again, the contact was called again."""
    one, other = desk.attempts[0], replace(desk, home=desk.home / "other")
    held = [
        *talk(one, desk.agent)[:-1],
        replace(talk(one, desk.agent)[-1], at=at(71), code="later", final=False, retry=timedelta(minutes=5)),
        StateChange(desk.agent, "off", at(90), "main"),
    ]
    async with desk.writer(killed=True) as first:
        put_all(first, [StateChange(desk.agent, "ready", at(1), "main")])
        await first.flushed()
        await outage(desk, first)
        put_all(first, held)
        await on_disk(first, len(held))
    await desk.come_back()
    conn = await connect(desk.url)
    async with other.writer(epoch=2) as second:
        assert await adopt(conn, [one.attempt_id], 2) == {one.attempt_id}
        put_all(second, [StateChange(desk.agent, "ready", at(100), "main")])
        put_all(second, [replace(end_of(one), result="bridged", ended_at=at(66))])
        put_all(second, [Disposed(one.attempt_id, "none", "x", "default", at(67), NOON, final=False)])
        await second.flushed()
    await conn.execute("update queue set next_at = $1 where contact_id = $2", at(86_400), one.contact_id)
    async with desk.writer(epoch=3) as third:
        await third.caught_up()
    sessions = await desk.fetch("select ended_at is null from agent_sessions")
    assert sessions == [(True,)], "the shift that goes on was ended by old news"
    due = await conn.fetchval("select next_at from queue where contact_id = $1", one.contact_id)
    await conn.close()
    assert due == at(86_400), "an old disposition decided about a contact"
    assert await desk.fetch("select count(*) from dispositions") == [(2,)]


async def test_states_that_come_late_open_no_shift_that_is_over(desk: Desk) -> None:
    other = replace(desk, home=desk.home / "other")
    async with desk.writer(killed=True) as first:
        put_all(first, [StateChange(desk.agent, "ready", at(1), "main")])
        await first.flushed()
        await outage(desk, first)
        put_all(first, [StateChange(desk.agent, "paused", at(5), "main")])
        await on_disk(first, 1)
    await desk.come_back()
    async with other.writer(epoch=2) as second:
        put_all(second, [StateChange(desk.agent, "off", at(9), "main")])
        await second.flushed()
    async with desk.writer(epoch=3) as third:
        await third.caught_up()
    assert await desk.fetch("select ended_at from agent_sessions") == [(at(9),)]
    assert await desk.fetch("select state from agent_states order by at") == [
        ("ready",),
        ("paused",),
        ("off",),
    ]


async def test_a_line_torn_by_a_crash_is_no_record_and_a_damaged_one_is_set_aside(desk: Desk) -> None:
    async with desk.writer(killed=True) as first:
        await outage(desk, first)
        put_all(first, talk(desk.attempts[0], desk.agent))
        await on_disk(first, 8)
    [file] = desk.held.iterdir()
    lines = file.read_bytes().splitlines(keepends=True)
    assert b"AttemptEnd" in lines[6]
    lines[3] = lines[3].replace(b'"kind":"waiting"', b'"kind":"wasting"')
    file.write_bytes(b"".join(lines[:8]) + lines[8][:40])
    (desk.held / "00000009.jsonl").write_bytes(b"")
    await desk.come_back()
    with capture_logs() as logs:
        async with desk.writer(epoch=2) as second:
            await second.caught_up()
    assert await desk.fetch(CDR) == [TALKED]
    assert await desk.counts() == [4, 1, 0, 0, 1, 2]
    [aside] = desk.rejected
    assert aside["error"] == "cannot be read"
    assert aside["place"].endswith("00000001.jsonl:4")
    assert "wasting" in aside["line"]
    torn = [entry for entry in logs if "half written" in entry["event"]]
    assert [entry["place"].rpartition(":")[2] for entry in torn] == ["9"]
    assert list(desk.held.iterdir()) == []


async def test_a_record_that_the_database_refuses_holds_up_no_other(desk: Desk) -> None:
    bad = StateChange(desk.agent + 99, "ready", at(4), "main")
    stranger = replace(end_of(desk.attempts[0]), attempt_id="f3b0c7a2-0000-4000-8000-000000000000")
    records = talk(desk.attempts[0], desk.agent)
    async with desk.writer() as writer:
        await outage(desk, writer)
        put_all(writer, [*records[:4], bad, *records[4:], stranger])
        await on_disk(writer, 10)
        await desk.come_back()
        await until(lambda: writer.healthy, "the database is back")
        assert not writer.held
    assert await desk.fetch(CDR) == [TALKED]
    assert [(each["kind"], each["record"].get("agent_id")) for each in desk.rejected] == [
        ("StateChange", desk.agent + 99),
        ("AttemptEnd", None),
    ]
    assert "foreign key" in desk.rejected[0]["error"]
    assert desk.rejected[1]["error"] == "the database does not have this attempt"


async def test_a_damaged_database_is_no_fault_of_a_record(desk: Desk) -> None:
    """Nothing is set aside: dialing stops, and what happens meanwhile is written when the page is mended."""
    await desk.fetch(
        "create function damaged() returns trigger language plpgsql as "
        "$$ begin raise exception 'invalid page in block 7' using errcode = 'XX001'; end $$"
    )
    await desk.fetch("create trigger damaged before insert on cdrs for each row execute function damaged()")
    async with desk.writer() as writer:
        put_all(writer, talk(desk.attempts[0], desk.agent))
        await until(lambda: not writer.healthy, "the damage stops dialing")
        await on_disk(writer, 8)
        await desk.fetch("drop trigger damaged on cdrs")
        await until(lambda: writer.healthy and not writer.held, "all is written")
    assert desk.rejected == []
    assert await desk.fetch(CDR) == [TALKED]


async def test_who_waits_for_room_on_the_disk_is_alive(small_disk: Path, desk: Desk) -> None:
    """A refused record is set aside on a disk. No watchdog may end an engine that waits for it with all it has."""
    (desk.home / "log").symlink_to(small_disk)
    fill(small_disk / "filler")
    bad = StateChange(desk.agent + 99, "ready", at(4), "main")
    async with desk.writer() as writer:
        put_all(writer, [bad, *talk(desk.attempts[0], desk.agent)])
        await until(lambda: writer.unsafe, "the full disk is noticed")
        began = writer.beat
        await until(lambda: writer.beat > began + 1.5, "it gives signs of life")
        (small_disk / "filler").unlink()
        await until(lambda: not len(writer) and not writer.unsafe, "all is written")
    assert [each["kind"] for each in desk.rejected] == ["StateChange"]
    assert await desk.fetch(CDR) == [TALKED]


async def test_a_full_disk_stops_calls_though_the_database_is_there(small_disk: Path, desk: Desk) -> None:
    (desk.home / "log").symlink_to(small_disk)
    fill(small_disk / "filler")
    works, blockers = Works.__new__(Works), Blockers(asterisk_away=False)
    works.life = cast("Any", SimpleNamespace(blockers=blockers))
    said: list[tuple[bool, str | None]] = []

    def on_health() -> None:
        works._on_health()
        said.append((works.writer.healthy, blockers.why_not()))

    async with desk.writer() as works.writer:
        works.writer.on_health = on_health
        works.writer.put(StateChange(desk.agent + 99, "ready", at(4), "main"))
        await until(lambda: blockers.why_not() is not None, "calls stop")
        await asyncio.sleep(1.2)
        assert said == [(True, "the disk takes no records: no new calls until it has room")]
        (small_disk / "filler").unlink()
        await until(lambda: blockers.why_not() is None, "calls go on")
    assert [each["kind"] for each in desk.rejected] == ["StateChange"]


async def test_a_displaced_engine_sets_aside_at_once_what_it_may_not_write(desk: Desk) -> None:
    lost, kept = desk.attempts[:2]
    async with desk.writer() as writer:
        newer = await connect(desk.url)
        assert await adopt(newer, [lost.attempt_id], 7) == {lost.attempt_id}
        await outage(desk, writer)
        put_all(writer, [*talk(lost, desk.agent)[:6], *talk(kept, desk.agent)])
        await on_disk(writer, 14)
        newer.terminate()
        with capture_logs() as logs:
            await desk.come_back()
            await until(lambda: writer.healthy, "the database is back")
    assert await desk.fetch(CDR) == [TALKED]
    assert [each["kind"] for each in desk.rejected] == [*["AttemptEvent"] * 4, "AttemptEnd"]
    assert all(each["record"]["attempt_id"] == lost.attempt_id for each in desk.rejected)
    said = [entry for entry in logs if "another engine has taken over" in entry["event"]]
    assert [(entry["records"], entry["attempts"]) for entry in said] == [(5, 1)]
    assert not [entry for entry in logs if "could not be written" in entry["event"]]


async def test_a_database_that_does_not_answer_is_away_and_what_it_had_half_done_counts_once(
    desk: Desk,
) -> None:
    blocker = await connect(desk.url)
    async with desk.writer() as writer:
        await until(lambda: writer._conn is not None, "the writer is connected")
        transaction = blocker.transaction()
        await transaction.start()
        await blocker.execute("lock table cdrs in access exclusive mode")
        put_all(writer, talk(desk.attempts[0], desk.agent))
        await until(lambda: not writer.healthy, "no answer is an outage")
        put_all(writer, talk(desk.attempts[1], desk.agent))
        await on_disk(writer, 16)
        await transaction.commit()
        await until(lambda: writer.healthy, "the database answers again")
        assert not writer.held
    await blocker.close()
    assert await desk.counts() == [10, 2, 2, 0, 1, 2]


async def test_memory_is_bounded_and_the_disk_is_written_quickly(desk: Desk) -> None:
    ids = [one.attempt_id for one in desk.attempts]
    many = [AttemptEvent(ids[n % 4], n // 4 + 1, "x", at(n)) for n in range(2 * MOST_IN_MEMORY)]
    async with desk.writer() as writer:
        await outage(desk, writer)
        for start in range(0, len(many), 1000):
            put_all(writer, many[start : start + 1000])
            await writer.flushed()
        await on_disk(writer, len(many))
        assert len(list(desk.held.iterdir())) > 5, "read again in pieces, not at once"
        await desk.come_back()
        await until(lambda: writer.healthy, "all is written", 60.0)
        put_all(writer, [replace(each, number=each.number + 10_000) for each in many])
        await until(lambda: len(writer) == 0, "a crowd is written too", 60.0)
    assert (await desk.counts())[0] == 2 * len(many)
    found = await desk.fetch("select attempt_id::text, max(number) from attempt_events group by 1")
    assert {number for _, number in found} == {10_000 + len(many) // 4}


async def test_a_full_disk_is_said_and_what_is_in_memory_waits_for_room(small_disk: Path, desk: Desk) -> None:
    filler = small_disk / "filler"
    with capture_logs() as logs:
        async with desk.writer() as writer:
            await outage(desk, writer)
            put_all(writer, talk(desk.attempts[0], desk.agent))
            await on_disk(writer, 8)
            fill(filler)
            put_all(
                writer, [AttemptEvent(desk.attempts[1].attempt_id, n, "x" * 50, at(n)) for n in range(1, 400)]
            )
            await until(lambda: writer.unsafe, "the full disk is noticed")
            assert (writer.held, len(writer._memory)) == (8, 399)
            put_all(writer, talk(desk.attempts[2], desk.agent))
            filler.unlink()
            await on_disk(writer, 8 + 399 + 8)
            assert not writer.unsafe
            fill(filler)
            put_all(writer, talk(desk.attempts[3], desk.agent))
            put_all(
                writer,
                [AttemptEvent(desk.attempts[1].attempt_id, n, "x" * 50, at(n)) for n in range(400, 800)],
            )
            await until(lambda: writer.unsafe, "the full disk is noticed again")
            await desk.come_back()
            await until(lambda: writer.healthy and not writer.unsafe, "the database takes it all")
            assert len(writer) == 0
    critical = [entry for entry in logs if entry["log_level"] == "critical"]
    assert len(critical) == 2
    assert "No space left" in critical[0]["why"]
    assert await desk.fetch(CDR) == [TALKED] * 3
    assert (await desk.counts())[0] == 3 * 5 + 799
    assert desk.rejected == []
    assert desk.said[:3] == [
        "healthy False unsafe False",
        "healthy False unsafe True",
        "healthy False unsafe False",
    ]


async def test_files_that_somebody_removed_hold_up_nothing(desk: Desk) -> None:
    async with desk.writer() as writer:
        await outage(desk, writer)
        put_all(writer, talk(desk.attempts[0], desk.agent))
        await on_disk(writer, 8)
        shutil.rmtree(desk.held)
        put_all(writer, talk(desk.attempts[1], desk.agent))
        await until(lambda: not writer._memory, "the rest is on the disk")
        await desk.come_back()
        await until(lambda: writer.healthy and not writer.held, "the database is back")
    assert [each["line"] for each in desk.rejected] == ["somebody removed this file"]
    assert await desk.fetch(CDR) == [TALKED], "the first call is for recovery to close"


async def test_what_is_left_at_the_end_waits_for_the_next_engine(desk: Desk) -> None:
    async with desk.writer() as writer:
        await outage(desk, writer)
        put_all(writer, talk(desk.attempts[0], desk.agent))
    assert held_records(desk.held) == 8
    await desk.come_back()
    async with desk.writer(epoch=2) as second:
        await second.caught_up()
    assert await desk.fetch(CDR) == [TALKED]
