"""The journal of do-not-call changes and revocations: nothing that was asked for is lost by a restore."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from held_support import fill, small_disk
from store_support import NOON, WALL, Conn, fictional, make_world, put_contacts, request, until_it_waits

from dialer_engine.contacts.suppression_file import import_suppressions
from dialer_engine.core.gate import ConsentKind
from dialer_engine.engine.ownership import Ownership
from dialer_engine.store import consent, suppress
from dialer_engine.store.directory import sync_members
from dialer_engine.store.errors import StoreError
from dialer_engine.store.migrate import migrate
from dialer_engine.store.pool import connect
from dialer_engine.store.reserve import reserve
from dialer_engine.store.suppression_journal import (
    SuppressionJournal,
    compare_if_behind,
    flush_if_kept,
    journal_file,
)
from dialer_engine.store.watermark import Watermark, watermark_file

pytestmark = pytest.mark.postgres

__all__ = ["small_disk"]


def with_database(url: str, name: str) -> str:
    """The same server's URL for another database."""
    base, mark, query = url.partition("?")
    return base.rpartition("/")[0] + "/" + name + mark + query


A, B, C = "+12105550100", "+12105550101", "+12105550102"
NEVER = "f3b0c7a2-0000-4000-8000-000000000000"


@pytest.fixture
def journal(tmp_path: Path) -> SuppressionJournal:
    return SuppressionJournal(journal_file(tmp_path))


def lines(tmp_path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in journal_file(tmp_path).read_text().splitlines()[1:]]


async def standing(conn: Conn) -> set[tuple[str, str | None, str]]:
    rows = await conn.fetch(
        "select s.number, m.key, s.source from suppressions s left join members m on m.id = s.member_id"
    )
    return {(row["number"], row["key"], row["source"]) for row in rows}


