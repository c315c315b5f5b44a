"""A consent that is recorded after its person asked not to be called, and is older than that, has ended."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cli_support import commands_on
from store_support import WALL, Conn, World, request
from test_opt_outs_end_consents import DAY, KEY, OTHER, SIGNED, STRANGER, TEXAS, take_registry, world

from dialer_engine.contacts.consent_file import import_consents
from dialer_engine.store import consent, suppress
from dialer_engine.store.consent import NewConsent
from dialer_engine.store.opt_outs import forbid_alone
from dialer_engine.store.renames import copy_suppressions
from dialer_engine.store.reserve import reserve
from dialer_engine.store.suppression_journal import SuppressionJournal, journal_file

pytestmark = pytest.mark.postgres

__all__ = ["world"]

NEW = "+12103450104"
"""Nothing is on record of it."""


def letter(number: str, days: float) -> NewConsent:
    """What somebody signed so many days after the moment of the tests, as another source has it."""
    return replace(SIGNED, number=number, source="letter", since=WALL + days * DAY)


async def record(conn: Conn, world: World, *new: NewConsent, member: str = "acme") -> list[datetime | None]:
    """Record consents late; returns since when each has ended, None where it goes on."""
    await consent.add(conn, world.members[member], new, WALL + 90 * DAY, who="op")
    rows = [await consent.of_number(conn, one.number, world.members[member]) for one in new]
    found = [(one, row) for one, of_one in zip(new, rows, strict=True) for row in of_one]
    return [row.revoked_at for one, row in found if (row.since, row.source) == (one.since, one.source)]


async def test_another_copy_of_a_signature_does_not_count_again_after_the_removal_of_the_entry(
    conn: Conn, world: World, tmp_path: Path
) -> None:
    await take_registry(conn, tmp_path)
    await forbid_alone(conn, [KEY])
    assert await suppress.remove(conn, TEXAS, world.members["acme"], WALL, who="op")
    assert await record(conn, world, replace(SIGNED, source="form, by letter")) == [WALL]
    got = await reserve(conn, request(world))
    assert ([one.number for one in got.reserved], got.held) == ([STRANGER], {"registry": 1})


@pytest.mark.parametrize("removed", [False, True])
async def test_an_older_consent_ends_also_where_none_was_on_record(
    conn: Conn, world: World, tmp_path: Path, removed: bool
) -> None:
    """And the journal outside the database knows of it."""
    journal = SuppressionJournal(journal_file(tmp_path))
    await journal.open(conn, WALL)
    await forbid_alone(conn, [replace(KEY, number=NEW)])
    if removed:
        assert await suppress.remove(conn, NEW, world.members["acme"], WALL, who="op")
    assert await record(conn, world, letter(NEW, -1), letter(NEW, 1)) == [WALL, None]
    [_, older] = await consent.of_number(conn, NEW)
    how = (older.revoked_by_channel, older.revoked_by, older.revocation_note)
    assert how == ("key", "called party", f"attempt {KEY.attempt_id}")
    await journal.flush(conn)
    assert journal_file(tmp_path).read_text().count('"action":"revoke"') == 1


async def test_a_request_counts_for_all_numbers_of_the_person_and_for_whom_it_was_said_to(
    conn: Conn, world: World
) -> None:
    await suppress.add(conn, TEXAS, world.members["bolt"], "request", WALL, who="op")
    assert await record(conn, world, letter(OTHER, -1), member="bolt") == [WALL]
    assert await record(conn, world, letter(OTHER, -1), letter(TEXAS, -1)) == [None, None]
    await suppress.add(conn, STRANGER, None, "request", WALL, who="op")
    assert await record(conn, world, letter(STRANGER, -1)) == [WALL]


async def test_what_was_agreed_to_between_two_requests_has_ended(conn: Conn, world: World) -> None:
    """The second one found the number on the list: only the consents that it ended tell of it."""
    acme = world.members["acme"]
    await suppress.add(conn, TEXAS, acme, "request", WALL, who="op")
    assert await record(conn, world, letter(TEXAS, 1)) == [None]
    await suppress.add(conn, TEXAS, acme, "request", WALL + 3 * DAY, who="op")
    new = [letter(OTHER, 2), letter(TEXAS, 2), letter(TEXAS, 4), letter(TEXAS, -1)]
    assert await record(conn, world, *new) == [WALL + 3 * DAY] * 2 + [None, WALL]


async def test_a_copied_entry_is_nobodys_word(conn: Conn, world: World) -> None:
    await suppress.add_within(conn, [TEXAS], world.members["bolt"], "request", WALL, who="op")
    await copy_suppressions(conn, "bolt", "acme", WALL, who="op")
    assert await record(conn, world, letter(TEXAS, -1)) == [None]
    assert await record(conn, world, letter(TEXAS, -1), member="bolt") == [WALL]


async def test_a_revocation_by_text_is_told_as_such(conn: Conn, world: World) -> None:
    await consent.revoke(conn, NEW, None, "sms", WALL, who="Ann", note="stop")
    assert await record(conn, world, letter(NEW, -1)) == [WALL]
    [record_] = await consent.of_number(conn, NEW)
    assert (record_.revoked_by_channel, record_.revoked_by, record_.revocation_note) == ("sms", "Ann", "stop")


async def test_a_file_says_how_many_of_its_consents_are_older(
    conn: Conn, world: World, tmp_path: Path
) -> None:
    await forbid_alone(conn, [KEY])
    file = tmp_path / "consents.csv"
    rows = [(TEXAS, WALL - DAY), (OTHER, WALL - DAY), (TEXAS, WALL + DAY), (STRANGER, WALL - DAY)]
    lines = [f"{number},express,{since.isoformat()}" for number, since in rows]
    file.write_text("\n".join(["number,kind,since", *lines]))
    acme = world.members["acme"]
    done = await import_consents(conn, file, acme, WALL + 2 * DAY, who="op")
    assert (done.rows, done.added, done.older) == (4, 4, 2)
    again = await import_consents(conn, file, acme, WALL + 2 * DAY, who="op")
    assert (again.added, again.known, again.older) == (0, 4, 0)


async def test_the_commands_say_it(
    conn: Conn, world: World, pg_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = commands_on(tmp_path, pg_url, monkeypatch)

    async def run(*words: str) -> str:
        return await asyncio.to_thread(commands.run, "consent", *words, "--member", "acme")

    await suppress.add(conn, NEW, None, "request", WALL, who="op")
    since = (WALL - timedelta(days=1)).isoformat()
    said = await run("add", NEW, "--kind", "express", "--source", "letter", "--since", since)
    assert "older than a request not to call" in said
    file = tmp_path / "consents.csv"
    file.write_text(f"number,kind,since\n{NEW},express,{since}\n{STRANGER},express,{since}\n")
    said = await run("import", str(file))
    assert "2 consents recorded" in said
    assert "1 consents are older than a request not to call" in said
