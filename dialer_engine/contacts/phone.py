"""From what stands in a phone column to E.164, or to the reason why it cannot be called.

`phonenumbers` reads the notation. Whether the area code may be called is decided by the engine's own number
plan, which knows area codes that `phonenumbers` does not know yet. Clean US notation, which is nearly all
there is in nearly every file, takes a short cut with the same outcome.
"""

import re
from collections.abc import Mapping

import phonenumbers

from dialer_engine.core.numbers import NumberClass, NumberPlan, classify, is_e164_nanp

_CLEAN = re.compile(
    r"[\s']*(?:\+?1[ .-]?)?(?:\(([2-9]\d\d)\) ?|([2-9]\d\d)[ .-]?)([2-9]\d\d)[ .-]?(\d{4})(?:\.0)?\s*",
    re.ASCII,
)
_PLUS_ONE = re.compile(r"[\s'(]*(?:tel:)?[\s(]*\+\s*1", re.IGNORECASE)
_TEL = re.compile(r"\s*tel:", re.IGNORECASE)
_SPREADSHEET = re.compile(r"\d[.,]\d+E\+?\d+", re.IGNORECASE)
REASONS: Mapping[NumberClass, str] = {
    NumberClass.fictional: "fictional number (555-01XX)",
    NumberClass.toll_free: "toll-free number",
    NumberClass.premium: "premium-rate number",
    NumberClass.n11: "service code (N11)",
    NumberClass.non_geographic: "no number of a region",
    NumberClass.caribbean: "Caribbean number",
    NumberClass.foreign: "not a US or Canadian number",
    NumberClass.invalid: "not a US or Canadian number in service",
}
UNREADABLE = "not a phone number"
EXTENSION = "has an extension"
SCIENTIFIC = "damaged by a spreadsheet (scientific notation)"
FEWEST_DIGITS = 7
"""Digits of a phone number without its area code."""
MOST_BESIDE_LETTERS = FEWEST_DIGITS - 1
"""Digits of a number some of which are written as letters, such as 210-555-CALL, besides a leading 1."""


def read_number(text: str, plan: NumberPlan, *, lab: bool) -> tuple[str | None, str]:
    """Return (E.164, "") for a number that may stand on a list, else (None, reason)."""
    number, reason = read_notation(text)
    if number is None:
        return None, reason
    kind = classify(number, plan)
    # Whether a territory is called is the campaign's choice, so its numbers may stand on a list.
    if kind in (NumberClass.geographic, NumberClass.territory) or (lab and kind is NumberClass.fictional):
        return number, ""
    return None, REASONS[kind]


def read_notation(text: str) -> tuple[str | None, str]:
    """Return (E.164, "") for a number of the +1 plan, whatever kind of number it is, else (None, reason)."""
    clean = _CLEAN.fullmatch(text)
    if clean is None:
        return _read_odd(text)
    area, other_area, exchange, line = clean.groups()
    return f"+1{area or other_area}{exchange}{line}", ""


def base_number(text: str) -> tuple[str | None, str]:
    """Return what `read_notation` does, and of a number with an extension the number that is dialed before it.

    For what must not be called: the extension is reached by calling that number.
    """
    number, reason = read_notation(text)
    return _read_odd(text, extensions=True) if reason == EXTENSION else (number, reason)


def has_plus_one(text: str) -> bool:
    """Tell whether a cell says that its number is one of the +1 plan; a 1 without + may begin another country's."""
    return _PLUS_ONE.match(text) is not None


def holds_two(text: str) -> bool:
    """Tell whether a cell has so many digits that behind the number that was read there may be another one.

    `2105550100;2105550101` is read as a number and what follows it. One with its country code and an extension of five
    digits has 16.
    """
    return sum(letter.isdigit() for letter in text) > 16


def looks_like_phone(text: str) -> bool:
    """Tell whether a cell could be a phone number, perhaps as `tel:...`: used to guess columns."""
    text = _TEL.sub("", text)
    digits = sum(letter.isdigit() for letter in text)
    return 10 <= digits <= 15 and len(text) <= 24 and not re.search(r"[A-Za-z@/:]", text)


def hints_at_number(text: str) -> bool:
    """Tell whether a cell of no known meaning could be a phone number, or what is left of a damaged one."""
    # A spreadsheet leaves fewer digits, as in 2.11E+09.
    enough = sum(letter.isdigit() for letter in text) >= FEWEST_DIGITS
    return enough or _SPREADSHEET.fullmatch(text.strip().lstrip("'")) is not None


def _read_odd(text: str, *, extensions: bool = False) -> tuple[str | None, str]:
    bare = text.strip().lstrip("'")
    if _SPREADSHEET.fullmatch(bare):
        return None, SCIENTIFIC
    try:
        parsed = phonenumbers.parse(bare, "US")
    except phonenumbers.NumberParseException:
        return None, UNREADABLE
    if parsed.extension and not extensions:
        return None, EXTENSION
    if parsed.country_code != 1:
        return None, REASONS[NumberClass.foreign]
    number = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    if not is_e164_nanp(number) or _makes_digits_of_a_note(bare, number, parsed.extension or ""):
        return None, UNREADABLE
    return number, ""


def _makes_digits_of_a_note(text: str, number: str, extension: str) -> bool:
    """Tell whether the number was made of a local one and the letters beside it: 210-4567 Mom is 210-456-7666."""
    own = phonenumbers.normalize_digits_only(text)
    if number.removeprefix("+1") in own:
        return False
    return len(own.removeprefix("1")) - len(extension) > MOST_BESIDE_LETTERS
