"""What a plan says about a list: the same as reservations would do, without changing anything."""

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from store_support import (
    NOON,
    WALL,
    Campaign,
    Conn,
    World,
    end_of,
    fictional,
    gate,
    make_world,
    ordinary,
    put_contacts,
    request,
)
from typer.testing import CliRunner

from dialer_engine.cli.app import build
from dialer_engine.cli.plan import document, hours_left, lines
from dialer_engine.store import suppress
from dialer_engine.store.attempts import write
from dialer_engine.store.directory import known_ids
from dialer_engine.store.plan import Question, Survey, survey
from dialer_engine.store.reserve import reserve

pytestmark = pytest.mark.postgres

EVENING = datetime(2026, 6, 11, 1, 30, tzinfo=UTC)
"""20:30 in Texas, 21:30 in New York, 18:30 in California."""


DRAFT = """
members: {{acme: {{name: Another Name, callback_number: "+18005550100"}}}}
trunks: {{main: {{host: 127.0.0.1}}}}
database: {{url: "{url}"}}
lab: {{clock: "{clock}"}}
"""
DRAFT_CAMPAIGN = """
member: acme
lists: [july, august]
trunks: [main]
caller_ids: ["+12125550100"]
offer: gutters
drop_message: {seller: Another Seller}
"""


async def question(conn: Conn, now: datetime = NOON) -> Question:
    ids = await known_ids(conn, "spring", Campaign())
    return Question(ids.campaign_id, ids.member_id, ids.list_ids, now, gate(now))


async def mixed(conn: Conn) -> World:
    """Two wait for hours, one is on each do-not-call list, one is busy, one done, the others callable."""
    world = await make_world(conn)
    member = world.members["acme"]
    texas, california = fictional(6), [[f"+1213555010{n}"] for n in range(2)]
    await put_contacts(conn, member, "june", [*texas, ["+12125550100"], ["+12125550101"], *california])
    await suppress.add(conn, texas[0][0], None, "request", WALL, who="ann")
    await suppress.add(conn, texas[1][0], member, "key 9", WALL, who="called party")
    done, retried = (await reserve(conn, request(world, 2, EVENING, context=gate(EVENING)))).reserved
    await write(conn, [], [end_of(done, "not_in_service", final=True)], 1)
    await write(conn, [], [end_of(retried, "busy", retry_at=EVENING + timedelta(minutes=30))], 1)
    return world


async def test_everybody_has_a_place(conn: Conn) -> None:
    await mixed(conn)
    found = await survey(conn, await question(conn, EVENING), 1000, WALL)
    assert (found.open, found.live, found.done, found.asked, found.step) == (9, 0, 1, 9, 1)
    assert found.now == 4, "two of Texas and two of California"
    assert found.waiting == {"retry_delay": 1, "calling_hours": 2}
    assert found.blocked == {("internal_suppression", "request"): 1, ("member_suppression", "key 9"): 1}
    assert found.opens == {
        # 30 minutes after the busy tone Texas is closed, until nine in the morning
        datetime(2026, 6, 11, 14, tzinfo=UTC): 1,
        datetime(2026, 6, 11, 12, tzinfo=UTC): 2,  # 08:00 in New York
    }
    assert found.error == 0


async def test_asking_changes_nothing(conn: Conn) -> None:
    await mixed(conn)
    before = await conn.fetch("select * from queue order by contact_id")
    await survey(conn, await question(conn, EVENING), 1000, WALL)
    assert await conn.fetch("select * from queue order by contact_id") == before
    assert await conn.fetchval("select count(*) from attempts where ended_at is null") == 0


async def everything(conn: Conn) -> dict[str, str]:
    """Return what stands in every table."""
    names = await conn.fetch("select tablename as name from pg_tables where schemaname = 'public'")
    content = "select coalesce(string_agg(t::text, ' ' order by t::text), '') from"
    return {row["name"]: await conn.fetchval(f"{content} {row['name']} t") for row in names}


def draft(tmp_path: Path, url: str, campaign: str = "spring") -> Path:
    """Settings that say otherwise than the database: other lists, another offer, seller and name of the Member."""
    directory = tmp_path / "draft"
    (directory / "campaigns").mkdir(parents=True)
    (directory / "dialer.yaml").write_text(DRAFT.format(url=url, clock=EVENING.isoformat()))
    (directory / "campaigns" / f"{campaign}.yaml").write_text(DRAFT_CAMPAIGN)
    return directory


