"""The country column: how people write countries, and what one adds to an address."""

from datetime import datetime

import pytest
from gate_support import PLAN, ask

from dialer_engine.contacts.columns import choose
from dialer_engine.contacts.countries import read_country
from dialer_engine.contacts.regions import read_address
from dialer_engine.contacts.staging import ABROAD, Batch, Reader
from dialer_engine.core.gate import Facts

pytestmark = pytest.mark.unit

HEADER = ["Phone", "State", "ZIP", "Country"]
AT_0830 = datetime.fromisoformat("2026-06-10T08:30:00-04:00")


def read(*cells: str, header: list[str] = HEADER) -> Batch:
    """Read one row of a file."""
    columns = choose([header, list(cells)], [])
    [batch] = Reader(columns, PLAN, frozenset(), lab=False).batches([(1, list(cells))])
    return batch


def regions(*cells: str, header: list[str] = HEADER) -> tuple[str, ...]:
    """Return the regions of a row's contact."""
    [contact] = read(*cells, header=header).contacts
    found: tuple[str, ...] = contact[11]
    return found


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("USA", "US"),
        ("u.s.", "US"),
        ("U. S. A.", "US"),
        ("The United States of America", "US"),
        ("Estados Unidos", "US"),
        ("États-Unis", "US"),
        ("840", "US"),
        ("UM", "US"),
        ("CA", "CA"),
        ("can", "CA"),
        (" Canadá ", "CA"),
        ("Puerto Rico", "US-PR"),
        ("GUM", "US-GU"),
        ("U.S. Virgin Islands", "US-VI"),
        ("Mexico", "MX"),
        ("MÉXICO", "MX"),
        ("mex", "MX"),
        ("+52", "MX"),
        ("0052", "MX"),
        ("52.0", "MX"),
        ("UK", "GB"),
        ("The Netherlands", "NL"),
        ("Dominican Republic", "DO"),
        ("British Virgin Islands", "VG"),
        ("Côte d'Ivoire", "CI"),
        ("", ""),
        (" - ", ""),
        ("+1", ""),
        ("1.0", ""),
        ("Cook County", None),
        ("N/A", ""),
        ("NA", ""),
        ("n.a.", ""),
        ("none", ""),
        ("Unknown", ""),
        ("-", ""),
        ("United States (US)", "US"),
        ("United States of America (USA)", "US"),
        ("US - United States", "US"),
        ("CA \N{EN DASH} Canada", "CA"),
        ("Puerto Rico (PR)", "US-PR"),
        ("Mexico (MX)", "MX"),
        ("Guinea-Bissau", "GW"),
        ("Sint Maarten (Dutch part)", "SX"),
        ("Georgia (US)", None),
        ("Lebanon (OH)", None),
        ("Lebanon - PA", None),
        ("Puerto Rico (US)", None),
        ("Unknown (N/A)", None),
        ("999", None),
        ("日本", None),
    ],
)
def test_countries_as_people_write_them(written: str, code: str | None) -> None:
    assert read_country(written) == code


def test_a_number_of_another_country_is_no_number_of_illinois() -> None:
    """Mexican numbers have ten digits too, and many begin like an area code of the US."""
    batch = read("Ana", "33 1234 5678", "Mexico", header=["Nombre", "Telefono", "Pais"])
    assert (batch.contacts, batch.numbers) == ([], [])
    assert batch.problems == [(1, 0, ABROAD)]


@pytest.mark.parametrize("written", ["312-234-5678", "1 312 234 5678", "13122345678"])
def test_abroad_a_number_needs_its_plus(written: str) -> None:
    assert read(written, "", "", "Mexico").problems == [(1, 0, ABROAD)]


@pytest.mark.parametrize(
    "written", ["+13122345678", "tel:+1-312-234-5678", "(+1) 312 234 5678", "'+1 (312) 234-5678"]
)
def test_abroad_a_number_with_its_plus_waits_for_a_known_place(written: str) -> None:
    assert regions(written, "", "", "Mexico") == ("MX",)
    held = ask(Facts("+13122345678", ("MX",))).blocking
    assert held is not None
    assert held.rule == "zone_data"
    assert "'MX' is not known" in held.reason


