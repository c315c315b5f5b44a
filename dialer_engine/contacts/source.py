"""A file of contacts as rows of text, whatever its encoding and delimiter; what is no table is refused."""

import codecs
import csv
import io
import itertools
import re
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dialer_engine.contacts.errors import ContactsError
from dialer_engine.contacts.phone import looks_like_phone
from dialer_engine.core.text import storable

HIDES_ROWS = "a cell of several lines holds what looks like another row: is a quotation mark not closed?"
SAMPLE_BYTES = 64 * 1024
LONGEST_LINE = 1024 * 1024  # characters; keeps memory flat when a file has no line ends
LONGEST_RECORD = LONGEST_LINE  # characters of a record over all its lines
MOST_CELLS = 16_384  # as many columns as Excel has
DELIMITERS = (",", ";", "\t", "|")
NAME_OF_DELIMITER = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
_END = "\0"  # stands behind the last line; `storable` leaves none in the file's own text
_LINE_BREAK = re.compile(r"\r\n?|\n")
_EXCEL_HINT = re.compile(r"sep=(.)\r?\n?\Z")
_NOT_TEXT: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "an Excel workbook or another zip archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"{\\rtf", "a rich-text document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"SQLite format 3", "an SQLite database"),
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
    (b"<?xml", "an XML file"),
)


@dataclass(frozen=True, slots=True)
class Source:
    """A readable file: how its text is coded and divided."""

    path: Path
    encoding: str
    delimiter: str
    hinted: bool  # the first line is Excel's "sep=;" and no data
    size: int
    changed: int


def inspect(path: Path, encoding: str | None = None) -> Source:
    """Find out how to read a file; ContactsError names what it is when it is not a table of text."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ContactsError(f"{path}: is no file but a pipe or a device; save it as a file and try again")
        with path.open("rb") as file:
            head = file.read(SAMPLE_BYTES)
            chosen = encoding or _encoding(path, head)
    except OSError as error:
        raise ContactsError(f"{path}: cannot be read ({error.strerror})") from error
    if not head.strip():
        raise ContactsError(f"{path}: the file is empty")
    sample = _decode_sample(path, head, chosen)
    hint = _EXCEL_HINT.match(sample.split("\n", 1)[0])
    delimiter = hint[1] if hint else sniff_delimiter(sample, complete=len(head) < SAMPLE_BYTES)
    return Source(path, chosen, delimiter, hint is not None, status.st_size, status.st_mtime_ns)


def rows(source: Source) -> Iterator[tuple[int, list[str]]]:
    """Read the file's records with their numbers, the first record being 1; blank ones are left out."""
    return ((number, cells) for number, _, cells in records(source))


def whole_rows(source: Source) -> Iterator[tuple[int, list[str]]]:
    """Read the file's records as `rows` does; ContactsError at the first one that hides others."""
    for number, line, cells in records(source):
        if hides_rows(cells, source.delimiter):
            raise ContactsError(f"{source.path}:{line}: {HIDES_ROWS} Else put that cell on one line")
        yield number, cells


def hides_rows(cells: Sequence[str], delimiter: str) -> bool:
    """Tell whether a cell of several lines holds a piece of a row with a phone number.

    A quotation mark that is opened and not closed takes in all rows as far as the next one.
    """
    long_cells = (cell for cell in cells if "\n" in cell or "\r" in cell)
    lines = (line for cell in long_cells for line in _LINE_BREAK.split(cell))
    return any(
        looks_like_phone(part.strip(' "'))
        for line in lines
        if delimiter in line or '"' in line
        for part in line.split(delimiter)
    )


def records(source: Source) -> Iterator[tuple[int, int, list[str]]]:
    """Read the file's records with their numbers and their first lines, both from 1; blank ones are left out.

    ContactsError when the last record ends within quotation marks: it has taken in what follows it.
    """
    number, line = 0, 1
    with source.path.open("r", encoding=source.encoding, newline="") as file:
        lines = _Bounded(source, itertools.chain(_lines(source, file), (_END,)))
        reader = csv.reader(lines, delimiter=source.delimiter)
        try:
            for cells in reader:
                if cells == [_END]:
                    return
                if cells and cells[-1].endswith(_END):
                    raise ContactsError(
                        f"{source.path}:{line}: a quotation mark is opened in this row and never closed; "
                        "close it, or take it away"
                    )
                number += 1
                lines.record_ends(cells)
                if any(cells) and not (source.hinted and number == 1):
                    yield number, line, cells
                line = reader.line_num + 1
        except csv.Error as error:
            raise ContactsError(
                f"{source.path}:{line}: {error}; is a quotation mark opened and never closed?"
            ) from error
        except UnicodeError as error:
            raise ContactsError(
                f"{source.path}:{reader.line_num}: is not {source.encoding} throughout; give --encoding"
            ) from error


