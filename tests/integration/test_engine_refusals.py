"""A running engine obeys emergency stops and lists that somebody else changed, and keeps to the ring time."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest
from engine_support import (
    HUMAN,
    POWER,
    PROGRESSIVE,
    RINGS,
    begin,
    lab,
    rows,
    status,
    table,
    until,
    until_state,
)

from dialer_engine.lab.world import World
from dialer_engine.store.pool import connect

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

WITHIN_S = 5.0
"""What is promised for all engines; the watch looks once a second. `dialer bench revoke` tells how long it takes."""

STOPPED = "calls into the region are stopped"


async def ringing(made: World) -> int:
    return int((await status(made))["campaigns"][0]["calls"]["ringing"])


async def until_ringing(made: World) -> None:
    async def reached() -> bool:
        return await ringing(made) > 0

    await until(reached, "a phone rings")


async def until_quiet(made: World) -> float:
    """Wait until no phone rings and return the seconds it took."""
    began = time.monotonic()

    async def reached() -> bool:
        return await ringing(made) == 0

    await until(reached, "no phone rings any more")
    return time.monotonic() - began


async def ended_by_the_stop(made: World, ids: list[Any]) -> None:
    """Wait until these calls have their records, which name the stop."""

    async def recorded() -> list[tuple[Any, ...]]:
        query = "select attempt_id, result, cause_text from cdrs"
        return [tuple(row)[1:] for row in await rows(made, query) if row["attempt_id"] in ids]

    async def all_of_them() -> bool:
        return len(await recorded()) == len(ids)

    await until(all_of_them, "the calls have their records")
    assert set(await recorded()) == {("cancelled", STOPPED)}


async def live(made: World) -> list[Any]:
    """The attempts that are up now."""
    return [row["id"] for row in await rows(made, "select id from attempts where ended_at is null")]


async def run_sql(made: World, statement: str) -> None:
    conn = await connect(made.postgres.url())
    try:
        await conn.execute(statement)
    finally:
        await conn.close()


async def test_an_emergency_stop_ends_ringing_and_keeps_everybody_away_until_it_is_lifted() -> None:
    async with lab(POWER, table(RINGS), 12) as made:
        await begin(made)
        await until_ringing(made)
        rang = await live(made)
        await made.engine.run("rules", "stop", "TX", "--reason", "hurricane", "--config", str(made.config))
        assert await until_quiet(made) < WITHIN_S
        await ended_by_the_stop(made, rang)
        before = (await rows(made, "select count(*) as n from attempts"))[0]["n"]
        await asyncio.sleep(2.0)
        assert (await rows(made, "select count(*) as n from attempts"))[0]["n"] == before
        told = await made.engine.run("why", "+12145550111", "--config", str(made.config))
        assert "calls to US-TX are stopped" in told
        held = await rows(made, "select distinct held_rule from queue where state = 'held'")
        assert [row["held_rule"] for row in held] == ["emergency_stop"]
        await made.engine.run("rules", "resume", "US-TX", "--reason", "over", "--config", str(made.config))
        await until_ringing(made)


async def test_a_stop_that_exempts_consent_leaves_the_ringing_of_those_people() -> None:
    async with lab(POWER, table(RINGS), 12) as made:
        await run_sql(
            made,
            "insert into consents (member_id, number, kind, since, source, recorded_at, recorded_by) "
            "select member_id, number, 'ebr_purchase', timestamptz '2026-01-01', 'shop', now(), 'op' "
            "from contact_numbers",
        )
        await begin(made)
        await until_ringing(made)
        stop = ("rules", "stop", "TX", "--reason", "hurricane", "--except-consent")
        await made.engine.run(*stop, "--config", str(made.config))
        await asyncio.sleep(3.0)
        assert await ringing(made) > 0
        assert await rows(made, f"select 1 from cdrs where cause_text = '{STOPPED}'") == []  # noqa: S608
        rang = await live(made)
        await run_sql(
            made,
            "insert into consent_revocations (consent_id, at, channel, who) "
            "select id, now(), 'sms', 'called party' from consents",
        )
        assert await until_quiet(made) < WITHIN_S
        await ended_by_the_stop(made, rang)


async def test_a_list_changed_by_somebody_else_ends_the_ringing_within_a_second_or_so() -> None:
    """Nobody tells this engine: another one, or a person with SQL, wrote the entry."""
    async with lab(PROGRESSIVE, table(RINGS), 1) as made:
        await begin(made)
        await until_ringing(made)
        await run_sql(
            made,
            "insert into suppressions (number, member_id, source, since) "
            "select number, null, 'elsewhere', now() from attempts where ended_at is null",
        )
        assert await until_quiet(made) < WITHIN_S

        async def recorded() -> bool:
            return len(await rows(made, "select 1 from cdrs")) == 1

        await until(recorded, "the call has its record")
        (row,) = await rows(made, "select result, ended_by from cdrs")
        assert (row["result"], row["ended_by"]) == ("cancelled", "engine")


async def test_revoking_a_consent_by_command_ends_no_conversation_and_the_rules_in_force_are_on_record() -> (
    None
):
    async with lab(PROGRESSIVE, table(replace(HUMAN, talk_s=120.0)), 1) as made:
        (rules,) = await rows(made, "select version from rule_sets")
        await begin(made)
        await until_state(made, "in_call")
        (attempt,) = await rows(made, "select number, rule_versions from attempts")
        assert attempt["rule_versions"] == rules["version"]
        number = attempt["number"]
        told = await made.engine.run(
            "consent", "revoke", number, "--channel", "sms", "--config", str(made.config)
        )
        assert "1 number(s) of the person are not called any more" in told
        await asyncio.sleep(1.5)
        state = (await status(made))["agents"][0]["state"]
        assert state == "in_call", "a conversation was cut"
        entries = await rows(made, "select source from suppressions")
        assert [row["source"] for row in entries] == ["revoked by sms"]
