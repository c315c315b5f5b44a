"""Change lists: numbers added to and removed from a registry since the last download, flat or as XML.

The order of a flat line's columns differs between descriptions, so it is taken from the first line: a
number (one column, or area code and number side by side), a word or letter for add or delete, and perhaps
the time. Every later line must have the same columns.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from dialer_engine.contacts.registry.files import Part, line_chunks, text_chunks

_ADD = frozenset({"a", "add", "added", "addition", "i", "insert", "+"})
_REMOVE = frozenset({"d", "del", "delete", "deleted", "deletion", "r", "remove", "removed", "-"})
_TIME_FORMS = ("%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M", "%m/%d/%Y", "%Y%m%d%H%M%S")
CUT_OFF = "the last line has no end: the file was cut off; download it again"
_TAGS = re.compile(r"<[^<>]*>")
_ATTRIBUTE = re.compile(r"([A-Za-z_-]+)\s*=\s*['\"]([^'\"]*)['\"]")


@dataclass(frozen=True, slots=True)
class Change:
    """One number (0 to 9,999,999 of its area code) added or removed, when if the file says so, and where."""

    npa: int
    number: int
    add: bool
    at: datetime | None
    line: int


@dataclass(frozen=True, slots=True)
class _Columns:
    number: tuple[int, ...]
    action: int
    time: int | None
    count: int


def read_changes(part: Part) -> Iterator[Change]:
    """Return the changes of a flat change list in its order."""
    columns: _Columns | None = None
    for lines in line_chunks(part):
        if not lines.complete:
            raise part.refuse(lines.first, CUT_OFF)
        for offset, text in enumerate(lines.text.decode("ascii").removesuffix("\n").split("\n")):
            line = lines.first + offset
            cells = [cell.strip().strip("\"'").strip() for cell in text.split(",")]
            if columns is None:
                if line == 1 and not any(letter.isdecimal() for letter in text):
                    continue
                columns = _columns(part, line, cells)
            yield _change(part, line, cells, columns)


def _columns(part: Part, line: int, cells: list[str]) -> _Columns:
    numbers: list[tuple[int, ...]] = [(at,) for at, cell in enumerate(cells) if _is_digits(cell, 10)]
    numbers += [
        (at, at + 1)
        for at in range(len(cells) - 1)
        if _is_digits(cells[at], 3) and _is_digits(cells[at + 1], 7)
    ]
    actions = [at for at, cell in enumerate(cells) if cell.lower() in _ADD | _REMOVE]
    if len(numbers) != 1 or len(actions) != 1:
        raise part.refuse(line, "is no change: one number and one of add, delete (A, D) are needed")
    others = set(range(len(cells))) - {*numbers[0], actions[0]}
    times = [at for at in sorted(others) if _time(cells[at]) is not None]
    return _Columns(numbers[0], actions[0], times[0] if times else None, len(cells))


def _change(part: Part, line: int, cells: list[str], columns: _Columns) -> Change:
    if len(cells) != columns.count:
        raise part.refuse(line, f"has {len(cells)} columns, the lines before have {columns.count}")
    digits = "".join(cells[at] for at in columns.number)
    action = cells[columns.action].lower()
    if not _is_digits(digits, 10) or action not in _ADD | _REMOVE:
        raise part.refuse(line, "is no change: a number and one of add, delete (A, D) are needed")
    at = None if columns.time is None else _time(cells[columns.time])
    if columns.time is not None and at is None:
        raise part.refuse(line, f"{cells[columns.time][:40]!r} is no time")
    return Change(int(digits[:3]), int(digits[3:]), action in _ADD, at, line)


def read_xml_changes(part: Part) -> Iterator[Change]:
    """Return the changes of an XML change list in its order."""
    npa, rest, line, begun, ended = 0, "", 1, False, False
    for _, data in text_chunks(part):
        text = rest + data.decode("ascii")
        end = text.rfind(">") + 1
        whole, rest, at = text[:end], text[end:], 0
        for tag in _TAGS.finditer(whole):
            if whole[at : tag.start()].strip():
                raise part.refuse(line, f"{whole[at : tag.start()].strip()[:40]!r} does not belong here")
            line, at = line + whole.count("\n", at, tag.start()), tag.end()
            found = {key.lower(): value for key, value in _ATTRIBUTE.findall(tag[0])}
            match re.sub(r"^<\s*(/?)\s*(\w*).*$", r"\1\2", tag[0], flags=re.DOTALL).lower():
                case "list":
                    begun = True
                    if found.get("type") != "change":
                        raise part.refuse(
                            line, f"the file says type {found.get('type')!r}, expected 'change'"
                        )
                case "/list":
                    ended = True
                case "ac" if _is_digits(found.get("val", ""), 3):
                    npa = int(found["val"])
                case "ph" if begun and npa and not ended:
                    yield _xml_change(part, line, npa, found)
                case "/ac" | "/ph" | "":
                    pass
                case other:
                    raise part.refuse(line, f"tag {other!r} does not belong here")
        line += whole.count("\n", at)
    if rest.strip() or not ended:
        raise part.refuse(line, "the file ends before </list>: it was cut off; download it again")


def _xml_change(part: Part, line: int, npa: int, found: dict[str, str]) -> Change:
    others = [value for key, value in found.items() if key != "val"]
    actions = [value.lower() for value in others if value.lower() in _ADD | _REMOVE]
    if not _is_digits(found.get("val", ""), 7) or len(actions) != 1:
        raise part.refuse(line, "is no change: a number and one of add, delete (A, D) are needed")
    times = [at for value in others if (at := _time(value)) is not None]
    return Change(npa, int(found["val"]), actions[0] in _ADD, times[0] if times else None, line)


def _is_digits(text: str, length: int) -> bool:
    return len(text) == length and text.isascii() and text.isdecimal()


def _time(text: str) -> datetime | None:
    """Return a time in any of the usual forms; one without an offset is taken for UTC."""
    for form in _TIME_FORMS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
