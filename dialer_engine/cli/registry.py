"""`dialer registry`: load do-not-call registries and other outside lists, and see how old they are."""

import re
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from dialer_engine.cli.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    carry_out,
    fail,
    print_json,
    read_config,
)
from dialer_engine.cli.database import database, moment, who
from dialer_engine.cli.terminal import say
from dialer_engine.contacts.phone import read_notation
from dialer_engine.contacts.registry.answers import take_answers
from dialer_engine.contacts.registry.apply import ChangeReport, apply
from dialer_engine.contacts.registry.load import LoadReport, LoadRequest, load
from dialer_engine.contacts.registry.verify import counted
from dialer_engine.settings.load import Config
from dialer_engine.store.directory import check_list, member_id_of
from dialer_engine.store.registry import lists
from dialer_engine.store.registry.facts import lists_naming
from dialer_engine.store.registry.loads import area_numbers, recount
from dialer_engine.store.registry.overview import ListRow, overview
from dialer_engine.store.registry.scrub import Scrubbed, scrub

ListArgument = Annotated[
    str, typer.Argument(help="us_national, ca_dncl, us_state:FL, litigator:NAME, wireless ...")
]
FilesArgument = Annotated[list[Path], typer.Argument(help="The downloaded files, as they came.")]
AccountOption = Annotated[str | None, typer.Option("--account", "-a", help="Account number (US: the SAN).")]
AsOfOption = Annotated[str, typer.Option("--as-of", help="When it was downloaded, such as 2026-11-20.")]
MemberOption = Annotated[str | None, typer.Option("--member", "-m", help="Only this Member; default all.")]
AreasOption = Annotated[str, typer.Option("--area-codes", help="all, or codes such as 212,305.")]
PartialOption = Annotated[bool, typer.Option("--partial", help="Only these area codes; keep the others.")]
OrderOption = Annotated[bool, typer.Option("--any-order", help="The numbers may be in any order.")]
EmptyOption = Annotated[str, typer.Option("--empty", help="Area codes that hold no number, such as 729,879.")]
DropOption = Annotated[
    str, typer.Option("--drop", help="Area codes to take off the list that nobody subscribes to any more.")
]
NumbersOption = Annotated[int | None, typer.Option("--numbers", help="The total the registry told.")]
ColumnOption = Annotated[str | None, typer.Option("--column", help="Name or place of the number's column.")]
DryOption = Annotated[bool, typer.Option("--dry-run", help="Check everything, change nothing.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why it is not needed; kept in the audit log.")]
_CODES = re.compile(r"[2-9]\d\d(,[2-9]\d\d)*")


