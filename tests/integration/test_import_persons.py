"""A person whose numbers come in several rows: opt-outs, caps and one call at a time hold for all of them."""

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from store_support import (
    NOON,
    WALL,
    Campaign,
    Conn,
    Member,
    World,
    end_of,
    load_shipped,
    make_world,
    request,
    sizes,
)

from dialer_engine.cli.list_ import lines
from dialer_engine.contacts.importer import MOST_OF_A_PERSON, ImportReport, ImportRequest, import_list
from dialer_engine.contacts.undo import undo
from dialer_engine.store import retention, suppress
from dialer_engine.store.attempts import write
from dialer_engine.store.consent import person_numbers
from dialer_engine.store.facts import facts_for
from dialer_engine.store.pool import connect
from dialer_engine.store.preview import ShowRequest, show
from dialer_engine.store.queue import fill
from dialer_engine.store.reserve import reserve

pytestmark = pytest.mark.postgres

A, B, C, D = (f"+121055501{n:02d}" for n in range(1, 5))


async def take(conn: Conn, tmp_path: Path, *rows: str, name: str = "a.csv", **more: object) -> ImportReport:
    """Import rows of up to three numbers under the columns Phone, Cell and Work."""
    file = tmp_path / name
    file.write_text("Phone,Cell,Work\n" + "".join(f"{row}\n" for row in rows))
    world = await make_world(conn)
    rules, plan = load_shipped()
    fields: dict[str, object] = {"list_name": "june", "at": WALL, "who": "test", "lab": True}
    wanted = ImportRequest(
        file=file,
        member_id=world.members["acme"],
        plan=plan,
        rules=rules,
        **(fields | more),  # type: ignore[arg-type]
    )
    return await import_list(conn, wanted)


async def contacts(conn: Conn) -> list[list[str]]:
    rows = await conn.fetch(
        "select array_agg(number order by position) from contact_numbers group by contact_id order by contact_id"
    )
    return [row[0] for row in rows]


async def ready(conn: Conn) -> World:
    world = await make_world(conn, {"spring": Campaign()})
    await fill(conn, world.campaigns["spring"], NOON)
    return world


async def held(conn: Conn) -> dict[str, str]:
    """Return the rule that keeps each number's contact back."""
    rows = await conn.fetch(
        "select n.number, q.held_rule from queue q join contact_numbers n using (contact_id)"
        " where q.held_rule is not null"
    )
    return {row["number"]: row["held_rule"] for row in rows}


async def test_an_opt_out_covers_a_number_that_a_later_file_brings(conn: Conn, tmp_path: Path) -> None:
    await take(conn, tmp_path, f"{A},,")
    world = await ready(conn)
    await suppress.add(conn, A, world.members["acme"], "drop_message", WALL, who="called party")
    report = await take(conn, tmp_path, f"{A},{B},", name="b.csv")
    assert (report.contacts, report.same_person, report.same_person_rows) == (1, 1, (2,))
    assert "1 rows share a number with another contact" in "\n".join(lines(report))
    assert not (await reserve(conn, request(world))).reserved
    assert await held(conn) == {A: "member_suppression", B: "member_suppression"}
    [entry] = await facts_for(conn, B, world.campaigns["spring"], NOON)
    assert [hit.other_number for hit in entry.facts.suppressions] == [True]


async def test_an_opt_out_at_the_new_number_covers_the_old_one(conn: Conn, tmp_path: Path) -> None:
    """And taking it away frees both; what is ringing is cancelled."""
    await take(conn, tmp_path, f"{A},,", f"{A},{B},")
    world = await ready(conn)
    [call] = (await reserve(conn, request(world, 1))).reserved
    assert call.number == A
    assert await suppress.add(conn, B, world.members["acme"], "key", WALL, who="x") == [call.attempt_id]
    assert await suppress.live_suppressed(conn) == [(A, world.members["acme"])]
    await write(conn, [], [end_of(call, retry_at=NOON)], 1)
    assert not (await reserve(conn, request(world))).reserved
    assert await held(conn) == {A: "member_suppression", B: "member_suppression"}
    await suppress.remove(conn, B, world.members["acme"], WALL, who="x")
    assert await held(conn) == {}


