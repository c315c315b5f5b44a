"""Evidence packs: everything is in them, and whatever is changed afterwards is found."""

import csv
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from store_support import (
    NOON,
    WALL,
    Campaign,
    Conn,
    Member,
    World,
    end_of,
    fictional,
    load_shipped,
    make_world,
    put_contacts,
    request,
)

from dialer_engine.core.chain import START, Chain
from dialer_engine.core.gate import ConsentKind, RuleBook
from dialer_engine.engine.ownership import FAMILY
from dialer_engine.store import consent, evidence_files, evidence_page, suppress
from dialer_engine.store.attempts import AttemptEvent, Disposed, dispose, write
from dialer_engine.store.directory import audit
from dialer_engine.store.errors import StoreError
from dialer_engine.store.evidence import SECTIONS, Asked, Pack, write_pack
from dialer_engine.store.evidence_files import file_hash, seal_of
from dialer_engine.store.evidence_verify import verify, verify_with_database
from dialer_engine.store.kept_text import KeptText, keep_text, set_record_fields
from dialer_engine.store.registry import lists
from dialer_engine.store.renames import rename_campaign, rename_member
from dialer_engine.store.reserve import reserve

pytestmark = pytest.mark.postgres

NUMBER = "+12105550100"


def country_of(npa: str) -> str:
    return "US"


async def called(conn: Conn) -> int:
    """Three calls of a campaign: a sale, one abandoned, one busy; with a script, a prompt and an opt-out."""
    world = await make_world(conn, {"spring": Campaign(), "autumn": Campaign()})
    campaign = world.campaigns["spring"]
    await set_record_fields(conn, campaign, "Calls Inc.", "script01", "contract 17")
    await keep_text(conn, KeptText("script01", "script", "Hello <b>you</b>", "script.txt"), WALL)
    await keep_text(
        conn, KeptText("prompt01", "drop_message", "This was a call", "spring-prompt01.wav"), WALL
    )
    await put_contacts(conn, world.members["acme"], "june", fictional(3))
    sold, dropped, busy = (await reserve(conn, request(world, 3))).reserved
    await write(conn, [AttemptEvent(sold.attempt_id, 1, "dialing", WALL)], [], 1)
    answered = WALL + timedelta(seconds=5)
    ends = [
        end_of(sold, "bridged", answered_at=answered, joined_at=answered, ended_by="customer", final=True),
        end_of(
            dropped,
            "abandoned",
            answered_at=answered,
            message_at=answered + timedelta(seconds=1.8),
            prompt_version="prompt01",
            used_prerecorded=True,
        ),
        end_of(busy, "busy"),
    ]
    await write(conn, [], ends, 1)
    await dispose(conn, [Disposed(sold.attempt_id, "sale", "Sale", "agent", WALL, NOON, final=True)])
    await suppress.add(conn, dropped.number, None, "request", WALL, who="ann", note="=HYPERLINK(1)")
    await audit(conn, WALL, "ann", "campaign state", str(campaign), {"state": "running"})
    return campaign


async def make(
    conn: Conn, directory: Path, number: str | None = None, rules: RuleBook | None = None, **changes: object
) -> Pack:
    rules = rules or load_shipped()[0]
    campaign = None if number else await conn.fetchval("select id from campaigns where name = 'spring'")
    span = {"start": datetime(2020, 1, 1, tzinfo=UTC), "end": datetime(2030, 1, 1, tzinfo=UTC)} | changes
    asked = Asked(number, campaign, None if number else "spring", **span)  # type: ignore[arg-type]
    sounds = directory.parent / "sounds" / "campaigns"
    sounds.mkdir(parents=True, exist_ok=True)
    (sounds / "spring-prompt01.wav").write_bytes(b"RIFF")
    return await write_pack(
        conn, asked, directory, country_of, rules, made_at=WALL, made_by="ann", sounds=sounds.parent
    )


