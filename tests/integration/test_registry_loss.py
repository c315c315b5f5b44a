"""No load takes numbers off a list without a word: vanished area codes, other accounts' codes, older downloads."""

import asyncio
import json
from datetime import datetime
from pathlib import Path

import pytest
from cli_support import commands_on
from registry_support import DAY, MANY, NOW, OTHER, SAN, Conn, bring, in_force, on_list, own, text, write

from dialer_engine.contacts.registry.apply import apply
from dialer_engine.contacts.registry.files import RegistryError
from dialer_engine.contacts.registry.load import LoadRequest
from dialer_engine.store.pool import connect
from dialer_engine.store.registry.facts import registry_facts
from dialer_engine.store.registry.lists import ensure_list, subscribe, unsubscribe
from dialer_engine.store.registry.loads import area_numbers, areas_of, recount

pytestmark = pytest.mark.postgres

BY_AREA = ("us_national", "ca_dncl")
CODES = {"us_national": (212, 305, 407), "ca_dncl": (416, 514, 604)}
STATE = "us_state:TX"
FEW = range(2_000_000, 2_000_500)
"""Numbers of an area code too small to be compared alone."""


async def two_accounts(conn: Conn, tmp_path: Path, name: str = "us_national") -> tuple[int, int, int]:
    """Load an area code of ours and two of another account, each by a full load."""
    mine, theirs, more = CODES[name]
    await own(conn, mine, name=name)
    await subscribe(conn, name, OTHER, None, [theirs, more], NOW, "tester")
    await bring(conn, tmp_path / "mine.txt", text(mine, MANY), name, as_of=NOW - 9 * DAY)
    content = text(theirs, MANY) + text(more, FEW)
    await bring(conn, tmp_path / "theirs.txt", content, name, as_of=NOW - 2 * DAY, account=OTHER)
    return mine, theirs, more


async def held(conn: Conn, name: str = "us_national") -> dict[int, tuple[int, datetime, str | None]]:
    """Return numbers, age and account of each area code, which must be those that the bits hold."""
    list_id = (await ensure_list(conn, name)).id
    counted = await recount(conn, list_id)
    assert counted == {npa: n for npa, n in (await area_numbers(conn, list_id)).items() if n}
    return {npa: (a.numbers, a.as_of, a.account) for npa, a in (await areas_of(conn, list_id)).items()}


async def audited(conn: Conn) -> dict[str, object]:
    detail: dict[str, object] = json.loads(
        await conn.fetchval(
            "select detail::text from audit where action = 'registry.load' order by id desc limit 1"
        )
    )
    return detail


# Lists that are not by area code


@pytest.mark.parametrize("name", [STATE, "litigator:acme", "ported:to_wireless"])
async def test_a_list_without_area_codes_cannot_lose_one_unnoticed(
    conn: Conn, tmp_path: Path, name: str
) -> None:
    whole = text(214, MANY) + text(713, MANY)
    await bring(conn, tmp_path / "a.txt", whole, name, account=None)
    before = await in_force(conn, name)
    with pytest.raises(RegistryError, match=r"more than 5% apart.*713 \(9,986 numbers\)"):
        await bring(conn, tmp_path / "b.txt", text(214, MANY), name, account=None, as_of=NOW)
    assert await in_force(conn, name) == before
    assert await on_list(conn, 713, [2000000]) == [True]
    with pytest.raises(RegistryError, match="not 17"):
        await bring(conn, tmp_path / "b.txt", text(214, MANY), name, account=None, as_of=NOW, numbers=17)
    told = {"account": None, "as_of": NOW, "numbers": len(MANY)}
    report = await bring(conn, tmp_path / "b.txt", text(214, MANY), name, **told)
    assert report.gone == {713: len(MANY)}
    assert (await audited(conn))["gone"] == {"713": len(MANY)}
    assert await on_list(conn, 713, [2000000]) == [False]
    assert set(await held(conn, name)) == {214}


async def test_the_blocks_of_mobile_numbers_cannot_lose_an_area_code_unnoticed(
    conn: Conn, tmp_path: Path
) -> None:
    await bring(conn, tmp_path / "a.txt", "212555\n305200\n", "wireless", account=None)
    with pytest.raises(RegistryError, match="more than 5% apart"):
        await bring(conn, tmp_path / "b.txt", "212555\n", "wireless", account=None, as_of=NOW)
    assert await on_list(conn, 305, [2000000]) == [True]


async def test_an_area_code_cannot_be_swapped_for_another_of_the_same_size(
    conn: Conn, tmp_path: Path
) -> None:
    codes = (214, 325, 361, 409)
    await bring(conn, tmp_path / "a.txt", "".join(text(npa, FEW) for npa in codes), STATE, account=None)
    content = "".join(text(npa, FEW) for npa in (214, 325, 512, 713))
    with pytest.raises(RegistryError, match="more than 5% apart"):
        await bring(conn, tmp_path / "b.txt", content, STATE, account=None, as_of=NOW)