def import_(
    name: ListArgument,
    files: FilesArgument,
    as_of: AsOfOption,
    account: AccountOption = None,
    partial: PartialOption = False,
    any_order: OrderOption = False,
    empty: EmptyOption = "",
    drop: DropOption = "",
    numbers: NumbersOption = None,
    column: ColumnOption = None,
    dry_run: DryOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Load a full list; the old version stays in force until the new one is complete and verified.

    Area codes of other accounts stay as they are.
    """
    now = datetime.now(UTC)
    request = LoadRequest(
        name=name,
        files=tuple(files),
        as_of=moment(as_of, now),
        now=now,
        who=who(),
        account=account,
        partial=partial,
        any_order=any_order,
        empty=frozenset(_codes(empty)),
        drop=frozenset(_codes(drop)),
        numbers=numbers,
        column=column,
        dry_run=dry_run,
    )
    report = carry_out(_import(read_config(config), request))
    if as_json:
        print_json({**asdict(report), "numbers": report.numbers})
        return
    for line in _told(report):
        say(line)


async def _import(config: Config, request: LoadRequest) -> LoadReport:
    async with database(config) as conn:
        return await load(conn, request, config.plan)


def _told(report: LoadReport) -> list[str]:
    before = "" if report.before is None else f" (before: {report.before:,})"
    state = "would be taken" if report.version is None else f"in force as version {report.version}"
    head = f"{report.name}: {report.numbers:,} numbers of {len(report.areas)} area codes {state}{before}"
    kept = [
        f"{report.name}: account {account}: kept as they were: {counted(areas)}"
        for account, areas in report.kept.items()
    ]
    gone = [f"{report.name}: no longer on the list: {counted(report.gone)}"] if report.gone else []
    return [head, *gone, *kept, *_unsubscribed(report), *report.warnings]


def _unsubscribed(report: LoadReport) -> list[str]:
    codes = ",".join(map(str, report.unsubscribed))
    what = f"no subscription covers area codes {codes} any more; --drop {codes} takes them off the list"
    return [f"{report.name}: {what}"] if codes else []


def change(
    name: ListArgument,
    files: FilesArgument,
    as_of: AsOfOption,
    account: AccountOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Apply change lists (numbers added and deleted since the last download), in the order given."""
    now = datetime.now(UTC)
    request = LoadRequest(name, tuple(files), moment(as_of, now), now, who(), account)
    report = carry_out(_change(read_config(config), request))
    say(
        f"{report.name}: {report.added:,} added, {report.removed:,} removed, {report.already:,} were so "
        f"before; version {report.version} with {report.numbers:,} numbers is in force"
    )
    if report.stale:
        codes = ", ".join(map(str, report.stale))
        say(
            f"{report.name}: area codes {codes} stay as old as they were: their numbers are not of the download that "
            "this change list continues; load them with 'dialer registry import --partial'"
        )


async def _change(config: Config, request: LoadRequest) -> ChangeReport:
    async with database(config) as conn:
        return await apply(conn, request)


def answers(
    file: Annotated[Path, typer.Argument(help="Answer file of the reassigned-numbers database.")],
    answered: Annotated[str, typer.Option("--answered", help="When it was answered, such as 2026-11-20.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Take in answers of the reassigned-numbers database: number, date asked about, yes/no/no data."""
    now = datetime.now(UTC)
    count = carry_out(_answers(read_config(config), file, moment(answered, now), now))
    say(f"{count:,} answers taken in")


async def _answers(config: Config, file: Path, answered_at: datetime, now: datetime) -> int:
    async with database(config) as conn:
        return await take_answers(conn, file, answered_at, now, who())


def status(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show every list: version, age, numbers, subscriptions, waivers, and what is needed but missing."""
    loaded = read_config(config)
    rows = carry_out(_status(loaded))
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    for row in rows:
        say(row.text())
    if not rows:
        say("no list is known; docs/registries.md tells how to obtain and load them")


async def _status(config: Config) -> list[ListRow]:
    now = datetime.now(UTC)
    async with database(config) as conn:
        return await overview(conn, config.rules, config.plan, now)


def verify(name: ListArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Count a list's numbers anew from its bits, and compare with what the load recorded."""
    wrong = carry_out(_verify(read_config(config), name))
    if wrong:
        lines = (
            f"area code {npa}: {found:,} numbers, recorded were {noted:,}" for npa, noted, found in wrong
        )
        raise fail("\n".join([f"{name}: does not hold what was loaded; load it again", *lines]))
    say(f"{name}: every area code holds as many numbers as were loaded")


async def _verify(config: Config, name: str) -> list[tuple[int, int, int]]:
    async with database(config) as conn:
        target = await lists.ensure_list(conn, name)
        noted = await area_numbers(conn, target.id)
        found = await recount(conn, target.id)
    codes = sorted(noted.keys() | found.keys())
    pairs = ((npa, noted.get(npa, 0), found.get(npa, 0)) for npa in codes)
    return [each for each in pairs if each[1] != each[2]]


def check(number: Annotated[str, typer.Argument()], config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Tell which lists name a number; 'dialer why' tells whether it may be called."""
    e164, reason = read_notation(number)
    if e164 is None:
        raise fail(f"{number}: {reason}")
    names = carry_out(_check(read_config(config), e164))
    say(f"{e164}: {', '.join(names) if names else 'on no list'}")


async def _check(config: Config, e164: str) -> tuple[str, ...]:
    async with database(config) as conn:
        return await lists_naming(conn, e164)


def scrub_(
    member: Annotated[str, typer.Argument(help="The Member.")],
    name: Annotated[str, typer.Argument(help="The contact list.")],
    write: Annotated[Path | None, typer.Option("--write", help="CSV file for the numbers found.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Compare a contact list with every list in force; changes nothing, the gate checks each call anyway."""
    found = carry_out(_scrub(read_config(config), member, name))
    if write is not None:
        _write_hits(write, found)
    if as_json:
        print_json(found.by_list())
        return
    for listed, count in found.by_list().items():
        say(f"{listed}: {count:,} numbers")
    if not found.hits:
        say("no number of this list is on any list in force")


def _write_hits(file: Path, found: Scrubbed) -> None:
    try:
        file.write_text("number,list\n" + "".join(f"{a},{b}\n" for a, b in found.hits), encoding="utf-8")
    except OSError as error:
        raise fail(f"{file}: cannot be written ({error.strerror}); name another with --write") from error


async def _scrub(config: Config, member: str, name: str) -> Scrubbed:
    async with database(config) as conn:
        await check_list(conn, member, name)
        return await scrub(conn, member, name)


def subscribe(
    name: ListArgument,
    account: Annotated[str, typer.Option("--account", "-a", help="Account number (US: the SAN).")],
    area_codes: AreasOption = "all",
    member: MemberOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Record a subscription to a list: which account, which area codes, for whom."""
    codes = None if area_codes == "all" else _codes(area_codes)
    carry_out(_subscribe(read_config(config), name, account, codes, member))
    say(f"{name}: account {account} covers {'all area codes' if codes is None else area_codes}")


async def _subscribe(
    config: Config, name: str, account: str, codes: list[int] | None, member: str | None
) -> None:
    async with database(config) as conn:
        member_id = await member_id_of(conn, member) if member else None
        await lists.subscribe(conn, name, account, member_id, codes, datetime.now(UTC), who())


def unsubscribe(
    name: ListArgument,
    account: Annotated[str, typer.Option("--account", "-a")],
    member: MemberOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """End a subscription: calls that need it stop."""
    if not carry_out(_unsubscribe(read_config(config), name, account, member)):
        raise fail(f"{name}: account {account} has no such subscription; see 'dialer registry status'")
    say(f"{name}: the subscription of account {account} ended")


async def _unsubscribe(config: Config, name: str, account: str, member: str | None) -> bool:
    async with database(config) as conn:
        member_id = await member_id_of(conn, member) if member else None
        return await lists.unsubscribe(conn, name, account, member_id, datetime.now(UTC), who())


def waive(
    name: ListArgument,
    reason: ReasonOption,
    member: MemberOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Say why a list is not needed (an exempt Member, say); ask a lawyer first."""
    if len(reason.strip()) < 10:
        raise fail("--reason: say in a sentence why this list is not needed; it is kept as evidence")
    carry_out(_waive(read_config(config), name, reason.strip(), member))
    say(f"{name}: not needed {'for ' + member if member else 'for anybody'}; written to the audit log")


async def _waive(config: Config, name: str, reason: str, member: str | None) -> None:
    async with database(config) as conn:
        member_id = await member_id_of(conn, member) if member else None
        await lists.waive(conn, name, member_id, reason, datetime.now(UTC), who())


def unwaive(name: ListArgument, member: MemberOption = None, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Take a waiver back: the list is needed again."""
    if not carry_out(_unwaive(read_config(config), name, member)):
        raise fail(f"{name}: no such waiver; see 'dialer registry status'")
    say(f"{name}: needed again")


async def _unwaive(config: Config, name: str, member: str | None) -> bool:
    async with database(config) as conn:
        member_id = await member_id_of(conn, member) if member else None
        return await lists.unwaive(conn, name, member_id, datetime.now(UTC), who())


def _codes(text: str) -> list[int]:
    if text and _CODES.fullmatch(text) is None:
        raise typer.BadParameter(f"{text!r} is no list of area codes such as 212,305")
    return [int(code) for code in text.split(",")] if text else []


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Do-not-call registries and other outside lists.")
    group.command("import")(import_)
    group.command("change")(change)
    group.command("answers")(answers)
    group.command("status")(status)
    group.command("verify")(verify)
    group.command("check")(check)
    group.command("scrub")(scrub_)
    group.command("subscribe")(subscribe)
    group.command("unsubscribe")(unsubscribe)
    group.command("waive")(waive)
    group.command("unwaive")(unwaive)
    app.add_typer(group, name="registry")
