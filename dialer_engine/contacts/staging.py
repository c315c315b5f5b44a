"""A file's rows as records for COPY: contacts, their numbers, and what is wrong with the rest."""

import itertools
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from dialer_engine.contacts.columns import ADDRESS_FIELDS, Columns
from dialer_engine.contacts.phone import has_plus_one, read_number
from dialer_engine.contacts.regions import Address, read_address, zone_hints
from dialer_engine.contacts.source import HIDES_ROWS, hides_rows
from dialer_engine.core.gate.places import Hints, unite, zones_of_address
from dialer_engine.core.numbers import NumberPlan
from dialer_engine.store.pool import Connection

BATCH = 5000
TEXT_FIELDS = ("external_id", "first_name", "last_name", "company", "email", "street", "city", "state")
CONTACT_COLUMNS = (
    "row_number",
    *TEXT_FIELDS,
    "postal_code",
    "country",
    "regions",
    "zones",
    "postal_zones",
    "extra",
    "address_unread",
)
NUMBER_COLUMNS = ("row_number", "position", "label", "number")
PROBLEM_COLUMNS = ("row_number", "position", "reason")
ABROAD = "in another country than the US and Canada, and written without +1"
_NO_EXTRA = "{}"


@dataclass(slots=True)
class Batch:
    """Records of up to BATCH rows, ready for COPY."""

    rows: int = 0
    contacts: list[tuple[Any, ...]] = field(default_factory=list)
    numbers: list[tuple[int, int, str, str]] = field(default_factory=list)
    problems: list[tuple[int, int, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reader:
    """Turns rows into records."""

    columns: Columns
    plan: NumberPlan
    zones: Container[str]
    lab: bool
    delimiter: str = ","
    _united: dict[tuple[Hints, ...], Hints] = field(default_factory=dict)

    def batches(self, rows: Iterable[tuple[int, list[str]]]) -> Iterator[Batch]:
        """Read rows in batches; the header, when there is one, must have been taken off."""
        source = iter(rows)
        while piece := list(itertools.islice(source, BATCH)):
            batch = Batch(rows=len(piece))
            for number, cells in piece:
                self._read(batch, number, cells)
            yield batch

    def _read(self, batch: Batch, row: int, cells: list[str]) -> None:
        if hides_rows(cells, self.delimiter):
            batch.problems.append((row, 0, HIDES_ROWS))
            return
        width = len(self.columns.columns)
        if len(cells) > width and any(cells[width:]):
            reason = f"has {len(cells)} columns, the file has {width}"
            batch.problems.append((row, 0, reason))
            return
        cells += [""] * (width - len(cells))
        addresses = [_address(cells, each) for each in (self.columns.fields, *self.columns.further)]
        if numbers := self._numbers(batch, row, cells, abroad=_abroad(*addresses)):
            batch.contacts.append(self._contact(row, cells, addresses, numbers))

    def _numbers(self, batch: Batch, row: int, cells: Sequence[str], *, abroad: bool) -> set[str]:
        found: set[str] = set()
        filled = False
        for position, (index, label) in enumerate(self.columns.phones):
            text = cells[index]
            if not text or text.isspace():
                continue
            filled = True
            number, reason = read_number(text, self.plan, lab=self.lab)
            if number is not None and abroad and not has_plus_one(text):
                number, reason = None, ABROAD
            if number is None:
                batch.problems.append((row, position, reason))
            elif number not in found:
                found.add(number)
                batch.numbers.append((row, position, label, number))
        if not filled:
            batch.problems.append((row, 0, "no phone number"))
        return found

    def _contact(
        self, row: int, cells: Sequence[str], addresses: Sequence[Address], numbers: set[str]
    ) -> tuple[Any, ...]:
        fields = self.columns.fields
        got = {what: clean(cells[index]) for what, index in fields.items()}
        if "name" in got:
            first, last = split_name(got["name"] or "")
            got.setdefault("first_name", first)
            got.setdefault("last_name", last)
        hints, postal_zones = self._hints(addresses, zone_hints(got.get("zone") or "", self.zones), numbers)
        return (
            row,
            *(got.get(what) for what in TEXT_FIELDS),
            got.get("postal_code"),
            got.get("country"),
            hints.regions,
            hints.zones,
            postal_zones,
            self._extra(cells),
            not all(address.understood for address in addresses),
        )

    def _hints(
        self, addresses: Sequence[Address], zones: Sequence[str], numbers: set[str]
    ) -> tuple[Hints, tuple[str, ...]]:
        """Return the hints of all addresses and of the time zone column; and the postal code's zones of a sole one.

        A further state without a column of postal codes, `State Name` beside `State`, says less than the first address
        in the same state.
        """
        first, *others = (Hints(self._regions(each, numbers), each.zones(self.plan)) for each in addresses)
        both = Hints(first.regions, tuple(dict.fromkeys((*zones, *first.zones))))
        others = [
            each
            for each, places in zip(others, self.columns.further, strict=True)
            if each.regions and ("postal_code" in places or not {*each.regions} <= {*first.regions})
        ]
        if not others:
            return both, first.zones
        sides = (both, *others)
        if sides not in self._united:
            self._united[sides] = unite(sides, lambda region: zones_of_address(region, self.plan))
        return self._united[sides], ()

    def _regions(self, address: Address, numbers: set[str]) -> tuple[str, ...]:
        """Return the regions of an address; a country without one counts unless it is that of the area codes.

        The zones of a whole country would cost every ordinary number of it hours.
        """
        areas = (self.plan.area(number) for number in numbers)
        if not address.country or {area.country for area in areas if area} == {address.country}:
            return address.regions
        return tuple(sorted((*address.regions, address.country)))

    def _extra(self, cells: Sequence[str]) -> str:
        kept = {name: text for i, name in self.columns.extra if (text := clean(cells[i]))}
        return msgspec.json.encode(kept).decode() if kept else _NO_EXTRA


def _address(cells: Sequence[str], places: Mapping[str, int]) -> Address:
    """Read an address; `places` are the columns of its parts."""
    parts = (cells[places[what]].strip() if what in places else "" for what in ADDRESS_FIELDS)
    return read_address(*parts)


def _abroad(first: Address, *others: Address) -> bool:
    """Whether another country makes ten digits doubtful; a further address's does where the first lies nowhere."""
    here = first.regions or first.country
    return first.abroad or (not here and any(address.abroad for address in others))


async def copy(conn: Connection, batch: Batch) -> None:
    """Write a batch into the staging tables."""
    tables: tuple[tuple[str, Sequence[tuple[Any, ...]], tuple[str, ...]], ...] = (
        ("stage_contacts", batch.contacts, CONTACT_COLUMNS),
        ("stage_numbers", batch.numbers, NUMBER_COLUMNS),
        ("stage_problems", batch.problems, PROBLEM_COLUMNS),
    )
    for table, records, columns in tables:
        if records:
            await conn.copy_records_to_table(table, records=records, columns=columns)


def clean(text: str) -> str | None:
    """Return the cell without blanks around it."""
    return text.strip() or None


def split_name(name: str) -> tuple[str | None, str | None]:
    """Split a full name: 'Last, First', else the last word is the last name."""
    if "," in name:
        last, _, first = name.partition(",")
        return first.strip() or None, last.strip() or None
    first, _, last = name.rpartition(" ")
    return (first or last or None), (last if first else None)
