"""A row about somebody whom the Member has already: what it says of the place counts beside what was known."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from store_support import NOON, WALL, Campaign, Conn, Member, gate, load_shipped, make_world, request, sizes

from dialer_engine.cli.list_ import lines
from dialer_engine.contacts.errors import ContactsError
from dialer_engine.contacts.importer import ImportReport, ImportRequest, import_list
from dialer_engine.contacts.undo import undo
from dialer_engine.store.queue import fill
from dialer_engine.store.reserve import reserve

pytestmark = pytest.mark.postgres

A, B, C, D = (f"+121055501{n:02d}" for n in range(1, 5))
EVENING = datetime(2026, 6, 11, 0, 30, tzinfo=UTC)
"""19:30 in Texas, where calls may come until 21:00, and 20:30 in Connecticut, where they may until 20:00."""
ZONES = {"CT": "America/New_York", "TX": "America/Chicago"}
Place = tuple[list[str], list[str]]


async def take(
    conn: Conn,
    tmp_path: Path,
    *rows: str,
    member: str = "acme",
    header: str = "Phone,State,ZIP",
    **more: object,
) -> ImportReport:
    file = tmp_path / "a.csv"
    file.write_text(f"{header}\n" + "".join(f"{row}\n" for row in rows))
    world = await make_world(conn, members={"acme": Member(), "bolt": Member("Bolt")})
    rules, plan = load_shipped()
    fields: dict[str, object] = {"list_name": "june", "at": WALL, "who": "test", "lab": True}
    wanted = ImportRequest(
        file=file,
        member_id=world.members[member],
        plan=plan,
        rules=rules,
        **(fields | more),  # type: ignore[arg-type]
    )
    return await import_list(conn, wanted)


async def places(conn: Conn, member: str = "acme") -> dict[str, Place]:
    """Return regions and zones of each number's contact."""
    rows = await conn.fetch(
        "select n.number, c.regions, c.zones from contacts c join contact_numbers n on n.contact_id = c.id"
        " join members m on m.id = c.member_id where m.key = $1",
        member,
    )
    return {row["number"]: (row["regions"], row["zones"]) for row in rows}


async def test_a_corrected_state_counts_for_a_known_contact(conn: Conn, tmp_path: Path) -> None:
    """The audit's case: imported as Texas, corrected to Connecticut, called by Texan rules only."""
    await take(conn, tmp_path, f"{A},TX,", f"{B},TX,")
    report = await take(conn, tmp_path, f"{A},CT,", list_name="july")
    assert await places(conn) == {A: (["US-CT", "US-TX"], []), B: (["US-TX"], [])}
    assert (report.contacts, report.rejected, report.addresses_updated) == (0, 1, 1)
    assert report.reasons == {"stands on a list of this Member already": 1}
    world = await make_world(conn, {"spring": Campaign()})
    evening = request(world, 2, EVENING, context=gate(EVENING))
    assert [call.number for call in (await reserve(conn, evening)).reserved] == [B]
    held = await conn.fetchrow("select held_rule, held_reason from queue where held_rule is not null")
    assert held is not None
    assert "Connecticut" in held["held_reason"], (
        "its consent for automated dialing, which Texas does not ask for"
    )


async def test_rows_that_say_nothing_new_change_and_count_nothing(conn: Conn, tmp_path: Path) -> None:
    await take(conn, tmp_path, f"{A},TX,78201", f"{B},,")
    before = await conn.fetch("select xmin, * from contacts order by id")
    report = await take(conn, tmp_path, f"{A},TX,78201", f"{B},,", f"{A},,", f"{B},Narnia,")
    assert report.addresses_updated == 0
    assert not any("up to date" in line for line in lines(report))
    assert await conn.fetch("select xmin, * from contacts order by id") == before


async def test_the_report_counts_in_a_dry_run_too_which_changes_nothing(conn: Conn, tmp_path: Path) -> None:
    await take(conn, tmp_path, f"{A},TX,", f"{B},,")
    before = await places(conn)
    dry = await take(conn, tmp_path, f"{A},CT,", f"{B},TX,", dry_run=True)
    assert (dry.addresses_updated, await places(conn)) == (2, before)
    assert any(line.startswith("2 addresses would be brought up to date") for line in lines(dry))
    assert await sizes(conn, "audit") == [0]
    real = await take(conn, tmp_path, f"{A},CT,", f"{B},TX,")
    assert any(line.startswith("2 addresses brought up to date") for line in lines(real))
    [row] = await conn.fetch("select action, object, detail from audit")
    assert (row["action"], row["object"]) == ("list.import", str(real.import_id))
    assert json.loads(row["detail"])["addresses_updated"] == 2


