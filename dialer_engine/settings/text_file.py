"""The text of a settings file, or a clear reason why it is none: not readable, not UTF-8, a PDF, binary."""

import re
from dataclasses import dataclass
from pathlib import Path

from dialer_engine.settings.problems import Problem

LARGEST_FILE = 1_000_000
"""Bytes; a settings file is written by hand."""
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_FOREIGN_STARTS = {
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a zip archive or office document",
    b"\x1f\x8b": "compressed",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column, both counted from 1."""

    line: int
    column: int


class UnreadableError(Exception):
    """The file is not YAML at all; `problem` says why and where."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text())
        self.problem = problem


def read_text(file: Path) -> tuple[bytes, str]:
    """The bytes and the text of a file; UnreadableError says why there is none, and where."""
    raw = _read_bytes(file)
    return raw, _decode(file, raw)


def unreadable(file: Path, what: str, allowed: str = "", place: Place | None = None) -> UnreadableError:
    """The error for a file without usable content, at its first character unless a place is given."""
    place = place or Place(1, 1)
    return UnreadableError(Problem(file, place.line, place.column, "", what, allowed))


def _read_bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            raw = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnreadableError(Problem(file, 0, 0, "", f"the file cannot be read: {reason}")) from error
    if len(raw) > LARGEST_FILE:
        raise unreadable(file, "the file is too large to be a settings file", f"up to {LARGEST_FILE:,} bytes")
    return raw


def _decode(file: Path, raw: bytes) -> str:
    for start, kind in _FOREIGN_STARTS.items():
        if raw.startswith(start):
            raise unreadable(file, f"the file is {kind}, not YAML", "plain text in UTF-8")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = _place_in(raw[: error.start].decode("utf-8-sig", "replace"))
        what = f"byte 0x{raw[error.start]:02x} is not UTF-8 text"
        raise unreadable(file, what, "plain text in UTF-8; save the file in that encoding", place) from error
    bad = _UNPRINTABLE.search(text)
    if bad:
        what = f"control character U+{ord(bad[0]):04X}; this is not a text file"
        raise unreadable(file, what, "plain text in UTF-8", _place_in(text[: bad.start()]))
    return text


def _place_in(before: str) -> Place:
    lines = before.split("\n")
    return Place(len(lines), len(lines[-1]) + 1)