async def test_one_call_at_a_time_and_one_cap_for_the_person(conn: Conn, tmp_path: Path) -> None:
    await take(conn, tmp_path, f"{A},,", f"{A},{B},")
    world = await ready(conn)
    [first] = (await reserve(conn, request(world, 2))).reserved
    assert await held(conn) == {B: "live_call"}
    later = NOON + timedelta(minutes=2)
    assert not (await reserve(conn, request(world, 2, later))).reserved
    await write(conn, [], [end_of(first, retry_at=NOON)], 1)
    called = [first.number]
    for minute in (10, 245, 440):
        now = NOON + timedelta(minutes=minute)
        found = (await reserve(conn, request(world, 1, now))).reserved
        called += [call.number for call in found]
        await write(conn, [], [end_of(call, retry_at=now) for call in found], 1)
    assert called == [A, B, A], "the person may be called three times in 24 hours"
    assert (await held(conn))[B] == "person_attempts"


async def test_two_campaigns_at_once_take_one_of_the_persons_contacts(
    conn: Conn, pg_url: str, tmp_path: Path
) -> None:
    """What one of them decides is not committed yet, so the other cannot count it and waits."""
    await take(conn, tmp_path, f"{A},,")
    await take(conn, tmp_path, f"{B},{A},", name="b.csv", list_name="july")
    world = await make_world(conn, {"spring": Campaign(), "autumn": Campaign(lists=("july",))})
    other = await connect(pg_url, batch=True)
    async with other.transaction():
        assert len((await reserve(other, request(world, 1))).reserved) == 1
        autumn = request(world, 1, campaign_id=world.campaigns["autumn"])
        assert not (await reserve(conn, autumn)).reserved
    await other.close()
    assert await held(conn) == {B: "live_call"}


async def test_a_contact_on_show_keeps_the_persons_other_one_back(conn: Conn, tmp_path: Path) -> None:
    await take(conn, tmp_path, f"{A},,", f"{A},{B},")
    world = await ready(conn)
    agent = await conn.fetchval("insert into agents (name, password) values ('ann', 'x') returning id")
    shown = await show(conn, ShowRequest(request(world, 1), agent, "ann", timedelta(seconds=60)))
    assert shown.contact is not None
    assert not (await reserve(conn, request(world, 1))).reserved
    assert (await held(conn))[B] == "live_call"


async def test_a_row_can_make_two_contacts_one_person(conn: Conn, tmp_path: Path) -> None:
    await take(conn, tmp_path, f"{A},,", f"{B},,", f"{C},,")
    report = await take(conn, tmp_path, f"{A},{B},", name="b.csv")
    assert (report.contacts, report.rejected, report.same_person_rows) == (0, 1, (2,))
    assert list(report.reasons) == [
        "its numbers count as one person's now; stands on a list of this Member already"
    ]
    world = await ready(conn)
    assert await person_numbers(conn, B, world.members["acme"]) == [B, A]
    await suppress.add(conn, B, None, "key", WALL, who="x")
    assert [call.number for call in (await reserve(conn, request(world))).reserved] == [C]


async def test_a_chain_of_rows_in_one_file_is_one_person(conn: Conn, tmp_path: Path) -> None:
    report = await take(conn, tmp_path, f"{A},{B},", f"{B},{C},", f"{D},{C},")
    assert (report.contacts, report.numbers, report.same_person) == (3, 4, 2)
    assert await contacts(conn) == [[A, B], [C], [D]]
    assert set(await person_numbers(conn, D, None)) == {A, B, C, D}


async def test_a_chain_without_end_costs_no_more_than_a_person(conn: Conn, tmp_path: Path) -> None:
    """A column that slipped by a row binds each row to the next: that many numbers are nobody's."""
    numbers = [f"+1210555{n:04d}" for n in range(100, 200)]
    await take(conn, tmp_path, *(f"{a},{b}," for a, b in pairwise(numbers)))
    assert set(await person_numbers(conn, numbers[0], None)) == set(numbers[:40])
    world = await ready(conn)
    assert (await reserve(conn, request(world, 5))).reserved


