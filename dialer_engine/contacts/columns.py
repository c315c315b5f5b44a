"""Which column is what: guessed from headers and content, corrected by `--map`."""

import difflib
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from dialer_engine.contacts.countries import read_country
from dialer_engine.contacts.errors import ContactsError
from dialer_engine.contacts.phone import UNREADABLE, base_number, looks_like_phone, read_notation
from dialer_engine.contacts.regions import read_address

PHONE = "phone"
IGNORE = "ignore"
KEEP = "keep"
"""A column of no meaning to the engine: it stays with the contact as it is."""
_NAMES: Mapping[str, str] = {
    PHONE: "phone phonenumber telephone telephonenumber tel mobile mobilephone mobilenumber cell cellphone "
    "phoneno phonenum telephoneno telephonenum telno telnum mobileno mobilenum cellno cellnum cellnumber contactno "
    "cellular home homephone work workphone businessphone office officephone number msisdn contactnumber "
    "dayphone eveningphone primaryphone altphone alternatephone secondaryphone otherphone landline "
    "telefono telefonofijo celular movil telefonocasa telefonotrabajo numero numerodetelefono "
    "telephonemobile telephonefixe telephoneportable portable cellulaire domicile travail numerodetelephone",
    "external_id": "id leadid customerid clientid recordid externalid accountid account reference ref",
    "first_name": "firstname first fname givenname nombre nombres prenom",
    "last_name": "lastname last lname surname familyname apellido apellidos nom nomdefamille",
    "name": "name fullname contact contactname customername nombrecompleto nomcomplet",
    "company": "company companyname organization organisation business empresa compania entreprise societe",
    "email": "email emailaddress mail correo correoelectronico courriel",
    "street": "street address streetaddress mailingaddress direccion calle adresse rue",
    "city": "city town ciudad ville municipality",
    "state": "state province stateprovince st estado provincia region etat",
    "postal_code": "zip zipcode postal postalcode postcode codigopostal cp codepostal",
    "country": "country countrycode pais pays",
    "zone": "timezone tz zone zonahoraria husohorario fuseauhoraire",
}
NAMES: Mapping[str, frozenset[str]] = {name: frozenset(words.split()) for name, words in _NAMES.items()}
FIELDS = tuple(NAMES)
_LAST_WORDS: Mapping[str, str] = {
    "state": "state province region stateprovince provincestate stateorprovince stateregion statecode statename "
    "stateabbreviation stateabbr stateid provincecode provincename regioncode stateregioncode",
    "postal_code": "zip zipcode postal postalcode postcode zippostal zippostalcode ziporpostalcode "
    "postalzip postalzipcode",
    "country": "country countrycode countryname countryregion",
}
"""How headers end that name a part of an address, whosever it is: `Mailing State/Province`, `HomeZip`."""
ADDRESS_FIELDS = tuple(_LAST_WORDS)
_ENDS = {what: frozenset(words.split()) for what, words in _LAST_WORDS.items()}
_NO_ADDRESS_WORDS = (
    "birth born origin citizenship nationality license licence dl issuing issue passport plate vehicle registration "
    "incorporation"
)
_NO_ADDRESS = frozenset(_NO_ADDRESS_WORDS.split())
_OTHERS = frozenset({"ip", "vendor", "supplier", "manufacturer", "product", "employer", "agent", "owner"})
"""Words of headers whose country is not the contact's, where other columns say where the contact is."""
_NO_STATES = frozenset({"city", "town", "county", "market", "suffix", "credentials", "title"})
"""Words of headers above names that only look like states: `New York` is a city, `Utah` a county, `MD` a degree."""
_SURE = 3
"""So many states or postal codes, or those of half of the rows of a shorter sample, are more than chance."""
_PLUS_FOUR = re.compile(r"(zip|code|plus)4$")
_POSTAL_CODE = re.compile(r"\s*(\d{5}([ -]\d{4})?|[A-Z]\d[A-Z] ?\d[A-Z]\d)\s*", re.IGNORECASE | re.ASCII)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_TRAILING_DIGITS = re.compile(r"\d+$")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_PHONE_WORD = re.compile("phone|tel|mobile|cell", re.IGNORECASE)
_NO_PHONE_PART = re.compile("account|acct|order|invoice|policy|contract|customer|reference", re.IGNORECASE)
_NO_PHONE_WORDS = frozenset({"acc", "id", "ids", "case", "ref", "date"})
LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class Columns:
    """What each column of a file is; `further` are the parts of addresses beside that of `fields`, also in `extra`."""

    has_header: bool
    columns: tuple[str, ...]
    phones: tuple[tuple[int, str], ...]
    fields: Mapping[str, int] = field(default_factory=dict)
    extra: tuple[tuple[int, str], ...] = ()
    further: tuple[Mapping[str, int], ...] = ()

    def described(self) -> dict[str, str]:
        """Return column name -> what it is taken for, in the file's order."""
        known = {index: name for name, index in self.fields.items()}
        known |= {index: f"phone ({label})" for index, label in self.phones}
        known |= {index: "kept as it is" for index, _ in self.extra}
        known |= {index: f"{what} of another address" for one in self.further for what, index in one.items()}
        return {name: known.get(index, "ignored") for index, name in enumerate(self.columns)}