async def ask(directory: Path, campaign: str = "spring") -> dict[str, Any]:
    """Run the command as a person would; it has a loop of its own."""
    words = ("plan", campaign, "--config", str(directory), "--json")
    result = await asyncio.to_thread(CliRunner().invoke, build(("plan",)), words)
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


async def test_the_command_plans_by_the_settings_on_disk_and_changes_nothing(
    conn: Conn, pg_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIALER_HOME", str(tmp_path / "home"))
    world = await mixed(conn)
    await put_contacts(conn, world.members["acme"], "july", fictional(3, ("817",)))
    before = await everything(conn)
    answer = await ask(draft(tmp_path, pg_url))
    assert (answer["open"], answer["done"], answer["now"]) == (3, 0, 3), (
        "those of july; august is not there yet"
    )
    assert await everything(conn) == before


async def test_a_campaign_that_the_database_does_not_know_is_planned_and_not_made(
    conn: Conn, pg_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIALER_HOME", str(tmp_path / "home"))
    directory = draft(tmp_path, pg_url, "winter")
    before = await everything(conn)
    assert (await ask(directory, "winter"))["open"] == 0, "nor its Member"
    assert await everything(conn) == before
    world = await mixed(conn)
    await put_contacts(conn, world.members["acme"], "july", fictional(3, ("817",)))
    before = await everything(conn)
    answer = await ask(directory, "winter")
    assert (answer["open"], answer["now"], answer["attempts_per_hour"]) == (3, 3, None)
    assert await everything(conn) == before


async def test_it_agrees_with_what_reservations_then_do(conn: Conn) -> None:
    world = await mixed(conn)
    found = await survey(conn, await question(conn, EVENING), 1000, WALL)
    result = await reserve(conn, request(world, 50, EVENING, context=gate(EVENING)))
    assert len(result.reserved) == found.now
    held = await conn.fetch("select held_rule from queue where held_rule is not null")
    counted = Counter(row["held_rule"] for row in held)
    counted["retry_delay"] += counted.pop("retry", 0)
    assert counted == found.waiting + Counter({rule: n for (rule, _), n in found.blocked.items()})


async def test_a_contact_with_several_numbers_counts_once(conn: Conn) -> None:
    world = await make_world(conn)
    numbers = [["+12125550100", "+12135550100"], ["+12125550101", "+12125550102"], []]
    await put_contacts(conn, world.members["acme"], "june", numbers)
    found = await survey(conn, await question(conn, EVENING), 1000, WALL)
    assert (found.now, found.waiting["calling_hours"], found.blocked["number", "no number left to call"]) == (
        1,
        1,
        1,
    )


async def test_a_long_list_is_sampled(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", [*ordinary(3000), *ordinary(3000, "212")])
    found = await survey(conn, await question(conn, EVENING), 1500, WALL)
    assert found.step == 4
    assert 1300 < found.asked < 1700
    assert found.scaled(found.now) == pytest.approx(3000, abs=found.error / 100 * 6000)
    assert 2 < found.error < 3
    assert "estimated from" in lines("spring", found, EVENING)[1]


async def test_the_pace_of_the_last_days_says_how_long_the_list_lasts(conn: Conn) -> None:
    await mixed(conn)
    found = await survey(conn, await question(conn, EVENING), 1000, WALL + timedelta(hours=1))
    assert found.attempts_per_hour == 2.0
    assert hours_left(found) == 3.5  # 7 contacts that can be called sooner or later
    week_later = await survey(conn, await question(conn, EVENING), 1000, WALL + timedelta(days=8))
    assert week_later.attempts_per_hour is None
    assert hours_left(week_later) is None


async def test_an_empty_campaign(conn: Conn) -> None:
    await make_world(conn)
    found = await survey(conn, await question(conn), 1000, WALL)
    assert found == Survey(0, 0, 0)
    assert document("spring", found, NOON)["now"] == 0
    assert len(lines("spring", found, NOON)) == 2


async def test_people_read_rules_lists_and_hours(conn: Conn) -> None:
    await mixed(conn)
    found = await survey(conn, await question(conn, EVENING), 1000, WALL + timedelta(hours=1))
    text = "\n".join(lines("spring", found, EVENING))
    for words in (
        "9 contacts open, 0 under way, 1 done",
        "4  can be dialed now",
        "2  wait: calling_hours",
        "1  blocked: internal_suppression, request",
        "waiting contacts open:",
        "the list holds 3.5 hours of dialing at 2 attempts per hour",
    ):
        assert words in text
    answer = document("spring", found, EVENING)
    assert answer["blocked"][0]["contacts"] == 1
    assert answer["opens"]["2026-06-11T12:00:00+00:00"] == 2
    assert answer["hours_left"] == 3.5
