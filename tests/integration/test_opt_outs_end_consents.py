"""Whoever asks not to be called ends their consents, however they ask: no later removal of the entry revives one."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from store_support import NOON, WALL, Conn, Member, World, load_shipped, make_world, put_contacts, request

from dialer_engine.contacts.registry.load import LoadRequest, load
from dialer_engine.contacts.suppression_file import import_suppressions
from dialer_engine.core.gate import ConsentKind
from dialer_engine.store import consent, suppress
from dialer_engine.store.attempts import Disposed
from dialer_engine.store.batch import Batch, Numbered, write_once
from dialer_engine.store.opt_outs import OptOutGiven, forbid_alone
from dialer_engine.store.pool import ENGINE_ROLE, open_pool
from dialer_engine.store.registry.lists import subscribe
from dialer_engine.store.reserve import reserve
from dialer_engine.store.suppression_journal import SuppressionJournal, journal_file

pytestmark = pytest.mark.postgres

TEXAS, OTHER, STRANGER = "+12103450101", "+12103450102", "+12103450103"
DAY = timedelta(days=1)
SIGNED = consent.NewConsent(
    TEXAS, ConsentKind.express_written, NOON - 30 * DAY, "form", "roofs", "I agree to be called", person="Ann"
)
KEY = OptOutGiven("f3b0c7a2-0000-4000-8000-000000000000", TEXAS, "acme", WALL)


@pytest.fixture
async def world(conn: Conn) -> World:
    """Ann, with two numbers, has signed for each with two Members; so has a stranger."""
    made = await make_world(conn, members={"acme": Member(), "bolt": Member("Bolt")})
    for member in made.members.values():
        await put_contacts(conn, member, "june", [[TEXAS, OTHER], [STRANGER]])
        signed = [replace(SIGNED, number=number) for number in (TEXAS, OTHER, STRANGER)]
        await consent.add(conn, member, signed, WALL - DAY, who="op")
    return made


async def ended(conn: Conn) -> set[tuple[str, str, str | None]]:
    """Member, number and channel of each consent that was revoked."""
    rows = [row for number in (TEXAS, OTHER, STRANGER) for row in await consent.of_number(conn, number)]
    return {(row.member, row.number, row.revoked_by_channel) for row in rows if row.revoked_at is not None}


def anns(member: str, channel: str) -> set[tuple[str, str, str | None]]:
    """Ann's consents to a Member, as `ended` tells them."""
    return {(member, TEXAS, channel), (member, OTHER, channel)}


async def take_registry(conn: Conn, directory: Path) -> None:
    """Load a registry in which Ann's numbers stand."""
    file = directory / "n.txt"
    file.write_text("210,3450101\n210,3450102\n")
    await subscribe(conn, "us_national", "10203040", None, [210], NOON, "op")
    asked = LoadRequest("us_national", (file,), NOON - DAY, NOON, "op", account="10203040", numbers=2)
    await load(conn, asked, load_shipped()[1])


async def test_a_signature_of_before_key_9_does_not_count_after_the_removal_of_the_entry(
    conn: Conn, world: World, tmp_path: Path
) -> None:
    await take_registry(conn, tmp_path)
    assert await ended(conn) == set(), "a registry is nobody's word to a Member"
    await forbid_alone(conn, [KEY])
    (record,) = [one for one in await consent.of_number(conn, OTHER) if one.member == "acme"]
    assert (record.revoked_at, record.revoked_by) == (WALL, "called party")
    assert record.revocation_note == f"attempt {KEY.attempt_id}"
    assert await ended(conn) == anns("acme", "key")
    assert await suppress.remove(conn, TEXAS, world.members["acme"], WALL, who="op", note="by mistake")
    got = await reserve(conn, request(world))
    assert ([one.number for one in got.reserved], got.held) == ([STRANGER], {"registry": 1})


async def test_a_consent_of_after_an_opt_out_that_comes_late_goes_on(conn: Conn, world: World) -> None:
    again = replace(SIGNED, since=WALL + timedelta(hours=1))
    await consent.add(conn, world.members["acme"], [again], WALL + DAY, who="op")
    await forbid_alone(conn, [KEY])
    found = await consent.of_number(conn, TEXAS, world.members["acme"])
    assert [(one.since, one.revoked_by_channel) for one in found] == [
        (again.since, None),
        (SIGNED.since, "key"),
    ]


async def test_an_opt_out_counts_once(conn: Conn, world: World) -> None:
    await forbid_alone(conn, [KEY])
    after = replace(SIGNED, source="letter", since=WALL + timedelta(hours=1))
    await consent.add(conn, world.members["acme"], [after], WALL + DAY, who="op")
    await forbid_alone(conn, [replace(KEY, at=WALL + DAY)])
    found = await consent.of_number(conn, TEXAS, world.members["acme"])
    assert {(one.source, one.revoked_by_channel) for one in found} == {("form", "key"), ("letter", None)}


