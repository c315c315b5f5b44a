"""Loading registries into a real Postgres: whole versions, refusals that change nothing, swaps."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from registry_support import (
    DAY,
    MANY,
    NOW,
    OTHER,
    PLAN,
    RULES,
    SAN,
    Conn,
    bring,
    in_force,
    on_list,
    own,
    text,
)
from store_support import make_world, put_contacts

from dialer_engine.contacts.registry.answers import take_answers
from dialer_engine.contacts.registry.files import RegistryError
from dialer_engine.contacts.registry.load import LoadRequest, load
from dialer_engine.store.errors import StoreError
from dialer_engine.store.pool import connect
from dialer_engine.store.registry.facts import lists_naming, registry_facts
from dialer_engine.store.registry.lists import subscribe, subscriptions, unsubscribe, unwaive, waive
from dialer_engine.store.registry.loads import turn
from dialer_engine.store.registry.overview import overview
from dialer_engine.store.registry.scrub import scrub

pytestmark = pytest.mark.postgres


async def test_a_list_is_loaded_asked_and_replaced(conn: Conn, tmp_path: Path) -> None:
    await own(conn, 212, 305)
    file = tmp_path / "dnc.txt"
    report = await bring(conn, file, text(212, MANY) + text(305, [2000000, 9999999]))
    assert (report.areas, report.before, report.warnings) == ({212: len(MANY), 305: 2}, None, ())
    assert await on_list(conn, 212, [2000000, 2000701, 2000702]) == [True, True, False]
    assert await on_list(conn, 305, [9999999, 9999998]) == [True, False]
    again = await bring(conn, file, text(212, MANY[1:]) + text(305, [9999998]), as_of=NOW)
    assert again.before == len(MANY) + 2
    assert await on_list(conn, 212, [2000000, 2000701]) == [False, True]
    assert await on_list(conn, 305, [9999999, 9999998]) == [False, True]
    sides = await conn.fetch("select side, count(*) from registry_blocks group by side")
    assert len(sides) == 1
    loads = await conn.fetch("select kind, account, loaded_by, files from registry_loads order by id")
    assert [(row["kind"], row["account"], row["loaded_by"]) for row in loads] == [("full", SAN, "tester")] * 2
    assert '"sha256"' in loads[0]["files"]


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda good: good[:-5], "cut off"),
        (lambda good: good[: len(good) // 2 // 12 * 12], "no number of area code 305"),
        (lambda good: good[:3600] + good[36000:], "more than 5% apart"),
        (lambda good: good.replace("305,", "407,"), "area code 407 is not part of the subscription"),
        (lambda good: good.replace("305,", "416,"), "area code 416 is not part"),
        (lambda good: good[12:24] + good[:12] + good[24:], "not in order"),
        (lambda good: good[:12] + good, "not in order|stands twice"),
        (lambda good: good + good[:12], "212 again"),
        (lambda good: "\x00\x01" + good, "is no text"),
        (lambda good: "", "is empty"),
        (lambda good: "<html>please sign in</html>", "is not known here"),
        (lambda good: "".join(f"{n[4:11]},{n[:3]}\n" for n in good.splitlines()), "is no number"),
    ],
)
async def test_a_bad_file_changes_nothing(conn: Conn, tmp_path: Path, spoil, what: str) -> None:  # type: ignore[no-untyped-def]
    await own(conn, 212, 305)
    good = text(212, MANY) + text(305, MANY)
    await bring(conn, tmp_path / "good.txt", good)
    before = await in_force(conn)
    with pytest.raises(RegistryError, match=what) as refusal:
        await bring(conn, tmp_path / "bad.txt", spoil(good), as_of=NOW)
    assert str(tmp_path / "bad.txt") in str(refusal.value)
    assert await in_force(conn) == before
    assert await on_list(conn, 212, [2000000, 2000001]) == [True, False]
    action, detail = await conn.fetchrow("select action, detail::text from audit order by id desc limit 1")
    assert action == "registry.refused"
    assert "bad.txt" in detail
    await bring(conn, tmp_path / "next.txt", good, as_of=NOW)


async def test_the_wrong_account_is_refused(conn: Conn, tmp_path: Path) -> None:
    file = tmp_path / "dnc.txt"
    with pytest.raises(RegistryError, match=f"account {SAN} has no subscription"):
        await bring(conn, file, text(212, MANY))
    await own(conn, 212)
    with pytest.raises(RegistryError, match=f"account {OTHER} has no subscription.*known: {SAN}"):
        await bring(conn, file, text(212, MANY), account=OTHER)
    with pytest.raises(RegistryError, match="give --account"):
        await bring(conn, file, text(212, MANY), account=None)
    await subscribe(conn, "us_national", OTHER, None, [212], NOW, "tester")
    with pytest.raises(RegistryError, match=f"name says account {OTHER}"):
        await bring(conn, tmp_path / f"dnc-{OTHER}-212.txt", text(212, MANY))
    assert (await in_force(conn))[0] is None


async def test_dates_are_checked(conn: Conn, tmp_path: Path) -> None:
    await own(conn, 212)
    file = tmp_path / "dnc.txt"
    with pytest.raises(RegistryError, match="lies in the future"):
        await bring(conn, file, text(212, MANY), as_of=NOW + DAY)
    await bring(conn, file, text(212, MANY))
    with pytest.raises(RegistryError, match="the version in force is newer"):
        await bring(conn, file, text(212, MANY), as_of=NOW - 9 * DAY)
    with pytest.raises(RegistryError, match="no file"):
        await load(conn, LoadRequest("us_national", (), NOW, NOW, "tester", SAN), PLAN)


async def test_a_true_change_of_size_is_loaded_when_its_total_is_told(conn: Conn, tmp_path: Path) -> None:
    await own(conn, 212)
    file = tmp_path / "dnc.txt"
    await bring(conn, file, text(212, MANY))
    half = MANY[: len(MANY) // 2]
    with pytest.raises(RegistryError, match="not 17"):
        await bring(conn, file, text(212, half), numbers=17)
    await bring(conn, file, text(212, half), numbers=len(half))
    assert (await in_force(conn))[1] == len(half)


async def test_area_codes_one_by_one_and_empty_ones(conn: Conn, tmp_path: Path) -> None:
    await own(conn, 212, 305, 729)
    file = tmp_path / "dnc.txt"
    with pytest.raises(RegistryError, match="no number of area code 305, 729"):
        await bring(conn, file, text(212, MANY))
    await bring(conn, file, text(212, MANY), partial=True)
    await bring(conn, file, text(305, MANY), partial=True)
    facts = await registry_facts(conn, ["+12122000000", "+13052000000", "+17292000000"])
    assert [facts.states(f"+1{npa}2000000")[0].as_of is None for npa in (212, 305, 729)] == [
        False,
        False,
        True,
    ]
    assert sorted(facts.hits) == ["+12122000000", "+13052000000"]
    await bring(conn, file, text(212, MANY) + text(305, MANY), empty=frozenset({729}), as_of=NOW)
    facts = await registry_facts(conn, ["+17292000000"])
    assert facts.states("+17292000000")[0].as_of == NOW
    assert (await in_force(conn))[1] == 2 * len(MANY)


async def test_a_partial_load_keeps_the_ages_of_the_others(conn: Conn, tmp_path: Path) -> None:
    await own(conn, 212, 305)
    file = tmp_path / "dnc.txt"
    await bring(conn, file, text(212, MANY) + text(305, MANY), as_of=NOW - 40 * DAY)
    await bring(conn, file, text(212, MANY[2:]), partial=True, as_of=NOW)
    facts = await registry_facts(conn, ["+12122000000", "+13052000000"])
    assert facts.states("+12122000000")[0].as_of == NOW
    assert facts.states("+13052000000")[0].as_of == NOW - 40 * DAY
    assert sorted(facts.hits) == ["+13052000000"]


async def test_a_subscription_to_all_needs_every_area_code(conn: Conn, tmp_path: Path) -> None:
    await own(conn, name="ca_dncl")
    file = tmp_path / "dncl.csv"
    codes = sorted(int(npa) for npa, area in PLAN.areas.items() if area.country == "CA")
    whole = "".join(text(npa, [2345678]) for npa in codes)
    with pytest.raises(RegistryError, match=f"no number of area code {codes[-1]}"):
        await bring(conn, file, whole[:-12], "ca_dncl")
    report = await bring(conn, file, whole, "ca_dncl")
    assert sorted(report.areas) == codes
    xml = "<list type='full' level='all' val='' />" + "".join(
        f"<ac val='{npa}'><ph val='2345679' /></ac>\n" for npa in codes
    )
    await bring(conn, file, xml + "</list>", "ca_dncl", as_of=NOW)
    assert await on_list(conn, codes[0], [2345678, 2345679]) == [False, True]


async def test_a_dry_run_changes_nothing(conn: Conn, tmp_path: Path) -> None:
    await own(conn, 212)
    report = await bring(conn, tmp_path / "dnc.txt", text(212, MANY), dry_run=True)
    assert (report.version, report.numbers) == (None, len(MANY))
    assert (await in_force(conn))[0] is None
    assert await conn.fetchval("select count(*) from registry_loads") == 0


async def test_only_one_import_of_a_list_at_a_time(conn: Conn, pg_url: str, tmp_path: Path) -> None:
    await own(conn, 212)
    other = await connect(pg_url, batch=True)
    async with turn(other, "us_national"):
        with pytest.raises(StoreError, match="another import"):
            await bring(conn, tmp_path / "dnc.txt", text(212, MANY))
    await other.close()
    await bring(conn, tmp_path / "dnc.txt", text(212, MANY))


async def test_readers_see_the_old_version_or_the_new_never_a_mixture(
    conn: Conn, pg_url: str, tmp_path: Path
) -> None:
    await own(conn, 212, 305)
    odd, even = range(2_000_001, 2_400_000, 202), range(2_000_000, 2_400_000, 202)
    await bring(conn, tmp_path / "a.txt", text(212, odd) + text(305, odd))
    asked = [f"+1{npa}{n:07d}" for npa in (212, 305) for n in (odd[0], odd[-1], even[0], even[-1])]
    seen: set[tuple[str, ...]] = set()
    stop = asyncio.Event()

    async def read() -> None:
        reader = await connect(pg_url)
        while not stop.is_set():
            facts = await registry_facts(reader, asked)
            versions = {hit.version for hits in facts.hits.values() for hit in hits}
            assert len(versions) == 1
            seen.add(tuple(sorted(facts.hits)))
        await reader.close()

    readers = [asyncio.create_task(read()) for _ in range(3)]
    for turn_number in range(4):
        numbers = odd if turn_number % 2 else even
        await bring(conn, tmp_path / "b.txt", text(212, numbers) + text(305, numbers), as_of=NOW)
    stop.set()
    await asyncio.gather(*readers)
    halves = {tuple(sorted(asked[i] for i in (0, 1, 4, 5))), tuple(sorted(asked[i] for i in (2, 3, 6, 7)))}
    assert seen <= halves
    assert seen


async def test_the_old_side_is_left_while_a_transaction_may_look_at_it(
    conn: Conn, pg_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dialer_engine.store.registry.loads.UNSEEN_TIMEOUT_S", 0.2)
    await own(conn, 212)
    await bring(conn, tmp_path / "a.txt", text(212, MANY))
    reader = await connect(pg_url, batch=True)
    async with reader.transaction(isolation="repeatable_read"):
        await reader.fetchval("select 1 from members")
        report = await bring(conn, tmp_path / "b.txt", text(212, MANY[1:]), as_of=NOW)
        assert "given back before the next load" in report.warnings[0]
        assert await on_list(reader, 212, [2000000]) == [True]
    await reader.close()
    assert await on_list(conn, 212, [2000000]) == [False]
    assert (await bring(conn, tmp_path / "c.txt", text(212, MANY), as_of=NOW)).warnings == ()


async def test_lists_without_area_codes_come_in_any_order_and_as_tables(conn: Conn, tmp_path: Path) -> None:
    loose = {"account": None}
    await bring(conn, tmp_path / "tx.txt", "305-200-0000\n2125551234\n", "us_state:TX", **loose)
    table = "Name,Phone\nA,(212) 555-1234\nB,4162345678\n"
    await bring(conn, tmp_path / "l.csv", table, "litigator:acme", **loose)
    await bring(conn, tmp_path / "w.txt", "212-555-1\n305200\n", "wireless", **loose)
    found = await registry_facts(conn, ["+12125551234", "+13052000000", "+12125552000"])
    names = {number: [hit.name for hit in hits] for number, hits in found.hits.items()}
    assert names == {
        "+12125551234": ["litigator:acme", "us_state:TX", "wireless"],
        "+13052000000": ["us_state:TX", "wireless"],
    }
    assert {state.name for state in found.whole} == {"litigator:acme", "us_state:TX", "wireless"}
    await bring(
        conn, tmp_path / "l.csv", table.replace("(212) 555-1234", "9175551234"), "litigator:acme", **loose
    )
    assert await lists_naming(conn, "+12125551234") == ("us_state:TX", "wireless")
    with pytest.raises(StoreError, match="is no list"):
        await bring(conn, tmp_path / "x.txt", "2125551234\n", "texas", **loose)


async def test_subscriptions_and_waivers_are_kept_and_audited(conn: Conn) -> None:
    world = await make_world(conn)
    member = world.members["acme"]
    await subscribe(conn, "us_national", SAN, member, [305, 212, 212], NOW, "tester")
    await subscribe(conn, "us_national", SAN, member, [212], NOW, "tester")
    found = await subscriptions(conn, "us_national")
    assert [(each.account, each.area_codes, each.member) for each in found] == [(SAN, (212,), "acme")]
    assert found[0].covers(212)
    assert not found[0].covers(305)
    facts = await registry_facts(conn, ["+12122000000"], member)
    assert facts.states("+12122000000")[0].subscribed
    stranger = await registry_facts(conn, ["+12122000000"], member + 999)
    assert not stranger.states("+12122000000")[0].subscribed
    await waive(conn, "us_state:TX", member, "only calls own customers", NOW, "tester")
    facts = await registry_facts(conn, ["+12142000000"], member)
    assert [state.waiver for state in facts.whole] == ["only calls own customers"]
    assert await unwaive(conn, "us_state:TX", member, NOW, "tester")
    assert not await unwaive(conn, "us_state:TX", member, NOW, "tester")
    assert await unsubscribe(conn, "us_national", SAN, member, NOW, "tester")
    assert not await unsubscribe(conn, "us_national", SAN, member, NOW, "tester")
    actions = [row["action"] for row in await conn.fetch("select action from audit order by id")]
    assert actions.count("registry.subscribe") == 2
    assert "registry.waive" in actions
    with pytest.raises(asyncpg.PostgresError):
        await conn.execute("delete from registry_loads")


async def test_the_overview_shows_what_is_needed_and_missing(conn: Conn, tmp_path: Path) -> None:
    await own(conn, 212)
    await bring(conn, tmp_path / "a.txt", text(212, MANY), as_of=NOW - 25 * DAY)
    await waive(conn, "us_state:TX", None, "nobody in Texas is called", NOW, "tester")
    rows = {row.name: row for row in await overview(conn, RULES, PLAN, NOW)}
    national = rows["us_national"]
    assert (national.age.value, national.age_days, national.numbers) == ("warning", 25, len(MANY))
    assert "calls stop after 31" in national.text()
    assert "area codes are not loaded" in national.text()
    assert "needed but never loaded" in rows["ca_dncl"].text()
    assert "nobody in Texas is called (tester, all Members)" in rows["us_state:TX"].text()


async def test_a_contact_list_is_scrubbed(conn: Conn, tmp_path: Path) -> None:
    await own(conn, 212)
    await bring(conn, tmp_path / "a.txt", text(212, MANY))
    await bring(conn, tmp_path / "l.txt", "2122000702\n", "litigator:acme", account=None)
    world = await make_world(conn)
    contacts = [["+12122000000", "+12122000001"], ["+12122000702"], ["+13052000000"]]
    await put_contacts(conn, world.members["acme"], "june", contacts)
    found = await scrub(conn, "acme", "june")
    assert found.hits == [("+12122000000", "us_national"), ("+12122000702", "litigator:acme")]
    assert found.by_list() == {"litigator:acme": 1, "us_national": 1}
    assert (await scrub(conn, "acme", "other")).hits == []


async def test_answers_are_taken_in_once_and_whole(conn: Conn, tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    file.write_text("2122000000,2025-01-02,no\n2122000001,2025-01-02,yes\n")
    assert await take_answers(conn, file, NOW - DAY, NOW, "tester") == 2
    assert await take_answers(conn, file, NOW - DAY, NOW, "tester") == 2
    assert await conn.fetchval("select count(*) from registry_reassigned") == 2
    file.write_text("2122000000,2025-01-02,yes\n2122000001,never,yes\n")
    with pytest.raises(RegistryError, match=":2: 'never'"):
        await take_answers(conn, file, NOW, NOW, "tester")
    with pytest.raises(RegistryError, match="in the future"):
        await take_answers(conn, file, NOW + DAY, NOW, "tester")
    facts = await registry_facts(conn, ["+12122000000"])
    assert [each.answer for each in facts.reassigned["+12122000000"]] == ["no"]


async def test_all_answers_about_a_number_count_each_question_s_newest(conn: Conn, tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    for days, row in ((30, "2020-01-01,yes"), (20, "2020-01-01,yes"), (10, "2026-11-10,no")):
        file.write_text(f"2072000000,{row}\n")
        await take_answers(conn, file, NOW - days * DAY, NOW, "tester")
    facts = await registry_facts(conn, ["+12072000000", "+12072000001"])
    assert {
        number: [str(each.asked_since) for each in found] for number, found in facts.reassigned.items()
    } == {"+12072000000": ["2020-01-01", "2026-11-10"]}
    assert [each.answered_at for each in facts.reassigned["+12072000000"]] == [NOW - 20 * DAY, NOW - 10 * DAY]