class Copies:
    """Dumps of the test's database, taken and brought back by the server itself."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.names: list[str] = []

    async def dump(self, conn: Conn) -> str:
        """Copy the database as it stands; the connection to it is closed for that."""
        await conn.close()
        name = f"copy_{uuid.uuid4().hex[:10]}"
        server = await connect(with_database(self.url, "postgres"), batch=True)
        source = self.url.partition("?")[0].rpartition("/")[2]
        await server.execute(f"create database {name} template {source}")
        await server.close()
        self.names.append(name)
        return with_database(self.url, name)


@pytest.fixture
async def copies(pg_url: str) -> AsyncIterator[Copies]:
    made = Copies(pg_url)
    yield made
    server = await connect(with_database(pg_url, "postgres"), batch=True)
    for name in made.names:
        await server.execute(f"drop database if exists {name} with (force)")
    await server.close()


async def test_every_change_is_a_line_with_the_same_token(
    conn: Conn, journal: SuppressionJournal, tmp_path: Path
) -> None:
    await make_world(conn)
    member = await conn.fetchval("select id from members")
    await suppress.add(conn, A, None, "request", WALL, who="ann", note="by letter")
    await journal.open(conn, WALL)
    await suppress.add(conn, B, member, "key 9", WALL, who="called party")
    await suppress.remove(conn, A, None, WALL, who="bob", note="a mistake")
    assert await journal.flush(conn) == 2
    assert await journal.flush(conn) == 0
    seen = [
        (x["action"], x["number"], x["member"], x["source"], x["who"], x["note"]) for x in lines(tmp_path)
    ]
    assert seen == [
        ("add", A, None, "request", "ann", "by letter"),
        ("add", B, "acme", "key 9", "called party", None),
        ("remove", A, None, "request", "bob", "a mistake"),
    ]
    tokens = {row["token"] for row in await conn.fetch("select token::text from suppression_log")}
    assert {x["token"] for x in lines(tmp_path)} == tokens
    assert await conn.fetchval("select count(*) from suppression_outbox") == 0


async def test_a_restore_gets_back_what_the_dump_did_not_know(
    pg_url: str, copies: Copies, journal: SuppressionJournal
) -> None:
    conn = await connect(pg_url)
    world = await make_world(conn)
    member = world.members["acme"]
    await put_contacts(conn, member, "june", fictional(5))
    await journal.open(conn, WALL)
    await suppress.add(conn, A, None, "request", WALL, who="ann")
    await suppress.add(conn, C, None, "request", WALL, who="ann")
    await journal.flush(conn)
    dumped = await copies.dump(conn)
    conn = await connect(pg_url)
    await suppress.add(conn, B, member, "key 9", WALL, who="called party")
    await suppress.remove(conn, C, None, WALL, who="ann")
    await suppress.add(conn, C, member, "key 9", WALL, who="called party")
    await suppress.remove(conn, C, member, WALL, who="ann")
    await suppress.add(conn, C, None, "again", WALL, who="ann")
    await journal.flush(conn)
    before = await standing(conn)
    await conn.close()

    restored = await connect(dumped)
    assert await standing(restored) == {(A, None, "request"), (C, None, "request")}
    compared = await journal.open(restored, WALL)
    assert (compared.lines, compared.applied) == (7, 5)
    assert await standing(restored) == before
    assert (await journal.open(restored, WALL)).applied == 0, "applied once"
    result = await reserve(restored, request(world, 10))
    assert {r.number for r in result.reserved} == {f"+1210555010{n}" for n in (3, 4)}
    assert result.held == {"internal_suppression": 2, "member_suppression": 1}
    await restored.close()


async def test_an_entry_that_is_newer_than_its_removal_stays(
    pg_url: str, copies: Copies, journal: SuppressionJournal
) -> None:
    """Between the restore and the comparison somebody asks again not to be called."""
    conn = await connect(pg_url)
    await journal.open(conn, WALL)
    dumped = await copies.dump(conn)
    conn = await connect(pg_url)
    for number in (A, B):
        await suppress.add(conn, number, None, "request", WALL, who="ann")
        await suppress.remove(conn, number, None, WALL + timedelta(hours=1), who="ann")
    await journal.flush(conn)
    await conn.close()

    restored = await connect(dumped)
    await suppress.add(restored, A, None, "request", WALL + timedelta(hours=2), who="ann")
    assert (await journal.open(restored, WALL)).applied == 4
    assert await standing(restored) == {(A, None, "request")}
    await restored.close()


async def test_a_command_on_a_restored_database_comes_after_what_the_journal_repeats(
    pg_url: str, copies: Copies, journal: SuppressionJournal, tmp_path: Path
) -> None:
    """The restored entry makes the new one no change: its old removal must not come later and take it away."""
    conn = await connect(pg_url)
    owned = Ownership(pg_url, "engine:main", "one", Watermark("engine:main", watermark_file(tmp_path)))
    await owned.take()
    await journal.open(conn, WALL)
    await suppress.add(conn, A, None, "request", WALL, who="ann")
    await journal.flush(conn)
    owned.close()
    dumped = await copies.dump(conn)
    conn = await connect(pg_url)
    await suppress.remove(conn, A, None, WALL + timedelta(hours=1), who="ann")
    await journal.flush(conn)
    await owned._renew()
    await owned.watermark._note()
    await compare_if_behind(conn, tmp_path, WALL)
    assert await standing(conn) == set()
    await conn.close()
    owned.close()

    restored = await connect(dumped)
    for _ in range(2):  # the engine has not started yet: the next command sees the same
        await compare_if_behind(restored, tmp_path, WALL)
        await suppress.add(restored, A, None, "request", WALL + timedelta(hours=2), who="ann")
        assert (await journal.open(restored, WALL)).applied == 0
        assert await standing(restored) == {(A, None, "request")}
    await restored.close()


async def test_a_command_looks_at_no_journal_while_the_database_is_what_it_was(
    conn: Conn, tmp_path: Path
) -> None:
    file = journal_file(tmp_path)
    await compare_if_behind(conn, tmp_path, WALL)
    assert not file.exists()
    file.parent.mkdir()
    file.write_text("no journal")
    await compare_if_behind(conn, tmp_path, WALL)
    watermark_file(tmp_path).write_text(
        '{"lease":"engine:main","renewed":"2026-01-01T00:00:00Z","behind":false}'
    )
    with pytest.raises(StoreError, match="this is no journal"):
        await compare_if_behind(conn, tmp_path, WALL)
    await conn.execute("insert into leases values ('engine:main', 'one', 1, now(), now())")
    await compare_if_behind(conn, tmp_path, WALL)


async def test_an_empty_database_gets_all_back_strictly(
    conn: Conn, empty_pg_url: str, template: str, journal: SuppressionJournal, tmp_path: Path
) -> None:
    """A Member that the new database does not have: the number is nobody's to call."""
    world = await make_world(conn)
    await journal.open(conn, WALL)
    await suppress.add(conn, A, world.members["acme"], "key 9", WALL, who="called party", note="attempt x")
    await suppress.add(conn, B, world.members["acme"], "key 9", WALL, who="called party")
    await suppress.remove(conn, B, world.members["acme"], WALL, who="ann")
    await journal.flush(conn)
    fresh = await connect(empty_pg_url)
    await migrate(fresh)
    await sync_members(fresh, {})
    assert (await journal.open(fresh, WALL)).applied == 3
    assert await standing(fresh) == {(A, None, "key 9"), (B, None, "key 9")}
    note = await fresh.fetchval("select note from suppression_log where number = $1", A)
    assert note == "attempt x; its Member is not in this database"
    assert len(lines(tmp_path)) == 3, "nothing is written twice"
    await fresh.close()