def choose(
    sample: Sequence[Sequence[str]], given: Sequence[tuple[str, str]], *, every_phone: bool = False
) -> Columns:
    """Decide what the columns are from the first rows of a file and the `--map` pairs (field, column).

    `every_phone`: a column of numbers is one of phones whatever the others' headers say, as long as its own names no
    account or the like.
    """
    first, rest = list(sample[0]), sample[1:]
    has_header = _is_header(first, rest)
    width = max(len(row) for row in sample)
    names = [
        first[i].strip() if has_header and i < len(first) and first[i].strip() else f"column {i + 1}"
        for i in range(width)
    ]
    headers, data = (names, rest) if has_header else ([""] * width, sample)
    guessed = _guess(headers, data)
    if every_phone:
        guessed |= dict.fromkeys(_all_phones(headers, data), PHONE)
    for column in _said(given, names, IGNORE, KEEP):
        guessed.pop(column, None)
    _apply(guessed, given, names)
    return _columns(has_header, names, guessed, _said(given, names, IGNORE))


def refuse_overlooked(
    columns: Columns, sample: Sequence[Sequence[str]], given: Sequence[tuple[str, str]]
) -> None:
    """Refuse a file with a column of states or postal codes that nobody named: they bound the calling hours.

    States count where no column is known to hold them. Numbers of five digits may be anything, so they count only where
    nothing else says where people are.
    """
    rows = sample[1:] if columns.has_header else sample
    known = {*columns.fields, *(what for what, _ in given)}
    tests = {} if "state" in known else {"state": _is_state}
    if not known & {"state", "postal_code"}:
        tests["postal_code"] = _is_postal_code
    others = {index for one in columns.further for index in one.values()} | _said(
        given, columns.columns, KEEP
    )
    for index, name in columns.extra:
        if index in others or _is_of_no_address(name):
            continue
        for what, test in tests.items():
            if _holds(rows, index, test) and not _NAMES_OTHER_THAN[what](name):
                raise ContactsError(
                    f"column {name!r} seems to hold the {what.replace('_', ' ')}s of the contacts, which bound the "
                    f"hours in which they may be called: say --map '{what}={name}', or when it is something else "
                    f"--map '{KEEP}={name}' or --map '{IGNORE}={name}'"
                )


def _holds(rows: Sequence[Sequence[str]], index: int, test: Callable[[str], bool]) -> bool:
    """Tell whether at least half of the filled cells of a column pass a test, and more of them than by chance."""
    cells = _filled(rows, index)
    hits = sum(map(test, cells))
    return 2 * hits >= len(cells) and hits >= min(_SURE, len(rows) / 2) and hits > 0