async def test_a_zone_never_takes_those_of_another_address_away(conn: Conn, tmp_path: Path) -> None:
    """Chicago of the Texan ZIP code lies in Tennessee too and must not stand for all of it, nor the other way."""
    tennessee = ["America/Chicago", "America/New_York"]
    await take(conn, tmp_path, f"{A},TX,78201", f"{B},TN,", f"{C},TN,37902")
    assert (await places(conn))[C] == (["US-TN"], ["America/New_York"])
    report = await take(conn, tmp_path, f"{A},TN,", f"{B},TN,37203", f"{C},TN,")
    assert report.addresses_updated == 2
    assert await places(conn) == {
        A: (["US-TN", "US-TX"], tennessee),
        B: (["US-TN"], []),
        C: (["US-TN"], tennessee),
    }


async def test_the_same_address_gives_an_older_contact_its_zone(conn: Conn, tmp_path: Path) -> None:
    """Versions before the table of postal codes kept the state alone, which counts with all its zones."""
    rows = (f"{A},TN,37902", f"{B},TN,37902", f"{C},TN,37203")
    await take(conn, tmp_path, *rows)
    await conn.execute("update contacts set zones = '{}'")
    report = await take(conn, tmp_path, f"{A},TN,37902", f"{B},TN,37902", f"{B},CT,", f"{C},TN,37902")
    assert report.addresses_updated == 2
    assert await places(conn) == {
        A: (["US-TN"], ["America/New_York"]),
        B: (["US-CT", "US-TN"], ["America/New_York"]),
        C: (["US-TN"], []),
    }


async def test_all_that_rows_say_of_one_contact_counts(conn: Conn, tmp_path: Path) -> None:
    """Several rows, several numbers of one contact, and a row that brings a new number of its own."""
    header = "Phone,Cell,State,Time Zone"
    await take(conn, tmp_path, f"{A},{B},TX,", header=header)
    report = await take(
        conn,
        tmp_path,
        f"{A},,CT,",
        f"{B},,NV,Pacific",
        f"{A},{C},AZ,America/Phoenix",
        f"{A},,CT,",
        header=header,
    )
    assert (report.contacts, report.numbers, report.addresses_updated) == (1, 1, 1)
    found = await places(conn)
    assert found[A] == found[B]
    assert set(found[A][0]) == {"US-AZ", "US-CT", "US-NV", "US-TX"}
    assert set(found[A][1]) >= {"America/Los_Angeles", "America/Phoenix"}
    assert found[C] == (["US-AZ"], ["America/Phoenix"])


async def test_a_row_that_stands_earlier_in_the_file_counts_too(conn: Conn, tmp_path: Path) -> None:
    report = await take(conn, tmp_path, f"{A},TX,", f"{A},CT,", f"{A},TX,")
    assert (report.contacts, report.addresses_updated) == (1, 1)
    assert await places(conn) == {A: (["US-CT", "US-TX"], [])}


async def test_a_contact_held_because_its_place_was_unknown_is_looked_at_again(
    conn: Conn, tmp_path: Path
) -> None:
    await take(conn, tmp_path, f"{A},,", f"{B},,", f"{C},,", f"{D},,")
    world = await make_world(conn, {"spring": Campaign()})
    await fill(conn, world.campaigns["spring"], NOON)
    await conn.execute(
        "update queue q set state = 'held', next_at = null, held_reason = 'a test', held_rule = case n.number"
        " when $1 then 'registry' when $2 then 'several' else 'zone_data' end"
        " from contact_numbers n where n.contact_id = q.contact_id",
        B,
        D,
    )
    await take(conn, tmp_path, f"{A},TX,", f"{B},TX,", f"{D},TX,")
    rows = await conn.fetch(
        "select n.number, q.state, q.held_rule from queue q join contact_numbers n using (contact_id) order by 1"
    )
    assert [tuple(row) for row in rows] == [
        (A, "due", None),
        (B, "held", "registry"),
        (C, "held", "zone_data"),
        (D, "due", None),
    ]
    assert {call.number for call in (await reserve(conn, request(world))).reserved} == {A, D}


