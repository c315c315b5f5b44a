"""The abandonment ledger out of real call-detail records, against the pure rules; and complete records."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest
from store_support import (
    NOON,
    WALL,
    Campaign,
    Conn,
    end_of,
    fictional,
    load_shipped,
    make_world,
    put_contacts,
    request,
)

from dialer_engine.core.budget import Budget, Exposure
from dialer_engine.core.gate import Limits
from dialer_engine.core.ledger import CallTimes, Counts, counts_of
from dialer_engine.engine.dispatcher import Dispatcher
from dialer_engine.engine.ledger import Ledgers
from dialer_engine.engine.plan import CampaignPlan
from dialer_engine.engine.prompts import Prompt
from dialer_engine.settings import models as settings_models
from dialer_engine.store.attempts import AttemptEnd, Disposed, dispose, write
from dialer_engine.store.directory import sync_campaigns
from dialer_engine.store.kept_text import KeptText, keep_text, set_record_fields
from dialer_engine.store.ledger import doubtful, legal_campaigns, load_ledger
from dialer_engine.store.reserve import Reservation, reserve

pytestmark = pytest.mark.postgres

SINCE = WALL - timedelta(days=60)
AREA_CODES = ("210", "214", "512", "713", "817", "972")


def country_of(npa: str) -> str:
    return "CA" if npa == "416" else "US"


def second(offset: float | None) -> datetime | None:
    return None if offset is None else WALL + timedelta(seconds=offset)


SHAPES = [
    # originated, ringing, answered, message, joined, ended, result, ended by
    (originated, ringing, answered, message, joined, ended, result, by)
    for (originated, ringing), (answered, message, joined), ended, (result, by) in product(
        ((None, None), (0.0, None), (0.0, 1.0)),
        (
            (None, None, None),
            (5.0, None, None),
            (5.0, 6.9, None),
            (5.0, 7.2, None),
            (5.0, None, 5.02),
            (5.0, 6.85, 6.8),
            (5.0, 7.02, 5.02),
            (5.0, 7.03, 5.02),
            (5.0, None, 7.0),
            (5.0, None, 7.5),
        ),
        (6.0, 7.5, 15.9, 16.1, 90.0),
        (("bridged", "customer"), ("unknown", "unknown"), ("node_lost", "unknown"), ("abandoned", "engine")),
    )
    if ended >= max(answered or 0.0, message or 0.0, joined or 0.0)
]


def end(reservation: Reservation, shape: tuple[object, ...]) -> AttemptEnd:
    originated, ringing, answered, message, joined, ended, result, by = shape
    return end_of(
        reservation,
        str(result),
        originated_at=second(originated),  # type: ignore[arg-type]
        ringing_at=second(ringing),  # type: ignore[arg-type]
        answered_at=second(answered),  # type: ignore[arg-type]
        message_at=second(message),  # type: ignore[arg-type]
        joined_at=second(joined),  # type: ignore[arg-type]
        ended_at=second(ended),  # type: ignore[arg-type]
        ended_by=by,
        final=True,
    )


def pure(shape: tuple[object, ...]) -> Counts:
    originated, ringing, answered, message, joined, ended, result, by = shape
    return counts_of(
        CallTimes(
            *(second(x) for x in (originated, ringing, answered, message, joined, ended)),  # type: ignore[arg-type]
            unknown=result in ("unknown", "node_lost"),
            ended_by_us=by == "engine",
        )
    )


async def test_the_database_judges_as_the_pure_rules_do(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(len(SHAPES), AREA_CODES))
    done: list[Reservation] = []
    while len(done) < len(SHAPES):
        more = await reserve(conn, request(world, 50))
        await write(
            conn, [], [end(r, s) for r, s in zip(more.reserved, SHAPES[len(done) :], strict=False)], 1
        )
        done += more.reserved
    ledger = await load_ledger(conn, world.campaigns["spring"], country_of, SINCE)
    together = sum((pure(shape) for shape in SHAPES), Counts())
    assert ledger.counts("US", WALL.date()) == together
    assert together.abandoned > 50
    rows = await conn.fetch("select attempt_id::text, standing, rung_short from ledger_calls")
    seen = {row["attempt_id"]: row for row in rows}
    for reservation, shape in zip(done, SHAPES, strict=True):
        row, counts = seen[reservation.attempt_id], pure(shape)
        expected = next((n for n in ("abandoned", "short", "doubtful") if getattr(counts, n)), "unanswered")
        assert (row["standing"], bool(row["rung_short"])) == (expected, bool(counts.rung_short)), shape


async def talked(
    conn: Conn, world: object, count: int, *, numbers: list[list[str]] | None = None
) -> list[Reservation]:
    await put_contacts(conn, world.members["acme"], "june", numbers or fictional(count))  # type: ignore[attr-defined]
    result = await reserve(conn, request(world, count))  # type: ignore[arg-type]
    shape = (0.0, 1.0, 5.0, None, 5.02, 60.0, "bridged", "customer")
    await write(conn, [], [end(r, shape) for r in result.reserved], 1)
    return list(result.reserved)


def disposed(reservation: Reservation, *, person: bool = True, at: datetime = WALL) -> Disposed:
    return Disposed(reservation.attempt_id, "sale", "Sale", "agent", at, NOON, final=True, person=person)


async def test_only_the_disposition_makes_a_live_answer(conn: Conn) -> None:
    world = await make_world(conn)
    calls = await talked(conn, world, 4)
    campaign = world.campaigns["spring"]
    assert len(await doubtful(conn, campaign, country_of, SINCE)) == 4
    await dispose(conn, [disposed(calls[0])])
    await dispose(conn, [disposed(calls[1], person=False)])
    await dispose(conn, [disposed(calls[2], person=False)])
    await dispose(conn, [disposed(calls[2], at=WALL + timedelta(seconds=9))])  # corrected
    ledger = await load_ledger(conn, campaign, country_of, SINCE)
    assert ledger.counts("US", WALL.date()) == Counts(connected=2, doubtful=2)
    left = await doubtful(conn, campaign, country_of, SINCE)
    assert [(d.attempt_id, d.country, d.day) for d in left] == [(calls[3].attempt_id, "US", WALL.date())]


async def test_countries_and_the_first_day_come_from_the_records(conn: Conn) -> None:
    world = await make_world(conn)
    campaign = world.campaigns["spring"]
    assert (await load_ledger(conn, campaign, country_of, SINCE)).first_days == {}
    await talked(conn, world, 2, numbers=[["+14165550100"], ["+12105550100"]])
    ledger = await load_ledger(conn, campaign, country_of, SINCE)
    assert ledger.counts("CA", WALL.date()) == ledger.counts("US", WALL.date()) == Counts(doubtful=1)
    assert ledger.first_days == {"US": WALL.date(), "CA": WALL.date()}
    later = await load_ledger(conn, campaign, country_of, WALL + timedelta(days=40))
    assert later.days == {}
    assert later.first_days["US"] == WALL.date(), "remembered, so that the periods do not move"


async def test_campaigns_of_one_seller_and_offer_are_one(conn: Conn) -> None:
    campaigns = {
        "a": Campaign(),
        "b": Campaign(),
        "other offer": Campaign(offer="windows"),
        "none": Campaign(offer=None),
        "none either": Campaign(offer=None),
    }
    world = await make_world(conn, campaigns)
    legal = await legal_campaigns(conn)
    ids = world.campaigns
    assert legal[ids["a"]] == legal[ids["b"]]
    assert len({legal[ids[name]] for name in campaigns}) == 4


async def test_a_renamed_campaign_goes_on_with_the_budget_of_its_seller_and_offer(conn: Conn) -> None:
    """The file of `spring` is renamed to `summer` and the engine starts anew."""
    world = await make_world(conn)
    talks = await talked(conn, world, 20)
    await dispose(conn, [disposed(call) for call in talks[:19]])
    await put_contacts(conn, world.members["acme"], "june", [[f"+1214555010{n}"] for n in range(2)])
    lost = (await reserve(conn, request(world, 2))).reserved
    await write(conn, [], [end(r, (0.0, 1.0, 5.0, None, None, 16.1, "abandoned", "engine")) for r in lost], 1)
    await sync_campaigns(conn, {"summer": Campaign(), "other": Campaign(offer="windows")})
    ids = {row["name"]: row["id"] for row in await conn.fetch("select id, name from campaigns")}
    assert ids["summer"] != ids["spring"]
    ledgers = Ledgers(Dispatcher(NOBODY, NOBODY), load_shipped()[1], ["main"], lambda: WALL)
    ledgers.begin(*await ledgers.load(conn, {name: plan(name, ids[name]) for name in ("summer", "other")}))
    ledger = ledgers.together("summer")
    assert ledger.counts("US", WALL.date()) == Counts(connected=19, abandoned=2, doubtful=1)
    assert ledger.first_days["US"] == WALL.date(), "the period goes on"
    assert ledgers.budget("summer", "main").left["US"] == 0
    assert ledgers.budget("other", "main").left["US"] == 2, "another offer is another campaign"
    ledgers.disposed(talks[19].attempt_id, person=True)
    assert ledger.counts("US", WALL.date()) == Counts(connected=20, abandoned=2)


NOBODY: Any = None
"""A dispatcher without calls tells nobody anything."""


def plan(name: str, campaign_id: int) -> CampaignPlan:
    given = {
        "name": name,
        "member": "acme",
        "lists": ["june"],
        "trunks": ["main"],
        "caller_ids": ["+12105550177"],
    }
    settings = settings_models.Campaign.model_validate(given)
    return CampaignPlan(settings, campaign_id, 1, Prompt("x", "v"), Limits(3, 6, {}))


async def test_a_record_says_all_that_the_sales_rule_asks_for(conn: Conn) -> None:
    world = await make_world(conn)
    campaign = world.campaigns["spring"]
    await set_record_fields(conn, campaign, "Calls Inc.", "5c1dab1e", "contract 17 of 2026-01-01")
    await keep_text(conn, KeptText("5c1dab1e", "script", "Hello.", "script.txt"), WALL)
    await keep_text(conn, KeptText("5c1dab1e", "script", "changed", "script.txt"), WALL)
    await put_contacts(conn, world.members["acme"], "june", fictional(2))
    await conn.execute("update contacts set business = true where row_number = 2")
    result = await reserve(conn, request(world, 2))
    ends = [
        replace(end(r, (0.0, 1.0, 5.0, None, 5.02, 60.0, "bridged", "customer")), caller_id_name="ACME")
        for r in result.reserved
    ]
    await write(conn, [], ends, 1)
    await dispose(conn, [disposed(result.reserved[0])])
    rows = await conn.fetch("select * from cdr_export order by contact_id")
    first = dict(rows[0])
    expected = {
        "telemarketer": "Calls Inc.",
        "seller": "Acme",
        "offer": "roof repair",
        "called_party": "consumer",
        "is_outbound": True,
        "used_prerecorded": False,
        "calling_number": "+12105550177",
        "called_number": result.reserved[0].number,
        "originated_at": WALL,
        "duration_ms": 55_000,
        "script_version": "5c1dab1e",
        "prompt_version": None,
        "caller_id_name": "ACME",
        "caller_id_proof": "contract 17 of 2026-01-01",
        "disposition": "sale",
        "live_person": True,
        "transfer_to_number": None,
        "transfer_to_party": None,
    }
    assert {key: first[key] for key in expected} == expected
    assert [row["called_party"] for row in rows] == ["consumer", "business"]
    assert await conn.fetchval("select content from prompts") == "Hello.", "a version never changes"


async def test_without_settings_the_member_places_the_calls(conn: Conn) -> None:
    world = await make_world(conn)
    await talked(conn, world, 1)
    row = await conn.fetchrow("select telemarketer, script_version, caller_id_proof from cdrs")
    assert row is not None
    assert tuple(row) == ("Acme", None, None)


def beyond_agents(free: int, **left: int) -> Budget:
    return Budget({"US": 100, "CA": 100} | left, Exposure(free=free), "US")


async def test_a_country_without_room_waits_with_its_reason(conn: Conn) -> None:
    world = await make_world(conn)
    numbers = [[f"+1416555010{n}"] for n in range(5)] + [[f"+1210555010{n}"] for n in range(5)]
    await put_contacts(conn, world.members["acme"], "june", numbers)
    result = await reserve(conn, request(world, 6, budget=beyond_agents(0, CA=2)))
    countries = [country_of(r.number[2:5]) for r in result.reserved]
    assert (countries.count("CA"), countries.count("US")) == (2, 4)
    assert result.held == {"abandonment_budget": 3}
    held = await conn.fetch("select next_at, held_reason from queue where held_rule = 'abandonment_budget'")
    assert {row["next_at"] for row in held} == {NOON + timedelta(seconds=2)}
    assert "CA" in held[0]["held_reason"]
    later = NOON + timedelta(seconds=2)
    again = await reserve(conn, request(world, 6, later))
    assert len(again.reserved) == 4


async def test_the_budget_holds_over_several_transactions_of_one_reservation(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", [[f"+1416555010{n}"] for n in range(10)])
    result = await reserve(conn, request(world, 8, budget=beyond_agents(1, CA=2, US=0)))
    assert len(result.reserved) == 3


async def test_without_any_budget_every_free_agent_still_gets_a_call(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(10))
    result = await reserve(conn, request(world, 8, budget=beyond_agents(3, CA=-1, US=-4)))
    assert len(result.reserved) == 3
