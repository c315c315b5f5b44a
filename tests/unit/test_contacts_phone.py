"""Phone cells: the short cut for clean notation gives what `phonenumbers` gives; others get a reason."""

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dialer_engine.contacts.phone import base_number, looks_like_phone, read_notation, read_number
from dialer_engine.core.numbers import is_e164_nanp
from dialer_engine.settings.rules import SHIPPED, load_rules

pytestmark = pytest.mark.unit

PLAN = load_rules(SHIPPED)[1]
AREAS = sorted(PLAN.areas)
NOTATIONS = (
    "{a}{e}{l}",
    "1{a}{e}{l}",
    "+1{a}{e}{l}",
    "({a}) {e}-{l}",
    "({a}){e}-{l}",
    "{a}-{e}-{l}",
    "{a}.{e}.{l}",
    "{a} {e} {l}",
    "+1 ({a}) {e}-{l}",
    "1-{a}-{e}-{l}",
    " +1 {a} {e} {l} ",
    "1.{a}.{e}.{l}",
)
digits = st.text("0123456789", min_size=4, max_size=4)
exchanges = st.integers(200, 999).map(str)
areas = st.one_of(st.sampled_from(AREAS), st.integers(200, 999).map(str))


@given(area=areas, exchange=exchanges, line=digits, notation=st.sampled_from(NOTATIONS))
@example(area="210", exchange="555", line="0100", notation="({a}) {e}-{l}")
def test_clean_notation_gives_what_phonenumbers_gives(
    area: str, exchange: str, line: str, notation: str
) -> None:
    text = notation.format(a=area, e=exchange, l=line)
    parsed = phonenumbers.parse(text, "US")
    assert read_notation(text) == (f"+1{parsed.national_number}", "")


@given(st.text(max_size=30))
def test_any_text_gives_a_number_or_a_reason(text: str) -> None:
    number, reason = read_number(text, PLAN, lab=True)
    assert (number is None) == bool(reason)
    assert number is None or is_e164_nanp(number)


@given(st.text("0123456789+-(). x#", min_size=8, max_size=22))
def test_what_looks_like_digits_is_read_as_phonenumbers_reads_it(text: str) -> None:
    number, _ = read_notation(text)
    if number is None:
        return
    assert (
        phonenumbers.format_number(phonenumbers.parse(text, "US"), phonenumbers.PhoneNumberFormat.E164)
        == number
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("8005550100", "toll-free number"),
        ("9115550100", "service code (N11)"),
        ("2104110100", "service code (N11)"),
        ("8765550100", "Caribbean number"),
        ("5005550100", "no number of a region"),
        ("+442079460000", "not a US or Canadian number"),
        ("210555010", "not a phone number"),
        ("210-555-0100 ext. 4", "has an extension"),
        ("2.10555E+09", "damaged by a spreadsheet (scientific notation)"),
        ("2105550100 / 2105550101", "not a phone number"),
        ("", "not a phone number"),
    ],
)
def test_reasons(text: str, reason: str) -> None:
    assert read_number(text, PLAN, lab=True) == (None, reason)


def test_a_territorys_number_may_stand_on_a_list() -> None:
    """Whether it is called is the campaign's choice."""
    assert read_number("787 234 5678", PLAN, lab=False) == ("+17872345678", "")


@pytest.mark.parametrize(
    "cell",
    [
        "210-4567 Mom",
        "234-5678 Dad",
        "2345678 off",
        "wk 234-5678 res",
        "1 210-4567 Mom",
        "+1 210-4567 Mom",
        "21-04567Mom",
    ],
)
def test_a_note_makes_no_area_code_for_a_local_number(cell: str) -> None:
    """Its letters, read as digits, would make a stranger's number of it."""
    assert read_notation(cell) == (None, "not a phone number")
    assert base_number(cell) == (None, "not a phone number")
    assert base_number(f"{cell} x5") == (None, "not a phone number")


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("212-FLOWERS", "+12123569377"),
        ("1-800-FLOWERS", "+18003569377"),
        ("+1 (210) 234-CALL", "+12102342255"),
        ("cell 2102345678", "+12102345678"),
        ("cell ２１０ ２３４ ５６７８", "+12102345678"),
    ],
)
def test_letters_that_are_digits_and_letters_that_are_none(written: str, number: str) -> None:
    assert read_notation(written)[0] == number


def test_a_vanity_number_with_an_extension_has_a_base() -> None:
    assert base_number("210-234-CALL ext. 12345") == ("+12102342255", "")


def test_notations_of_spreadsheets() -> None:
    assert read_number("2105550100.0", PLAN, lab=True) == ("+12105550100", "")
    assert read_number("'+12105550100", PLAN, lab=True) == ("+12105550100", "")


def test_area_codes_that_phonenumbers_does_not_know_yet() -> None:
    assert read_number("8372345678", PLAN, lab=False) == ("+18372345678", "")


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        ("(210) 555-0100", True),
        ("12105550100", True),
        ("2026-06-10", False),
        ("a@b.c", False),
        ("1234", False),
    ],
)
def test_what_looks_like_a_phone(text: str, looks: bool) -> None:
    assert looks_like_phone(text) is looks


@pytest.mark.parametrize("extension", [" x5", " ext. 22", " extension 7", ";ext=5", "x12", " #9"])
def test_the_base_of_a_number_with_an_extension(extension: str) -> None:
    written = f"512-555-0134{extension}"
    assert read_notation(written) == (None, "has an extension")
    assert base_number(written) == ("+15125550134", "")


@given(st.text(max_size=30))
def test_the_base_of_a_number_without_one_is_the_number(text: str) -> None:
    number, reason = read_notation(text)
    if reason != "has an extension":
        assert base_number(text) == (number, reason)
