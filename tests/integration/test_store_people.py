"""Opt-out journal, leases, agents' shifts, Members and campaigns, facts for `why`."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from store_support import (
    NOON,
    WALL,
    Campaign,
    Conn,
    DropMessage,
    Member,
    end_of,
    fictional,
    make_world,
    put_contacts,
    request,
    sizes,
)

from dialer_engine.core import seat as chair
from dialer_engine.engine.clock import GateClock
from dialer_engine.engine.dispatcher import Dispatcher
from dialer_engine.engine.record import Records
from dialer_engine.engine.registry import Agent
from dialer_engine.engine.writer import Writer
from dialer_engine.store import agents, lease, suppress
from dialer_engine.store.attempts import write
from dialer_engine.store.directory import (
    add_agent,
    campaign_id_of,
    campaign_states,
    list_agents,
    member_id_of,
    new_password,
    remove_agent,
    set_campaign_state,
    sync_campaigns,
    sync_members,
)
from dialer_engine.store.errors import LeaseHeld, StoreError, UnknownName
from dialer_engine.store.facts import facts_for
from dialer_engine.store.held import held_directory, rejected_file
from dialer_engine.store.journal import take_journal, unreadable_files
from dialer_engine.store.pool import ENGINE_ROLE, connect
from dialer_engine.store.report import agent_days
from dialer_engine.store.reserve import reserve
from dialer_engine.store.sql import sql

pytestmark = pytest.mark.postgres

TTL = timedelta(seconds=30)
LATER = datetime(2027, 1, 1, tzinfo=UTC)
"""After everything that happens here."""


class Nothing:
    """Asterisk, which has no part in this."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *words: None


async def _anybody(conn: object) -> None:
    """A lease that nobody else ever takes."""


def opt_out(directory: Path, attempt: str, number: str, **more: object) -> Path:
    path = directory / f"{attempt}.json"
    fields = {
        "attempt_id": attempt,
        "number": number,
        "at": "2026-11-23T16:00:00.123Z",
        "key": "9",
        "source": "drop_message",
    }
    path.write_text(json.dumps(fields | more))
    return path