async def test_a_lost_file_is_written_anew_from_the_database(conn: Conn, tmp_path: Path) -> None:
    await make_world(conn)
    journal = SuppressionJournal(journal_file(tmp_path))
    await journal.open(conn, WALL)
    await suppress.add(conn, A, None, "request", WALL, who="ann")
    await journal.flush(conn)
    journal_file(tmp_path).unlink()
    await SuppressionJournal(journal_file(tmp_path)).open(conn, WALL)
    assert [x["number"] for x in lines(tmp_path)] == [A]
    assert await conn.fetchval("select count(*) from suppression_journals") == 2
    await journal.open(conn, WALL + timedelta(days=91))
    await SuppressionJournal(journal_file(tmp_path)).open(conn, WALL + timedelta(days=91))
    assert await conn.fetchval("select count(*) from suppression_journals") == 1, "the lost one is forgotten"


@pytest.mark.parametrize(
    "torn", ['{"token":"f3b0c7a2-0000-4000-80', '{"token":"f3b0c7a2","consents":{"a":1}', "x" * 9000]
)
async def test_a_line_torn_by_a_crash_is_taken_out_and_written_again(
    conn: Conn, journal: SuppressionJournal, tmp_path: Path, torn: str
) -> None:
    """Also one that is torn behind an inner bracket, and one that is longer than a block."""
    await make_world(conn)
    await journal.open(conn, WALL)
    await suppress.add(conn, A, None, "request", WALL, who="ann")
    with journal_file(tmp_path).open("a") as file:
        file.write(torn)
    await journal.flush(conn)
    await suppress.add(conn, B, None, "request", WALL, who="ann")
    await journal.flush(conn)
    assert torn not in journal_file(tmp_path).read_text()
    assert (await journal.open(conn, WALL)).lines == 2


async def test_a_full_disk_leaves_no_half_of_a_line(conn: Conn, small_disk: Path, tmp_path: Path) -> None:
    await make_world(conn)
    journal = SuppressionJournal(journal_file(tmp_path))
    await journal.open(conn, WALL)
    await suppress.add(conn, A, None, "request", WALL, who="ann")
    await journal.flush(conn)
    whole = journal_file(tmp_path).read_bytes()
    filler = small_disk / "filler"
    fill(filler)
    note = "n" * 8000  # more than what is left of the file's last block
    await suppress.add(conn, B, None, "request", WALL, who="ann", note=note)
    with pytest.raises(OSError, match="No space left"):
        await journal.flush(conn)
    assert journal_file(tmp_path).read_bytes() == whole
    filler.unlink()
    await journal.flush(conn)
    assert (await journal.open(conn, WALL)).lines == 2


async def test_a_line_that_cannot_be_read_stops_the_start_and_says_where(
    conn: Conn, journal: SuppressionJournal, tmp_path: Path
) -> None:
    await journal.open(conn, WALL)
    with journal_file(tmp_path).open("ab") as file:
        file.write(b'{"token":"' + NEVER.encode() + b'","action":"add"}\n')
    with pytest.raises(StoreError, match=r"suppressions\.jsonl:2: this line cannot be read"):
        await journal.open(conn, WALL)
    journal_file(tmp_path).write_text("something else\n")
    with pytest.raises(StoreError, match=r"suppressions\.jsonl:1: this is no journal"):
        await journal.open(conn, WALL)


async def test_what_fails_to_reach_the_disk_waits(
    conn: Conn, journal: SuppressionJournal, tmp_path: Path
) -> None:
    await journal.open(conn, WALL)
    await suppress.add(conn, A, None, "request", WALL, who="ann")
    kept = journal_file(tmp_path).rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError):
        await journal.flush(conn)
    assert await conn.fetchval("select count(*) from suppression_outbox") == 1
    kept.rename(journal_file(tmp_path))
    assert await journal.flush(conn) == 1