async def test_a_list_without_area_codes_may_not_grow_too_fast_either(conn: Conn, tmp_path: Path) -> None:
    await bring(conn, tmp_path / "a.txt", text(214, MANY), STATE, account=None)
    with pytest.raises(RegistryError, match="more than 5% apart"):
        await bring(
            conn, tmp_path / "b.txt", text(214, MANY) + text(512, MANY), STATE, account=None, as_of=NOW
        )


async def test_a_small_area_code_that_vanished_is_named(conn: Conn, tmp_path: Path) -> None:
    await bring(conn, tmp_path / "a.txt", text(214, MANY) + text(713, [2000000]), STATE, account=None)
    tried = await bring(
        conn, tmp_path / "b.txt", text(214, MANY), STATE, account=None, as_of=NOW, dry_run=True
    )
    assert (tried.gone, await on_list(conn, 713, [2000000])) == ({713: 1}, [True])
    report = await bring(conn, tmp_path / "b.txt", text(214, MANY), STATE, account=None, as_of=NOW)
    assert (report.gone, report.before) == ({713: 1}, len(MANY) + 1)
    assert (await audited(conn))["gone"] == {"713": 1}


async def test_a_short_list_varies_freely_but_is_never_empty(conn: Conn, tmp_path: Path) -> None:
    await bring(conn, tmp_path / "a.csv", "phone,name\n2145550100,A\n", "litigator:acme", account=None)
    report = await bring(
        conn, tmp_path / "b.csv", "phone,name\n7135550100,A\n", "litigator:acme", account=None, as_of=NOW
    )
    assert report.gone == {214: 1}
    for empty in ({}, {"numbers": 0}):
        with pytest.raises(RegistryError, match="holds no number"):
            await bring(
                conn, tmp_path / "c.csv", "phone,name\n", "litigator:acme", account=None, as_of=NOW, **empty
            )


@pytest.mark.parametrize("name", [STATE, "litigator:acme"])
async def test_a_list_of_hundreds_cannot_lose_more_than_half_unnoticed(
    conn: Conn, tmp_path: Path, name: str
) -> None:
    hundreds = range(2_000_000, 2_000_900)
    old: dict[str, object] = {"account": None, "as_of": NOW - DAY}
    await bring(conn, tmp_path / "a.txt", text(214, hundreds), name, **old)
    for content, left in ((text(214, hundreds[:12]), 12), (text(713, hundreds), 0)):
        with pytest.raises(RegistryError, match=f"{left} of the last load's 900 .*more than half.*--numbers"):
            await bring(conn, tmp_path / "b.txt", content, name, **old)
    assert await on_list(conn, 214, [2_000_899]) == [True]
    report = await bring(conn, tmp_path / "c.txt", text(214, range(2_000_000, 2_001_500)), name, **old)
    assert (report.before, report.numbers) == (900, 1500)


async def test_a_list_of_hundreds_may_lose_half_or_what_the_told_total_says(
    conn: Conn, tmp_path: Path
) -> None:
    for numbers, told in ((900, None), (450, None), (12, 12), (1, None)):
        content = text(214, range(2_000_000, 2_000_000 + numbers))
        await bring(conn, tmp_path / "a.txt", content, "litigator:acme", account=None, numbers=told)
    assert (await held(conn, "litigator:acme"))[214][0] == 1


@pytest.mark.parametrize("name", [STATE, "wireless"])
async def test_a_part_of_a_list_without_area_codes_is_no_fresh_list(
    conn: Conn, tmp_path: Path, name: str
) -> None:
    content = "214555\n713555\n" if name == "wireless" else text(214, MANY) + text(713, MANY)
    await bring(conn, tmp_path / "a.txt", content, name, account=None, as_of=NOW - 40 * DAY)
    part = "214555\n" if name == "wireless" else text(214, MANY)
    with pytest.raises(RegistryError, match=r"cannot be loaded in parts.*all files of the download"):
        await bring(conn, tmp_path / "b.txt", part, name, account=None, as_of=NOW, partial=True)
    facts = await registry_facts(conn, ["+17135550000"])
    assert [state.as_of for state in facts.whole if state.name == name] == [NOW - 40 * DAY]
    for option in ("empty", "drop"):
        spoilt = {"account": None, "as_of": NOW, option: frozenset({713})}
        with pytest.raises(RegistryError, match=f"--{option} is for lists by area code"):
            await bring(conn, tmp_path / "c.txt", content, name, **spoilt)


