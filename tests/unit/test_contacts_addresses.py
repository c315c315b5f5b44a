"""Which columns are parts of an address, in exports of the common programs, and which are refused without a name."""

import pytest
from gate_support import PLAN

from dialer_engine.contacts.columns import Columns, choose, refuse_overlooked
from dialer_engine.contacts.errors import ContactsError
from dialer_engine.contacts.staging import Reader

pytestmark = pytest.mark.unit

SALESFORCE = ["Phone", "Mailing State/Province", "Mailing Zip/Postal Code", "Mailing Country"]
KINDS = ("state", "postal_code", "country")


def named(columns: Columns) -> dict[str, str]:
    """Return kind -> header of the first address."""
    return {what: columns.columns[i] for what, i in columns.fields.items() if what in KINDS}


def hints(header: list[str], *cells: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return regions, zones and the zones of the postal code of a file's only row."""
    columns = choose([header, list(cells)], [])
    [batch] = Reader(columns, PLAN, frozenset({"America/New_York"}), lab=False).batches([(1, list(cells))])
    regions, zones, postal_zones = batch.contacts[0][11:14]
    return regions, zones, postal_zones


@pytest.mark.parametrize(
    "header",
    [
        SALESFORCE,
        ["Phone", "MailingState", "MailingPostalCode", "MailingCountryCode"],
        ["Phone", "Address 1: State/Province", "Address 1: ZIP/Postal Code", "Address 1: Country/Region"],
        ["Phone", "State/Region", "Postal Code", "Country/Region"],
        ["Phone", "Home State", "Home Postal Code", "Home Country/Region"],
        ["Phone", "Address 1 - Region", "Address 1 - Postal Code", "Address 1 - Country"],
        ["Phone", "State Code", "ZIP5", "Country Name"],
        ["Phone", "US State", "us_zip", "billing_country"],
        ["Phone", "State Name", "Zip or Postal Code", "COUNTRY"],
        ["Phone", "Region Code", "Zip", "Country"],
        ["Phone", "State/Region Code", "Zip", "Country"],
        ["Phone", "Home State ID", "Zip", "Country"],
    ],
)
def test_the_last_words_of_a_header_name_a_part_of_an_address(header: list[str]) -> None:
    assert named(choose([header, ["212-234-5678", "CA", "90001", "USA"]], [])) == dict(
        zip(KINDS, header[1:], strict=True)
    )


def test_a_person_in_los_angeles_has_the_regions_of_both_address_and_number() -> None:
    assert hints(SALESFORCE, "212-234-5678", "CA", "90001", "United States")[0] == ("US-CA",)


@pytest.mark.parametrize(
    ("header", "cell"),
    [
        ("Real Estate", "CA"),
        ("Lead State", "open"),
        ("Sales Region", "West"),
        ("Birth State", "CA"),
        ("License State", "CA"),
        ("Passport Country", "Mexico"),
        ("Zip+4", "1234"),
        ("ZIP4", "1234"),
        ("State of mind", "calm"),
    ],
)
def test_headers_that_name_no_address(header: str, cell: str) -> None:
    found = choose(
        [["Phone", "State", "Zip", "Country", header], ["2122345678", "CA", "90001", "US", cell]], []
    )
    assert found.further == ()
    assert found.extra == ((4, header),)


def test_an_exact_header_goes_first_and_the_others_count_beside_it() -> None:
    header = ["Phone", "Billing State", "Billing Zip", "State", "Zip", "Work State"]
    found = choose([header, ["2122345678", "TX", "78201", "CA", "90001", ""]], [])
    assert named(found) == {"state": "State", "postal_code": "Zip"}
    assert found.further == ({"state": 1, "postal_code": 2}, {"state": 5})
    assert found.described()["Billing State"] == "state of another address"
    assert (1, "Billing State") in found.extra, "agents see it"


def test_every_address_of_a_row_counts() -> None:
    header = ["Phone", "State", "Zip", "Billing State", "Billing Zip"]
    tennessee = ("America/Chicago", "America/New_York")
    assert hints(header, "2122345678", "CA", "", "TX", "")[0] == ("US-CA", "US-TX")
    assert hints(header, "2122345678", "TN", "37902", "", "") == (("US-TN",), *[("America/New_York",)] * 2)
    assert hints(header, "2122345678", "TN", "37902", "TN", "37902") == (
        ("US-TN",),
        ("America/New_York",),
        (),
    )
    assert hints(header, "2122345678", "TN", "37902", "TN", "") == (("US-TN",), tennessee, ())
    assert hints(header, "2122345678", "", "", "TN", "37902") == (("US-TN",), ("America/New_York",), ())


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("State,State Name,Zip", "TN,Tennessee,37902"),
        ("State Name,Zip,State", "Tennessee,37902,TN"),
        ("State,Zip,Mailing State Code", ",37902,TN"),
        ("State,Zip,Country,State Name,Country Code", "TN,37902,USA,Tennessee,US"),
    ],
)
def test_a_state_written_twice_leaves_a_postal_code_its_zones(header: str, cells: str) -> None:
    found = hints(["Phone", *header.split(",")], "2122345678", *cells.split(","))
    assert found == (("US-TN",), *[("America/New_York",)] * 2)


