"""Change lists on a real Postgres: what they change, what they bring up to date, and what they leave."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from registry_support import DAY, MANY, NOW, OTHER, SAN, Conn, bring, in_force, on_list, own, text, write

from dialer_engine.contacts.registry.apply import ChangeReport, apply
from dialer_engine.contacts.registry.files import RegistryError
from dialer_engine.contacts.registry.load import LoadRequest
from dialer_engine.store.pool import connect
from dialer_engine.store.registry.facts import registry_facts
from dialer_engine.store.registry.lists import subscribe
from dialer_engine.store.registry.loads import area_numbers, recount

pytestmark = pytest.mark.postgres


async def changed(conn: Conn, file: Path, content: str, **more: object) -> ChangeReport:
    write(file, content)
    base: dict[str, object] = {
        "name": "us_national",
        "files": (file,),
        "as_of": NOW,
        "now": NOW,
        "who": "tester",
        "account": SAN,
    }
    return await apply(conn, LoadRequest(**(base | more)))  # type: ignore[arg-type]


async def test_a_change_list_adds_and_removes(conn: Conn, tmp_path: Path) -> None:
    await own(conn, 212, 305)
    await bring(conn, tmp_path / "a.txt", text(212, MANY) + text(305, [2000000]))
    lines = "212,2000001,2026-11-22,A\n212,2000000,2026-11-22,D\n"
    lines += "305,2000000,2026-11-22,D\n305,5550000,2026-11-22,A\n"
    report = await changed(conn, tmp_path / "c.txt", lines)
    assert (report.added, report.removed, report.already, report.numbers) == (2, 2, 0, len(MANY) + 1)
    assert await on_list(conn, 212, [2000000, 2000001, 2000701]) == [False, True, True]
    assert await on_list(conn, 305, [2000000, 5550000]) == [False, True]
    list_id = await conn.fetchval("select id from registry_lists where name = 'us_national'")
    assert await recount(conn, list_id) == await area_numbers(conn, list_id) == {212: len(MANY), 305: 1}
    facts = await registry_facts(conn, ["+12122000001"])
    assert facts.states("+12122000001")[0].as_of == NOW
    assert facts.hits["+12122000001"][0].version == str(report.version)


BACK_AGAIN = ("212,2000000,2026-11-20 08:00:00,D\n", "212,2000000,2026-11-22 08:00:00,A\n")
GONE_AGAIN = ("212,2000001,2026-11-20 08:00:00,A\n", "212,2000001,2026-11-22 08:00:00,D\n")
XML_BACK_AGAIN = """<list type='change'><ac val='212'><ph val='2000000' act='A' at='2026-11-22'/>
<ph val='2000000' act='D' at='2026-11-20'/></ac></list>"""


@pytest.mark.parametrize("lines", [BACK_AGAIN + GONE_AGAIN, (*reversed(GONE_AGAIN), *reversed(BACK_AGAIN))])
async def test_the_newest_change_of_a_number_counts_wherever_it_stands(
    conn: Conn, tmp_path: Path, lines: tuple[str, ...]
) -> None:
    await own(conn, 212)
    await bring(conn, tmp_path / "a.txt", text(212, MANY))
    report = await changed(conn, tmp_path / "c.txt", "".join(lines))
    assert await on_list(conn, 212, [2000000, 2000001]) == [True, False]
    assert (report.added, report.removed, report.already) == (0, 0, 2)


async def test_the_newest_change_of_a_number_counts_in_xml_too(conn: Conn, tmp_path: Path) -> None:
    await own(conn, 212)
    await bring(conn, tmp_path / "a.txt", text(212, MANY))
    await changed(conn, tmp_path / "c.xml", XML_BACK_AGAIN)
    assert await on_list(conn, 212, [2000000]) == [True]


async def test_the_newest_change_of_a_number_counts_in_whichever_file(conn: Conn, tmp_path: Path) -> None:
    await own(conn, 212)
    await bring(conn, tmp_path / "a.txt", text(212, MANY))
    files = (tmp_path / "c10.txt", tmp_path / "c9.txt")
    write(files[1], BACK_AGAIN[0])
    await changed(conn, files[0], BACK_AGAIN[1], files=files)
    assert await on_list(conn, 212, [2000000]) == [True]


@pytest.mark.parametrize("times", [("", ""), (",2026-11-20", ",2026-11-20"), (",2026-11-22", "")])
async def test_of_changes_that_no_time_tells_apart_the_last_one_counts(
    conn: Conn, tmp_path: Path, times: tuple[str, str]
) -> None:
    await own(conn, 212)
    await bring(conn, tmp_path / "a.txt", text(212, MANY))
    write(tmp_path / "d.txt", f"212,2000000{times[1]},D\n")
    files = (tmp_path / "c.txt", tmp_path / "d.txt")
    await changed(conn, files[0], f"212,2000000{times[0]},A\n", files=files)
    assert await on_list(conn, 212, [2000000]) == [False]


@pytest.mark.parametrize(
    ("content", "more", "what"),
    [
        ("212,2000001,A\n407,2000000,A\n", {}, "c.txt:2: area code 407"),
        ("212,2000001,A\n212,2000", {}, "c.txt:2: .*cut off"),
        ("212,2000001,2026-12-24,A\n", {}, "later than the download"),
        ("212,2000001,A\n", {"as_of": NOW - DAY}, "is not older"),
        ("212,2000001,A\n", {"account": OTHER}, "has no subscription"),
        ("".join(f"212,{n:07d},A\n" for n in MANY), {}, "does not continue the version in force"),
    ],
)
async def test_a_change_list_that_does_not_fit_changes_nothing(
    conn: Conn, tmp_path: Path, content: str, more: dict[str, object], what: str
) -> None:
    await own(conn, 212)
    await bring(conn, tmp_path / "a.txt", text(212, MANY))
    before = await in_force(conn)
    with pytest.raises(RegistryError, match=what):
        await changed(conn, tmp_path / "c.txt", content, **more)
    assert await in_force(conn) == before


async def test_a_change_list_needs_a_full_list_first(conn: Conn, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="needs a full list"):
        await changed(conn, tmp_path / "c.txt", "212,2000001,A\n")
    await two_accounts(conn)
    await bring(conn, tmp_path / "a.txt", text(212, MANY))
    with pytest.raises(RegistryError, match=f"needs a full list of us_national of account {OTHER} first"):
        await changed(conn, tmp_path / "c.txt", "305,2000001,A\n", account=OTHER)


async def two_accounts(conn: Conn) -> None:
    await own(conn, 212)
    await subscribe(conn, "us_national", OTHER, None, [305], NOW, "tester")


async def ages(conn: Conn, *codes: int) -> list[int | None]:
    """Return how many days old each area code is."""
    facts = await registry_facts(conn, [f"+1{npa}2000000" for npa in codes])
    return [facts.states(f"+1{npa}2000000")[0].age_days(NOW) for npa in codes]


async def test_a_change_list_leaves_another_account_s_area_codes_as_old_as_they_are(
    conn: Conn, tmp_path: Path
) -> None:
    await two_accounts(conn)
    await bring(conn, tmp_path / "a.txt", text(212, MANY), as_of=NOW - 60 * DAY)
    await bring(conn, tmp_path / "b.txt", text(305, MANY), as_of=NOW - 60 * DAY, account=OTHER, partial=True)
    version = (await registry_facts(conn, ["+13052000000"])).states("+13052000000")[0].version
    for days in (30, 0):
        report = await changed(conn, tmp_path / "c.txt", f"212,20000{days + 10},A\n", as_of=NOW - days * DAY)
        assert report.stale == ()
        assert report.numbers == 2 * len(MANY) + (1 if days else 2)
    assert await ages(conn, 212, 305) == [0, 60]
    kept = (await registry_facts(conn, ["+13052000000"])).states("+13052000000")[0]
    assert kept.version == version, "its numbers are still those of its own load"
    await changed(conn, tmp_path / "d.txt", "305,2000002,A\n", account=OTHER)
    assert await ages(conn, 212, 305) == [0, 0], "both accounts may be of one day"


async def test_a_change_list_brings_only_what_it_continues_up_to_date(conn: Conn, tmp_path: Path) -> None:
    await own(conn, 212, 305)
    file = tmp_path / "dnc.txt"
    await bring(conn, file, text(212, MANY) + text(305, MANY), as_of=NOW - 80 * DAY)
    await bring(conn, file, text(212, MANY), as_of=NOW - 2 * DAY, partial=True)
    report = await changed(
        conn, tmp_path / "c.txt", "212,2000001,A\n305,2000001,A\n305,2000002,A\n", as_of=NOW - DAY
    )
    assert report.stale == (305,)
    assert await ages(conn, 212, 305) == [1, 80]
    assert await on_list(conn, 305, [2000001]) == [True], "what changed there counts all the same"
    list_id = await conn.fetchval("select id from registry_lists where name = 'us_national'")
    assert await recount(conn, list_id) == await area_numbers(conn, list_id)
    assert '"stale": [305]' in await conn.fetchval("select detail::text from audit order by id desc limit 1")
    await bring(conn, file, text(305, MANY), as_of=NOW - DAY, partial=True)
    assert (await changed(conn, tmp_path / "d.txt", "305,2000003,A\n")).stale == ()
    assert await ages(conn, 212, 305) == [0, 0]


async def test_a_change_list_of_an_account_ends_where_its_subscription_does(
    conn: Conn, tmp_path: Path
) -> None:
    await two_accounts(conn)
    await bring(conn, tmp_path / "a.txt", text(212, MANY))
    await bring(conn, tmp_path / "b.txt", text(305, MANY), account=OTHER, partial=True)
    with pytest.raises(RegistryError, match=r"c\.txt:2: area code 305 is not part of the subscription"):
        await changed(conn, tmp_path / "c.txt", "212,2000001,A\n305,2000001,A\n")


async def test_a_change_list_cannot_take_an_area_code_back_in_time(conn: Conn, tmp_path: Path) -> None:
    await own(conn, 212)
    await subscribe(conn, "us_national", OTHER, None, [212], NOW, "tester")
    await bring(conn, tmp_path / "a.txt", text(212, MANY), as_of=NOW - 9 * DAY)
    await bring(conn, tmp_path / "b.txt", text(212, MANY), as_of=NOW, account=OTHER, partial=True)
    with pytest.raises(RegistryError, match="area code 212 is newer already"):
        await changed(conn, tmp_path / "c.txt", "212,2000000,D\n", as_of=NOW - DAY)
    assert await on_list(conn, 212, [2000000]) == [True]
    later = await changed(conn, tmp_path / "d.txt", "212,2000001,A\n", as_of=NOW)
    assert later.stale == (212,), "its numbers are another account's, whose change lists continue them"


@given(
    st.dictionaries(
        st.sampled_from((212, 305, 416)), st.sets(st.integers(2_000_000, 2_030_000), min_size=1), min_size=1
    ),
    st.lists(
        st.tuples(st.sampled_from((212, 305)), st.integers(2_000_000, 2_030_000), st.booleans()), max_size=30
    ),
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bits_in_the_database_are_the_set(
    pg_url: str,
    tmp_path: Path,
    areas: dict[int, set[int]],
    changes: list[tuple[int, int, bool]],
) -> None:
    asyncio.run(_compare(pg_url, tmp_path, areas, changes))


async def _compare(
    url: str, tmp_path: Path, areas: dict[int, set[int]], changes: list[tuple[int, int, bool]]
) -> None:
    conn = await connect(url, batch=True)
    account = str(await conn.fetchval("select 10000000 + count(*) from registry_loads"))
    await subscribe(conn, "us_national", account, None, sorted(areas), NOW, "tester")
    whole = "".join(text(npa, sorted(numbers)) for npa, numbers in sorted(areas.items()))
    total = sum(map(len, areas.values()))
    await conn.execute("update registry_lists set load_id = null")
    await conn.execute("delete from registry_areas")
    await bring(conn, tmp_path / "dnc.txt", whole, numbers=total, account=account)
    model = {(npa, number) for npa, numbers in areas.items() for number in numbers}
    mine = [(npa, number, add) for npa, number, add in changes if npa in areas]
    if mine:
        lines = "".join(f"{npa},{number:07d},{'A' if add else 'D'}\n" for npa, number, add in mine)
        await changed(conn, tmp_path / "c.txt", lines, account=account)
        for npa, number, add in mine:
            (model.add if add else model.discard)((npa, number))
    near = {(npa, number + step) for npa, number in model for step in (-1, 0, 1)} | {
        (n, m) for n, m, _ in mine
    }
    asked = [f"+1{npa}{number:07d}" for npa, number in near]
    facts = await registry_facts(conn, asked)
    assert set(facts.hits) == {f"+1{npa}{number:07d}" for npa, number in model}
    await conn.close()