# Lists by area code, with several accounts


@pytest.mark.parametrize("name", BY_AREA)
async def test_a_full_load_keeps_the_area_codes_of_other_accounts(
    conn: Conn, tmp_path: Path, name: str
) -> None:
    mine, theirs, more = await two_accounts(conn, tmp_path, name)
    both = {theirs: (len(MANY), NOW - 2 * DAY, OTHER), more: (len(FEW), NOW - 2 * DAY, OTHER)}
    assert await held(conn, name) == both | {mine: (len(MANY), NOW - 9 * DAY, SAN)}
    content = text(mine, MANY[1:])
    tried = await bring(conn, tmp_path / "mine.txt", content, name, as_of=NOW, dry_run=True)
    report = await bring(conn, tmp_path / "mine.txt", content, name, as_of=NOW)
    kept = {OTHER: {theirs: len(MANY), more: len(FEW)}}
    assert tried.kept == report.kept == kept
    assert (tried.gone, report.gone, report.unsubscribed) == ({}, {}, ())
    assert (report.numbers, report.before) == (len(MANY) - 1, len(MANY))
    assert await held(conn, name) == both | {mine: (len(MANY) - 1, NOW, SAN)}
    assert await on_list(conn, mine, [2000000, 2000701]) == [False, True]
    assert await on_list(conn, theirs, [2000000, 2000701]) == [True, True]
    assert (await audited(conn))["kept"] == {OTHER: {str(theirs): len(MANY), str(more): len(FEW)}}
    await bring(conn, tmp_path / "theirs.txt", text(theirs, MANY) + text(more, FEW[1:]), name, account=OTHER)
    assert (await held(conn, name))[mine] == (len(MANY) - 1, NOW, SAN)


async def test_an_account_s_download_may_be_older_than_another_account_s(conn: Conn, tmp_path: Path) -> None:
    await two_accounts(conn, tmp_path)
    await bring(conn, tmp_path / "mine.txt", text(212, MANY), as_of=NOW - 5 * DAY)
    assert (await held(conn))[212] == (len(MANY), NOW - 5 * DAY, SAN)


@pytest.mark.parametrize("name", BY_AREA)
async def test_area_codes_that_left_the_subscription_stay_until_they_are_dropped(
    conn: Conn, tmp_path: Path, name: str
) -> None:
    one, two, three = CODES[name]
    await own(conn, one, two, three, name=name)
    whole = text(one, MANY) + text(two, MANY) + text(three, FEW)
    await bring(conn, tmp_path / "a.txt", whole, name)
    await own(conn, one, name=name)
    report = await bring(conn, tmp_path / "b.txt", text(one, MANY), name, as_of=NOW)
    assert report.kept == {SAN: {two: len(MANY), three: len(FEW)}}
    assert (report.unsubscribed, report.gone) == ((two, three), {})
    assert (await held(conn, name))[two] == (len(MANY), NOW - DAY, SAN)
    drop = {"as_of": NOW, "drop": frozenset({two})}
    tried = await bring(conn, tmp_path / "b.txt", text(one, MANY), name, **drop, dry_run=True)
    assert await on_list(conn, two, [2000000]) == [True]
    done = await bring(conn, tmp_path / "b.txt", text(one, MANY), name, **drop)
    assert tried.gone == done.gone == {two: len(MANY)}
    assert tried.kept == done.kept == {SAN: {three: len(FEW)}}
    assert (await audited(conn))["gone"] == {str(two): len(MANY)}
    assert set(await held(conn, name)) == {one, three}
    assert await on_list(conn, two, [2000000]) == [False]


async def test_only_what_nobody_subscribes_to_can_be_dropped(conn: Conn, tmp_path: Path) -> None:
    await two_accounts(conn, tmp_path)
    await subscribe(conn, "us_national", OTHER, None, [305], NOW, "tester")
    for codes, what in (
        ((212,), f"--drop 212: account {SAN} subscribes to it"),
        ((305,), f"--drop 305: account {OTHER} subscribes to it"),
        ((407,), f"--drop 407: it was loaded by account {OTHER}"),
        ((786,), "--drop 786: no number of it is loaded"),
    ):
        with pytest.raises(RegistryError, match=what):
            await bring(conn, tmp_path / "a.txt", text(212, MANY), as_of=NOW, drop=frozenset(codes))
    with pytest.raises(RegistryError, match="--drop is for full loads"):
        await bring(conn, tmp_path / "a.txt", text(212, MANY), as_of=NOW, drop=frozenset({407}), partial=True)
    assert set(await held(conn)) == {212, 305, 407}
    await unsubscribe(conn, "us_national", OTHER, None, NOW, "tester")
    report = await bring(conn, tmp_path / "a.txt", text(212, MANY), as_of=NOW, drop=frozenset({407}))
    assert (report.unsubscribed, report.kept) == ((305,), {OTHER: {305: len(MANY)}})
    assert set(await held(conn)) == {212, 305}