async def test_the_same_file_again_changes_nothing(conn: Conn, tmp_path: Path) -> None:
    rows = (f"{A},,", f"{B},{A},", f"{C},{D},")
    await take(conn, tmp_path, *rows)
    before = await sizes(conn, "contacts", "contact_numbers", "person_links")
    report = await take(conn, tmp_path, *rows)
    assert (report.contacts, report.same_person) == (0, 0)
    assert (report.rejected, report.numbers_left_out) == (3, {})
    assert await sizes(conn, "contacts", "contact_numbers", "person_links") == before
    dry = await take(conn, tmp_path, f"{A},{C},", dry_run=True)
    assert dry.same_person == 1
    assert await sizes(conn, "contacts", "contact_numbers", "person_links") == before


async def test_undo_forgets_what_its_rows_said(conn: Conn, tmp_path: Path) -> None:
    await take(conn, tmp_path, f"{A},,", f"{B},,")
    await take(conn, tmp_path, f"{A},{C},", f"{A},{B},", name="b.csv")
    assert set(await person_numbers(conn, B, None)) == {A, B, C}
    await undo(conn, None, "acme", "june", WALL, who="op")
    assert await person_numbers(conn, B, None) == [B]
    assert await sizes(conn, "person_links", "contacts") == [0, 2]


async def test_undo_of_the_other_import_keeps_the_opt_out(conn: Conn, tmp_path: Path) -> None:
    """The contact with A is gone, and A is still known to be the same person's as B."""
    first = await take(conn, tmp_path, f"{A},,")
    await take(conn, tmp_path, f"{A},{B},", name="b.csv")
    await suppress.add(conn, A, None, "key", WALL, who="x")
    await undo(conn, first.import_id, None, None, WALL, who="op")
    world = await ready(conn)
    assert not (await reserve(conn, request(world))).reserved
    assert await held(conn) == {B: "internal_suppression"}
    assert await person_numbers(conn, A, None) == [A, B]


async def test_undo_keeps_the_rows_of_contacts_that_were_called(conn: Conn, tmp_path: Path) -> None:
    await take(conn, tmp_path, f"{A},,")
    await take(conn, tmp_path, f"{A},{B},", name="b.csv", list_name="july")
    world = await make_world(conn, {"spring": Campaign(lists=("july",))})
    await reserve(conn, request(world, 1))
    await undo(conn, None, "acme", "july", WALL, who="op", keep_called=True)
    assert await person_numbers(conn, B, None) == [B, A]


async def test_a_switchboards_number_makes_nobody_one_person(conn: Conn, tmp_path: Path) -> None:
    """Colleagues who share the office's number are people of their own; a household is one person."""
    office = "+12145550100"
    rows = [f"{office},+1210555{n:04d}," for n in range(100, 102 + MOST_OF_A_PERSON)]
    report = await take(conn, tmp_path, *rows)
    assert (report.contacts, report.same_person) == (len(rows), 0)
    assert report.numbers_left_out == {
        "stands earlier in this file, beside many other numbers: not taken for a person's own": len(rows) - 1
    }
    assert await sizes(conn, "person_links") == [0]


async def test_other_members_persons_are_their_own(conn: Conn, tmp_path: Path) -> None:
    await take(conn, tmp_path, f"{A},,", f"{A},{B},")
    world = await make_world(conn)
    assert await person_numbers(conn, B, world.members["acme"]) == [B, A]
    assert await person_numbers(conn, B, world.members["acme"] + 1) == [B]


async def test_retention_forgets_rows_that_bind_nothing(conn: Conn, tmp_path: Path) -> None:
    await take(conn, tmp_path, f"{A},,", f"{A},{B},", f"{C},,")
    await take(conn, tmp_path, f"{A},{C},", name="b.csv")
    policy = retention.Policy(lead_months=1)
    assert (await retention.due(conn, policy, WALL + timedelta(days=60)))["links"] == 0
    done = await retention.run(conn, policy, WALL + timedelta(days=60), who="op")
    assert (done["leads"], done["links"]) == (3, 4)


async def old_leads_leave(conn: Conn) -> list[int]:
    """Delete the never-called contacts of more than a month; return how many they and their rows were."""
    done = await retention.run(conn, retention.Policy(lead_months=1), WALL + timedelta(days=60), who="op")
    return [done["leads"], done["links"]]


