"""Registries on the way to a call: reservation, why, held contacts that become free, the commands."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from store_support import NOON, gate, load_shipped, make_world, put_contacts, request
from typer.testing import CliRunner

from dialer_engine.cli.app import build
from dialer_engine.contacts.registry.load import LoadRequest, load
from dialer_engine.core.gate import ConsentKind, evaluate
from dialer_engine.store import consent
from dialer_engine.store.consent import NewConsent
from dialer_engine.store.facts import facts_for
from dialer_engine.store.registry.lists import subscribe, waive
from dialer_engine.store.reserve import ReserveRequest, reserve

pytestmark = pytest.mark.postgres

Conn = asyncpg.Connection  # type: ignore[type-arg]
RULES, PLAN = load_shipped()
DAY = timedelta(days=1)
NEW_YORK = [f"+1212234{line:04d}" for line in range(2000, 2010)]


def strict(world: object, **changes: object) -> ReserveRequest:
    """A request outside the lab, with every list that the shipped rules need."""
    context = replace(gate(NOON), lab=False, lists=RULES.lists)
    return request(world, **{"context": context, **changes})  # type: ignore[arg-type]


async def take(
    conn: Conn, file: Path, lines: Sequence[str], name: str, as_of: datetime = NOON - DAY, **changes: object
) -> None:
    file.write_text("".join(f"{line}\n" for line in lines))
    asked = LoadRequest(name, (file,), as_of, NOON, "tester")
    await load(conn, replace(asked, **changes), PLAN)  # type: ignore[arg-type]


def flat(numbers: Sequence[str]) -> list[str]:
    return [f"{number[2:5]},{number[5:]}" for number in sorted(numbers)]


async def national(conn: Conn, file: Path, numbers: Sequence[str], as_of: datetime = NOON - DAY) -> None:
    await subscribe(conn, "us_national", "10203040", None, [212], NOON, "tester")
    asked = {"account": "10203040", "numbers": len(numbers)}
    await take(conn, file, flat(numbers), "us_national", as_of, **asked)


async def held(conn: Conn) -> dict[str, str]:
    rows = await conn.fetch(
        "select n.number, q.held_rule from queue q join contact_numbers n using (contact_id)"
        " where held_rule is not null"
    )
    return {row["number"]: row["held_rule"] for row in rows}


async def test_reservation_takes_only_numbers_that_no_registry_names(conn: Conn, tmp_path: Path) -> None:
    world = await make_world(conn)
    await national(conn, tmp_path / "n.txt", NEW_YORK[:4])
    await take(conn, tmp_path / "l.txt", flat(NEW_YORK[4:6]), "litigator:acme")
    await put_contacts(conn, world.members["acme"], "june", [[number] for number in NEW_YORK])
    result = await reserve(conn, strict(world))
    assert sorted(each.number for each in result.reserved) == NEW_YORK[6:]
    assert result.held == {"registry": 4, "litigator": 2}
    assert await held(conn) == dict.fromkeys(NEW_YORK[:4], "registry") | dict.fromkeys(
        NEW_YORK[4:6], "litigator"
    )
    versions = await conn.fetchval("select distinct list_versions from attempts")
    loads = {
        row["name"]: row["load_id"] for row in await conn.fetch("select name, load_id from registry_lists")
    }
    assert versions == (
        f"suppressions:0 litigator:acme:{loads['litigator:acme']} us_national:{loads['us_national']}"
    )


async def test_no_call_without_a_list_and_calls_once_it_is_there(conn: Conn, tmp_path: Path) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", [[number] for number in NEW_YORK])
    result = await reserve(conn, strict(world))
    assert (result.reserved, result.held) == ((), {"list_freshness": 10})
    await national(conn, tmp_path / "n.txt", NEW_YORK[:3])
    result = await reserve(conn, strict(world))
    assert sorted(each.number for each in result.reserved) == NEW_YORK[3:]


async def test_a_consent_frees_who_was_held_for_a_registry_or_a_missing_list(
    conn: Conn, tmp_path: Path
) -> None:
    world = await make_world(conn)
    await subscribe(conn, "us_national", "10203040", None, [212], NOON, "tester")
    await put_contacts(conn, world.members["acme"], "june", [[number] for number in NEW_YORK[:2]])
    assert (await reserve(conn, strict(world))).held == {"list_freshness": 2}
    signed = NewConsent(NEW_YORK[0], ConsentKind.express_written, NOON - DAY, "form", "offers", "yes")
    await consent.add(conn, world.members["acme"], [signed], NOON, who="tester")
    assert [each.number for each in (await reserve(conn, strict(world))).reserved] == NEW_YORK[:1]
    await national(conn, tmp_path / "n.txt", NEW_YORK[:2])
    assert (await reserve(conn, strict(world))).held == {"registry": 1}
    other = NewConsent(NEW_YORK[1], ConsentKind.ebr_inquiry, NOON - DAY, "call")
    await consent.add(conn, world.members["acme"], [other], NOON, who="tester")
    assert [each.number for each in (await reserve(conn, strict(world))).reserved] == NEW_YORK[1:2]


async def test_a_stale_list_stops_calls(conn: Conn, tmp_path: Path) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", [[NEW_YORK[5]]])
    await national(conn, tmp_path / "n.txt", NEW_YORK[:3], NOON - 32 * DAY)
    assert (await reserve(conn, strict(world))).held == {"list_freshness": 1}
    await national(conn, tmp_path / "n.txt", NEW_YORK[:3], NOON - 31 * DAY)
    assert len((await reserve(conn, strict(world))).reserved) == 1


async def test_a_number_that_left_the_registry_becomes_due_again(conn: Conn, tmp_path: Path) -> None:
    world = await make_world(conn)
    await national(conn, tmp_path / "n.txt", NEW_YORK[:2])
    await put_contacts(conn, world.members["acme"], "june", [[number] for number in NEW_YORK[:2]])
    assert (await reserve(conn, strict(world))).held == {"registry": 2}
    await national(conn, tmp_path / "n.txt", NEW_YORK[1:2], NOON)
    assert await held(conn) == {NEW_YORK[1]: "registry"}
    assert [each.number for each in (await reserve(conn, strict(world))).reserved] == NEW_YORK[:1]


async def test_a_number_that_left_the_registry_is_due_again_whatever_other_lists_name_it(
    conn: Conn, tmp_path: Path
) -> None:
    """A list of ported lines or of litigators says nothing about the registry, and the other way round."""
    world = await make_world(conn)
    await national(conn, tmp_path / "n.txt", NEW_YORK[:3])
    await take(conn, tmp_path / "p.txt", flat(NEW_YORK[:2]), "ported:to_wireless")
    await take(conn, tmp_path / "l.txt", flat(NEW_YORK[3:4]), "litigator:acme")
    await take(conn, tmp_path / "m.txt", flat(NEW_YORK[3:4]), "litigator:bolt")
    await put_contacts(conn, world.members["acme"], "june", [[number] for number in NEW_YORK[:4]])
    assert (await reserve(conn, strict(world))).held == {"registry": 3, "litigator": 1}
    await national(conn, tmp_path / "n.txt", NEW_YORK[1:4], NOON)
    assert await held(conn) == dict.fromkeys(NEW_YORK[1:3], "registry") | {NEW_YORK[3]: "litigator"}
    await take(conn, tmp_path / "l.txt", flat(NEW_YORK[5:6]), "litigator:acme", NOON)
    assert NEW_YORK[3] in await held(conn), "another list of litigators names it"
    await take(conn, tmp_path / "m.txt", flat(NEW_YORK[5:6]), "litigator:bolt", NOON)
    assert (await reserve(conn, strict(world))).held == {"registry": 1}
    assert await held(conn) == dict.fromkeys(NEW_YORK[1:4], "registry")


async def test_a_wireless_number_that_is_ported_to_a_landline_is_due_again(
    conn: Conn, tmp_path: Path
) -> None:
    world = await make_world(conn)
    wary = replace(strict(world).context, strict_predictive=True)
    await national(conn, tmp_path / "n.txt", NEW_YORK[5:6])
    await take(conn, tmp_path / "w.txt", flat(NEW_YORK[:2]), "ported:to_wireless")
    await put_contacts(conn, world.members["acme"], "june", [[number] for number in NEW_YORK[:2]])
    assert (await reserve(conn, strict(world, context=wary))).held == {"wireless": 2}
    await take(conn, tmp_path / "l.txt", flat(NEW_YORK[:1]), "ported:to_wireline")
    assert await held(conn) == {NEW_YORK[1]: "wireless"}
    again = await reserve(conn, strict(world, context=wary))
    assert [each.number for each in again.reserved] == NEW_YORK[:1]


async def test_a_subscription_of_another_member_does_not_count(conn: Conn, tmp_path: Path) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", [[NEW_YORK[5]]])
    await national(conn, tmp_path / "n.txt", NEW_YORK[:2])
    other = await conn.fetchval(
        "insert into members (key, name, callback_number) values ('b', 'B', '+12105550198') returning id"
    )
    await conn.execute("update registry_subscriptions set member_id = $1", other)
    assert (await reserve(conn, strict(world))).held == {"list_freshness": 1}
    await waive(conn, "us_national", world.members["acme"], "a registered charity", NOON, "tester")
    assert len((await reserve(conn, strict(world))).reserved) == 1


async def test_why_says_list_version_and_date(conn: Conn, tmp_path: Path) -> None:
    world = await make_world(conn)
    await national(conn, tmp_path / "n.txt", NEW_YORK[:2])
    await put_contacts(conn, world.members["acme"], "june", [[NEW_YORK[0]]])
    (entry,) = await facts_for(conn, NEW_YORK[0], None, NOON)
    decision = evaluate(entry.facts, strict(world).context, all_rules=True)
    assert decision.blocking is not None
    assert decision.blocking.rule == "registry"
    assert dict(decision.blocking.evidence)["as_of"] == (NOON - DAY).isoformat(timespec="seconds")
    (unknown,) = await facts_for(conn, NEW_YORK[1], None, NOON)
    assert [hit.name for hit in unknown.facts.lists] == ["us_national"]


@pytest.fixture
def configured(tmp_path: Path, pg_url: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Options that name a configuration over the test's database."""
    monkeypatch.setenv("DIALER_HOME", str(tmp_path / "home"))
    directory = tmp_path / "config"
    (directory / "campaigns").mkdir(parents=True)
    (directory / "dialer.yaml").write_text(
        "members: {acme: {name: Acme, callback_number: +12122340100}}\n"
        f"trunks: {{main: {{host: 127.0.0.1}}}}\ndatabase: {{url: '{pg_url}'}}\n",
        encoding="utf-8",
    )
    return ["--config", str(directory)]