async def test_an_area_code_outside_the_subscription_cannot_be_called_empty(
    conn: Conn, tmp_path: Path
) -> None:
    await own(conn, 212)
    content, codes = text(212, MANY), frozenset({729, 305})
    for partial in (False, True):
        with pytest.raises(RegistryError, match="--empty 305, 729: not part of the subscription"):
            await bring(conn, tmp_path / "a.txt", content, empty=codes, partial=partial)
    facts = await registry_facts(conn, ["+13052000000"])
    assert facts.states("+13052000000")[0].as_of is None


# Older downloads


@pytest.mark.parametrize("partial", [True, False])
async def test_an_older_download_replaces_no_newer_numbers(conn: Conn, tmp_path: Path, partial: bool) -> None:
    await own(conn, 212, 305)
    await subscribe(conn, "us_national", OTHER, None, [305], NOW, "tester")
    await bring(conn, tmp_path / "a.txt", text(212, MANY) + text(305, MANY), as_of=NOW - 9 * DAY)
    await bring(conn, tmp_path / "b.txt", text(305, MANY), as_of=NOW - DAY, account=OTHER, partial=True)
    for content in (text(305, MANY[2:]), text(212, MANY) + text(305, MANY[2:])):
        with pytest.raises(RegistryError, match="305 of the version in force is newer, of 2026-11-22"):
            await bring(conn, tmp_path / "c.txt", content, as_of=NOW - 2 * DAY, partial=partial)
    assert await on_list(conn, 305, [2000000]) == [True]
    await bring(conn, tmp_path / "d.txt", text(212, MANY), as_of=NOW - 2 * DAY, partial=True)
    content, codes = text(212, MANY), frozenset({305})
    with pytest.raises(RegistryError, match="305 of the version in force is newer"):
        await bring(conn, tmp_path / "e.txt", content, as_of=NOW - 2 * DAY, partial=True, empty=codes)


async def test_a_download_from_before_a_change_list_does_not_undo_it(conn: Conn, tmp_path: Path) -> None:
    await own(conn, 212, 305)
    file = tmp_path / "dnc.txt"
    await bring(conn, file, text(212, MANY) + text(305, MANY), as_of=NOW - 80 * DAY)
    await bring(conn, file, text(212, MANY), as_of=NOW - 9 * DAY, partial=True)
    write(tmp_path / "c.txt", "212,2000001,A\n305,2000001,A\n")
    request = LoadRequest("us_national", (tmp_path / "c.txt",), NOW - DAY, NOW, "tester", SAN)
    assert (await apply(conn, request)).stale == (305,)
    with pytest.raises(RegistryError, match="305 of the version in force is newer, of 2026-11-22"):
        await bring(conn, file, text(305, MANY), as_of=NOW - 2 * DAY, partial=True)
    assert await on_list(conn, 305, [2000001]) == [True]
    await bring(conn, file, text(305, MANY), as_of=NOW - DAY, partial=True)


# What the command says


def test_the_command_names_what_is_kept_and_what_leaves(
    tmp_path: Path, pg_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def load() -> None:
        conn = await connect(pg_url, batch=True)
        await own(conn, 212, 786)
        await subscribe(conn, "us_national", OTHER, None, [305, 407], NOW, "tester")
        old = {"as_of": NOW - 600 * DAY}
        await bring(conn, tmp_path / "a.txt", text(212, MANY) + text(786, FEW), **old)
        await bring(conn, tmp_path / "a.txt", text(305, MANY) + text(407, FEW), account=OTHER, **old)
        await own(conn, 212)
        await conn.close()

    asyncio.run(load())
    commands = commands_on(tmp_path, pg_url, monkeypatch)
    write(tmp_path / "b.txt", text(212, MANY))
    words = ("registry", "import", "us_national", str(tmp_path / "b.txt"), "-a", SAN, "--as-of", "2025-05-01")
    told = commands.run(*words, "--dry-run")
    kept = f"account {OTHER}: kept as they were: 305 (9,986 numbers), 407 (500 numbers)"
    assert kept in told
    assert f"account {SAN}: kept as they were: 786 (500 numbers)" in told
    assert "no subscription covers area codes 786 any more; --drop 786 takes them off the list" in told
    done = commands.run(*words, "--drop", "786")
    assert kept in done
    assert "no longer on the list: 786 (500 numbers)" in done
    assert "--drop" not in done
    assert json.loads(commands.run(*words, "--json"))["kept"] == {OTHER: {"305": len(MANY), "407": len(FEW)}}
