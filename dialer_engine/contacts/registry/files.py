"""Registry files as chunks of whole lines, plain, gzipped or zipped; anything that is no text is refused."""

import gzip
import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dialer_engine.contacts.errors import ContactsError

CHUNK = 1024 * 1024
LONGEST_LINE = 64 * 1024
DAMAGED = "the archive is damaged or cut off"
TEXT = bytes(range(32, 127)) + b"\t\r\n"
_BOM = b"\xef\xbb\xbf"


class Stream(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end."""


class RegistryError(ContactsError):
    """A registry file cannot be used; the message names file, line and remedy, and nothing was changed."""


@dataclass(slots=True)
class Part:
    """One text file, perhaps inside an archive; `name` is for messages."""

    name: str
    stream: Stream
    _peeked: bytes = b""

    def peek(self) -> bytes:
        """Return the first bytes, which are read again afterwards."""
        if not self._peeked:
            self._peeked = self.read()
        return self._peeked

    def read(self) -> bytes:
        """Return the next bytes, none at the end."""
        if self._peeked:
            first, self._peeked = self._peeked, b""
            return first
        try:
            return self.stream.read(CHUNK)
        except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
            raise self.refuse(0, f"{DAMAGED} ({error}); download it again") from error

    def refuse(self, line: int, what: str) -> RegistryError:
        """Return an error at a line of this file, counted from 1; line 0 is the file as a whole."""
        return RegistryError(f"{self.name}:{line}: {what}" if line else f"{self.name}: {what}")


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole lines with their ends; `first` is the number of the first, counted from 1.

    `complete` is false for a last line without an end.
    """

    first: int
    text: bytes
    complete: bool = True


def parts(path: Path) -> Iterator[Part]:
    """Open a file, or every file of an archive in the order of their names."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if head[:4] == b"PK\x03\x04":
            yield from _zipped(path)
        elif head[:2] == b"\x1f\x8b":
            with gzip.open(path) as stream:
                yield Part(str(path), stream)
        else:
            with path.open("rb") as file:
                yield Part(str(path), file)
    except OSError as error:
        raise RegistryError(f"{path}: cannot be read ({error.strerror or error})") from error


def _zipped(path: Path) -> Iterator[Part]:
    with _archive_trouble(path), zipfile.ZipFile(path) as archive:
        names = sorted(entry.filename for entry in archive.infolist() if not entry.is_dir())
        if not names:
            raise RegistryError(f"{path}: the archive is empty")
        for name in names:
            with archive.open(name) as stream:
                yield Part(f"{path}({name})", stream)


@contextmanager
def _archive_trouble(path: Path) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise RegistryError(
            f"{path}: the archive is damaged or cut off ({error}); download it again"
        ) from error


def line_chunks(part: Part) -> Iterator[Lines]:
    """Return the file as whole lines, about a megabyte at a time; what is no text is refused."""
    number, rest, began = 1, b"", False
    while data := part.read():
        text = rest + (data if began else data.removeprefix(_BOM))
        began = True
        end = text.rfind(b"\n") + 1
        whole, rest = text[:end], text[end:]
        if len(rest) > LONGEST_LINE:
            raise part.refuse(number + whole.count(b"\n"), "a line without end; this is no list of numbers")
        if whole:
            _check_text(part, number, whole)
            yield Lines(number, whole)
            number += whole.count(b"\n")
    if rest:
        _check_text(part, number, rest)
        yield Lines(number, rest, complete=False)
    if not began:
        raise part.refuse(0, "the file is empty")


def text_chunks(part: Part) -> Iterator[tuple[int, bytes]]:
    """Return the file as text, about a megabyte at a time, with the number of the line it starts in."""
    number = 1
    while data := part.read():
        text = data.removeprefix(_BOM) if number == 1 else data
        _check_text(part, number, text)
        yield number, text
        number += text.count(b"\n")


def _check_text(part: Part, number: int, text: bytes) -> None:
    strange = text.translate(None, TEXT)
    if strange:
        line = number + text[: text.find(strange[:1])].count(b"\n")
        raise part.refuse(line, f"byte {strange[0]:#04x} is no text; is this the file the registry gave?")


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What is kept of a file as evidence."""

    name: str
    bytes: int
    sha256: str


def record_of(path: Path) -> FileRecord:
    """Return name, size and SHA-256 of a file."""
    try:
        with path.open("rb") as file:
            return FileRecord(path.name, path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())
    except OSError as error:
        raise RegistryError(f"{path}: cannot be read ({error.strerror or error})") from error