async def test_two_homes_each_get_everything(conn: Conn, tmp_path: Path) -> None:
    first, second = (SuppressionJournal(journal_file(tmp_path / name)) for name in ("a", "b"))
    await first.open(conn, WALL)
    await second.open(conn, WALL)
    await suppress.add(conn, A, None, "request", WALL, who="ann")
    assert await first.flush(conn) == await second.flush(conn) == 1


async def test_a_journal_that_becomes_known_during_an_import_gets_it_all(
    conn: Conn, pg_url: str, journal: SuppressionJournal, tmp_path: Path
) -> None:
    member = (await make_world(conn)).members["acme"]
    await consent.add(conn, member, [consent_to(A)], WALL, who="op")
    importing, late = await connect(pg_url), await connect(pg_url)
    async with importing.transaction():
        await suppress.insert(importing, [A], None, "import", WALL, who="ann")
        await consent.revoke(importing, A, member, "letter", WALL, who="ann")
        opening = asyncio.create_task(journal.open(conn, WALL))
        await until_it_waits(importing, conn)
        assert not opening.done(), "the change under way is neither in the file nor kept for it"
        waiting = asyncio.create_task(suppress.add(late, B, None, "request", WALL, who="bob"))
        await until_it_waits(importing, late)
        assert not waiting.done()
    await asyncio.gather(opening, waiting)
    await journal.flush(conn)
    found = {(each["action"], each["number"], each["source"]) for each in lines(tmp_path)}
    assert found == {
        *(("add", A, "import"), ("add", A, "revoked by letter"), ("revoke", A, "letter")),
        ("add", B, "request"),
    }
    # One that is known waits for nobody.
    async with importing.transaction():
        await suppress.insert(importing, [C], None, "import", WALL, who="ann")
        await asyncio.wait_for(journal.attach(conn, WALL), 5.0)
    assert await journal.flush(conn) == 1
    await importing.close()
    await late.close()


async def test_a_new_journal_does_not_wait_for_ever(
    conn: Conn, pg_url: str, journal: SuppressionJournal
) -> None:
    importing = await connect(pg_url)
    async with importing.transaction():
        await suppress.insert(importing, [A], None, "import", WALL, who="ann")
        await conn.execute("set lock_timeout = '100ms'")
        with pytest.raises(StoreError, match="a do-not-call import or another long change is under way"):
            await journal.open(conn, WALL)
    assert (await journal.open(conn, WALL)).lines == 0
    assert await journal.flush(conn) == 0, "it is in the file"
    await importing.close()


async def test_commands_write_to_a_journal_that_an_engine_keeps(conn: Conn, tmp_path: Path) -> None:
    await suppress.add(conn, A, None, "request", WALL, who="ann")
    await flush_if_kept(conn, tmp_path, WALL)
    assert not journal_file(tmp_path).exists(), "no engine keeps one here"
    await SuppressionJournal(journal_file(tmp_path)).open(conn, WALL)
    await suppress.add(conn, B, None, "request", WALL, who="ann")
    await flush_if_kept(conn, tmp_path, WALL)
    assert [x["number"] for x in lines(tmp_path)] == [A, B]


async def test_a_large_import_goes_into_the_journal_and_comes_back(
    conn: Conn, empty_pg_url: str, journal: SuppressionJournal, tmp_path: Path
) -> None:
    numbers = [f"+1210{300 + n // 10000:03d}{n % 10000:04d}" for n in range(12_000)]
    file = tmp_path / "numbers.csv"
    file.write_text("phone\n" + "\n".join(numbers) + "\n")
    await journal.open(conn, WALL)
    await import_suppressions(conn, file, None, "import", WALL, who="ann")
    assert await journal.flush(conn) == 12_000
    fresh = await connect(empty_pg_url, batch=True)
    await migrate(fresh)
    compared = await journal.open(fresh, NOON)
    assert (compared.lines, compared.applied) == (12_000, 12_000)
    assert await fresh.fetchval("select count(*) from suppressions") == 12_000
    await fresh.close()


# --- consents -------------------------------------------------------------------------------------


def consent_to(number: str) -> consent.NewConsent:
    given = NOON - timedelta(days=30)
    return consent.NewConsent(number, ConsentKind.express_written, given, "form", text_shown="yes, call me")


