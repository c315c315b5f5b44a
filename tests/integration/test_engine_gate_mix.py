"""A campaign with every kind of contact that must not be called: the carrier sees none of them, `why` says why."""

import asyncio
import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from engine_support import HUMAN, POWER, at_carrier, begin, lab, rows, table, until

from dialer_engine.cli.why import find_out
from dialer_engine.cli.why_text import as_json
from dialer_engine.contacts.registry.load import LoadRequest, load
from dialer_engine.lab.people import LAB_CLOCK
from dialer_engine.lab.world import World
from dialer_engine.settings.load import load_config
from dialer_engine.settings.rules import SHIPPED, load_rules
from dialer_engine.store import consent, stops, suppress
from dialer_engine.store.pool import Connection, connect
from dialer_engine.store.registry.lists import subscribe

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

CLOCK = datetime.fromisoformat(LAB_CLOCK)
DAY = timedelta(days=1)
CALLABLE = ["+12145550100", "+12145550101"]
MOVES = {
    "+12145550107": "+12125550107",  # its area code's list is stale
    "+12145550109": "+13055550109",  # Florida, and no consent
    "+12145550110": "+15045550110",  # Louisiana, which is stopped
    "+12145550111": "+17875550111",  # a territory nobody named
    "+12145550112": "+19005550112",
    "+12145550113": "+12143110113",
}
EXPECTED = {
    "+12145550102": "member_suppression",
    "+12145550103": "member_suppression",
    "+12145550104": "registry",
    "+12145550105": "calling_hours",
    "+12145550106": "number_attempts",
    "+12125550107": "list_freshness",
    "+12145550108": "zone_data",
    "+13055550109": "automated_dialing",
    "+15045550110": "emergency_stop",
    "+17875550111": "number_class",
    "+19005550112": "number_class",
    "+12143110113": "number_class",
    "+12145550114": "litigator",
    "+12145550115": "internal_suppression",
}


async def prepare(made: World) -> None:
    """Make every contact but the first two uncallable, each for its own reason."""
    conn = await connect(made.postgres.url())
    try:
        member = await conn.fetchval("select id from members")
        for old, new in MOVES.items():
            await conn.execute("update contact_numbers set number = $2 where number = $1", old, new)
        await suppress.add(conn, "+12145550102", member, "request", CLOCK, who="test")
        await consent.revoke(conn, "+12145550103", member, "sms", CLOCK, who="test")
        await suppress.add(conn, "+12145550115", None, "request", CLOCK, who="test")
        await hint(conn, "+12145550105", ["US-HI"], [])
        await hint(conn, "+12145550108", [], ["Mars/Olympus_Mons"])
        await stops.stop(conn, "US-LA", "hurricane", CLOCK, who="test")
        await called_before(conn, "+12145550106")
        await lists(conn, made.home)
    finally:
        await conn.close()


async def hint(conn: Connection, number: str, regions: list[str], zones: list[str]) -> None:
    await conn.execute(
        "update contacts set regions = $2, zones = $3 from contact_numbers n"
        " where n.contact_id = contacts.id and n.number = $1",
        number,
        regions,
        zones,
    )


async def called_before(conn: Connection, number: str) -> None:
    """Three attempts within the last day, of this campaign; it allows two."""
    await conn.execute(
        "insert into attempts (campaign_id, member_id, contact_id, number_id, number, caller_id, trunk, node,"
        " epoch, state, gate_at, local_time, zone, rule_versions, list_versions, reserved_at, ended_at, result)"
        " select (select id from campaigns), n.member_id, n.contact_id, n.id, n.number, '+12125550198',"
        " 'carrier', 'main', 0, 'ended', $2::timestamptz - make_interval(hours => h), '', '', '', '', now(),"
        " now(), 'failed' from contact_numbers n, generate_series(1, 3) h where n.number = $1",
        number,
        CLOCK,
    )


async def lists(conn: Connection, directory: Path) -> None:
    """The national registry with one of ours, stale for New York; and a litigator."""
    plan = load_rules(SHIPPED)[1]
    national, litigators = directory / "national.txt", directory / "litigators.txt"
    national.write_text("212,5550199\n214,5550104\n")
    litigators.write_text("214,5550114\n")
    await subscribe(conn, "us_national", "10203040", None, [212, 214], CLOCK, "test")
    asked = LoadRequest("us_national", (national,), CLOCK - DAY, CLOCK, "test")
    await load(conn, replace(asked, account="10203040", numbers=2), plan)
    await load(conn, LoadRequest("litigator:known", (litigators,), CLOCK - DAY, CLOCK, "test"), plan)
    await conn.execute("update registry_areas set as_of = as_of - interval '40 days' where npa = 212")


async def test_the_carrier_sees_only_who_may_be_called(monkeypatch: pytest.MonkeyPatch) -> None:
    async with lab(replace(POWER, retry_s=3600), table(replace(HUMAN, talk_s=1.0)), 16) as made:
        await prepare(made)
        await begin(made)

        async def decided() -> bool:
            waiting = await rows(
                made,
                "select count(*) as n from queue where held_rule is null and state = 'due' and tries = 0",
            )
            looked_at = await rows(made, "select count(*) as n from queue")
            return bool(looked_at[0]["n"] == 16 and waiting[0]["n"] == 0)

        await until(decided, "every contact was looked at")
        await asyncio.sleep(3.0)
        assert sorted({call.number for call in at_carrier(made)}) == CALLABLE
        held = await rows(
            made,
            "select n.number, q.held_rule from queue q join contact_numbers n using (contact_id)"
            " where q.held_rule is not null",
        )
        assert {row["number"]: row["held_rule"] for row in held} == EXPECTED
        first, *others = EXPECTED
        said = [json.loads(await made.engine.run("why", first, "--json", "--config", str(made.config)))]
        # The others without a process for each.
        monkeypatch.setenv("DIALER_HOME", str(made.home))
        config = load_config(made.config)
        said += [as_json(await find_out(number, None, config)) for number in others]
        for (number, rule), told in zip(EXPECTED.items(), said, strict=True):
            (answer,) = told["answers"]
            assert (answer["allowed"], answer["blocking"]) == (False, rule), number
            reason = next(each["reason"] for each in answer["rules"] if each["rule"] == rule)
            assert len(reason) > 15