def test_a_further_state_that_says_more_counts() -> None:
    header = ["Phone", "State", "State Name", "Zip"]
    assert hints(header, "2122345678", "TN", "Texas", "37902")[0] == ("US-TN", "US-TX")
    foreign = ["Phone", "State", "Zip", "Country", "Work State", "Work Country"]
    assert hints(foreign, "2122345678", "TN", "37902", "USA", "TN", "Canada")[0] == ("CA", "US-TN")


@pytest.mark.parametrize(
    ("header", "cells", "taken"),
    [
        ("State,Zip,Country,IP Country", "TN,37902,US,India", 1),
        ("State,Zip,Country,Ship To Country", "TN,37902,US,India", 1),
        ("State,Zip,Country,Ship To Country", "TN,,,India", 1),
        ("Country,Billing Country", "Canada,Mexico", 1),
        ("Country,Billing Country", "Mexico,Canada", 0),
        ("Country,Billing Country", ",Mexico", 0),
        ("State,Country,Billing Country", "Jalisco,,Mexico", 0),
        ("State,Zip,Vendor Country", "TN,37902,India", 1),
        ("Owner State,Owner Zip,Owner Country", "Jalisco,44100,Mexico", 0),
        ("Supplier Country", "Mexico", 0),
    ],
)
def test_another_country_rejects_unless_the_first_address_lies_here(
    header: str, cells: str, taken: int
) -> None:
    names, row = ["Phone", *header.split(",")], ["8652345678", *cells.split(",")]
    [batch] = Reader(choose([names, row], []), PLAN, frozenset(), lab=False).batches([(1, row)])
    assert len(batch.contacts) == taken


@pytest.mark.parametrize(
    "word", ["IP", "Vendor", "Supplier", "Manufacturer", "Product", "Employer", "Agent", "Owner"]
)
def test_the_country_of_somebody_else_is_none_of_the_contact(word: str) -> None:
    assert hints(["Phone", "State", "Zip", f"{word} Country"], "8652345678", "TN", "37902", "India") == (
        ("US-TN",),
        *[("America/New_York",)] * 2,
    )


def test_another_country_of_a_further_address_counts_for_the_hours() -> None:
    header = ["Phone", "State", "Country", "Billing Country"]
    assert hints(header, "8652345678", "TN", "USA", "Mexico")[0] == ("MX", "US-TN")


