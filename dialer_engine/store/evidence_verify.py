"""Checking an evidence pack: is every record, every file and the manifest as it was sealed?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from dialer_engine.core.chain import Chain
from dialer_engine.store.evidence_files import MANIFEST, RECORDS, file_hash, seal_of
from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql

_PREFIX = b'{"hash":"'
_MIDDLE = b'","of":'


@dataclass(frozen=True, slots=True)
class Verified:
    """The outcome: what is wrong (nothing: the pack is as it was sealed), its seal and records."""

    problems: tuple[str, ...]
    seal: str
    records: int


def verify(directory: Path) -> Verified:
    """Check a pack against its own seal; every deviation is named with its file and line."""
    try:
        manifest: Mapping[str, Any] = msgspec.json.decode((directory / MANIFEST).read_bytes())
        seal = str(manifest["seal"])
        files: Mapping[str, str] = manifest["files"]
    except OSError as error:
        return Verified((f"{directory / MANIFEST}: cannot be read ({error.strerror})",), "", 0)
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        return Verified((f"{directory / MANIFEST}: is not a manifest ({error})",), "", 0)
    problems = [] if seal_of(manifest) == seal else [f"{MANIFEST}: was changed after it was sealed"]
    problems += _files(directory, files)
    chain = Chain()
    problems += _chain(directory / RECORDS, manifest, chain)
    return Verified(tuple(problems), seal, chain.records)


def _files(directory: Path, sealed: Mapping[str, str]) -> Iterator[str]:
    there = {str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file()} - {MANIFEST}
    for name in sorted(there - set(sealed)):
        yield f"{name}: was added after the pack was sealed"
    for name in sorted(sealed):
        if name not in there:
            yield f"{name}: is missing"
        elif file_hash(directory / name) != sealed[name]:
            yield f"{name}: was changed after the pack was sealed"


def _chain(file: Path, manifest: Mapping[str, Any], chain: Chain) -> Iterator[str]:
    """Walk the chain; the first record that breaks it is named, because all after it differ as well."""
    if not file.exists():
        return
    counts: Counter[str] = Counter()
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            head, middle, rest = line.rstrip(b"\n").partition(_MIDDLE)
            record = rest[:-1]
            if not middle or chain.add(record).encode() != head.removeprefix(_PREFIX):
                yield f"{RECORDS}:{number}: the chain breaks here: this record, or its place, was changed"
                return
            counts[msgspec.json.decode(record)["section"]] += 1
    if chain.head != manifest.get("chain_head") or chain.records != manifest.get("records"):
        yield f"{RECORDS}: records were taken away from the end, or added"
    if dict(counts) != {name: n for name, n in manifest.get("sections", {}).items() if n}:
        yield f"{MANIFEST}: the numbers of records do not agree with {RECORDS}"


async def verify_with_database(conn: Connection, verified: Verified) -> str | None:
    """Return what is wrong with the seal as the database remembers it, None when nothing is."""
    row = await conn.fetchrow(sql("evidence_known"), verified.seal)
    if row is None:
        return "the database knows no pack with this seal: it was made elsewhere, or sealed anew"
    if row["records"] != verified.records:
        return f"the database remembers {row['records']} records, the pack holds {verified.records}"
    return None
