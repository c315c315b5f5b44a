"""Consents, revocations by any channel and emergency stops on a real Postgres, and what reservations do."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from store_support import NOON, WALL, Conn, Member, World, end_of, gate, make_world, put_contacts, request

from dialer_engine.contacts.consent_file import import_consents
from dialer_engine.contacts.errors import ContactsError
from dialer_engine.contacts.registry.answers import take_answers
from dialer_engine.core.gate import ConsentKind
from dialer_engine.core.gate.opt_out_words import OptOut
from dialer_engine.core.gate.rulebook import Loosening
from dialer_engine.engine.refusal_watch import stopped_calls
from dialer_engine.settings.rules import SHIPPED, load_rule_set
from dialer_engine.store import consent, rule_sets, stops, suppress
from dialer_engine.store.attempts import write
from dialer_engine.store.facts import facts_for
from dialer_engine.store.pool import connect
from dialer_engine.store.queue import settings_text, settle_held
from dialer_engine.store.reserve import reserve

pytestmark = pytest.mark.postgres

FLORIDA, OTHER, TEXAS = "+13055550101", "+13055550102", "+12105550101"
GIVEN = NOON - timedelta(days=30)
WRITTEN = consent.NewConsent(
    FLORIDA, ConsentKind.express_written, GIVEN, "form", "roofs", "I agree to be called", "scan 7", "Ann"
)
NEW, KNOWN = consent.Recorded((FLORIDA,), 0), consent.Recorded((), 0)


async def world_of(conn: Conn, *contacts: list[str]) -> World:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", list(contacts))
    return world


# --- consents -------------------------------------------------------------------------------------


async def test_a_floridian_is_called_only_with_a_consent_of_this_member(conn: Conn) -> None:
    world = await make_world(conn, members={"acme": Member(), "bolt": Member("Bolt")})
    acme, bolt = world.members["acme"], world.members["bolt"]
    await put_contacts(conn, acme, "june", [[FLORIDA]])
    assert (await reserve(conn, request(world))).held == {"automated_dialing": 1}
    assert await consent.add(conn, bolt, [WRITTEN], WALL, who="op") == NEW
    assert (await reserve(conn, request(world))).reserved == ()
    assert await consent.add(conn, acme, [WRITTEN], WALL, who="op") == NEW
    assert [one.number for one in (await reserve(conn, request(world))).reserved] == [FLORIDA]


async def test_a_consent_is_kept_with_its_evidence_once_and_unchanged(conn: Conn) -> None:
    world = await make_world(conn)
    member = world.members["acme"]
    assert await consent.add(conn, member, [WRITTEN, WRITTEN], WALL, who="op") == NEW
    assert await consent.add(conn, member, [WRITTEN], WALL, who="op") == KNOWN
    (found,) = await consent.of_number(conn, FLORIDA)
    assert (found.member, found.kind, found.since) == ("acme", "express_written", GIVEN)
    assert (found.text_shown, found.evidence, found.person) == ("I agree to be called", "scan 7", "Ann")
    assert (found.recorded_at, found.recorded_by, found.revoked_at) == (WALL, "op", None)
    for statement in ("update consents set kind = 'express'", "delete from consents"):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await conn.execute(statement)


async def test_a_signed_consent_without_words_is_refused_by_the_database(conn: Conn) -> None:
    world = await make_world(conn)
    bare = replace(WRITTEN, text_shown="", evidence="")
    with pytest.raises(asyncpg.CheckViolationError):
        await consent.add(conn, world.members["acme"], [bare], WALL, who="op")


async def test_an_inbound_call_is_an_inquiry_for_three_months(conn: Conn) -> None:
    maryland = "+14105550101"
    world = await world_of(conn, [maryland])
    member = world.members["acme"]
    assert await consent.inbound_call(conn, maryland, member, NOON - timedelta(days=1))
    assert not await consent.inbound_call(conn, maryland, member, NOON - timedelta(days=1))
    late = request(world, now=NOON + timedelta(days=92))
    assert (await reserve(conn, late)).held == {"automated_dialing": 1}
    await suppress.remove(conn, maryland, None, WALL, who="op")
    await conn.execute("update queue set state = 'due', next_at = '-infinity', held_rule = null")
    assert len((await reserve(conn, request(world))).reserved) == 1


# --- revocation -----------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", ["key", "agent", "command", "api", "inbound_call", "sms", "email"])
async def test_revoking_ends_all_consents_and_all_numbers_of_the_person(conn: Conn, channel: str) -> None:
    world = await world_of(conn, [FLORIDA, OTHER], [TEXAS])
    member = world.members["acme"]
    await consent.add(conn, member, [WRITTEN, replace(WRITTEN, number=OTHER)], WALL, who="op")
    done = await consent.revoke(conn, OTHER, member, channel, WALL, who="Ann", note="enough")
    assert set(done.numbers) == {FLORIDA, OTHER}
    assert len(done.consents) == 2
    (record,) = await consent.of_number(conn, FLORIDA)
    assert (record.revoked_at, record.revoked_by_channel, record.revoked_by) == (WALL, channel, "Ann")
    entries = await suppress.check(conn, FLORIDA)
    assert [(each.member, each.source) for each in entries] == [("acme", f"revoked by {channel}")]
    got = await reserve(conn, request(world))
    assert [one.number for one in got.reserved] == [TEXAS]
    assert got.held == {"member_suppression": 1}


async def test_revoking_for_everybody_reaches_every_member(conn: Conn) -> None:
    world = await make_world(conn, members={"acme": Member(), "bolt": Member("Bolt")})
    for member in world.members.values():
        await consent.add(conn, member, [WRITTEN], WALL, who="op")
    await put_contacts(conn, world.members["bolt"], "june", [[FLORIDA, TEXAS]])
    done = await consent.revoke(conn, FLORIDA, None, "email", WALL, who="op")
    assert len(done.consents) == 2
    assert set(done.numbers) == {FLORIDA, TEXAS}
    assert await consent.revoke(conn, FLORIDA, None, "email", WALL, who="op") == replace(
        done, consents=(), to_cancel=()
    )


async def test_revoking_names_the_attempts_to_cancel_on_any_number_of_the_person(conn: Conn) -> None:
    world = await world_of(conn, ["+12105550101", "+12105550102"])
    (live,) = (await reserve(conn, request(world))).reserved
    assert live.number == "+12105550101"
    done = await consent.revoke(conn, "+12105550102", world.members["acme"], "sms", WALL, who="Ann")
    assert done.to_cancel == (live.attempt_id,)
    assert await suppress.live_suppressed(conn) == [("+12105550101", world.members["acme"])]


async def test_a_number_on_no_list_can_be_revoked(conn: Conn) -> None:
    await make_world(conn)
    done = await consent.revoke(conn, TEXAS, None, "sms", WALL, who="Ann")
    assert (done.numbers, done.consents, done.to_cancel) == ((TEXAS,), (), ())
    assert len(await suppress.check(conn, TEXAS)) == 1


async def test_a_consent_after_a_revocation_does_not_lift_the_entry(conn: Conn) -> None:
    world = await world_of(conn, [TEXAS])
    member = world.members["acme"]
    await consent.revoke(conn, TEXAS, member, "sms", WALL, who="Ann")
    again = consent.NewConsent(TEXAS, ConsentKind.express, GIVEN, "phone")
    await consent.add(conn, member, [again], WALL, who="op")
    assert (await reserve(conn, request(world))).reserved == ()
    await suppress.remove(conn, TEXAS, member, WALL, who="op", note="asked to be called")
    assert len((await reserve(conn, request(world))).reserved) == 1


@pytest.mark.parametrize(
    ("text", "meant", "revoked"),
    [
        ("STOP", OptOut.yes, True),
        ("Arrêtez!", OptOut.yes, True),
        ("at the end of June", OptOut.perhaps, False),
        ("thanks", OptOut.no, False),
    ],
)
async def test_a_message_is_read_and_obeyed(conn: Conn, text: str, meant: OptOut, revoked: bool) -> None:
    world = await world_of(conn, [TEXAS])
    found, done = await consent.take_message(conn, TEXAS, world.members["acme"], "sms", text, WALL)
    assert (found, done is not None) == (meant, revoked)
    entries = await suppress.check(conn, TEXAS)
    assert [each.note for each in entries] == ([text] if revoked else [])


async def test_a_revocation_committed_before_a_reservation_wins(conn: Conn, pg_url: str) -> None:
    """Fifty people revoke while eight connections reserve: nobody who revoked first is reserved later."""
    numbers = [f"+12105550{100 + n}" for n in range(100)]
    world = await world_of(conn, *([number] for number in numbers))
    committed: dict[str, bool] = {}
    lost: list[str] = []

    async def revoking() -> None:
        own = await connect(pg_url)
        for number in numbers[::2]:
            await consent.revoke(own, number, world.members["acme"], "key", WALL, who="Ann")
            committed[number] = True
            await asyncio.sleep(0)
        await own.close()

    async def reserving() -> None:
        own = await connect(pg_url)
        for _ in range(12):
            before = set(committed)
            got = (await reserve(own, request(world, 2))).reserved
            lost.extend(one.number for one in got if one.number in before)
        await own.close()

    await asyncio.gather(revoking(), *(reserving() for _ in range(8)))
    assert lost == []


# --- persons --------------------------------------------------------------------------------------


async def test_the_cap_counts_a_persons_numbers_together(conn: Conn) -> None:
    world = await world_of(conn, ["+12105550101", "+12105550102", "+12105550103", "+12105550104"])
    called = []
    for turn in range(5):
        now = NOON + timedelta(minutes=turn)
        got = await reserve(conn, request(world, now=now))
        called += [one.number for one in got.reserved]
        ends = [end_of(one, "failed", retry_at=NOON) for one in got.reserved]
        await write(conn, [], ends, 1)
    assert called == ["+12105550101", "+12105550102", "+12105550103"]
    (entry,) = await facts_for(conn, "+12105550104", None, NOON + timedelta(hours=1))
    assert len(entry.facts.person_attempts) == 3
    assert entry.facts.recent_attempts == ()
    row = await conn.fetchrow("select held_rule, next_at from queue")
    assert row is not None
    assert (row["held_rule"], row["next_at"]) == ("person_attempts", NOON + timedelta(hours=24, minutes=1))


async def test_two_campaigns_cannot_pass_the_cap_of_a_person_together(conn: Conn, pg_url: str) -> None:
    from store_support import Campaign

    world = await make_world(conn, {"spring": Campaign(), "autumn": Campaign()})
    contacts = [[f"+1210555{100 + 4 * n + k:04d}" for k in range(4)] for n in range(20)]
    await put_contacts(conn, world.members["acme"], "june", contacts)
    person = {number: n for n, numbers in enumerate(contacts) for number in numbers}
    calls: dict[int, int] = {}

    async def worker(seed: int) -> None:
        own = await connect(pg_url)
        for turn in range(12):
            name = ("spring", "autumn")[(seed + turn) % 2]
            now = NOON + timedelta(minutes=2 * turn)
            wanted = replace(request(world, 5, now=now), campaign_id=world.campaigns[name])
            got = (await reserve(own, wanted)).reserved
            for one in got:
                calls[person[one.number]] = calls.get(person[one.number], 0) + 1
            await write(own, [], [end_of(one, "failed", retry_at=NOON) for one in got], 1)
        await own.close()

    await asyncio.gather(*(worker(seed) for seed in range(6)))
    assert max(calls.values()) == 3
    assert len(calls) == 20


# --- emergency stops ------------------------------------------------------------------------------


async def test_a_stop_holds_at_once_and_resuming_lets_contacts_be_looked_at_again(conn: Conn) -> None:
    world = await world_of(conn, [TEXAS])
    assert await stops.stop(conn, "US-TX", "hurricane", WALL, who="op")
    assert not await stops.stop(conn, "US-TX", "again", WALL, who="op")
    assert (await reserve(conn, request(world))).held == {"emergency_stop": 1}
    (entry,) = await facts_for(conn, TEXAS, None, NOON)
    assert [stop.region for stop in entry.stops] == ["US-TX"]
    assert await stops.resume(conn, "US-TX", "over", WALL, who="op")
    assert not await stops.resume(conn, "US-TX", "over", WALL, who="op")
    assert len((await reserve(conn, request(world))).reserved) == 1
    (record,) = await stops.history(conn)
    assert (record.reason, record.end_reason, record.ended_by) == ("hurricane", "over", "op")
    actions = await conn.fetch("select action, object from audit order by id")
    assert [tuple(row) for row in actions] == [
        ("emergency stop", "US-TX"),
        ("emergency stop ended", "US-TX"),
    ]


async def test_a_stop_that_exempts_consent_leaves_those_people(conn: Conn) -> None:
    world = await world_of(conn, [TEXAS], ["+12105550102"])
    bought = consent.NewConsent(TEXAS, ConsentKind.ebr_purchase, GIVEN, "shop")
    await consent.add(conn, world.members["acme"], [bought], WALL, who="op")
    await stops.stop(conn, "US", "state of emergency", WALL, who="op", exempts_consent=True)
    got = await reserve(conn, request(world))
    assert [one.number for one in got.reserved] == [TEXAS]
    assert got.held == {"emergency_stop": 1}
    assert await stopped_calls(conn, gate()) == [], "who may be reserved may go on ringing"


async def test_a_stop_spares_nobody_for_what_a_former_owner_signed(conn: Conn, tmp_path: Path) -> None:
    world = await world_of(conn, [TEXAS], ["+12105550102"])
    acme = world.members["acme"]
    await consent.add(
        conn, acme, [replace(WRITTEN, number=TEXAS, since=NOON - timedelta(days=1))], WALL, who="op"
    )
    ids = {one.number: one.attempt_id for one in (await reserve(conn, request(world))).reserved}
    await stops.stop(conn, "US-TX", "hurricane", WALL, who="op", exempts_consent=True)
    assert await stopped_calls(conn, gate()) == [ids["+12105550102"]]
    file = tmp_path / "answers.csv"
    file.write_text(f"{TEXAS},2025-01-10,yes\n")
    await take_answers(conn, file, NOON, NOON, "op")
    assert set(await stopped_calls(conn, gate())) == set(ids.values())


async def test_contacts_are_looked_at_again_when_an_answer_gives_a_consent_back(
    conn: Conn, tmp_path: Path
) -> None:
    """Florida asks for a signature; the present owner only said yes, and a later answer shows that he signed too."""
    world = await world_of(conn, [FLORIDA], [OTHER])
    acme = world.members["acme"]
    answered = NOON - timedelta(days=2)
    said = consent.NewConsent(FLORIDA, ConsentKind.express, NOON - timedelta(days=1), "phone")
    await consent.add(conn, acme, [WRITTEN, said], WALL, who="op")
    file = tmp_path / "answers.csv"
    file.write_text(f"{FLORIDA},2025-01-10,yes\n{OTHER},2025-01-10,no\n")
    await take_answers(conn, file, answered, NOON, "op")
    got = await reserve(conn, request(world))
    assert (got.reserved, got.held) == ((), {"automated_dialing": 2})
    file.write_text(f"{FLORIDA},{GIVEN.date()},no\n")
    await take_answers(conn, file, answered, NOON, "op")
    states = await conn.fetch("select state from queue order by contact_id")
    assert [row["state"] for row in states] == ["due", "held"]
    assert [one.number for one in (await reserve(conn, request(world))).reserved] == [FLORIDA]


async def test_a_stop_ends_the_unanswered_calls_that_it_forbids_and_no_others(conn: Conn) -> None:
    texan, georgian, foreign = "+12105550102", "+14045550101", "+12105550103"
    world = await world_of(conn, [TEXAS], [texan], [georgian], [foreign])
    acme = world.members["acme"]
    other = (await make_world(conn, members={"bolt": Member("Bolt")})).members["bolt"]
    bought = consent.NewConsent(TEXAS, ConsentKind.ebr_purchase, GIVEN, "shop")
    await consent.add(conn, acme, [bought], WALL, who="op")
    await consent.add(conn, other, [replace(bought, number=foreign)], WALL, who="op")
    ids = {one.number: one.attempt_id for one in (await reserve(conn, request(world))).reserved}
    assert await stopped_calls(conn, gate()) == []
    await stops.stop(conn, "US-TX", "hurricane", WALL, who="op", exempts_consent=True)
    assert set(await stopped_calls(conn, gate())) == {ids[texan], ids[foreign]}
    await consent.revoke(conn, TEXAS, acme, "sms", WALL, who="called party")
    assert set(await stopped_calls(conn, gate())) == {ids[TEXAS], ids[texan], ids[foreign]}
    await stops.resume(conn, "US-TX", "over", WALL, who="op")
    await stops.stop(conn, "US-TX", "flood", WALL, who="op")
    bought_again = replace(bought, since=NOON - timedelta(days=1))
    await consent.add(conn, acme, [bought_again], WALL, who="op")
    assert set(await stopped_calls(conn, gate())) == {ids[TEXAS], ids[texan], ids[foreign]}, "spares nobody"
    await conn.execute("update attempts set answered_at = now() where number <> $1", TEXAS)
    assert await stopped_calls(conn, gate()) == [ids[TEXAS]]


async def test_unanswered_calls_are_listed_with_their_places(conn: Conn) -> None:
    world = await world_of(conn, [TEXAS])
    await conn.execute("update contacts set regions = '{US-LA}', zones = '{America/Chicago}'")
    (live,) = (await reserve(conn, request(world))).reserved
    (place,) = await stops.unanswered(conn)
    assert (place.attempt_id, place.number) == (live.attempt_id, TEXAS)
    assert place.member_id == world.members["acme"]
    assert (place.regions, place.zones) == (("US-LA",), ("America/Chicago",))
    await conn.execute("update attempts set answered_at = now()")
    assert await stops.unanswered(conn) == []


# --- versions of the rules ------------------------------------------------------------------------


async def test_every_version_of_the_rules_is_kept_and_what_it_loosens_is_audited(conn: Conn) -> None:
    rules = load_rule_set(SHIPPED)
    loosened = Loosening("US-TX", "longer hours", "Jo Doe", "counsel", NOON.date(), None)
    version = rules.book.version
    assert await rule_sets.remember(conn, version, rules.texts, [loosened], WALL)
    assert not await rule_sets.remember(conn, version, rules.texts, [loosened], WALL)
    world, later = await make_world(conn), WALL + timedelta(days=1)
    run = list(world.campaigns.values())
    for each, expected in (("rules:1", True), (version, True), (version, False)):
        again = [loosened] if each == version else []
        assert await rule_sets.remember(conn, each, rules.texts, again, later, run) is expected
        await settle_held(conn, run[0], settings_text({"zone_data": each}))
    stored = await rule_sets.stored(conn, version)
    assert stored is not None
    assert stored.files == rules.texts
    assert await rule_sets.stored(conn, "rules:0") is None
    assert await rule_sets.versions(conn) == [("rules:1", later), (version, WALL)]
    rows = await conn.fetch("select who, action, object, detail ->> 'reason' as why from audit order by id")
    first = [
        ("engine", "rules in force", version, None),
        ("Jo Doe", "rule loosened", "US-TX", "counsel"),
    ]
    assert [tuple(row) for row in rows] == [*first, ("engine", "rules in force", "rules:1", None), *first]


# --- files ----------------------------------------------------------------------------------------


async def test_a_file_of_consents_is_taken_in_whole(conn: Conn, tmp_path: Path) -> None:
    world = await world_of(conn, [FLORIDA])
    file = tmp_path / "consents.csv"
    file.write_text(
        "number,kind,since,source,purpose,text,evidence,person\n"
        '(305) 555-0101,express_written,2026-05-01,,roofs,"I agree, call me",,Ann\n'
        "+1 305 555 0102,ebr_purchase,2026-05-01T10:00:00-04:00,shop,,,,\n"
    )
    done = await import_consents(conn, file, world.members["acme"], WALL, who="op")
    assert (done.rows, done.added, done.known) == (2, 2, 0)
    again = await import_consents(conn, file, world.members["acme"], WALL, who="op")
    assert (again.rows, again.added, again.known) == (2, 0, 2)
    (record,) = await consent.of_number(conn, FLORIDA)
    assert (record.source, record.text_shown) == ("import of consents.csv", "I agree, call me")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("number,kind\n", "missing: since"),
        ("number,kind,since,colour\n", "unknown: colour"),
        ("number,kind,since\n3055550101,spoken,2026-05-01\n", ":2: kind 'spoken' is not one of"),
        ("number,kind,since\n305555010,express,2026-05-01\n", ":2: number"),
        ("number,kind,since\n3055550101,express,May 1\n", ":2: since 'May 1'"),
        ("number,kind,since\n3055550101,express,2099-01-01\n", "in the future"),
        ("number,kind,since\n3055550101,express_written,2026-05-01\n", "needs text"),
        ("number,kind,since\n3055550101,express,2026-05-01\n3055550102,x,2026-05-01\n", ":3: kind 'x'"),
    ],
)
async def test_one_bad_row_refuses_the_whole_file(
    conn: Conn, tmp_path: Path, content: str, words: str
) -> None:
    world = await make_world(conn)
    file = tmp_path / "consents.csv"
    file.write_text(content)
    with pytest.raises(ContactsError, match=words.replace("(", r"\(")):
        await import_consents(conn, file, world.members["acme"], WALL, who="op")
    assert await conn.fetchval("select count(*) from consents") == 0
