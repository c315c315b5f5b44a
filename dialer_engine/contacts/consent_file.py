"""A CSV file of consents: one transaction, and one bad row refuses the whole file.

Unlike a do-not-call list, taking in only what can be read would be worse than nothing here: a row that was
misread is a call that nobody consented to.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dialer_engine.contacts.errors import ContactsError
from dialer_engine.contacts.phone import read_notation
from dialer_engine.contacts.source import inspect, whole_rows
from dialer_engine.core.gate import ConsentKind
from dialer_engine.core.text import storable
from dialer_engine.store.consent import NewConsent, insert, look_again
from dialer_engine.store.pool import Connection
from dialer_engine.store.suppress import wait_for_passes

BATCH = 5_000
MOST_SHOWN = 20
NEEDED = ("number", "kind", "since")
OTHERS = ("source", "purpose", "text", "evidence", "person")


@dataclass(slots=True)
class ConsentImport:
    """What came of it; `older` counts those added that ended at once: their person has asked not to be called since."""

    rows: int = 0
    added: int = 0
    known: int = 0
    older: int = 0


async def import_consents(
    conn: Connection, file: Path, member_id: int, at: datetime, *, who: str
) -> ConsentImport:
    """Record every consent of a file; ContactsError lists the rows that cannot be read.

    Contacts are looked at again with the commit, and those whom passes under way held after it: no pass waits for it.
    Also those of consents that were known: an import that was ended in between is mended by another one.
    """
    done = ConsentImport()
    consents = list(_read(file, at))
    concerned: list[list[str]] = []
    async with conn.transaction():
        for start in range(0, len(consents), BATCH):
            batch = consents[start : start + BATCH]
            recorded = await insert(conn, member_id, batch, at, who=who)
            done.added += len(recorded.numbers)
            done.older += recorded.older
            concerned.append([each.number for each in batch])
            await look_again(conn, member_id, concerned[-1])
            done.rows += len(batch)
    await wait_for_passes(conn)
    for numbers in concerned:
        await look_again(conn, member_id, numbers)
    done.known = done.rows - done.added
    return done


def _read(file: Path, at: datetime) -> Iterator[NewConsent]:
    records = whole_rows(inspect(file))
    _, header = next(records, (1, []))
    places = {name.strip().casefold(): index for index, name in enumerate(header)}
    unknown = sorted(set(places) - {*NEEDED, *OTHERS})
    missing = [name for name in NEEDED if name not in places]
    if unknown or missing:
        raise ContactsError(
            f"{file}:1: columns must be {', '.join(NEEDED)} and may be {', '.join(OTHERS)}; "
            f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}"
        )
    good: list[NewConsent] = []
    bad: list[str] = []
    for line, cells in records:
        try:
            if any(cells[len(header) :]):
                raise ValueError(f"has {len(cells)} columns, the header has {len(header)}")
            row = {n: cells[i].strip() if i < len(cells) else "" for n, i in places.items()}
            good.append(_consent(row, file, at))
        except ValueError as error:
            bad.append(f"{file}:{line}: {error}")
    if bad:
        shown = "\n".join(itertools.islice(bad, MOST_SHOWN))
        raise ContactsError(f"nothing was recorded; {len(bad)} rows cannot be read:\n{shown}")
    yield from good


def _consent(row: Mapping[str, str], file: Path, at: datetime) -> NewConsent:
    number, reason = read_notation(row["number"])
    if number is None:
        raise ValueError(f"number: {reason}")
    kind, since = _kind(row["kind"]), _since(row["since"], at)
    text, evidence = row.get("text", ""), row.get("evidence", "")
    if kind is ConsentKind.express_written and not (text or evidence):
        raise ValueError("a signed consent needs text (the words) or evidence (where the original is)")
    source = row.get("source") or f"import of {storable(file.name)}"
    return NewConsent(
        number, kind, since, source, row.get("purpose", ""), text, evidence, row.get("person", "")
    )


def _kind(text: str) -> ConsentKind:
    try:
        return ConsentKind(text)
    except ValueError:
        raise ValueError(f"kind {text!r} is not one of {', '.join(ConsentKind)}") from None


def _since(text: str, at: datetime) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"since {text!r} is neither a date nor a moment (ISO 8601)") from None
    found = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    if found > at:
        raise ValueError(f"since {text!r} lies in the future")
    return found
