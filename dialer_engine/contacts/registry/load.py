"""Load a registry from its files: read, verify, swap; whatever is wrong leaves the old version in force."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
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
from dialer_engine.store.registry.lists import RegistryList, Subscription, subscriptions
from dialer_engine.store.registry.loads import (
    AreaState,
    Build,
    LoadRecord,
    areas_of,
    empty_former_side,
    empty_idle_side,
    last_changes,
    requeue,
    turn,
)
from dialer_engine.store.sql import sql

_COUNTRY = {US_NATIONAL: "US", CA_DNCL: "CA"}
Progress = Callable[[int, int], None]
"""Told after each area code: its code, and all numbers so far."""


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """What to load: the list, the files, whose download it is and when the registry handed it out (UTC).

    `empty` are area codes that hold no number; `drop` are some that nobody subscribes to any more.
    """

    name: str
    files: tuple[Path, ...]
    as_of: datetime
    now: datetime
    who: str
    account: str | None = None
    partial: bool = False
    any_order: bool = False
    empty: frozenset[int] = frozenset()
    drop: frozenset[int] = frozenset()
    numbers: int | None = None
    column: str | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What was loaded; `version` is None after a dry run, `before` counts the numbers it replaced.

    `gone` are area codes that the list no longer has, with their former numbers. `kept` are those that a full load left
    as they were, with their numbers, by the account that loaded them; `unsubscribed` are the ones among them that no
    account subscribes to any more and that this account may drop.
    """

    name: str
    version: int | None
    areas: Mapping[int, int]
    before: int | None
    files: tuple[FileRecord, ...]
    warnings: tuple[str, ...] = ()
    gone: Mapping[int, int] = field(default_factory=dict)
    kept: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    unsubscribed: tuple[int, ...] = ()

    @property
    def numbers(self) -> int:
        """How many numbers the load holds."""
        return sum(self.areas.values())


class _DryRun(Exception):
    """Everything was fine; roll back all the same."""

    def __init__(self, report: LoadReport) -> None:
        super().__init__(report.name)
        self.report = report


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
    before = await areas_of(conn, target.id)
    expected = await _expected(conn, request, plan, target, before)
    await empty_idle_side(conn, target)
    files = tuple(record_of(file) for file in request.files)
    try:
        async with conn.transaction():
            build = Build(conn, target)
            await build.begin()
            areas = await _build(build, request, expected, progress)
            report = _reported(request, areas, files, before, expected)
            keep = bool(before.keys() - areas.keys() - report.gone.keys())
            version = await build.put_in_force(areas, report.gone, _record(request, files), keep=keep)
            if request.dry_run:
                raise _DryRun(report)
            swapped = await conn.fetchval(sql("registry_this_transaction"))
            report = replace(report, version=version)
            await _note(conn, request, report)
    except _DryRun as done:
        return done.report
    return replace(report, warnings=await _clean_up(conn, request, swapped))


async def _build(
    build: Build, request: LoadRequest, expected: verify.Expected, progress: Progress
) -> dict[int, int]:
    """Write what the files hold, and return the numbers per area code; RegistryError when it is not the whole list."""
    areas = dict.fromkeys(expected.empty, 0)
    for area in _areas(request, expected):
        await build.put(area.npa, pack_area(area.flags))
        areas[area.npa] = area.numbers
        progress(area.npa, sum(areas.values()))
    verify.check_complete(str(request.files[0]), areas, expected)
    return areas


def _reported(
    request: LoadRequest,
    areas: Mapping[int, int],
    files: tuple[FileRecord, ...],
    before: Mapping[int, AreaState],
    expected: verify.Expected,
) -> LoadReport:
    """Return what the load does to each area code, before it is in force."""
    gone = expected.gone(areas)
    kept: dict[str, dict[int, int]] = {}
    for npa in () if request.partial else sorted(before.keys() - areas.keys() - gone.keys()):
        kept.setdefault(before[npa].account or "unknown", {})[npa] = before[npa].numbers
    former = sum(state.numbers for npa, state in before.items() if npa in areas or npa in gone)
    return LoadReport(
        name=request.name,
        version=None,
        areas=dict(sorted(areas.items())),
        before=former if before else None,
        files=files,
        gone=gone,
        kept=kept,
        unsubscribed=tuple(sorted(expected.unsubscribed - gone.keys())) if not request.partial else (),
    )