def unchanged(source: Source) -> bool:
    """Tell whether the file is still the one that was inspected."""
    status = source.path.stat()
    return (status.st_size, status.st_mtime_ns) == (source.size, source.changed)


def sniff_delimiter(sample: str, *, complete: bool = True) -> str:
    """Return the delimiter that divides the sample most evenly into several columns; comma if none does."""
    best, best_score = ",", (0.0, 0)
    for delimiter in DELIMITERS:
        widths = _widths(sample, delimiter, complete)
        if not widths:
            continue
        width, times = Counter(widths).most_common(1)[0]
        score = (times / len(widths), width)
        if width > 1 and score > best_score:
            best, best_score = delimiter, score
    return best


def _widths(sample: str, delimiter: str, complete: bool) -> list[int]:
    try:
        found = [len(cells) for cells in csv.reader(io.StringIO(sample), delimiter=delimiter) if cells]
    except csv.Error:
        return []
    return found[:100] if complete else found[:-1][:100]


def _lines(source: Source, file: io.TextIOBase) -> Iterator[str]:
    for count, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), ""), start=1):
        if len(line) == LONGEST_LINE and not line.endswith("\n"):
            raise ContactsError(f"{source.path}:{count}: a line of more than a million characters")
        yield storable(line)


class _Bounded:
    """The lines of a file, as long as those of one record do not fill the memory."""

    def __init__(self, source: Source, lines: Iterator[str]) -> None:
        self._source, self._lines = source, lines
        self._read, self._line = 0, 0

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self._line += 1
            self._read += len(line)
            if self._read > LONGEST_RECORD:
                raise self._refuse(
                    "a row of more than a million characters; is a quotation mark opened and never closed?"
                )
            yield line

    def record_ends(self, cells: list[str]) -> None:
        """Begin to count anew behind a record. Raises ContactsError when it is too wide."""
        self._read = 0
        if len(cells) > MOST_CELLS:
            raise self._refuse(f"a row of {len(cells)} cells, where {MOST_CELLS} are the most")

    def _refuse(self, why: str) -> ContactsError:
        return ContactsError(f"{self._source.path}:{self._line}: {why}")


def _encoding(path: Path, head: bytes) -> str:
    _refuse_other_kinds(path, head)
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in head:
        return _utf16_without_mark(path, head)
    if _decodes(path, "utf-8"):
        return "utf-8"
    if _decodes(path, "cp1252"):
        return "cp1252"
    raise ContactsError(f"{path}: is neither UTF-8 nor Windows text; name its encoding with --encoding")


def _refuse_other_kinds(path: Path, head: bytes) -> None:
    start = head.lstrip()[:32]
    for mark, kind in _NOT_TEXT:
        if start.startswith(mark) or start.lower().startswith(mark):
            raise ContactsError(f"{path}: this is {kind}, not a table of text; save it as CSV and try again")


def _utf16_without_mark(path: Path, head: bytes) -> str:
    """Latin text in UTF-16 has its zero bytes all on one side."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > 4 * even and odd > len(head) // 8:
        return "utf-16-le"
    if even > 4 * odd and even > len(head) // 8:
        return "utf-16-be"
    raise ContactsError(f"{path}: this is not text; save the contacts as CSV and try again")


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        try:
            while piece := file.read(1024 * 1024):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeError:
            return False
    return True


def _decode_sample(path: Path, head: bytes, encoding: str) -> str:
    try:
        "a".encode(encoding)  # a codec that is none of text, such as hex, is refused here
        sample = codecs.getincrementaldecoder(encoding)().decode(head)
    except LookupError as error:
        raise ContactsError(f"{encoding!r} is not an encoding; try utf-8, cp1252 or utf-16") from error
    except UnicodeError as error:
        raise ContactsError(f"{path}: is not {encoding}") from error
    control = sum(1 for letter in sample[:4096] if ord(letter) < 32 and letter not in "\t\r\n\f")
    if control > 8:
        raise ContactsError(f"{path}: this is not text; save the contacts as CSV and try again")
    return sample
