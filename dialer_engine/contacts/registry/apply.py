"""Apply a change list to the version in force, or refuse it whole when it does not continue that version.

A change list tells what changed since its account's last download, in the area codes that the account subscribes to.
Only those whose numbers come from that very download are up to date afterwards; all others stay as old as they are.
"""

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from dialer_engine.contacts.registry import change, verify
from dialer_engine.contacts.registry import xml as tagged
from dialer_engine.contacts.registry.change import Change
from dialer_engine.contacts.registry.files import FileRecord, Part, RegistryError, parts, record_of
from dialer_engine.contacts.registry.load import LoadRequest, check_date
from dialer_engine.core.registry import LINES, Block, pack
from dialer_engine.store.directory import audit
from dialer_engine.store.pool import Connection
from dialer_engine.store.registry.lists import RegistryList, subscriptions
from dialer_engine.store.registry.loads import (
    AreaState,
    LoadRecord,
    area_numbers,
    areas_of,
    finish,
    last_download,
    read_blocks,
    requeue,
    turn,
    write_blocks,
)

STRANGE_SHARE = 0.05
"""Share of changes that may already be so (added numbers present, removed ones absent)."""
STRANGE_FEW = 100
_Wanted = dict[int, dict[int, int]]
"""By area code and number the last change of it: twice the moment it has (`_moment`), and 1 more when it is added.

One small integer instead of an object with both: a change list may name millions of numbers.
"""
_EPOCH = datetime(1, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class ChangeReport:
    """What a change list did; `already` counts changes that were so before.

    `numbers` counts the whole list; `stale` are the account's area codes that were not brought up to date, because
    their numbers are not those of the download that the change list continues.
    """

    name: str
    version: int
    added: int
    removed: int
    already: int
    numbers: int
    files: tuple[FileRecord, ...]
    stale: tuple[int, ...] = ()


async def apply(conn: Connection, request: LoadRequest) -> ChangeReport:
    """Apply change lists of one download as one; RegistryError leaves everything as it was.

    Of several changes of one number the newest counts, by their times; without times the last, in the order given.
    """
    where = str(request.files[0]) if request.files else request.name
    check_date(where, request)
    try:
        async with turn(conn, request.name) as target:
            return await _apply(conn, request, target, where)
    except RegistryError as error:
        await audit(conn, request.now, request.who, "registry.refused", request.name, {"reason": str(error)})
        raise


async def _apply(conn: Connection, request: LoadRequest, target: RegistryList, where: str) -> ChangeReport:
    if target.as_of is None or not target.by_area:
        raise RegistryError(f"{where}: a change list needs a full list of {target.name} first; load that")
    subscribed = await subscriptions(conn, request.name)
    mine = verify.check_account(where, request.account, subscribed)
    account = mine[0].account
    for file in request.files:
        verify.check_file_name(str(file), file.name, account, subscribed)
    all_areas = await areas_of(conn, target.id)
    covered = {npa: area for npa, area in all_areas.items() if any(each.covers(npa) for each in mine)}
    former = await _continued(conn, target, request, account, covered, where)
    stale = tuple(npa for npa, area in covered.items() if (area.account, area.as_of) != (account, former))
    areas = {npa: area.numbers for npa, area in covered.items()}
    files = tuple(record_of(file) for file in request.files)
    wanted = _collect(request, areas, all_areas)
    async with conn.transaction():
        added, removed, already = await _change_areas(conn, target, wanted, areas)
        _check_fits(where, added + removed, already)
        head = ("change", account, request.as_of, request.now, request.who)
        record = LoadRecord(*head, [asdict(file) for file in files], added, removed)
        version = await finish(conn, target.id, target.side, areas, record, stale)
        detail = {"version": version, "added": added, "removed": removed, "account": account, "stale": stale}
        await audit(conn, request.now, request.who, "registry.change", request.name, detail)
    await requeue(conn)
    numbers = sum((await area_numbers(conn, target.id)).values())
    return ChangeReport(request.name, version, added, removed, already, numbers, files, stale)


async def _continued(
    conn: Connection,
    target: RegistryList,
    request: LoadRequest,
    account: str,
    covered: Mapping[int, AreaState],
    where: str,
) -> datetime:
    """Return of when the download is that the change list continues; RegistryError when it can continue none."""
    former = await last_download(conn, target.id, account)
    if former is None:
        what = f"a change list needs a full list of {target.name} of account {account} first; load that"
        raise RegistryError(f"{where}: {what}")
    if request.as_of <= former:
        raise RegistryError(f"{where}: is of {request.as_of:%Y-%m-%d}; the version in force is not older")
    newer = [npa for npa, area in covered.items() if area.as_of > request.as_of]
    if newer:
        raise RegistryError(
            f"{where}: is of {request.as_of:%Y-%m-%d}; area code {newer[0]} is newer already, by another account's "
            f"download of {covered[newer[0]].as_of:%Y-%m-%d}; download a change list of today"
        )
    return former


def _collect(request: LoadRequest, areas: Mapping[int, int], known: Container[int]) -> _Wanted:
    """Return the last change of every number; RegistryError for what cannot belong to this list.

    The newest by its time is the last one, wherever it stands; of changes that no time tells apart it is the one that
    was read last.
    """
    wanted: defaultdict[int, dict[int, int]] = defaultdict(dict)
    latest = request.as_of + timedelta(days=1)
    for file in request.files:
        for part in parts(file):
            for each in _read(part):
                if each.npa not in areas:
                    whole = "subscription" if each.npa in known else "version in force"
                    raise part.refuse(each.line, f"area code {each.npa} is not part of the {whole}")
                if each.at is not None and each.at > latest:
                    raise part.refuse(each.line, f"a change of {each.at:%Y-%m-%d}, later than the download")
                numbers, moment = wanted[each.npa], _moment(each.at)
                if each.at is None or moment >= numbers.get(each.number, 0) >> 1:
                    numbers[each.number] = moment << 1 | each.add
    return wanted


def _moment(at: datetime | None) -> int:
    """Return a time as whole microseconds that can be compared, 0 for none."""
    return 0 if at is None else max(1, (at - _EPOCH) // _TICK)


def _read(part: Part) -> Iterator[Change]:
    return change.read_xml_changes(part) if tagged.looks_like_xml(part.peek()) else change.read_changes(part)


async def _change_areas(
    conn: Connection, target: RegistryList, wanted: _Wanted, areas: dict[int, int]
) -> tuple[int, int, int]:
    added = removed = already = 0
    for npa, numbers in sorted(wanted.items()):
        exchanges: defaultdict[int, dict[int, bool]] = defaultdict(dict)
        for number, last in numbers.items():
            exchanges[number // LINES][number % LINES] = bool(last & 1)
        present = await read_blocks(conn, target, npa, sorted(exchanges))
        changed: list[Block] = []
        for exchange, lines in exchanges.items():
            block, more, less = _change_block(exchange, present.get(exchange), lines)
            added, removed, already = added + more, removed + less, already + len(lines) - more - less
            areas[npa] += more - less
            if more or less:
                changed.append(block)
        await write_blocks(conn, target, npa, changed)
    return added, removed, already


def _change_block(exchange: int, old: Block | None, lines: Mapping[int, bool]) -> tuple[Block, int, int]:
    flags = bytearray(LINES) if old is None else old.flags()
    more = sum(1 for line, add in lines.items() if add and not flags[line])
    less = sum(1 for line, add in lines.items() if not add and flags[line])
    for line, add in lines.items():
        flags[line] = add
    return pack(exchange, flags), more, less


def _check_fits(where: str, done: int, already: int) -> None:
    if already > STRANGE_FEW and already > STRANGE_SHARE * (done + already):
        raise RegistryError(
            f"{where}: {already:,} of {done + already:,} changes are so already: this change list does not "
            "continue the version in force; load the full list"
        )
