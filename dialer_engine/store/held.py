"""Records that the database cannot take now, on disk until it can.

A directory of numbered files, each a header and one record a line behind a checksum. A file is only appended to,
by the engine that made it, and every append ends with an fsync; it is removed when the database has all of it.
Order is the files' numbers, then the lines. What a crash left half written is no record: it never counted as
safe. A record that is read twice is written once, because the database knows each writer's last number.
"""

import asyncio
import contextlib
import io
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from dialer_engine.store.agents import StateChange
from dialer_engine.store.attempts import AttemptEnd, AttemptEvent, Disposed
from dialer_engine.store.batch import Batch, Numbered, Record
from dialer_engine.store.opt_outs import OptOutGiven
from dialer_engine.store.preview_ends import PreviewEnd

FORMAT = 1
MOST_IN_FILE = 1000
KINDS: Mapping[str, type[Record]] = {
    kind.__name__: kind for kind in (AttemptEvent, AttemptEnd, Disposed, OptOutGiven, StateChange, PreviewEnd)
}
_Found = TypeVar("_Found")


class Header(msgspec.Struct):
    """A file's first line: whose records these are, and under which epoch they came about."""

    writer: str
    epoch: int
    format: int


class _Line(msgspec.Struct):
    number: int
    kind: str
    record: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Broken:
    """A line that cannot be read; the last one of a file may be `torn` by a crash while it was written."""

    place: str
    text: str
    torn: bool


@dataclass(slots=True)
class HeldFile:
    """One file, how many records it has and where its last whole line ends."""

    path: Path
    records: int = 0
    size: int = 0


def held_directory(home: Path) -> Path:
    """Return where a DIALER_HOME keeps records that the database could not take."""
    return home / "journal" / "held"


def rejected_file(home: Path) -> Path:
    """Return where a DIALER_HOME keeps records that the database refused, each with the reason."""
    return home / "log" / "rejected.jsonl"


def held_records(directory: Path) -> int:
    """Return how many records lie in a directory of held files, or lay there a moment ago."""
    return sum(_count(path) for path in sorted(directory.glob("*.jsonl")))


class Held:
    """The held files of one engine; every use waits for the one before."""

    def __init__(self, directory: Path, writer: str, epoch: int) -> None:
        self._directory = directory
        self._header = Header(writer, epoch, FORMAT)
        self._lock = asyncio.Lock()
        self._open: HeldFile | None = None
        self._last = 0
        directory.mkdir(parents=True, exist_ok=True)
        self._files = [HeldFile(path, _count(path)) for path in sorted(directory.glob("*.jsonl"))]
        numbers = (int(file.path.stem) for file in self._files if file.path.stem.isdigit())
        self._next = max(numbers, default=0) + 1

    def __bool__(self) -> bool:
        return bool(self._files)

    def __len__(self) -> int:
        return sum(file.records for file in self._files)

    async def append(self, records: Sequence[Numbered]) -> None:
        """Bring records to the disk; when this returns they are safe. Raises OSError and has none of them then."""
        await self._alone(self._append, records)

    async def oldest(self) -> tuple[Batch, list[Broken]]:
        """Return what stands in the oldest file, to which nothing is appended from now on. Raises OSError."""
        return await self._alone(self._oldest)

    async def opt_outs(self) -> list[OptOutGiven]:
        """Return whom the records of all files forbid to call again. Raises OSError."""
        return await self._alone(self._opt_outs)

    async def remove_oldest(self) -> None:
        """Remove the oldest file: the database has all of it. Raises OSError."""
        await self._alone(self._remove_oldest)

    async def _alone(self, do: Callable[..., _Found], *given: object) -> _Found:
        """Run in a thread after every earlier use; a caller who is cancelled leaves no half-done work behind."""

        async def in_turn() -> _Found:
            async with self._lock:
                return await asyncio.to_thread(do, *given)

        return await asyncio.shield(asyncio.ensure_future(in_turn()))

    # --- in the thread ----------------------------------------------------------------------------

    def _append(self, records: Sequence[Numbered]) -> None:
        new = [each for each in records if each.number > self._last]
        if new:
            self._append_new(new)
            self._last = new[-1].number

    def _append_new(self, records: Sequence[Numbered]) -> None:
        file = self._open
        if file is None or file.records + len(records) > MOST_IN_FILE:
            self._begin(records)
            return
        content = b"".join(map(_encode, records))
        self._open = None  # after an error the next ones go into a file of their own
        _write(file.path, file.size, content)
        self._open = file
        file.size, file.records = file.size + len(content), file.records + len(records)

    def _begin(self, records: Sequence[Numbered]) -> None:
        path = self._directory / f"{self._next:08d}.jsonl"
        content = _sealed(msgspec.json.encode(self._header)) + b"".join(map(_encode, records))
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            _write(path, 0, content)
            sync_directory(self._directory)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        self._next += 1
        self._open = HeldFile(path, len(records), len(content))
        self._files.append(self._open)

    def _oldest(self) -> tuple[Batch, list[Broken]]:
        file = self._files[0]
        if file is self._open:
            self._open = None
        try:
            return read_held(file.path)
        except FileNotFoundError:
            gone = Broken(str(file.path), "somebody removed this file", torn=False)
            return Batch("", 0, []), [gone]

    def _opt_outs(self) -> list[OptOutGiven]:
        found: list[OptOutGiven] = []
        for file in self._files:
            with contextlib.suppress(FileNotFoundError):
                found += read_held(file.path)[0].opt_outs()
        return found

    def _remove_oldest(self) -> None:
        self._files[0].path.unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            sync_directory(self._directory)
        del self._files[0]