def test_the_commands(configured: list[str], tmp_path: Path) -> None:
    app, runner = build(("registry", "check")), CliRunner()

    def run(*words: str, ok: bool = True) -> str:
        result = runner.invoke(app, ["registry", *words, *configured])
        assert (result.exit_code == 0) is ok, result.output
        return result.output

    today = datetime.now(UTC).date().isoformat()
    file = tmp_path / "dnc.txt"
    file.write_text("".join(f"{line}\n" for line in flat(NEW_YORK)))
    load_it = ("import", "us_national", str(file), "--account", "10203040", "--as-of", today)
    assert "has no subscription" in run(*load_it, ok=False)
    run("subscribe", "us_national", "--account", "10203040", "--area-codes", "212", "--member", "acme")
    assert "would be taken" in run(*load_it, "--dry-run")
    assert "10 numbers of 1 area codes in force as version" in run(*load_it)
    assert "us_national" in run("check", NEW_YORK[0])
    assert "on no list" in run("check", "+12122349999")
    assert "hello: " in run("check", "hello", ok=False)
    status = json.loads(run("status", "--json"))
    assert next(row for row in status if row["name"] == "us_national")["numbers"] == 10
    assert "us_national: version" in run("status")
    assert "holds as many numbers" in run("verify", "us_national")
    change = tmp_path / "change.txt"
    change.write_text("212,2349999,A\n")
    later = datetime.now(UTC).isoformat()
    assert "1 added, 0 removed" in run(
        "change", "us_national", str(change), "--account", "10203040", "--as-of", later
    )
    assert "us_national" in run("check", "+12122349999")
    assert "no list of 'acme' is called 'june'" in run("scrub", "acme", "june", ok=False)
    answers = tmp_path / "answers.csv"
    answers.write_text("2122342000,2025-01-01,no\n")
    assert "1 answers taken in" in run("answers", str(answers), "--answered", today)
    assert "--reason" in run("waive", "us_state:TX", "--reason", "no", ok=False)
    assert "not needed for acme" in run(
        "waive", "us_state:TX", "--reason", "no calls to Texas", "--member", "acme"
    )
    assert "needed again" in run("unwaive", "us_state:TX", "--member", "acme")
    assert "no such waiver" in run("unwaive", "us_state:TX", "--member", "acme", ok=False)
    assert "ended" in run("unsubscribe", "us_national", "--account", "10203040", "--member", "acme")
    assert "is no list" in run("verify", "texas", ok=False)