def test_another_countrys_reason_is_that_of_the_number_where_it_has_one() -> None:
    [(_, _, reason)] = read("+52 33 1234 5678", "", "", "Mexico").problems
    assert reason == "not a US or Canadian number"


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (("212-234-5678", "", "", "Canada"), ("CA",)),
        (("416-234-5678", "", "", "USA"), ("US",)),
        (("416-234-5678", "", "", "Canada"), ()),
        (("303-234-5678", "", "", "USA"), ()),
        (("787-234-5678", "", "", "USA"), ()),
        (("212-234-5678", "ON", "", "Canada"), ("CA-ON",)),
        (("212-234-5678", "", "M5V 3L9", "Canada"), ("CA-ON",)),
        (("212-234-5678", "TX", "78201", "Canada"), ("CA", "US-TX")),
        (("212-234-5678", "ON", "", "USA"), ("CA-ON",)),
        (("212-234-5678", "", "", "Puerto Rico"), ("US-PR",)),
        (("212-234-5678", "", "", "+1"), ()),
        (("212-234-5678", "", "", "Cook"), ()),
    ],
)
def test_a_country_counts_where_nothing_nearer_is_known(
    cells: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert regions(*cells) == expected


def test_a_state_in_the_wrong_column_and_a_california_that_may_be_canada() -> None:
    assert regions("212-234-5678", "", "", "Texas") == ("US-TX",)
    assert regions("212-234-5678", "TX", "", "CA") == ("CA", "US-CA", "US-TX")
    assert regions("212-234-5678", "QC", "", "CA") == ("CA-QC",)
    assert regions("212-234-5678", "", "", "CA") == ("CA",)


def test_one_number_of_several_in_the_country_keeps_no_hours_from_the_others() -> None:
    header = ["Phone 1", "Phone 2", "Country"]
    assert regions("416-234-5678", "212-234-5678", "Canada", header=header) == ("CA",)


def test_a_country_that_says_something_else_leaves_no_zone_to_a_postal_code() -> None:
    assert read_address("TN", "37902", "USA").zones(PLAN) == ("America/New_York",)
    assert read_address("TN", "37902", "Canada").zones(PLAN) == ()
    assert read_address("TN", "37902", "Cook").zones(PLAN) == ()


@pytest.mark.parametrize("country", ["United States (US)", "US - United States", "N/A", "Unknown", "-"])
def test_the_us_written_twice_or_no_country_leaves_a_postal_code_its_zones(country: str) -> None:
    assert read_address("TN", "37902", country).zones(PLAN) == ("America/New_York",)


def test_a_state_with_its_country_behind_it_is_a_state() -> None:
    assert regions("212-234-5678", "", "", "Georgia (US)") == ("US-GA",)
    assert regions("212-234-5678", "", "", "Puerto Rico (US)") == ("US-PR",)


@pytest.mark.parametrize(
    ("country", "understood"), [("Cook", False), ("USA", True), ("Mexico", True), ("", True)]
)
def test_a_country_that_is_not_understood_is_counted(country: str, understood: bool) -> None:
    assert read_address("TX", "78201", country).understood is understood


def test_canadian_hours_count_for_a_canadian_with_a_number_of_new_york() -> None:
    found = regions("212-234-5678", "", "", "Canada")
    assert not ask(Facts("+12122345678", found), AT_0830).allowed
    assert ask(Facts("+12122345678"), AT_0830).allowed


def test_an_ordinary_number_keeps_its_hours_whose_country_is_its_own() -> None:
    found = regions("303-234-5678", "", "", "USA")
    assert ask(Facts("+13032345678", found), datetime.fromisoformat("2026-06-10T08:30:00-06:00")).allowed
