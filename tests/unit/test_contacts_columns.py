"""Columns guessed from headers and content, in three languages; delimiters; hints; safe cells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer_engine.contacts.columns import choose
from dialer_engine.contacts.errors import ContactsError
from dialer_engine.contacts.regions import region_hints, zone_hints
from dialer_engine.contacts.source import sniff_delimiter
from dialer_engine.contacts.staging import split_name
from dialer_engine.store.safe_csv import safe

pytestmark = pytest.mark.unit


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
        ("", "78201-1234", ("US-TX",)),
        ("", "2134", ("US-MA",)),
        ("", "M5V 3L9", ("CA-ON",)),
        ("Québec", "h2x1y4", ("CA-QC",)),
        ("CA", "10001", ("US-CA", "US-NY")),
        ("Narnia", "00000", ()),
    ],
)
def test_region_hints(state: str, postal: str, regions: tuple[str, ...]) -> None:
    assert region_hints(state, postal) == regions


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