def _is_header(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    if any(_holds_number(cell) for cell in first):
        return False
    return bool(rest) or any(_field_of(cell) for cell in first)


def _holds_number(cell: str) -> bool:
    """Tell whether a cell is a number, also one that nobody can call, such as one with an extension."""
    long = sum(letter.isdigit() for letter in cell) >= 10
    return looks_like_phone(cell) or (long and read_notation(cell)[1] != UNREADABLE)


def _guess(names: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[int, str]:
    guessed: dict[int, str] = {}
    for index, name in enumerate(names):
        found = _field_of(name)
        if found and (found == PHONE or found not in guessed.values()):
            guessed[index] = found
    if PHONE not in guessed.values():
        guessed |= dict.fromkeys(_phones_by_content(names, rows), PHONE)
    if "email" not in guessed.values():
        mail = next((i for i in range(len(names)) if _share(rows, i, _is_mail) >= 0.5), None)
        guessed |= {} if mail is None or mail in guessed else {mail: "email"}
    return guessed | _further_parts(names, rows, guessed)


def _further_parts(
    names: Sequence[str], rows: Sequence[Sequence[str]], guessed: Mapping[int, str]
) -> dict[int, str]:
    """Columns whose header ends like a part of an address, unless none of their cells is one."""
    parts = {index: part for index, name in enumerate(names) if (part := _part_of_address(name))}
    further = {
        i: part for i, part in parts.items() if i not in guessed and _may_hold(rows, i, _UNDERSTOOD[part])
    }
    strange = _countries_of_others(names, {**guessed, **further})
    return {i: part for i, part in further.items() if i not in strange}


def _countries_of_others(names: Sequence[str], guessed: Mapping[int, str]) -> set[int]:
    """Columns of countries such as `Vendor Country` beside the contact's own address, without a `Vendor State`."""
    words = {
        i: _OTHERS.intersection(_words(names[i])) for i, what in guessed.items() if what in ADDRESS_FIELDS
    }
    if all(words.values()):
        return set()
    whole = {word for i, found in words.items() if guessed[i] != "country" for word in found}
    return {i for i, found in words.items() if found and guessed[i] == "country" and not found & whole}


def _part_of_address(header: str) -> str | None:
    """Return the part of an address that a header's last words name, whosever address it is."""
    if _is_of_no_address(header):
        return None
    words = _words(header)
    ends = ["".join(words[first:]) for first in range(len(words))]
    found = _field_of(header)
    if found in ADDRESS_FIELDS:
        return found
    return next((what for end in ends for what, known in _ENDS.items() if end in known), None)


def _is_of_no_address(header: str) -> bool:
    """Tell whether a header speaks of another state than an address's, or of the last four digits of a code."""
    return not _NO_ADDRESS.isdisjoint(_words(header)) or _PLUS_FOUR.search(_folded(header)) is not None


def _words(header: str) -> list[str]:
    """Return the words of a header, also of `MailingState`, without accents and in small letters."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", header) if not unicodedata.combining(c))
    return [word.lower() for word in _WORD.findall(plain)]


def _may_hold(rows: Sequence[Sequence[str]], index: int, test: Callable[[str], bool]) -> bool:
    """Tell whether some filled cell of a column passes a test, or none is filled."""
    cells = _filled(rows, index)
    return not cells or any(map(test, cells))


def _phones_by_content(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """Columns that hold phone numbers: those whose header says so, else those whose header names nothing else."""
    found = [i for i in range(len(names)) if _share(rows, i, looks_like_phone) >= 0.5]
    named = [i for i in found if _PHONE_WORD.search(names[i])]
    return named or [i for i in found if not names_something_else(names[i])]


def _all_phones(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """Columns most of whose cells are numbers, with an extension or without, and whose header does not deny it."""
    found = (i for i in range(len(names)) if _share(rows, i, is_number) >= 0.5)
    return [i for i in found if _PHONE_WORD.search(names[i]) or not names_something_else(names[i])]


def is_number(cell: str) -> bool:
    """Tell whether a cell is a number of the +1 plan, with an extension or without."""
    return sum(letter.isdigit() for letter in cell) >= 10 and base_number(cell)[0] is not None


def names_something_else(header: str) -> bool:
    """Tell whether a header stands above numbers that only look like phone numbers."""
    words = {word.lower() for word in _WORD.findall(header)}
    return bool(
        words & _NO_PHONE_WORDS or _NO_PHONE_PART.search(header) or _field_of(header) == "external_id"
    )


def _names_no_state(header: str) -> bool:
    """Tell whether a header stands above names that only look like states."""
    return not _NO_STATES.isdisjoint(_words(header))


def _share(rows: Sequence[Sequence[str]], index: int, test: Callable[[str], bool]) -> float:
    """The share of the filled cells of a column that pass a test."""
    cells = _filled(rows, index)
    return sum(map(test, cells)) / len(cells) if cells else 0.0


def _filled(rows: Sequence[Sequence[str]], index: int) -> list[str]:
    return [row[index] for row in rows if index < len(row) and row[index].strip()]


def _apply(guessed: dict[int, str], given: Sequence[tuple[str, str]], names: Sequence[str]) -> None:
    """Let what was given replace what was guessed; a given phone column replaces all guessed ones."""
    wanted = {what for what, _ in given} - {IGNORE, KEEP}
    for index in [i for i, what in guessed.items() if what in wanted]:
        del guessed[index]
    for what, column in given:
        if what not in (*FIELDS, KEEP, IGNORE):
            raise ContactsError(f"--map {what}=...: fields are {', '.join(FIELDS)}, {KEEP} and {IGNORE}")
        if what not in (KEEP, IGNORE):
            # Removed and put in again: the order given is the order of calling.
            guessed.pop(index := _find(column, names), None)
            guessed[index] = what


def _said(given: Sequence[tuple[str, str]], names: Sequence[str], *words: str) -> set[int]:
    """Return the columns of which `--map` says one of these words."""
    return {_find(column, names) for what, column in given if what in words}


def _find(column: str, names: Sequence[str]) -> int:
    """Find a column by its header, or by its place counted from 1."""
    folded = [name.casefold() for name in names]
    if column.strip().casefold() in folded:
        return folded.index(column.strip().casefold())
    if column.isdigit() and 1 <= int(column) <= len(names):
        return int(column) - 1
    near = difflib.get_close_matches(column.casefold(), folded, n=1)
    hint = f"; did you mean {names[folded.index(near[0])]!r}?" if near else ""
    raise ContactsError(f"--map: there is no column {column!r}{hint} (columns: {', '.join(names)})")


def _columns(
    has_header: bool, names: Sequence[str], guessed: Mapping[int, str], ignored: set[int]
) -> Columns:
    phones = tuple((i, _label(names[i])) for i, what in guessed.items() if what == PHONE)
    if not phones:
        raise ContactsError(
            f"no phone column found (columns: {', '.join(names)}); name it with --map phone=COLUMN "
            "(do-not-call numbers: --column COLUMN)"
        )
    places = {what: [i for i, one in guessed.items() if one == what] for what in guessed.values()}
    fields = {what: indexes[0] for what, indexes in places.items() if what != PHONE}
    used = {i for i, _ in phones} | set(fields.values()) | ignored
    extra = tuple((i, name) for i, name in enumerate(names) if i not in used)
    return Columns(has_header, tuple(names), phones, fields, extra, _further(places))


def _further(places: Mapping[str, Sequence[int]]) -> tuple[Mapping[str, int], ...]:
    """Return the addresses beside the first: the second column of each part belongs to one, and so on."""
    parts = {what: places.get(what, ())[1:] for what in ADDRESS_FIELDS}
    count = max(map(len, parts.values()))
    return tuple({what: each[n] for what, each in parts.items() if n < len(each)} for n in range(count))


def _field_of(header: str) -> str | None:
    """Return the field a header names, in English, Spanish or French; `Phone 2` is a phone."""
    word = _folded(header)
    bare = _TRAILING_DIGITS.sub("", word)
    return next((what for what, words in NAMES.items() if word in words or bare in words), None)


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in plain if letter.isascii() and letter.isalnum())


def _label(name: str) -> str:
    return name.strip().lower()[:LONGEST_NAME] or PHONE


def _is_mail(text: str) -> bool:
    return _EMAIL.fullmatch(text.strip()) is not None


def _is_state(text: str) -> bool:
    """Tell whether a cell is a state or province; `Ms.` and `Ok` are none: people write the codes in capitals."""
    code = text.strip().strip(".")
    return bool(read_address(text, "").regions) and (len(code) > 2 or code.isupper())


def _is_postal_code(text: str) -> bool:
    return _POSTAL_CODE.fullmatch(text) is not None and bool(read_address("", text).regions)


_UNDERSTOOD: Mapping[str, Callable[[str], bool]] = {
    "state": lambda cell: bool(read_address(cell, "").regions),
    "postal_code": lambda cell: bool(read_address("", cell).regions),
    "country": lambda cell: read_country(cell) is not None,
}
_NAMES_OTHER_THAN: Mapping[str, Callable[[str], bool]] = {
    "state": _names_no_state,
    "postal_code": names_something_else,
}