def read_held(path: Path) -> tuple[Batch, list[Broken]]:
    """Return the records of a file in order, and the lines that cannot be read. Raises OSError."""
    lines = [(place, line) for place, line in enumerate(path.read_bytes().split(b"\n"), start=1) if line]
    last_intact = max((place for place, line in lines if _is_intact(line)), default=0)
    header, records, broken = _header(lines), [], []
    for place, line in lines[1:] if header else lines:
        record = _decode(line) if header else None
        if record is not None:
            records.append(record)
        else:
            broken.append(Broken(f"{path}:{place}", line.decode("utf-8", "replace"), place > last_intact))
    return Batch(header.writer if header else "", header.epoch if header else 0, records), broken


def _header(lines: Sequence[tuple[int, bytes]]) -> Header | None:
    try:
        return msgspec.json.decode(_opened(lines[0][1]), type=Header)
    except (IndexError, ValueError, msgspec.MsgspecError):
        return None


def _encode(one: Numbered) -> bytes:
    record = msgspec.Raw(msgspec.json.encode(one.record))
    return _sealed(msgspec.json.encode(_Line(one.number, type(one.record).__name__, record)))


def _decode(line: bytes) -> Numbered | None:
    try:
        found = msgspec.json.decode(_opened(line), type=_Line)
        return Numbered(found.number, msgspec.json.decode(found.record, type=KINDS[found.kind]))
    except (ValueError, KeyError, msgspec.MsgspecError):
        return None


def _sealed(content: bytes) -> bytes:
    return b"%08x %b\n" % (zlib.crc32(content), content)


def _opened(line: bytes) -> bytes:
    """Return what a line holds; ValueError when its checksum says that it is not what was written."""
    checksum, _, content = line.partition(b" ")
    if int(checksum, 16) != zlib.crc32(content):
        raise ValueError("checksum")
    return content


def _is_intact(line: bytes) -> bool:
    try:
        return bool(_opened(line))
    except ValueError:
        return False


def _count(path: Path) -> int:
    """Return how many records a file has, 0 when it was removed just now."""
    try:
        return max(0, path.read_bytes().count(b"\n") - 1)
    except FileNotFoundError:
        return 0


def _write(path: Path, at: int, content: bytes) -> None:
    """Write from a place of a file on and wait until it is on the disk; what fails leaves nothing behind it.

    At 0 the file is made; elsewhere it must be there.
    """
    flags = os.O_RDWR | (0 if at else os.O_CREAT)
    with os.fdopen(os.open(path, flags, 0o600), "r+b", buffering=0) as file:
        try:
            file.truncate(at)
            file.seek(at)
            _write_all(file, content)
            os.fsync(file.fileno())
        except OSError:
            file.truncate(at)
            raise


def _ends_a_line(file: Path) -> bool:
    with file.open("rb") as there:
        there.seek(-1, os.SEEK_END)
        return there.read() == b"\n"


def _write_all(file: io.FileIO, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


def sync_directory(path: Path) -> None:
    """Wait until a directory's entries are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def set_aside(file: Path, entries: Sequence[Mapping[str, object]]) -> None:
    """Append what nobody can write, one JSON object a line, and wait until it is on the disk. Raises OSError.

    A line that a crash left half written ends where it was torn and swallows none of these.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    size = file.stat().st_size if file.exists() else 0
    content = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
    _write(file, size, b"\n" + content if size and not _ends_a_line(file) else content)
    if not size:
        sync_directory(file.parent)
