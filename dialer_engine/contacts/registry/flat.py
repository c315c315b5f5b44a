"""Flat registry files: one number per line, `NPA,NXXXXXX` as the US and Canadian registries write it.

Other notations of a number are understood too (`NPANXXXXXX`, `(NPA) NXX-XXXX`, `+1...`, quoted), a header is
skipped, blank lines at the end are not minded. Whatever else stands in a line makes the whole file unusable.

Files in one fixed notation are read a megabyte at a time without looking at single lines; a chunk that does
not fit the pattern everywhere is read line by line, which finds the line at fault.
"""

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from dialer_engine.contacts.registry.batch import Batch, seven_digits
from dialer_engine.contacts.registry.files import TEXT, Lines, Part, line_chunks

_TO_ZERO = bytes.maketrans(b"0123456789", b"0000000000")
_LINE = re.compile(
    rb'\s*"?(?:\+?1[ .-]?)?\(?([2-9]\d\d)\)?"?[ ,;.\t/-]{0,2}"?(\d{3})[ .-]?(\d{4})"?[ ,;]*\r?'
)
_HEADER = re.compile(rb'[\s"]*[A-Za-z][A-Za-z_ .#/",;-]*\r?')
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A fixed notation: a line with zeroes for digits, and the columns of the number's seven digits."""

    line: bytes
    columns: tuple[int, ...]


_PATTERNS = tuple(
    _Pattern(body + end, columns)
    for body, columns in ((b"000,0000000", tuple(range(4, 11))), (b"0000000000", tuple(range(3, 10))))
    for end in (b"\n", b"\r\n")
)


def read_flat(part: Part, *, line_end_needed: bool) -> Iterator[Batch]:
    """Return the numbers of a flat file in its order; RegistryError at the first line that is none.

    With `line_end_needed` a last line without an end counts as a file that was cut off.
    """
    pattern: _Pattern | None = None
    for lines in line_chunks(part):
        if not lines.complete:
            if line_end_needed:
                what = "the last line has no end: the file was cut off; download it again"
                raise part.refuse(lines.first, what)
            yield from _slow(part, lines)
            continue
        pattern = pattern or _pattern_of(lines.text)
        if pattern is not None and _fits(lines.text, pattern):
            yield from _fast(lines, pattern)
        else:
            yield from _slow(part, lines)


def has_other_columns(head: bytes) -> bool:
    """Tell whether a file's first lines hold more than a number each: it must be read as a table."""
    lines = [line for line in head.split(b"\n")[:-1] or [head] if line.strip()][:3]
    text = not head.translate(None, TEXT)
    header = bool(lines) and _HEADER.fullmatch(lines[0]) is not None
    numbers = lines[1:] if header else lines
    archived = head.startswith((b"PK\x03\x04", b"\x1f\x8b"))
    if archived or head.lstrip().startswith(b"<"):
        return False
    return not text or (header and b"," in lines[0]) or any(_LINE.fullmatch(line) is None for line in numbers)


def _pattern_of(text: bytes) -> _Pattern | None:
    first = text[: text.find(b"\n") + 1].translate(_TO_ZERO)
    return next((pattern for pattern in _PATTERNS if pattern.line == first), None)


def _fits(text: bytes, pattern: _Pattern) -> bool:
    width = len(pattern.line)
    times, over = divmod(len(text), width)
    return (
        not over
        and text.translate(_TO_ZERO) == pattern.line * times
        and not text[::width].translate(None, b"23456789")  # no area code begins with 0 or 1
    )


def _fast(lines: Lines, pattern: _Pattern) -> Iterator[Batch]:
    text, width = lines.text, len(pattern.line)
    amount, at = len(text) // width, 0
    while at < amount:
        code = text[at * width : at * width + 3]
        end = _run_end(text, width, at, amount, code)
        numbers = seven_digits(text[at * width : end * width], 0, width, pattern.columns)
        yield Batch(int(code), numbers, lines.first + at)
        at = end


def _run_end(text: bytes, width: int, at: int, amount: int, code: bytes) -> int:
    """Return where the run of one area code ends; a run in good order is found by halving."""
    low, high = at, amount
    while low < high:
        middle = (low + high) // 2
        if text[middle * width : middle * width + 3] == code:
            low = middle + 1
        else:
            high = middle
    run = text[at * width : low * width]
    if all(run[column::width].count(code[column]) == low - at for column in range(3)):
        return low
    return next(i for i in range(at, amount) if text[i * width : i * width + 3] != code)


def _slow(part: Part, lines: Lines) -> Iterator[Batch]:
    npa, numbers, began, blank = 0, array("I"), lines.first, 0
    for offset, text in enumerate(lines.text.removesuffix(b"\n").split(b"\n")):
        number = lines.first + offset
        match = _LINE.fullmatch(text)
        if match is None:
            if not text.strip():
                blank = blank or number
            elif not (number == 1 and _HEADER.fullmatch(text)):
                raise part.refuse(number, f"{_show(text)} is no number of the form NPA,NXXXXXX")
            continue
        if blank:
            raise part.refuse(blank, "a blank line in the middle; is the file damaged?")
        if int(match[1]) != npa:
            if numbers:
                yield Batch(npa, numbers, began)
            npa, numbers, began = int(match[1]), array("I"), number
        numbers.append(int(match[2] + match[3]))
    if numbers:
        yield Batch(npa, numbers, began)


def _show(text: bytes) -> str:
    shown = text.strip().decode("ascii", "replace")
    return repr(shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "...")
