"""Load a registry from its files: read, verify, swap; whatever is wrong leaves the old version in force."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from dialer_engine.contacts.registry import blocks, flat, table, verify
from dialer_engine.contacts.registry import xml as tagged
from dialer_engine.contacts.registry.batch import Batch
from dialer_engine.contacts.registry.collect import Area, Ordered, Unordered
from dialer_engine.contacts.registry.files import FileRecord, Part, RegistryError, parts, record_of
from dialer_engine.core.gate.lists import CA_DNCL, US_NATIONAL, WIRELESS
from dialer_engine.core.numbers import NumberPlan
from dialer_engine.core.registry import pack_area
from dialer_engine.store.directory import audit
from dialer_engine.store.pool import Connection
from dialer_engine.store.registry.lists import RegistryList, subscriptions
from dialer_engine.store.registry.loads import (
    Build,
    LoadRecord,
    area_numbers,
    empty_former_side,
    empty_idle_side,
    requeue,
    turn,
)
from dialer_engine.store.sql import sql

_COUNTRY = {US_NATIONAL: "US", CA_DNCL: "CA"}
Progress = Callable[[int, int], None]
"""Told after each area code: its code, and all numbers so far."""


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """What to load: the list, the files, whose download it is and when the registry handed it out (UTC)."""

    name: str
    files: tuple[Path, ...]
    as_of: datetime
    now: datetime
    who: str
    account: str | None = None
    partial: bool = False
    any_order: bool = False
    empty: frozenset[int] = frozenset()
    numbers: int | None = None
    column: str | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What was loaded; `version` is None after a dry run, `before` counts the version it replaced."""

    name: str
    version: int | None
    areas: Mapping[int, int]
    before: int | None
    files: tuple[FileRecord, ...]
    warnings: tuple[str, ...] = field(default=())

    @property
    def numbers(self) -> int:
        """How many numbers the load holds."""
        return sum(self.areas.values())


class _DryRun(Exception):
    """Everything was fine; roll back all the same."""


async def load(
    conn: Connection, request: LoadRequest, plan: NumberPlan, progress: Progress = lambda _npa, _sum: None
) -> LoadReport:
    """Load a list, or with `partial` some of its area codes; RegistryError leaves all as it was."""
    where = str(request.files[0]) if request.files else request.name
    check_date(where, request)
    try:
        async with turn(conn, request.name) as target:
            return await _load(conn, request, plan, target, progress)
    except RegistryError as error:
        await audit(conn, request.now, request.who, "registry.refused", request.name, {"reason": str(error)})
        raise


def check_date(where: str, request: LoadRequest) -> None:
    """Refuse a load without files or from the future."""
    if not request.files:
        raise RegistryError(f"{request.name}: no file was given")
    if request.as_of > request.now:
        raise RegistryError(f"{where}: a download of {request.as_of:%Y-%m-%d} lies in the future")


async def _load(
    conn: Connection, request: LoadRequest, plan: NumberPlan, target: RegistryList, progress: Progress
) -> LoadReport:
    where = str(request.files[0])
    if target.as_of is not None and request.as_of < target.as_of and not request.partial:
        raise RegistryError(f"{where}: is of {request.as_of:%Y-%m-%d}; the version in force is newer")
    before = await area_numbers(conn, target.id)
    expected = await _expected(conn, request, plan, target, before)
    await empty_idle_side(conn, target)
    files = tuple(record_of(file) for file in request.files)
    areas: dict[int, int] = dict.fromkeys(expected.empty if expected else (), 0)
    version: int | None = None
    swapped = ""
    try:
        async with conn.transaction():
            build = Build(conn, target)
            await build.begin()
            for area in _areas(request, expected):
                await build.put(area.npa, pack_area(area.flags))
                areas[area.npa] = area.numbers
                progress(area.npa, sum(areas.values()))
            _verify(where, areas, expected, before)
            version = await build.put_in_force(areas, _record(request, files))
            if request.dry_run:
                raise _DryRun
            swapped = await conn.fetchval(sql("registry_this_transaction"))
            detail = {"version": version, "numbers": sum(areas.values()), "account": request.account}
            await audit(conn, request.now, request.who, "registry.load", request.name, detail)
    except _DryRun:
        version = None
    warnings = await _clean_up(conn, request, swapped) if version is not None else ()
    former = sum(before.values()) if before else None
    return LoadReport(request.name, version, dict(sorted(areas.items())), former, files, warnings)