def table(pack: Pack, section: str) -> list[dict[str, str]]:
    with (pack.directory / f"{section}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


async def test_a_campaigns_pack_holds_everything(conn: Conn, tmp_path: Path) -> None:
    await called(conn)
    pack = await make(conn, tmp_path / "pack")
    assert set(pack.sections) == {*SECTIONS, "ledger"}
    found = {name: n for name, n in pack.sections.items() if n}
    expected = {"attempts": 3, "verdicts": 3, "events": 4, "dispositions": 1, "suppressions": 1, "ledger": 1}
    assert found.items() >= (expected | {"suppression_log": 1, "prompts": 2, "audit": 1}).items()
    attempts = {row["result"]: row for row in table(pack, "attempts")}
    assert attempts["bridged"]["telemarketer"] == "Calls Inc."
    assert attempts["bridged"]["disposition"] == "sale"
    assert attempts["abandoned"]["prompt_version"] == "prompt01"
    assert all(row["rule_versions"] and row["list_versions"] for row in table(pack, "verdicts"))
    assert {row["local_time"] for row in table(pack, "verdicts")} == {"2026-06-10T13:00:00-05:00"}
    ledger = table(pack, "ledger")[0]
    assert (ledger["live_answers"], ledger["counted_abandoned"], ledger["allowed"]) == ("2", "1", "2")
    assert (ledger["within"], ledger["messages"], ledger["limit"]) == (
        "True",
        "1",
        "3.0% of live answers per 30 days",
    )
    assert (pack.directory / "recordings" / "spring-prompt01.wav").read_bytes() == b"RIFF"
    records = [json.loads(line)["of"] for line in (pack.directory / "records.jsonl").read_text().splitlines()]
    assert len(records) == sum(pack.sections.values())
    assert {r["section"] for r in records} == set(found)


async def other_members(conn: Conn, world: World) -> None:
    """What another Member, and everybody, has about the same number, lists and time."""
    bolt = world.members["bolt"]
    for member, source in ((bolt, "bolts-own"), (world.members["acme"], "key 9"), (None, "everybody")):
        await suppress.add(conn, NUMBER, member, source, WALL, who="ann")
        if member is not None:
            given = consent.NewConsent(
                NUMBER, ConsentKind.express, WALL, source, "calls", "text", "file", "Ann"
            )
            await consent.add(conn, member, [given], WALL, who="ann")
    for member, account in ((bolt, "66677788"), (world.members["acme"], "12345678"), (None, "99999999")):
        await lists.subscribe(conn, "us_national", account, member, None, WALL, "ann")
        await conn.execute(
            "insert into registry_loads (list_id, kind, account, as_of, loaded_at, loaded_by, files, numbers)"
            " select id, 'full', $1, $2, $2, 'ann', jsonb_build_array(jsonb_build_object('name', $1 || '.txt',"
            " 'sha256', 'f00')), 1 from registry_lists",
            account,
            WALL,
        )
        await audit(conn, WALL, "ann", "registry.load", "us_national", {"account": account})
        await audit(conn, WALL, "ann", "registry.refused", "us_national", {"reason": account})
    for name in ("winter", "spring"):
        await audit(conn, WALL, "ann", "campaign state", str(world.campaigns[name]), {"state": name})
    for member, campaign in (("bolt", "winter"), ("acme", "spring")):
        for old, new in (("", "-old"), ("-old", "")):
            renamed = (f"{campaign}{old}", f"{campaign}{new}", member)
            await rename_campaign(conn, *renamed, WALL, who="ann", engines=FAMILY)
        for old, new in (("", "-old"), ("-old", "")):
            await rename_member(conn, f"{member}{old}", f"{member}{new}", WALL, who="ann", engines=FAMILY)
    await audit(conn, WALL, "ann", "rules in force", "v2", {})


async def test_a_campaigns_pack_holds_nothing_of_other_members(conn: Conn, tmp_path: Path) -> None:
    campaigns = {"spring": Campaign(), "winter": Campaign(member="bolt")}
    world = await make_world(conn, campaigns, {"acme": Member(), "bolt": Member("Bolt")})
    await put_contacts(conn, world.members["acme"], "june", [[NUMBER]])
    [one] = (await reserve(conn, request(world, 1))).reserved
    await write(conn, [], [end_of(one)], 1)
    await other_members(conn, world)
    pack = await make(conn, tmp_path / "pack")
    records = (pack.directory / "records.jsonl").read_text()
    for theirs in ("bolt", "66677788", "winter"):
        assert theirs not in records
    assert {row["source"] for row in table(pack, "suppressions")} == {"key 9", "everybody"}
    assert {row["source"] for row in table(pack, "suppression_log")} == {"key 9", "everybody"}
    assert {row["source"] for row in table(pack, "consents")} == {"key 9"}
    loads = [(row["account"], "f00" in row["files"]) for row in table(pack, "list_versions")]
    assert loads == [("", True), ("12345678", True), ("99999999", True)], (
        "what was loaded is shown all the same"
    )
    did = Counter(row["action"] for row in table(pack, "audit"))
    assert did == {
        "registry.subscribe": 2,
        "registry.load": 3,
        "campaign state": 1,
        "campaign renamed": 2,
        "member renamed": 2,
        "rules in force": 1,
    }
    number = await make(conn, tmp_path / "number", number=NUMBER)
    assert (number.sections["suppressions"], number.sections["consents"]) == (3, 2), "all about a number"
    assert "66677788" in (number.directory / "records.jsonl").read_text()


async def test_the_ledger_is_judged_as_the_engine_judges_it(conn: Conn, tmp_path: Path) -> None:
    """By seller and offer, which two campaigns share, and by the limits that the rules have in force."""
    campaigns = {
        "spring": Campaign(),
        "autumn": Campaign(lists=("july",)),
        "other": Campaign(offer="gutters"),
    }
    world = await make_world(conn, campaigns)
    numbers, answered = fictional(4), WALL + timedelta(seconds=5)
    await put_contacts(conn, world.members["acme"], "june", numbers[:2])
    await put_contacts(conn, world.members["acme"], "july", numbers[2:])
    for name in ("spring", "autumn"):
        asked = request(world, 2, campaign_id=world.campaigns[name])
        ends = [
            end_of(one, "abandoned", answered_at=answered) for one in (await reserve(conn, asked)).reserved
        ]
        assert len(ends) == 2
        await write(conn, [], ends, 1)
    shipped, _ = load_shipped()
    [row] = shipped.terms["US"]
    rules = replace(shipped, terms={**shipped.terms, "US": (replace(row, abandon_limit=0.01),)})
    [period] = table(await make(conn, tmp_path / "pack", rules=rules), "ledger")
    assert (period["campaign"], period["seller"], period["offer"]) == (
        "autumn, spring",
        "Acme",
        "roof repair",
    )
    assert (period["counted_abandoned"], period["allowed"], period["within"]) == ("4", "1", "False")
    assert period["limit"] == "1.0% of live answers per 30 days"


async def test_the_page_is_readable_and_runs_nothing(conn: Conn, tmp_path: Path) -> None:
    await called(conn)
    pack = await make(conn, tmp_path / "pack")
    page = (pack.directory / "index.html").read_text()
    assert "Hello &lt;b&gt;you&lt;/b&gt;" in page
    assert NUMBER in page
    assert "3.0% of live answers" in page
    assert "<script" not in page
    assert "http" not in page
    assert "'=HYPERLINK(1)" in (pack.directory / "suppression_log.csv").read_text(), (
        "no formula for a spreadsheet"
    )


async def test_the_page_says_of_every_section_what_it_leaves_out(
    conn: Conn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = await called(conn)
    member = await conn.fetchval("select member_id from campaigns where id = $1", campaign)
    for source in ("web", "letter"):
        given = consent.NewConsent(NUMBER, ConsentKind.express, WALL, source, "calls", "text", "file", "Ann")
        await consent.add(conn, member, [given], WALL, who="ann")
    for module in (evidence_files, evidence_page):
        monkeypatch.setattr(module, "SHOWN", 1)
    page = ((await make(conn, tmp_path / "pack")).directory / "index.html").read_text()
    assert "<h2>Attempts</h2><p>The first 1 of 3.</p>" in page
    assert "<h2>Consents and relationships</h2><p>The first 1 of 2.</p>" in page
    assert "<h2>Abandonment ledger</h2>\n<table>" in page, "one period, which is shown"
    assert "<h2>Emergency stops</h2>\n<p>None.</p>" in page


async def test_a_numbers_pack_is_about_that_number_only(conn: Conn, tmp_path: Path) -> None:
    await called(conn)
    pack = await make(conn, tmp_path / "pack", number=NUMBER)
    assert pack.sections["attempts"] == pack.sections["verdicts"] == 1
    assert pack.sections["suppressions"] == 0
    assert {row["called_number"] for row in table(pack, "attempts")} == {NUMBER}
    other = await make(conn, tmp_path / "other", number="+12105550101")
    assert other.sections["suppressions"] == other.sections["suppression_log"] == 1


async def test_the_span_is_kept(conn: Conn, tmp_path: Path) -> None:
    await called(conn)
    later = await make(conn, tmp_path / "later", start=WALL + timedelta(seconds=1))
    assert later.sections["attempts"] == 0
    assert later.sections["ledger"] == 0
    assert verify(later.directory).problems == ()
    exact = await make(conn, tmp_path / "exact", start=WALL, end=WALL + timedelta(seconds=1))
    assert exact.sections["attempts"] == 3


async def test_packs_are_chained_and_remembered(conn: Conn, tmp_path: Path) -> None:
    await called(conn)
    first, second = await make(conn, tmp_path / "a"), await make(conn, tmp_path / "b")
    manifest = json.loads((second.directory / "manifest.json").read_text())
    assert manifest["previous"] == first.seal
    assert json.loads((first.directory / "manifest.json").read_text())["previous"] == START
    for pack in (first, second):
        verified = verify(pack.directory)
        assert (verified.problems, verified.seal) == ((), pack.seal)
        assert await verify_with_database(conn, verified) is None
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await conn.execute("update evidence_packs set head = 'x'")
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await conn.execute("delete from evidence_packs")


async def test_an_existing_directory_is_left_alone(conn: Conn, tmp_path: Path) -> None:
    await called(conn)
    (tmp_path / "pack").mkdir()
    with pytest.raises(StoreError, match="exists already"):
        await make(conn, tmp_path / "pack")
    assert list((tmp_path / "pack").iterdir()) == []


async def test_a_pack_that_fails_leaves_nothing(conn: Conn, tmp_path: Path) -> None:
    await called(conn)
    await conn.execute("drop table evidence_packs")
    with pytest.raises(asyncpg.UndefinedTableError):
        await make(conn, tmp_path / "pack")
    assert os.listdir(tmp_path) == ["sounds"]


def replace_in(name: str, old: bytes, new: bytes) -> Callable[[Path], None]:
    def change(directory: Path) -> None:
        content = (directory / name).read_bytes()
        assert old in content
        (directory / name).write_bytes(content.replace(old, new, 1))

    return change


def drop_line(which: int) -> Callable[[Path], None]:
    def change(directory: Path) -> None:
        lines = (directory / "records.jsonl").read_bytes().splitlines(keepends=True)
        del lines[which]
        (directory / "records.jsonl").write_bytes(b"".join(lines))

    return change


def swap(directory: Path) -> None:
    lines = (directory / "records.jsonl").read_bytes().splitlines(keepends=True)
    lines[0], lines[1] = lines[1], lines[0]
    (directory / "records.jsonl").write_bytes(b"".join(lines))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (replace_in("attempts.csv", b"abandoned", b"bridged"), "attempts.csv: was changed"),
        (replace_in("records.jsonl", b'"abandoned"', b'"bridged"'), ": the chain breaks here"),
        (replace_in("index.html", b"ann", b"bob"), "index.html: was changed"),
        (replace_in("manifest.json", b'"ann"', b'"bob"'), "manifest.json: was changed after it was sealed"),
        (drop_line(0), "records.jsonl:1: the chain breaks here"),
        (drop_line(-1), "records were taken away from the end"),
        (swap, "records.jsonl:1: the chain breaks here"),
        (lambda d: (d / "events.csv").unlink(), "events.csv: is missing"),
        (lambda d: (d / "extra.csv").write_text("x"), "extra.csv: was added"),
        (lambda d: (d / "manifest.json").unlink(), "manifest.json: cannot be read"),
        (lambda d: (d / "manifest.json").write_text("{"), "manifest.json: is not a manifest"),
        (
            lambda d: (d / "recordings" / "spring-prompt01.wav").write_bytes(b"x"),
            "spring-prompt01.wav: was changed",
        ),
    ],
)
async def test_every_change_is_found(
    conn: Conn, tmp_path: Path, change: Callable[[Path], None], words: str
) -> None:
    await called(conn)
    pack = await make(conn, tmp_path / "pack")
    change(pack.directory)
    problems = verify(pack.directory).problems
    assert problems
    assert words in "\n".join(problems)