def test_map_names_several_states_or_the_only_one() -> None:
    sample = [["Phone", "State", "A", "B"], ["2122345678", "CA", "TX", "NY"]]
    found = choose(sample, [("state", "A"), ("state", "B")])
    assert (found.fields["state"], found.further) == (2, ({"state": 3},))
    refuse_overlooked(found, sample, [("state", "A"), ("state", "B")])
    only = choose(sample, [("state", "A")])
    assert (only.fields["state"], only.further) == (2, ())


@pytest.mark.parametrize(
    ("header", "cells", "field"),
    [
        (["Phone", "Loc"], ["CA", "Texas", ""], "state"),
        (["Phone", "Loc"], ["ON", "Quebec", "n/a"], "state"),
        (["Phone", "Loc"], ["90001", "78201-1234", "M5V 3L9"], "postal_code"),
        (["Phone", "WHERE"], ["CA", "?", "TX"], "state"),
        (["Phone", "Customer Loc"], ["CA", "NY", "TX"], "state"),
        (["Phone", "Loc"], ["CA"], "state"),
        (["Phone", "Loc"], ["CA", "NY", "TX", *[""] * 46], "state"),
    ],
)
def test_a_column_of_states_or_postal_codes_without_a_name_is_refused(
    header: list[str], cells: list[str], field: str
) -> None:
    sample = [header, *(["2122345678", cell] for cell in cells)]
    with pytest.raises(ContactsError, match=rf"column '{header[1]}' seems .* --map '{field}={header[1]}'"):
        refuse_overlooked(choose(sample, []), sample, [])
    for remedy in (field, "keep", "ignore"):
        given = [(remedy, header[1])]
        columns = choose(sample, given)
        refuse_overlooked(columns, sample, given)
        assert bool(columns.extra) == (remedy == "keep")


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        (["Phone", "Salutation"], ["Ms.", "Mr.", "Ms"]),
        (["Phone", "Answer"], ["Ok", "ok", "no"]),
        (["Phone", "County"], ["Washington", "Cook", "Harris", "Dallas"]),
        (["Phone", "Order ID"], ["10001", "90001", "78201"]),
        (["Phone", "Score"], ["720", "640", "810"]),
        (["Phone", "Birth State"], ["CA", "TX", "NY"]),
        (["Phone", "Notes"], ["", "", ""]),
        (["Phone", "State", "Suffix"], ["NY|MD", *["NY|"] * 48]),
        (["Phone", "State", "Degree"], ["NY|MD"] * 3),
        (["Phone", "Mailing City", "Mailing State"], ["New York|NY"] * 3),
        (["Phone", "State", "County"], ["UT|Utah"] * 3),
        (["Phone", "Degree"], ["MD", *[""] * 48]),
        (["Phone", "Degree"], ["MD", "MD", *[""] * 3]),
        (["Phone", "Degree"], ["MD", "MD", "MD", *["PhD"] * 4]),
        (["Phone", "Points"], ["90001", *[""] * 48]),
        (["Phone", "Mailing City"], ["New York"] * 3),
        (["Phone", "HomeTown"], ["Washington"] * 3),
        (["Phone", "County"], ["Utah"] * 3),
        (["Phone", "TV market"], ["New York"] * 3),
        (["Phone", "Name Suffix"], ["MD"] * 3),
        (["Phone", "Credentials"], ["PA"] * 3),
        (["Phone", "Job Title"], ["MD"] * 3),
    ],
)
def test_other_columns_are_not_refused(header: list[str], cells: list[str]) -> None:
    sample = [header, *(["2122345678", *cell.split("|")] for cell in cells)]
    refuse_overlooked(choose(sample, []), sample, [])


def test_numbers_of_five_digits_count_where_nothing_else_says_where_people_are() -> None:
    sample = [["Phone", "State", "Income"], ["2122345678", "NY", "45000"], ["2122345679", "NY", "60000"]]
    refuse_overlooked(choose(sample, []), sample, [])
    bare = [[row[0], row[2]] for row in sample]
    with pytest.raises(ContactsError, match="'Income' seems to hold the postal codes"):
        refuse_overlooked(choose(bare, []), bare, [])