async def revoked(conn: Conn) -> list[tuple[str, str, str, str | None]]:
    rows = await conn.fetch(
        "select c.number, r.channel, r.who, r.note from consent_revocations r join consents c on c.id = r.consent_id "
        "order by c.number, c.since"
    )
    return [tuple(row) for row in rows]


async def test_a_restore_revokes_the_consents_again_that_were_revoked_after_the_dump(
    pg_url: str, copies: Copies, journal: SuppressionJournal, tmp_path: Path
) -> None:
    conn = await connect(pg_url)
    member = (await make_world(conn)).members["acme"]
    await journal.open(conn, WALL)
    await consent.add(conn, member, [consent_to(A), consent_to(B), consent_to(C)], WALL, who="op")
    await consent.revoke(conn, A, member, "letter", WALL, who="op", note="before the dump")
    dumped = await copies.dump(conn)
    conn = await connect(pg_url)
    await consent.revoke(conn, B, None, "key", WALL, who="called party", note="after it")
    await journal.flush(conn)
    expected = await revoked(conn)
    assert expected == [(A, "letter", "op", "before the dump"), (B, "key", "called party", "after it")]
    assert [x["number"] for x in lines(tmp_path) if x["action"] == "revoke"] == [A, B]
    await conn.close()

    restored = await connect(dumped)
    assert [row[0] for row in await revoked(restored)] == [A]
    compared = await journal.open(restored, WALL)
    assert (compared.lines, compared.applied, compared.revoked) == (4, 1, 1)
    assert await revoked(restored) == expected
    assert (await journal.open(restored, WALL)).revoked == 0, "revoked once"
    assert len(lines(tmp_path)) == 4, "nothing is written twice"
    # Taking a number off the list by mistake does not bring the consent back.
    await suppress.remove(restored, B, None, WALL, who="ann")
    [found] = (await consent.consents_of(restored, [B], member))[B]
    assert found.revoked_at == WALL
    [stands] = (await consent.consents_of(restored, [C], member))[C]
    assert stands.revoked_at is None
    await restored.close()


async def test_a_consent_imported_again_after_a_restore_is_revoked_before_anybody_is_dialed(
    conn: Conn, empty_pg_url: str, journal: SuppressionJournal
) -> None:
    """Where no line of the log tells of it: the number stood on the list already."""
    member = (await make_world(conn)).members["acme"]
    await journal.open(conn, WALL)
    await suppress.add(conn, A, member, "request", NOON - timedelta(days=60), who="op")
    await consent.add(conn, member, [consent_to(A)], WALL, who="op")
    await suppress.add(conn, A, member, "request", WALL, who="op")
    await journal.flush(conn)
    fresh = await connect(empty_pg_url)
    await migrate(fresh)
    member = (await make_world(fresh)).members["acme"]
    assert (await journal.open(fresh, WALL)).revoked == 0, "there is no consent to revoke"
    newer = replace(consent_to(A), since=WALL + timedelta(days=1))
    await consent.add(fresh, member, [consent_to(A), newer], WALL, who="op")
    assert (await journal.open(fresh, WALL)).revoked == 1
    moments = [one.revoked_at for one in (await consent.consents_of(fresh, [A], member))[A]]
    assert moments == [WALL, None], "a newer consent is another one"
    await fresh.close()


async def test_journals_of_earlier_releases_take_in_old_revocations_and_are_read(
    conn: Conn, journal: SuppressionJournal, tmp_path: Path
) -> None:
    member = (await make_world(conn)).members["acme"]
    file = journal_file(tmp_path)
    file.parent.mkdir()
    old = {"token": NEVER, "action": "add", "number": C, "member": None, "source": "request"}
    header = {"journal": "f3b0c7a2-0000-4000-8000-000000000001", "format": 1}
    old |= {"at": "2026-11-01T10:00:00Z", "who": "ann", "note": None}
    file.write_text(json.dumps(header) + "\n" + json.dumps(old) + "\n")
    await consent.add(conn, member, [consent_to(A)], WALL, who="op")
    await consent.revoke(conn, A, member, "sms", WALL, who="called party")
    compared = await journal.open(conn, WALL)
    assert (compared.lines, compared.applied, compared.revoked) == (1, 1, 0)
    assert sorted((x["action"], x["number"]) for x in lines(tmp_path)) == [
        ("add", A),
        ("add", C),
        ("revoke", A),
    ]
    assert (await journal.open(conn, WALL)).lines == 3