async def test_retention_keeps_what_an_opt_out_covers(conn: Conn, tmp_path: Path) -> None:
    """The same person's other number is bought again later; another Member's entry keeps nobody."""
    await take(conn, tmp_path, f"{A},{B},", f"{C},{D},")
    world = await make_world(conn, members={"acme": Member(), "bolt": Member("Bolt")})
    await suppress.add(conn, A, world.members["acme"], "drop_message", WALL, who="called party")
    await suppress.add(conn, C, world.members["bolt"], "drop_message", WALL, who="called party")
    due = await retention.due(conn, retention.Policy(lead_months=1), WALL + timedelta(days=60))
    assert (due["leads"], await old_leads_leave(conn)) == (1, [1, 0])
    await take(conn, tmp_path, f"{B},,", f"{D},,", name="b.csv")
    assert [call.number for call in (await reserve(conn, request(await ready(conn)))).reserved] == [D]


@pytest.mark.parametrize("rows", [(f"{A},{B},",), (f"{A},{C},", f"{C},{B},")])
async def test_retention_keeps_the_contacts_that_rows_bind_to_an_opt_out(
    conn: Conn, tmp_path: Path, rows: tuple[str, ...]
) -> None:
    """B was called already and stays; the contacts between it and A are kept too, and only they."""
    await take(conn, tmp_path, f"{B},,")
    await take(conn, tmp_path, f"{A},,", f"{C},,", f"{D},,", name="b.csv", list_name="july")
    [call] = (await reserve(conn, request(await ready(conn)))).reserved
    await write(conn, [], [end_of(call, final=True)], 1)
    await take(conn, tmp_path, *rows, name="c.csv")
    await suppress.add(conn, A, None, "key", WALL, who="x")
    assert await old_leads_leave(conn) == [3 - len(rows), 0]
    world = await make_world(conn, {"spring": Campaign(), "autumn": Campaign()})
    new = request(world, now=NOON + timedelta(days=2), campaign_id=world.campaigns["autumn"])
    assert not (await reserve(conn, new)).reserved
    await suppress.remove(conn, A, None, WALL, who="x")
    assert await old_leads_leave(conn) == [len(rows), 2 * len(rows)]


async def test_retention_asks_once_about_each_person_who_stays(
    conn: Conn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not at all about whoever was called, or has an entry of their own."""
    monkeypatch.setattr(retention, "BATCH", 1)
    await take(conn, tmp_path, f"{A},,", f"{B},,")
    [call] = (await reserve(conn, request(await ready(conn), 1))).reserved
    assert call.number == A
    await write(conn, [], [end_of(call, final=True)], 1)
    await take(conn, tmp_path, f"{C},,", f"{D},,", name="b.csv", list_name="july")
    await take(conn, tmp_path, f"{A},{B},", f"{B},{C},", name="c.csv")
    await suppress.add(conn, C, None, "key", WALL, who="x")
    async with conn.transaction():
        await conn.execute("set local track_functions = 'pl'")
        assert await old_leads_leave(conn) == [1, 0]
        asked = await conn.fetchval(
            "select calls from pg_stat_xact_user_functions where funcname = 'persons_numbers'"
        )
    assert asked == 1, "about B"


@pytest.mark.parametrize("rows", [(f"{A},{B},",), (f"{A},{C},", f"{C},{B},")])
async def test_retention_keeps_the_rows_that_an_opt_out_needs(
    conn: Conn, tmp_path: Path, rows: tuple[str, ...]
) -> None:
    """Also where the import with the contact of A was taken back, so that its row binds no two contacts."""
    first = await take(conn, tmp_path, f"{A},,", f"{C},,")
    await take(conn, tmp_path, f"{B},,", name="b.csv")
    await take(conn, tmp_path, *rows, name="c.csv")
    await undo(conn, first.import_id, None, None, WALL, who="op")
    await suppress.add(conn, A, None, "key", WALL, who="x")
    assert await old_leads_leave(conn) == [0, 0]
    assert not (await reserve(conn, request(await ready(conn)))).reserved
    assert await held(conn) == {B: "internal_suppression"}
