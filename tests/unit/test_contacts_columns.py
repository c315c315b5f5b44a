"""Columns guessed from headers and content, in three languages; delimiters; hints; safe cells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer_engine.contacts.columns import choose
from dialer_engine.contacts.errors import ContactsError
from dialer_engine.contacts.regions import read_address, zone_hints
from dialer_engine.contacts.source import sniff_delimiter
from dialer_engine.contacts.staging import split_name
from dialer_engine.settings.rules import SHIPPED, load_rules
from dialer_engine.store.safe_csv import safe

pytestmark = pytest.mark.unit

PLAN = load_rules(SHIPPED)[1]


@pytest.mark.parametrize(
    "header",
    [
        ["First Name", "Last Name", "Mobile Phone", "State", "Zip Code"],
        ["first_name", "LAST-NAME", "cell", "province", "postal code"],
        ["Nombre", "Apellidos", "Teléfono", "Estado", "Código Postal"],
        ["Prénom", "Nom", "Téléphone", "Province", "Code postal"],
    ],
)
def test_headers_in_three_languages(header: list[str]) -> None:
    found = choose([header, ["Ana", "Ruiz", "2105550100", "TX", "78201"]], [])
    assert found.has_header
    assert found.fields == {"first_name": 0, "last_name": 1, "state": 3, "postal_code": 4}
    assert [index for index, _ in found.phones] == [2]


def test_numbered_phone_columns_in_order() -> None:
    found = choose([["Phone 1", "Phone2", "Phone_3", "Notes"], ["2105550100", "", "", "x"]], [])
    assert found.phones == ((0, "phone 1"), (1, "phone2"), (2, "phone_3"))
    assert found.extra == ((3, "Notes"),)


def test_a_phone_column_with_an_odd_name_is_found_by_its_content() -> None:
    found = choose([["Who", "Reach"], ["Ana", "(210) 555-0100"], ["Bo", "2105550101"]], [])
    assert found.phones == ((1, "reach"),)


@pytest.mark.parametrize(
    "header",
    [
        "Phone No.",
        "phone_no",
        "PhoneNum",
        "Tel No",
        "Telephone No.",
        "Mobile No",
        "Cell Number",
        "Phone No. 2",
    ],
)
def test_a_phone_header_is_known_beside_account_numbers(header: str) -> None:
    row = ["4000123456", "2105550100", "20260501101500"]
    found = choose([["Account Number", header, "Last Call"], row], [])
    assert [index for index, _ in found.phones] == [1]


@pytest.mark.parametrize(
    ("header", "phones"),
    [
        (["Account Number", "Reach", "OrderID"], [1]),
        (["Invoice", "Best mobile or cell to try", "Reach"], [1]),
        (["customer_id", "Reach", "Residence phones"], [2]),
        (["accountnumber", "leadid", "Reach"], [2]),
        (["ACCOUNT NO", "Midday", "Residence"], [1, 2]),
    ],
)
def test_columns_guessed_by_content_mind_their_headers(header: list[str], phones: list[int]) -> None:
    found = choose([header, ["4000123456", "2105550100", "2105550101"]], [])
    assert sorted(index for index, _ in found.phones) == phones


def test_numbers_that_are_no_phones_are_not_taken_for_any() -> None:
    with pytest.raises(ContactsError, match="no phone column"):
        choose([["Order ID", "Name"], ["4000123456", "Ana"]], [])


@pytest.mark.parametrize(
    "cell", ["tel:+12105550100", "TEL:210-555-0100", "+1 210 555 0100 x5", "call 2105550100"]
)
def test_a_first_row_with_a_number_is_no_header(cell: str) -> None:
    assert not choose([[cell], ["2105550101"], ["2105550102"]], []).has_header


@pytest.mark.parametrize(
    "cell", ["Phone", "Exported 2026-06-10 12:00", "2nd phone no", "phone (max 255 chars)"]
)
def test_a_first_row_without_a_number_is_a_header(cell: str) -> None:
    assert choose([[cell], ["2105550101"], ["2105550102"]], []).has_header


def test_without_header_columns_are_numbered() -> None:
    found = choose([["Ana", "2105550100"], ["Bo", "2105550101"]], [("first_name", "1")])
    assert not found.has_header
    assert found.columns == ("column 1", "column 2")
    assert found.fields == {"first_name": 0}


def test_two_columns_of_one_kind_keep_the_first() -> None:
    found = choose([["Phone", "City", "Town"], ["2105550100", "Austin", "x"]], [])
    assert found.fields == {"city": 1}
    assert found.extra == ((2, "Town"),)


@given(st.lists(st.lists(st.text(max_size=8), min_size=1, max_size=5), min_size=1, max_size=5))
def test_any_table_is_mapped_or_refused(sample: list[list[str]]) -> None:
    try:
        found = choose(sample, [])
    except ContactsError as error:
        found = None
        why = str(error)
    assert found.phones if found else "no phone column" in why


@pytest.mark.parametrize(
    ("sample", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1,5;2,5\n3,5;4,5\n", ";"),
        ("a\tb\n1, 2\t3\n", "\t"),
        ("a|b|c\n1|2|3\n", "|"),
        ("phone\n2105550100\n", ","),
        ('"a;b",c\n"d;e",f\n', ","),
    ],
)
def test_delimiters(sample: str, delimiter: str) -> None:
    assert sniff_delimiter(sample) == delimiter


@pytest.mark.parametrize(
    ("state", "postal", "regions"),
    [
        ("TX", "", ("US-TX",)),
        (" new  york ", "", ("US-NY",)),
        ("D.C.", "", ("US-DC",)),
        ("Washington DC", "", ("US-DC",)),
        ("Washington, D.C.", "", ("US-DC",)),
        ("Washington", "", ("US-WA",)),
        ("Newfoundland & Labrador", "", ("CA-NL",)),
        ("PQ", "", ("CA-QC",)),
        ("P.E.I.", "", ("CA-PE",)),
        ("Yukon Territory", "", ("CA-YT",)),
        ("US-TX", "", ("US-TX",)),
        ("ca-on", "", ("CA-ON",)),
        ("Ontario, Canada", "", ("CA-ON",)),
        ("Texas USA", "", ("US-TX",)),
        ("Nouveau Brunswick", "", ("CA-NB",)),
        ("quebec", "", ("CA-QC",)),
        ("Calif.", "", ("US-CA",)),
        ("N. Carolina", "", ("US-NC",)),
        ("U.S. Virgin Islands", "", ("US-VI",)),
        ("", "78201-1234", ("US-TX",)),
        ("", "782011234", ("US-TX",)),
        ("", "78201 1234", ("US-TX",)),
        ("", "78201\u20131234", ("US-TX",)),
        ("", "2134", ("US-MA",)),
        ("", "2134-1234", ("US-MA",)),
        ("", "21341234", ("US-MA",)),
        ("", "78201.0", ("US-TX",)),
        ("", "96799", ("US-AS",)),
        ("", "96950-0001", ("US-MP",)),
        ("", "96910", ("US-GU",)),
        ("", "06390", ("US-NY",)),
        ("", "M5V 3L9", ("CA-ON",)),
        ("", "V6B-1A1", ("CA-BC",)),
        ("", "v6b", ("CA-BC",)),
        ("", "X0A 0H0", ("CA-NT", "CA-NU")),
        ("Québec", "h2x1y4", ("CA-QC",)),
        ("CA", "10001", ("US-CA", "US-NY")),
        ("", "", ()),
        (" - ", "", ()),
    ],
)
def test_regions_of_addresses(state: str, postal: str, regions: tuple[str, ...]) -> None:
    address = read_address(state, postal)
    assert address.regions == regions
    assert address.understood


@pytest.mark.parametrize(
    ("state", "postal", "regions"),
    [
        ("Narnia", "00000", ()),
        ("Narnia", "78201", ("US-TX",)),
        ("TX", "SW1A 1AA", ("US-TX",)),
        ("", "782011", ()),
        ("", "78201-12", ()),
        ("", "09012", ()),
        ("", "D4A 1A1", ()),
        ("CA-TX", "", ()),
        ("Canada", "", ()),
        ("", "７８２０１", ()),
    ],
)
def test_addresses_that_are_not_understood(state: str, postal: str, regions: tuple[str, ...]) -> None:
    address = read_address(state, postal)
    assert address.regions == regions
    assert not address.understood


@pytest.mark.parametrize(
    ("state", "postal", "zones"),
    [
        ("TN", "37902", ("America/New_York",)),
        ("", "37902-1234", ("America/New_York",)),
        ("TN", "38103", ("America/Chicago",)),
        ("TN", "37402", ("America/Chicago", "America/New_York")),
        ("FL", "32501", ("America/Chicago",)),
        ("ON", "M5V 3L9", ("America/Toronto",)),
        ("BC", "V6B", ("America/Vancouver",)),
        ("ON", "P9N 1A1", ()),
        ("TN", "", ()),
        ("FL", "37902", ()),
        ("Narnia", "37902", ()),
        ("NY", "10001", ()),
    ],
)
def test_zones_of_postal_codes(state: str, postal: str, zones: tuple[str, ...]) -> None:
    """A state that disagrees or cannot be read keeps all zones, as does a code that the table lacks."""
    assert read_address(state, postal).zones(PLAN) == zones


def test_zone_hints() -> None:
    known = {"America/New_York", "America/Chicago", "Pacific/Honolulu"}
    assert zone_hints("Eastern Standard Time", known) == ("America/New_York",)
    assert zone_hints("CDT", known) == ("America/Chicago",)
    assert zone_hints("Pacific/Honolulu", known) == ("Pacific/Honolulu",)
    assert zone_hints("Europe/Berlin", known) == ()
    assert zone_hints("somewhere", known) == ()


def test_names() -> None:
    assert split_name("Ana Ruiz") == ("Ana", "Ruiz")
    assert split_name("Ruiz, Ana") == ("Ana", "Ruiz")
    assert split_name("Ana") == ("Ana", None)


@pytest.mark.parametrize(
    "cell", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\tx", "  =1", "|x", "%1"]
)
def test_formulas_get_an_apostrophe(cell: str) -> None:
    assert safe(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["+12105550100", "-5", "-4.5", "+1 (210) 555-0100", "Ana", "", "a=b"])
def test_plain_cells_stay(cell: str) -> None:
    assert safe(cell) == cell


@given(st.text(max_size=20))
def test_no_cell_begins_a_formula(cell: str) -> None:
    first = safe(cell).lstrip(" ")[:1]
    assert first not in ("=", "@")