async def _clean_up(conn: Connection, request: LoadRequest, swapped: str) -> tuple[str, ...]:
    row = await conn.fetchrow(sql("registry_list"), request.name)
    await requeue(conn)
    if row is not None and not await empty_former_side(conn, RegistryList(**dict(row)), swapped):
        return ("the former version's space is given back before the next load: a transaction still sees it",)
    return ()


async def _expected(
    conn: Connection,
    request: LoadRequest,
    plan: NumberPlan,
    target: RegistryList,
    before: Mapping[int, int],
) -> verify.Expected | None:
    """Return what the subscription asks for; None for lists that are not sold by area code."""
    if not target.by_area:
        return None
    where = str(request.files[0])
    all_of_them = await subscriptions(conn, request.name)
    mine = verify.check_account(where, request.account, all_of_them)
    for file in request.files:
        verify.check_file_name(str(file), file.name, request.account or "", all_of_them)
    country = _COUNTRY[target.kind]
    codes = {npa for each in mine for npa in each.area_codes or ()}
    if any(each.area_codes is None for each in mine):
        codes |= {int(npa) for npa, area in plan.areas.items() if area.country == country}
    return verify.Expected(frozenset(codes), before, request.empty, request.partial, request.numbers)


def _verify(
    where: str, areas: Mapping[int, int], expected: verify.Expected | None, before: Mapping[int, int]
) -> None:
    check = expected or verify.Expected(frozenset(areas), before)
    verify.check_complete(where, areas, check)


def _areas(request: LoadRequest, expected: verify.Expected | None) -> Iterator[Area]:
    collector = Unordered() if expected is None or request.any_order else Ordered()
    for part, batch in _batches(request, expected):
        if expected is not None:
            verify.check_area(f"{part.name}:{batch.line}", batch.npa, expected)
        yield from collector.add(part, batch)
    yield from collector.finish()


def _batches(request: LoadRequest, expected: verify.Expected | None) -> Iterator[tuple[Part, Batch]]:
    for file in sorted(request.files, key=lambda path: path.name) if expected else request.files:
        if expected is None and request.name != WIRELESS and (request.column or _is_table(file)):
            part = Part(str(file), io.BytesIO())  # a name for messages: the table opens its file itself
            yield from ((part, batch) for batch in table.read_table(file, request.column))
            continue
        for part in parts(file):
            yield from ((part, batch) for batch in _read(part, request.name, strict=expected is not None))


def _read(part: Part, name: str, *, strict: bool) -> Iterator[Batch]:
    if name == WIRELESS:
        return blocks.read_blocks(part)
    head = part.peek()
    if tagged.looks_like_xml(head):
        return tagged.read_xml(part)
    return flat.read_flat(part, line_end_needed=strict)


def _is_table(file: Path) -> bool:
    """Tell whether a file has columns beside the number."""
    try:
        with file.open("rb") as opened:
            head = opened.read(4096)
    except OSError as error:
        raise RegistryError(f"{file}: cannot be read ({error.strerror})") from error
    return flat.has_other_columns(head)


def _record(request: LoadRequest, files: Sequence[FileRecord]) -> LoadRecord:
    return LoadRecord(
        "partial" if request.partial else "full",
        request.account,
        request.as_of,
        request.now,
        request.who,
        [asdict(file) for file in files],
    )