async def _note(conn: Connection, request: LoadRequest, report: LoadReport) -> None:
    detail = {
        "version": report.version,
        "numbers": report.numbers,
        "account": request.account,
        "gone": report.gone,
        "kept": report.kept,
    }
    await audit(conn, request.now, request.who, "registry.load", request.name, detail)


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
    before: Mapping[int, AreaState],
) -> verify.Expected:
    """Return what the load must hold; RegistryError for a request that this list, or this account, cannot have."""
    where = str(request.files[0])
    numbers = {npa: state.numbers for npa, state in before.items()}
    if not target.by_area:
        verify.check_whole(
            where, request.name, partial=request.partial, empty=request.empty, drop=request.drop
        )
        if target.as_of is not None and request.as_of < target.as_of:
            raise RegistryError(f"{where}: is of {request.as_of:%Y-%m-%d}; the version in force is newer")
        return verify.Expected(None, numbers, request.as_of, {}, exact=request.numbers)
    subscribed = await subscriptions(conn, request.name)
    mine = verify.check_account(where, request.account, subscribed)
    for file in request.files:
        verify.check_file_name(str(file), file.name, request.account or "", subscribed)
    wanted = _codes(mine, target, plan)
    covered = {npa: each.account for each in subscribed for npa in _codes([each], target, plan)}
    expected = verify.Expected(
        area_codes=wanted,
        before=numbers,
        as_of=request.as_of,
        newest=_newest(before, subscribed, await last_changes(conn, target.id)),
        empty=request.empty,
        drop=request.drop,
        unsubscribed=verify.unsubscribed(request.account, before, covered),
        partial=request.partial,
        exact=request.numbers,
    )
    verify.check_empty(where, request.empty, wanted)
    verify.check_drop(where, expected, before, covered)
    verify.check_age(where, sorted(request.empty if request.partial else wanted), expected)
    return expected


def _codes(subscribed: Iterable[Subscription], target: RegistryList, plan: NumberPlan) -> frozenset[int]:
    """Return the area codes that subscriptions cover: those they name, or all of the list's country."""
    codes: set[int] = set()
    for each in subscribed:
        if each.area_codes is None:
            country = _COUNTRY[target.kind]
            codes |= {int(npa) for npa, area in plan.areas.items() if area.country == country}
        codes |= set(each.area_codes or ())
    return frozenset(codes)


def _newest(
    before: Mapping[int, AreaState], subscribed: Sequence[Subscription], changes: Mapping[str, datetime]
) -> dict[int, datetime]:
    """Return of when the newest numbers of each area code are: a change list may have brought some, although the
    area code as a whole stayed as old as it was."""
    found: dict[int, datetime] = {}
    for npa, state in before.items():
        changed = [
            changes[each.account] for each in subscribed if each.account in changes and each.covers(npa)
        ]
        found[npa] = max([state.as_of, *changed])
    return found


def _areas(request: LoadRequest, expected: verify.Expected) -> Iterator[Area]:
    by_area = expected.area_codes is not None
    collector = Ordered() if by_area and not request.any_order else Unordered()
    for part, batch in _batches(request, by_area=by_area):
        verify.check_area(f"{part.name}:{batch.line}", batch.npa, expected)
        yield from collector.add(part, batch)
    yield from collector.finish()


def _batches(request: LoadRequest, *, by_area: bool) -> Iterator[tuple[Part, Batch]]:
    for file in sorted(request.files, key=lambda path: path.name) if by_area else request.files:
        if not by_area and request.name != WIRELESS and (request.column or _is_table(file)):
            part = Part(str(file), io.BytesIO())  # a name for messages: the table opens its file itself
            yield from ((part, batch) for batch in table.read_table(file, request.column))
            continue
        for part in parts(file):
            yield from ((part, batch) for batch in _read(part, request.name, strict=by_area))


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