async def test_a_pack_sealed_anew_is_unmasked_by_the_database(conn: Conn, tmp_path: Path) -> None:
    """Whoever computes all hashes again makes a pack that agrees with itself, but that nobody made."""
    await called(conn)
    pack = await make(conn, tmp_path / "pack")
    forged = tmp_path / "forged"
    shutil.copytree(pack.directory, forged)
    replace_in("attempts.csv", b"abandoned", b"bridged")(forged)
    manifest = json.loads((forged / "manifest.json").read_text())
    manifest["files"]["attempts.csv"] = file_hash(forged / "attempts.csv")
    manifest["seal"] = seal_of(manifest)
    (forged / "manifest.json").write_text(json.dumps(manifest))
    verified = verify(forged)
    assert verified.problems == ()
    problem = await verify_with_database(conn, verified)
    assert problem is not None
    assert "knows no pack with this seal" in problem


def test_the_chain_depends_on_every_record_and_its_place() -> None:
    def head(*records: bytes) -> str:
        chain = Chain()
        for record in records:
            chain.add(record)
        return chain.head

    heads = [
        head(),
        head(b"a"),
        head(b"a", b"b"),
        head(b"b", b"a"),
        head(b"ab"),
        head(b"a\nb"),
        head(b"a", b"b", b""),
    ]
    assert len(set(heads)) == len(heads)
    assert head() == START
