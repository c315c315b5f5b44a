"""The files of an evidence pack: written record by record, in flat memory, and hashed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self
from uuid import UUID

import msgspec

from dialer_engine.core.chain import Chain
from dialer_engine.store.safe_csv import SafeWriter

MANIFEST = "manifest.json"
RECORDS = "records.jsonl"
SHOWN = 500
"""How many records of a section the page shows; all of them stand in the files."""


class PackFiles:
    """A pack being written: `records.jsonl` with the chain, and one CSV per section."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.chain = Chain()
        self.counts: Counter[str] = Counter()
        self.recordings: set[str] = set()
        self.shown: dict[str, list[Mapping[str, Any]]] = {}
        self._stack = ExitStack()
        self._writers: dict[str, tuple[Sequence[str], SafeWriter]] = {}

    def __enter__(self) -> Self:
        self._records: BinaryIO = self._stack.enter_context((self.directory / RECORDS).open("wb"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def begin(self, section: str, columns: Sequence[str]) -> None:
        """Start a section; it has a file even when nothing is in it."""
        file = (self.directory / f"{section}.csv").open("w", encoding="utf-8", newline="")
        writer = SafeWriter(self._stack.enter_context(file))
        writer.row(columns)
        self._writers[section] = (columns, writer)
        self.counts[section] = 0
        self.shown[section] = []

    def add(self, section: str, record: Mapping[str, Any]) -> None:
        """Write one record and chain it to the one before it."""
        columns, writer = self._writers[section]
        writer.row(record[column] for column in columns)
        line = canonical({"section": section, "record": record})
        self._records.write(b'{"hash":"' + self.chain.add(line).encode() + b'","of":' + line + b"}\n")
        self.counts[section] += 1
        if len(self.shown[section]) < SHOWN:
            self.shown[section].append(record)
        if section == "prompts" and record.get("file_name"):
            self.recordings.add(Path(str(record["file_name"])).name)

    def section(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write a whole section."""
        listed = list(rows)
        self.begin(name, list(listed[0]) if listed else ["nothing"])
        for row in listed:
            self.add(name, row)

    def names(self) -> list[str]:
        """Return the names of all files of the pack but the manifest, sorted."""
        found = (path for path in self.directory.rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self.directory)) for path in found if path.name != MANIFEST)


def plain(value: Any) -> Any:
    """Return a database value as JSON has it: times in ISO 8601 UTC, ids as text."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def canonical(document: Mapping[str, Any]) -> bytes:
    """Return the one way of writing a document that is hashed: JSON without spaces, keys in order."""
    return msgspec.json.encode(document, order="sorted")


def seal_of(manifest: Mapping[str, Any]) -> str:
    """Return the hash over everything the manifest says, which covers every file and the pack before."""
    return hashlib.sha256(canonical({k: v for k, v in manifest.items() if k != "seal"})).hexdigest()


def file_hash(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
