"""`dialer why` with a real database: lists, suppressions, attempts and what the queue holds back."""

import json
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from store_support import NOON, Campaign, Conn, Member, World, end_of, make_world, put_contacts, request

from dialer_engine.cli.why import Question, find_out
from dialer_engine.cli.why_text import answer_lines, as_json
from dialer_engine.core.gate import Outcome
from dialer_engine.settings.load import Config, load_config
from dialer_engine.store import stops
from dialer_engine.store.attempts import write
from dialer_engine.store.directory import sync_campaigns
from dialer_engine.store.reserve import Reservation, reserve
from dialer_engine.store.suppress import add

pytestmark = pytest.mark.postgres

NUMBER, OTHER = "+12105550143", "+12105550144"
CLOCK = timedelta(minutes=1)


@pytest.fixture
def config(tmp_path: Path, pg_url: str, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A laboratory with two campaigns over the test's database; no engine runs."""
    monkeypatch.setenv("DIALER_HOME", str(tmp_path / "home"))
    directory = tmp_path / "config"
    (directory / "campaigns").mkdir(parents=True)
    (directory / "dialer.yaml").write_text(
        "members: {acme: {name: Acme, callback_number: +18005550100}}\n"
        "trunks: {main: {host: 127.0.0.1}}\n"
        f"database: {{url: '{pg_url}'}}\n"
        f"lab: {{clock: '{NOON.isoformat()}'}}\n",
        encoding="utf-8",
    )
    for name, total in (("spring", 6), ("autumn", 1)):
        (directory / "campaigns" / f"{name}.yaml").write_text(
            "member: acme\nlists: [june]\ntrunks: [main]\ncaller_ids: [+12125550100]\n"
            f"attempts: {{per_contact_total: {total}}}\n",
            encoding="utf-8",
        )
    return load_config(directory)


async def test_a_number_on_a_list_is_answered_per_campaign(
    conn: "asyncpg.Connection[asyncpg.Record]", config: Config
) -> None:
    world = await make_world(conn, {"spring": Campaign(), "autumn": Campaign()})
    await put_contacts(conn, world.members["acme"], "june", [[NUMBER]])
    answer = await find_out(NUMBER, None, config)
    assert answer.database_error is None
    assert sorted(q.entry.campaign or "" for q in answer.questions) == ["autumn", "spring"]
    assert all(question.decision.allowed for question in answer.questions)
    assert timedelta(0) <= answer.clock - NOON < CLOCK
    assert "  may be called now" in list(answer_lines(answer))
    only = await find_out(NUMBER, "spring", config)
    assert [question.entry.campaign for question in only.questions] == ["spring"]


async def test_a_suppression_is_the_reason_and_there_is_no_next_time(
    conn: "asyncpg.Connection[asyncpg.Record]", config: Config
) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", [[NUMBER]])
    await add(conn, NUMBER, None, "drop_message", NOON, who="test")
    answer = await find_out(NUMBER, "spring", config)
    (question,) = answer.questions
    assert question.decision.blocking is not None
    assert question.decision.blocking.rule == "internal_suppression"
    plain = json.loads(json.dumps(as_json(answer)))["answers"][0]
    assert plain["allowed"] is False
    assert plain["next_allowed"] is None
    assert plain["rules"][1]["evidence"] == {"source": "drop_message"}


async def test_a_list_that_was_taken_away_from_a_campaign_is_the_reason(conn: Conn, config: Config) -> None:
    """The engine holds the contact by `list`, whether it was in the queue by then or waits for a moment in it."""
    world = await make_world(conn, {"spring": Campaign(), "autumn": Campaign()})
    await put_contacts(conn, world.members["acme"], "june", [[NUMBER]])
    await sync_campaigns(conn, {"spring": Campaign(lists=("july",))})
    answer = await find_out(NUMBER, "spring", config)
    told = list(answer_lines(answer))
    assert "campaign spring, list june, Member acme" in told
    assert "  may not be called (list)" in told
    assert "  may be called now" not in told
    plain = json.loads(json.dumps(as_json(answer)))["answers"][0]
    assert (plain["allowed"], plain["blocking"], plain["next_allowed"]) == (False, "list", None)
    assert plain["rules"][0]["reason"] == "its list was taken away from the campaign"
    both = {q.entry.campaign: q.decision.allowed for q in (await find_out(NUMBER, None, config)).questions}
    assert both == {"spring": False, "autumn": True}
    await sync_campaigns(conn, {"spring": Campaign()})
    assert (await answer_about(config, NUMBER)).decision.allowed


async def test_a_number_on_no_list_is_still_answered(
    conn: "asyncpg.Connection[asyncpg.Record]", config: Config
) -> None:
    await make_world(conn)
    answer = await find_out("+12125550100", None, config)
    (question,) = answer.questions
    assert question.entry.campaign is None
    assert question.decision.allowed
    assert "on none of the lists in question" in list(answer_lines(answer))


async def test_a_number_on_none_of_a_campaigns_lists_is_asked_about_for_its_member(
    conn: "asyncpg.Connection[asyncpg.Record]", config: Config
) -> None:
    """Another Member's campaign, which sorts first, has the number; what was told to that Member is not looked at."""
    members = {"aaa": Member("Another"), "acme": Member()}
    campaigns = {"alpha": Campaign(member="aaa"), "spring": Campaign()}
    world = await make_world(conn, campaigns, members)
    await put_contacts(conn, world.members["aaa"], "june", [[NUMBER]])
    await add(conn, NUMBER, world.members["aaa"], "request", NOON, who="test")
    assert await blocking(config, "spring") is None
    await stops.stop(conn, "US-TX", "a storm", NOON, who="test")
    assert await blocking(config, "spring") == "emergency_stop"
    await stops.resume(conn, "US-TX", "over", NOON, who="test")
    for number in (NUMBER, "+12125550144"):  # on another's list, and on nobody's
        await add(conn, number, world.members["acme"], "key 9", NOON, who="test")
        assert await blocking(config, "spring", number) == "member_suppression"


async def blocking(config: Config, campaign: str, number: str = NUMBER) -> str | None:
    """The rule that refuses the number to a campaign that does not have it."""
    (question,) = (await find_out(number, campaign, config)).questions
    assert question.entry.campaign is None
    return question.decision.blocking.rule if question.decision.blocking is not None else None


async def call(conn: Conn, world: World) -> Reservation:
    """The engine's next call of the campaign spring; its gate's clock is that of the configuration."""
    [reserved] = (await reserve(conn, request(world, 1))).reserved
    return reserved


async def answer_about(config: Config, number: str) -> Question:
    """What the campaign spring is told about a number."""
    [question] = (await find_out(number, "spring", config)).questions
    return question


async def test_a_number_is_not_held_by_another_one_that_is_not_in_service(conn: Conn, config: Config) -> None:
    """The engine dials the second number, so this says that it may be called; the dead one is never called."""
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", [[NUMBER, OTHER]])
    first = await call(conn, world)
    assert first.number == NUMBER
    await write(conn, [], [end_of(first, "not_in_service", final=True)], 1)
    assert (await answer_about(config, OTHER)).decision.allowed
    never_called(await answer_about(config, NUMBER))
    assert (await call(conn, world)).number == OTHER


async def test_a_dead_number_is_not_judged_by_what_another_got_since(conn: Conn, config: Config) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", [[NUMBER, OTHER]])
    await write(conn, [], [end_of(await call(conn, world), "not_in_service", final=True)], 1)
    second = await call(conn, world)
    assert second.number == OTHER
    again = NOON + timedelta(minutes=30)
    await write(conn, [], [end_of(second, "busy", retry_at=again)], 1)
    never_called(await answer_about(config, NUMBER))
    busy = (await answer_about(config, OTHER)).decision
    assert busy.blocking is not None
    assert (busy.blocking.rule, busy.blocking.reason) == (
        "retry_delay",
        "the campaign waits 0:30:00 after busy",
    )


async def test_a_contact_whose_numbers_are_all_dead_is_finished(conn: Conn, config: Config) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", [[NUMBER, OTHER]])
    for _ in range(2):
        await write(conn, [], [end_of(await call(conn, world), "not_in_service", final=True)], 1)
    for number in (NUMBER, OTHER):
        blocking = (await answer_about(config, number)).decision.blocking
        assert blocking is not None
        assert blocking.rule == "contact_finished"
        assert dict(blocking.evidence) == {"last_result": "not_in_service"}


async def test_a_live_call_to_one_number_is_the_contacts(conn: Conn, config: Config) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", [[NUMBER, OTHER]])
    await call(conn, world)
    for number, live in ((NUMBER, "number"), (OTHER, "contact")):
        blocking = (await answer_about(config, number)).decision.blocking
        assert blocking is not None
        assert (blocking.rule, dict(blocking.evidence)) == ("live_call", {"live": live})


def never_called(question: Question) -> None:
    """The number is refused for good because it is not in service."""
    verdict = question.decision.blocking
    assert verdict is not None
    assert (verdict.rule, verdict.outcome) == ("retry_delay", Outcome.block)
    assert "not_in_service" in verdict.reason
    assert question.decision.next_allowed is None


async def test_a_session_that_is_lost_on_the_way_is_told_as_that(conn: Conn, config: Config) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", [[NUMBER]])
    await conn.execute(
        "alter table contact_numbers rename to kept; create view contact_numbers as"
        " select * from kept where pg_terminate_backend(pg_backend_pid())"
    )
    answer = await find_out(NUMBER, "spring", config)
    assert answer.database_error is not None
    assert answer.database_error.startswith("the connection to the database was lost")


async def test_a_database_without_tables_counts_as_not_checked(empty_pg_url: str, config: Config) -> None:
    database = config.settings.database.model_copy(update={"url": empty_pg_url})
    settings = config.settings.model_copy(update={"database": database})
    answer = await find_out(
        NUMBER, "spring", Config(settings, config.campaigns, config.rules, config.plan, config.directory)
    )
    assert answer.database_error is not None
    assert answer.database_error.startswith("the database refused this (UndefinedTableError")
    (question,) = answer.questions
    assert question.entry.campaign == "spring"
    verdicts = {verdict.rule: verdict.outcome for verdict in question.decision.verdicts}
    assert verdicts["calling_hours"] is Outcome.allow
    assert as_json(answer)["answers"][0]["allowed"] is False