async def test_other_fields_stay_and_other_members_contacts_too(conn: Conn, tmp_path: Path) -> None:
    header = "Phone,First Name,State,ZIP,Note"
    await take(conn, tmp_path, f"{A},Ana,TX,78201,first", header=header)
    await take(conn, tmp_path, f"{A},Ana,TX,78201,first", header=header, member="bolt")
    shown = "select first_name, state, postal_code, extra, row_number, import_id from contacts order by id"
    before = await conn.fetch(shown)
    report = await take(conn, tmp_path, f"{A},Bo,CT,06101,second", header=header)
    assert report.addresses_updated == 1
    assert await conn.fetch(shown) == before
    assert (await places(conn))[A][0] == ["US-CT", "US-TX"]
    assert (await places(conn, "bolt"))[A][0] == ["US-TX"]


async def test_undo_leaves_what_was_added_and_of_the_first_file_makes_room(
    conn: Conn, tmp_path: Path
) -> None:
    """As docs/import.md tells to correct an address that was plain wrong."""
    first = await take(conn, tmp_path, f"{A},TX,")
    second = await take(conn, tmp_path, f"{A},CT,")
    await undo(conn, second.import_id, None, None, WALL, who="op")
    assert await places(conn) == {A: (["US-CT", "US-TX"], [])}
    await undo(conn, first.import_id, None, None, WALL, who="op")
    await take(conn, tmp_path, f"{A},CT,")
    assert await places(conn) == {A: (["US-CT"], [])}


async def test_a_number_in_many_rows_gathers_all_their_places(conn: Conn, tmp_path: Path) -> None:
    """A number that stands for nobody gathers places without end, and the import bears it."""
    states = ("TX", "CT", "TN", "FL", "OR", "ID", "NV", "KY", "IN", "MI")
    await take(conn, tmp_path, f"{A},,")
    rows = [f"{A},{states[n % 10]},{zone}" for n in range(100) for zone in ("Eastern", "Pacific", "")]
    report = await take(conn, tmp_path, *rows, header="Phone,State,Time Zone")
    assert report.addresses_updated == 1
    regions, zones = (await places(conn))[A]
    assert regions == sorted(f"US-{state}" for state in states)
    assert {"America/New_York", "America/Chicago", "America/Boise", "America/Los_Angeles"} <= set(zones)


async def test_a_row_of_another_country_is_rejected_and_one_of_canada_has_its_hours(
    conn: Conn, tmp_path: Path
) -> None:
    """33 1234 5678 of Guadalajara is 331-234-5678 of Illinois without its country."""
    header = "Nombre,Telefono,Pais"
    rows = (
        "Ana,33 1234 5678,Mexico",
        "Bo,212-234-5678,Canada",
        "Cy,303-234-5678,USA",
        "Di,303-234-5679,Cook",
    )
    report = await take(conn, tmp_path, *rows, header=header, lab=False)
    assert await places(conn) == {
        "+12122345678": (["CA"], []),
        "+13032345678": ([], []),
        "+13032345679": ([], []),
    }
    assert report.reasons == {"in another country than the US and Canada, and written without +1": 1}
    assert any(line.startswith("1 contacts with a state, postal code or country") for line in lines(report))


async def test_an_export_whose_state_has_words_before_it(conn: Conn, tmp_path: Path) -> None:
    """Somebody in Los Angeles with a number of New York, who may not be called at 05:00 there."""
    header = "Phone,Home State,Billing State,Billing Zip"
    report = await take(conn, tmp_path, f"{A},CA,,", f"{B},CA,TX,78201", header=header)
    assert report.columns["Billing Zip"] == "postal_code"
    assert report.columns["Billing State"] == "state of another address"
    assert await places(conn) == {A: (["US-CA"], []), B: (["US-CA", "US-TX"], [])}
    shown = await conn.fetchrow(
        "select state, extra->>'Billing State' as billing from contacts order by id desc limit 1"
    )
    assert shown is not None
    assert tuple(shown) == ("CA", "TX")


@pytest.mark.parametrize("dry_run", [True, False])
async def test_an_overlooked_column_of_states_refuses_the_file(
    conn: Conn, tmp_path: Path, dry_run: bool
) -> None:
    header, rows = "Phone,Loc", (f"{A},CA", f"{B},TX")
    with pytest.raises(ContactsError, match="column 'Loc' seems to hold the states"):
        await take(conn, tmp_path, *rows, header=header, dry_run=dry_run)
    assert await sizes(conn, "contacts", "imports") == [0, 0]
    await take(conn, tmp_path, *rows, header=header, mapping=[("state", "Loc")], dry_run=dry_run)
    assert await places(conn) == ({} if dry_run else {A: (["US-CA"], []), B: (["US-TX"], [])})