def left(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


async def test_journal_is_taken_in_once_and_removed(conn: Conn, tmp_path: Path) -> None:
    world = await make_world(conn)
    opt_out(tmp_path, "a1", "+12105550101", member_id="acme")
    opt_out(tmp_path, "a2", "+12105550102", member_id=str(world.members["acme"]))
    opt_out(tmp_path, "a3", "+12105550103", member_id="")
    assert sorted(what.number for what in (await take_journal(conn, tmp_path)).forbidden) == [
        "+12105550101",
        "+12105550102",
        "+12105550103",
    ]
    assert left(tmp_path) == []
    assert [s.member for s in await suppress.check(conn, "+12105550101")] == ["acme"]
    assert [s.member for s in await suppress.check(conn, "+12105550102")] == ["acme"]
    assert [s.member for s in await suppress.check(conn, "+12105550103")] == [None]
    opt_out(tmp_path, "a1", "+12105550101", member_id="acme")
    await take_journal(conn, tmp_path)
    assert await sizes(conn, "opt_outs", "suppressions", "suppression_log") == [3, 3, 3]


async def test_an_unreadable_journal_file_is_put_aside(conn: Conn, tmp_path: Path) -> None:
    world = await make_world(conn)
    (tmp_path / "bad.json").write_text("{")
    opt_out(tmp_path, "worse", "911")
    opt_out(tmp_path, "late", "+12105550105", at="2026-11-23T16:00:00")
    opt_out(tmp_path, "good", "+12105550104", member_id="acme")
    (tmp_path / "half.json.tmp").write_text("{")
    opt_out(tmp_path, "nul", "+12105550106", member_id="x\x00y")
    (tmp_path / "directory.json").mkdir()
    taken = await take_journal(conn, tmp_path)
    assert taken.forbidden == [("+12105550104", world.members["acme"])]
    assert sorted(path.stem for path in taken.unreadable) == ["bad", "directory", "late", "nul", "worse"]
    bad = ["bad.unreadable", "late.unreadable", "nul.unreadable", "worse.unreadable"]
    assert left(tmp_path) == sorted([*bad, "directory.json", "half.json.tmp"])
    assert [path.name for path in unreadable_files(tmp_path)] == bad
    again = await take_journal(conn, tmp_path)
    assert (again.forbidden, [path.stem for path in again.unreadable]) == ([], ["directory"])


async def test_an_opt_out_of_an_unknown_member_counts_for_all(conn: Conn, tmp_path: Path) -> None:
    opt_out(tmp_path, "a1", "+12105550101", member_id="nobody")
    await take_journal(conn, tmp_path)
    assert [s.member for s in await suppress.check(conn, "+12105550101")] == [None]


async def test_a_lease_has_one_owner_and_a_rising_epoch(conn: Conn) -> None:
    assert await lease.take(conn, "engine", "one", TTL) == 1
    with pytest.raises(LeaseHeld, match="held by one"):
        await lease.take(conn, "engine", "two", TTL)
    assert await lease.take(conn, "engine", "one", TTL) == 2
    assert not await lease.heartbeat(conn, "engine", "one", 1, TTL)
    assert await lease.heartbeat(conn, "engine", "one", 2, TTL)
    await lease.release(conn, "engine", "one", 2)
    assert await lease.take(conn, "engine", "two", TTL) == 3
    assert not await lease.heartbeat(conn, "engine", "one", 2, TTL)


async def test_an_expired_lease_can_be_taken(conn: Conn) -> None:
    await lease.take(conn, "engine", "one", timedelta(0))
    assert await lease.take(conn, "engine", "two", TTL) == 2


async def test_shifts_and_states_make_the_agents_report(conn: Conn) -> None:
    world = await make_world(conn)
    spring = world.campaigns["spring"]
    agent = await add_agent(conn, world.members["acme"], "ana", "secret")
    day = WALL
    attempt = "5b6a35c2-6c58-4a0e-8d2d-0f6a0a2f8f11"
    plan = [
        ("ready", 0),
        ("reserved", 60),
        ("in_call", 61),
        ("wrap", 181),
        ("paused", 196),
        ("ready", 256),
        ("off", 316),
    ]
    changes = [
        agents.StateChange(
            agent,
            state,
            day + timedelta(seconds=second),
            "main",
            spring,
            attempt if state in ("in_call", "wrap") else None,
        )
        for state, second in plan
    ]
    await agents.record_states(conn, changes[:3])
    await agents.record_states(conn, changes[:3])  # written again after a lost reply
    await agents.record_states(conn, changes[3:])
    [row] = await agent_days(conn, day - timedelta(hours=1), day + timedelta(hours=1), LATER)
    assert (row.agent, row.campaign, row.calls) == ("ana", "spring", 1)
    assert (row.wait_s, row.talk_s, row.wrap_s, row.paused_s) == (121, 120, 15, 60)
    assert row.calls_per_hour == pytest.approx(3600 / 256)
    assert await conn.fetchval("select ended_at from agent_sessions") == day + timedelta(seconds=316)


async def test_the_agents_report_counts_no_minute_that_nobody_knows_of(conn: Conn) -> None:
    """An open state ends at the report's end, now, or when an engine was last heard of; what began earlier counts."""
    world = await make_world(conn)
    agent = await add_agent(conn, world.members["acme"], "ana", "secret")
    attempt = "5b6a35c2-6c58-4a0e-8d2d-0f6a0a2f8f11"
    minute = timedelta(minutes=1)
    for state, at in (("ready", 0), ("in_call", 10), ("paused", 30)):
        await agents.record_states(
            conn,
            [
                agents.StateChange(
                    agent, state, WALL + at * minute, "main", world.campaigns["spring"], attempt
                )
            ],
        )

    async def minutes(start: int, end: int, now: int) -> tuple[float, float, float, int]:
        [row] = await agent_days(conn, WALL + start * minute, WALL + end * minute, WALL + now * minute)
        return row.wait_s / 60, row.talk_s / 60, row.paused_s / 60, row.calls

    assert await minutes(-60, 600, 40) == (10, 20, 10, 1), "the report's end is in the future"
    assert await minutes(-60, 35, 40) == (10, 20, 5, 1)
    assert await minutes(5, 20, 40) == (5, 10, 0, 1), "ready since before the report's beginning"
    assert await minutes(20, 600, 40) == (0, 10, 10, 0), "the call began earlier"
    assert await minutes(35, 600, 40) == (0, 0, 5, 0)
    await lease.take(conn, "engine:main", "one", TTL)
    await conn.execute("update leases set heartbeat_at = $1", WALL + 32 * minute)
    assert await minutes(-60, 6000, 900) == (10, 20, 2, 1), "the engine has ended"
    await agents.record_states(conn, [agents.StateChange(agent, "off", WALL + 33 * minute, "main")])
    assert await minutes(-60, 6000, 900) == (10, 20, 3, 1)
    assert await agent_days(conn, WALL + 40 * minute, WALL + 60 * minute, WALL + 900 * minute) == []


async def test_a_state_over_midnight_counts_on_each_of_its_days(conn: Conn) -> None:
    world = await make_world(conn)
    agent = await add_agent(conn, world.members["acme"], "ana", "secret")
    midnight = WALL.replace(hour=0)
    attempt = "5b6a35c2-6c58-4a0e-8d2d-0f6a0a2f8f11"
    for state, minutes in (("paused", -30), ("ready", 30), ("in_call", 23 * 60), ("off", 49 * 60)):
        talk = attempt if state == "in_call" else None
        when = midnight + timedelta(minutes=minutes)
        change = agents.StateChange(agent, state, when, "main", world.campaigns["spring"], talk)
        await agents.record_states(conn, [change])

    async def days(start: datetime, end: datetime) -> list[tuple[int, float, float, float, int]]:
        rows = await agent_days(conn, start, end, LATER)
        return [(row.day.day, row.paused_s, row.wait_s, row.talk_s, row.calls) for row in rows]

    day, hour = timedelta(days=1), 3600
    all_days = [
        (22, 1800, 0, 0, 0),
        (23, 1800, 22.5 * hour, hour, 1),
        (24, 0, 0, 24 * hour, 0),
        (25, 0, 0, hour, 0),
    ]
    assert await days(midnight - day, midnight + 9 * day) == all_days
    asked = [await days(midnight + n * day, midnight + (n + 1) * day) for n in range(-1, 3)]
    assert [row for rows in asked for row in rows] == all_days, "each day asked for by itself"


async def test_a_state_that_ends_at_midnight_is_none_of_the_next_day(conn: Conn) -> None:
    world = await make_world(conn)
    agent = await add_agent(conn, world.members["acme"], "ana", "secret")
    midnight = WALL.replace(hour=0)
    for state, minutes in (("paused", -30), ("off", 0)):
        when = midnight + timedelta(minutes=minutes)
        await agents.record_states(
            conn, [agents.StateChange(agent, state, when, "main", world.campaigns["spring"])]
        )
    [row] = await agent_days(conn, midnight - timedelta(days=1), midnight + timedelta(days=1), LATER)
    assert (row.day, row.paused_s) == ((midnight - timedelta(days=1)).date(), 1800)


async def test_going_off_and_coming_back_are_two_sessions(conn: Conn) -> None:
    agent = await add_agent(conn, None, "ana", "secret")
    other = await add_agent(conn, None, "bo", "secret")

    def change(who: int, state: str, second: int) -> agents.StateChange:
        return agents.StateChange(who, state, WALL + timedelta(seconds=second), "main")

    await agents.record_states(
        conn,
        [
            change(agent, "ready", 0),
            change(other, "ready", 1),
            change(agent, "off", 10),
            change(agent, "ready", 20),
            change(agent, "paused", 30),
        ],
    )
    sessions = await conn.fetch(
        "select agent_id, started_at, ended_at from agent_sessions order by started_at"
    )
    assert [(row["agent_id"], row["ended_at"]) for row in sessions] == [
        (agent, WALL + timedelta(seconds=10)),
        (other, None),
        (agent, None),
    ]
    known = {agent: WALL + timedelta(seconds=30), other: WALL + timedelta(seconds=1)}
    assert await agents.agents_on_record(conn, "main") == known
    assert (
        await conn.fetchval("select count(distinct session_id) from agent_states where agent_id = $1", agent)
        == 2
    )


async def test_who_is_in_a_pause_is_what_the_last_session_was_last_heard_of(conn: Conn) -> None:
    agent = await add_agent(conn, None, "ana", "secret")
    now = datetime.now(UTC)

    async def after(state: str, second: int, wanted: bool = False, node: str = "main") -> set[int]:
        at = now + timedelta(seconds=second)
        change = agents.StateChange(agent, state, at, node, pause_wanted=wanted)
        await agents.record_states(conn, [change])
        return await agents.paused_on_record(conn)

    for state, second, wanted, paused in (
        ("ready", 0, False, False),
        ("paused", 10, False, True),
        ("ready", 20, False, False),
        ("in_call", 30, False, False),
        ("in_call", 31, True, True),
        ("in_call", 32, False, False),
        ("wrap", 40, False, False),
        ("wrap", 41, True, True),
        ("paused", 50, False, True),
    ):
        assert await after(state, second, wanted) == ({agent} if paused else set()), second
    assert await after("off", 60) == {agent}, "the node may have been lost, and the leg be still up"
    assert await after("ready", 70, node="two") == set()
    assert await after("off", 80) == set()


async def test_whose_phone_held_the_leg_in_a_talk_is_paused_for_the_next_engine(
    conn: Conn, pg_url: str, tmp_path: Path
) -> None:
    ids = {name: await add_agent(conn, None, name, "secret") for name in ("ana", "bo")}
    held, rejected = held_directory(tmp_path), rejected_file(tmp_path)
    writer = Writer(lambda: connect(pg_url, role=ENGINE_ROLE), held, rejected, 1, _anybody)
    writing = asyncio.create_task(writer.run())
    records = Records(writer, GateClock())
    records.agents = {name: Agent(id, name, "", None) for name, id in ids.items()}
    dispatcher = Dispatcher(Nothing(), records)
    attempt, now = "5b6a35c2-6c58-4a0e-8d2d-0f6a0a2f8f12", datetime.now(UTC)
    for name in ids:
        dispatcher.feed_seat(name, chair.LegUp(now, "main"))
        dispatcher.feed_seat(name, chair.Reserved(now + timedelta(seconds=1), attempt))
        dispatcher.feed_seat(name, chair.CustomerIn(now + timedelta(seconds=2), attempt))
        dispatcher.feed_seat(name, chair.Held(now + timedelta(seconds=3)))
    dispatcher.feed_seat("bo", chair.Unheld(now + timedelta(seconds=4)))
    await writer.flushed()
    assert await agents.paused_on_record(conn) == {ids["ana"]}
    dispatcher.feed_seat("ana", chair.CustomerOut(now + timedelta(seconds=5), attempt))
    await writer.flushed()
    assert await agents.paused_on_record(conn) == {ids["ana"]}
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await writer.close()


async def test_a_wish_in_a_talk_or_wrap_up_changes_no_report(conn: Conn) -> None:
    world = await make_world(conn)
    spring = world.campaigns["spring"]
    agent = await add_agent(conn, world.members["acme"], "ana", "secret")
    attempt = "5b6a35c2-6c58-4a0e-8d2d-0f6a0a2f8f11"
    plan = [("ready", 0), ("in_call", 60), ("in_call", 70), ("wrap", 160), ("wrap", 165), ("paused", 180)]
    await agents.record_states(
        conn,
        [
            agents.StateChange(
                agent, state, WALL + timedelta(seconds=second), "main", spring, attempt, second in (70, 165)
            )
            for state, second in plan
        ],
    )
    [row] = await agent_days(conn, WALL - timedelta(hours=1), WALL + timedelta(seconds=200), LATER)
    assert (row.calls, row.wait_s, row.talk_s, row.wrap_s, row.paused_s) == (1, 60, 100, 20, 20)
    wraps = await conn.fetch(sql("plan_measured_wraps"), spring, WALL - timedelta(hours=1), 10)
    assert [row["seconds"] for row in wraps] == [20]


async def test_agents_accounts(conn: Conn) -> None:
    await add_agent(conn, None, "ana", "secret")
    with pytest.raises(StoreError, match="exists already"):
        await add_agent(conn, None, "ana", "other")
    with pytest.raises(StoreError, match="cannot be an agent's name"):
        await add_agent(conn, None, "ana;[x]", "other")
    assert "secret" not in repr(await list_agents(conn))
    await remove_agent(conn, "ana", WALL)
    with pytest.raises(UnknownName):
        await remove_agent(conn, "ana", WALL)
    assert await list_agents(conn) == []
    assert len({new_password() for _ in range(100)}) == 100


async def test_campaigns_and_members_are_kept_up_to_date(conn: Conn) -> None:
    world = await make_world(conn)
    await sync_members(conn, {"acme": Member("Acme Roofing")})
    again = await sync_campaigns(conn, {"spring": Campaign(drop_message=DropMessage("Roof Partners"))})
    assert again == dict(world.campaigns)
    assert await conn.fetchval("select seller from campaigns") == "Roof Partners"
    assert await campaign_states(conn) == {"spring": "draft"}
    await set_campaign_state(conn, again["spring"], "running", WALL, who="op")
    assert await campaign_states(conn) == {"spring": "running"}
    assert await sizes(conn, "audit") == [1]
    assert await campaign_id_of(conn, "spring") == again["spring"]
    with pytest.raises(UnknownName, match="known: spring"):
        await campaign_id_of(conn, "sping")
    with pytest.raises(UnknownName, match="known: acme"):
        await member_id_of(conn, "acne")
    with pytest.raises(asyncpg.CheckViolationError):
        await conn.execute("update campaigns set state = 'flying'")


async def test_facts_tell_what_the_gate_would_be_told(conn: Conn) -> None:
    world = await make_world(conn)
    acme = world.members["acme"]
    [[number], *_] = contacts = fictional(2)
    await put_contacts(conn, acme, "june", contacts)
    await suppress.add(conn, number, acme, "request", WALL, who="op")
    got = await reserve(conn, request(world, 5))
    await write(conn, [], [end_of(got.reserved[0], "busy", retry_at=NOON + timedelta(minutes=30))], 1)
    [entry] = await facts_for(conn, number, None, NOON)
    assert (entry.campaign, entry.list, entry.queue_state, entry.held_rule) == (
        "spring",
        "june",
        "held",
        "member_suppression",
    )
    assert [hit.scope for hit in entry.facts.suppressions] == ["member"]
    [other] = await facts_for(conn, contacts[1][0], world.campaigns["spring"], NOON)
    assert (other.facts.last_result, other.facts.contact_attempts) == ("busy", 1)
    assert other.facts.recent_attempts == (NOON,)
    [stranger] = await facts_for(conn, "+12145550199", None, NOON)
    assert stranger.campaign is None