async def test_an_opt_out_that_comes_again_names_only_who_still_stands_on_a_list(
    conn: Conn, world: World
) -> None:
    """Or the call that a person has allowed on purpose meanwhile would be cut off."""
    acme = world.members["acme"]
    assert await forbid_alone(conn, [KEY]) == [(TEXAS, acme)]
    assert await forbid_alone(conn, [KEY]) == [(TEXAS, acme)], "the engine may have ended before it was told"
    assert await suppress.remove(conn, TEXAS, acme, WALL, who="op")
    assert await forbid_alone(conn, [KEY]) == []
    await suppress.add(conn, TEXAS, world.members["bolt"], "request", WALL, who="op")
    assert await forbid_alone(conn, [KEY]) == []
    await suppress.add(conn, TEXAS, None, "request", WALL, who="op")
    assert await forbid_alone(conn, [KEY]) == [(TEXAS, acme)]


async def test_an_opt_out_to_nobody_or_to_a_member_who_is_not_here_ends_all(conn: Conn, world: World) -> None:
    await forbid_alone(conn, [replace(KEY, member="gone")])
    assert await ended(conn) == anns("acme", "key") | anns("bolt", "key")


async def test_an_agents_do_not_call_ends_consents_with_the_rights_of_the_engine(
    conn: Conn, pg_url: str, world: World, tmp_path: Path
) -> None:
    """And the journal outside the database knows of it."""
    journal = SuppressionJournal(journal_file(tmp_path))
    await journal.open(conn, WALL)
    said = Disposed(
        KEY.attempt_id, "dnc", "Do not call", "agent", WALL, NOON, True, True, number=TEXAS, member="acme"
    )
    pool = await open_pool(pg_url, 1, ENGINE_ROLE)

    async def owner(_: Conn) -> None: ...

    async with pool.acquire() as session:
        await write_once(session, Batch(KEY.attempt_id, 1, [Numbered(1, said)]), owner)
        assert await ended(session) == anns("acme", "agent")
        assert await journal.flush(session) == 3
    pool.terminate()
    assert journal_file(tmp_path).read_text().count('"action":"revoke"') == 2


async def test_dnc_add_ends_the_consents_to_whom_it_is_about(conn: Conn, world: World) -> None:
    await suppress.add(conn, OTHER, world.members["bolt"], "request", WALL, who="op", note="by letter")
    assert await ended(conn) == anns("bolt", "command")
    (record,) = await consent.of_number(conn, TEXAS, world.members["bolt"])
    assert (record.revoked_at, record.revoked_by, record.revocation_note) == (WALL, "op", "by letter")
    await suppress.add(conn, TEXAS, None, "request", WALL, who="op")
    assert await ended(conn) == anns("bolt", "command") | anns("acme", "command")


@pytest.mark.parametrize("everybody", [False, True])
async def test_a_file_ends_the_consents_of_all_who_stand_in_it(
    conn: Conn, world: World, tmp_path: Path, everybody: bool
) -> None:
    file = tmp_path / "dnc.csv"
    file.write_text(f"phone\n{OTHER}\n+12103450199\n")
    member = None if everybody else world.members["acme"]
    done = await import_suppressions(conn, file, member, "letters", WALL, who="op")
    assert done.added == 2
    assert await ended(conn) == anns("acme", "command") | (anns("bolt", "command") if everybody else set())


async def test_a_file_says_nothing_new_of_numbers_that_stand_there_already(
    conn: Conn, world: World, tmp_path: Path
) -> None:
    """People who agreed anew are not asked to do so after each import of a growing file."""
    file, member = tmp_path / "dnc.csv", world.members["acme"]
    file.write_text(f"{OTHER}\n")
    await import_suppressions(conn, file, member, "letters", WALL, who="op")
    await consent.add(conn, member, [replace(SIGNED, since=WALL + DAY)], WALL + DAY, who="op")
    await import_suppressions(conn, file, member, "letters", WALL + 2 * DAY, who="op")
    assert [one.revoked_at for one in await consent.of_number(conn, TEXAS, member)] == [None, WALL]


@pytest.mark.parametrize("everybody", [False, True])
async def test_a_file_ends_what_was_agreed_to_before_an_entry_that_ended_nothing(
    conn: Conn, world: World, tmp_path: Path, everybody: bool
) -> None:
    """Entries of earlier versions, of `dialer dnc copy` and out of the journal; who agreed after them goes on."""
    file, acme = tmp_path / "dnc.csv", world.members["acme"]
    file.write_text(f"{OTHER}\n")
    member = None if everybody else acme
    await suppress.add_within(conn, [OTHER], member, "letters", WALL, who="op")
    await suppress.add_within(conn, [STRANGER], member, "letters", WALL, who="op")
    await consent.add(conn, acme, [replace(SIGNED, since=WALL + DAY)], WALL + DAY, who="op")
    done = await import_suppressions(conn, file, member, "letters", WALL + 2 * DAY, who="op")
    assert (done.added, done.known) == (0, 1)
    assert await ended(conn) == anns("acme", "command") | (anns("bolt", "command") if everybody else set())
    revoked = [one.revoked_at for one in await consent.of_number(conn, TEXAS, acme)]
    assert revoked == [None, WALL + 2 * DAY]
