"""`dialer list import|undo|ls`: contacts in, and out again."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn

from dialer_engine.cli.common import DEFAULT_CONFIG, ConfigOption, JsonOption, carry_out, fail, read_config
from dialer_engine.cli.database import check_names, database, who
from dialer_engine.cli.import_nobody import are_known, empty_list, nobody
from dialer_engine.cli.terminal import new_console, say, say_json
from dialer_engine.contacts.importer import ImportReport, ImportRequest, import_list
from dialer_engine.contacts.source import NAME_OF_DELIMITER
from dialer_engine.contacts.undo import ListRow, Undone, all_lists, undo
from dialer_engine.core.text import one_line
from dialer_engine.engine.clock import utc_now
from dialer_engine.settings.load import Config
from dialer_engine.store.directory import member_id_of

LONGEST_LIST_NAME = 200
"""As in a campaign's settings."""

MemberOption = Annotated[str, typer.Option("--member", "-m", help="The Member who owns the contacts.")]
ListOption = Annotated[str, typer.Option("--list", "-l", help="The list; it is made when it is new.")]
MapOption = Annotated[
    list[str] | None,
    typer.Option("--map", help="field=Column, as often as needed; such as phone=Mobile, keep=Loc."),
]
EncodingOption = Annotated[str | None, typer.Option("--encoding", help="Only when it cannot be guessed.")]
RejectedOption = Annotated[
    Path | None, typer.Option("--rejected", help="File for rejected rows; default beside FILE.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would happen; write nothing.")]
FileArgument = Annotated[Path, typer.Argument(help="CSV or other delimited text, any encoding.")]


def import_(
    file: FileArgument,
    member: MemberOption,
    list_name: ListOption,
    mapping: MapOption = None,
    encoding: EncodingOption = None,
    rejected: RejectedOption = None,
    dry_run: DryRunOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Import contacts: all rows that can be called, in one transaction, or none.

    Status 1 when nobody is imported, unless the list has contacts and most rows name who stands on a list already.
    """
    if not one_line(list_name) or not 0 < len(list_name.strip()) <= LONGEST_LIST_NAME:
        raise fail(f"--list: a name is one line of 1 to {LONGEST_LIST_NAME} characters, none of them unseen")
    settings = read_config(config)
    pairs = _pairs(mapping or [])
    # As a campaign's settings read the name.
    options = _Options(file, list_name.strip(), pairs, encoding, rejected, dry_run)
    report, empty = carry_out(_import(settings, member, options))
    callers = [
        name
        for name, one in settings.campaigns.items()
        if one.member == member and options.list_name in one.lists
    ]
    if as_json:
        say_json({**asdict(report), "campaigns": callers})
    else:
        for line in [*lines(report), _called_by(settings, member, options.list_name, callers)]:
            say(line)
    if report.contacts == 0:
        _tell_nobody(report, empty_list(member, options.list_name) if empty else "")


def _tell_nobody(report: ImportReport, empty: str) -> None:
    """Say why nobody was imported; status 1, unless the file brings again who stands on lists already."""
    if not are_known(report):
        raise fail(nobody(report))
    if empty:
        raise fail(f"{nobody(report)}; {empty}")
    say(nobody(report), err=True)


def _called_by(config: Config, member: str, list_name: str, callers: list[str]) -> str:
    """Say which campaigns call a list: a misspelt name makes a list that nobody ever calls."""
    if callers:
        return f"list {list_name!r} of {member} is called by {', '.join(callers)}"
    named = {each for one in config.campaigns.values() if one.member == member for each in one.lists}
    others = f", which name {', '.join(map(repr, sorted(named)))}" if named else ""
    remedy = f"write it under `lists` of one of its campaigns{others}"
    return f"list {list_name!r} of {member} is called by no campaign: {remedy}"


@dataclass(frozen=True, slots=True)
class _Options:
    """The command line's wishes."""

    file: Path
    list_name: str
    pairs: list[tuple[str, str]]
    encoding: str | None
    rejected: Path | None
    dry_run: bool


async def _import(config: Config, member: str, options: _Options) -> tuple[ImportReport, bool]:
    """Import the file; also whether the list has no contacts after it."""
    async with database(config) as conn:
        request = ImportRequest(
            file=options.file,
            member_id=await member_id_of(conn, member),
            list_name=options.list_name,
            plan=config.plan,
            rules=config.rules,
            at=utc_now(),
            who=who(),
            mapping=options.pairs,
            encoding=options.encoding,
            rejected_file=options.rejected,
            lab=config.settings.lab is not None,
            dry_run=options.dry_run,
        )
        columns = (SpinnerColumn(), TextColumn("{task.description} {task.completed:,} rows"))
        with Progress(*columns, console=new_console(stderr=True), transient=True) as bar:
            task = bar.add_task("reading", total=None)
            report = await import_list(conn, request, lambda rows: bar.update(task, completed=rows))
        if report.contacts:
            return report, False
        found = await all_lists(conn, member)
        return report, not any(row.contacts for row in found if row.list == options.list_name)


def _pairs(mapping: list[str]) -> list[tuple[str, str]]:
    for text in mapping:
        if "=" not in text:
            raise fail(f"--map {text}: write it as field=Column, such as phone=Mobile")
    return [(what.strip(), column) for what, _, column in (text.partition("=") for text in mapping)]


def lines(report: ImportReport) -> list[str]:
    """Put an import's report into words."""
    divided = NAME_OF_DELIMITER.get(report.delimiter, report.delimiter)
    header = "with" if report.has_header else "without"
    out = [f"read as {report.encoding}, divided by {divided}, {header} a header"]
    out += [f"  {column}: {what}" for column, what in report.columns.items()]
    verb = "would be imported" if report.dry_run else "imported"
    out.append(f"{report.rows:,} rows: {report.contacts:,} contacts with {report.numbers:,} numbers {verb}")
    out.append(f"{report.rejected:,} rejected")
    out += [f"  {count:,}  {reason}" for reason, count in report.reasons.items()]
    if report.numbers_left_out:
        out.append("numbers of accepted contacts left out")
        out += [f"  {count:,}  {reason}" for reason, count in report.numbers_left_out.items()]
    if report.same_person:
        shown = ", ".join(f"{row:,}" for row in report.same_person_rows)
        more = report.same_person - len(report.same_person_rows)
        out.append(
            f"{report.same_person:,} rows share a number with another contact and count as one person with it, for "
            f"opt-outs, attempts per person and calls at a time: row {shown}{f' and {more:,} more' if more else ''}"
        )
    if report.addresses_updated:
        verb = "would be brought" if report.dry_run else "brought"
        out.append(
            f"{report.addresses_updated:,} addresses {verb} up to date: contacts who stood on a list, or earlier in "
            "the file, may be called when every state and time zone that was ever named for them allows it"
        )
    if report.addresses_unread:
        out.append(
            f"{report.addresses_unread:,} contacts with a state, postal code or country that was not understood; "
            "it adds no calling hours to those of the area code"
        )
    if report.rejected_file is not None:
        out.append(f"rejected rows are in {report.rejected_file}")
    if report.import_id is not None:
        out.append(f"import {report.import_id}; take it back with: dialer list undo --id {report.import_id}")
    return out


def undo_(
    member: Annotated[str | None, typer.Option("--member", "-m", help="The list's Member.")] = None,
    list_name: Annotated[str | None, typer.Option("--list", "-l", help="Its newest import.")] = None,
    import_id: Annotated[int | None, typer.Option("--id", help="The import's number.")] = None,
    keep_called: Annotated[
        bool, typer.Option("--keep-called", help="Keep contacts that were called already.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Take an import back: by its number, or the newest of a list."""
    if import_id is None and (member is None or list_name is None):
        raise fail("say which import: --id N, or --member M --list L for the newest of that list")
    done = carry_out(_undo(read_config(config), import_id, member, list_name, keep_called))
    kept = f", {done.kept:,} kept because they were called" if done.kept else ""
    say(f"import {done.import_id} ({done.file_name}): {done.removed:,} contacts removed{kept}")


async def _undo(
    config: Config, import_id: int | None, member: str | None, list_name: str | None, keep_called: bool
) -> Undone:
    async with database(config) as conn:
        return await undo(conn, import_id, member, list_name, utc_now(), who=who(), keep_called=keep_called)


def ls(
    member: Annotated[str | None, typer.Option("--member", "-m", help="Only this Member's.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List the contact lists with their size and newest import."""
    found = carry_out(_ls(read_config(config), member))
    if as_json:
        say_json([asdict(row) for row in found])
        return
    for row in found:
        last = (
            f"import {row.last_import}, {row.imported_at:%Y-%m-%d %H:%M} UTC" if row.last_import else "empty"
        )
        say(f"{row.member:20} {row.list:30} {row.contacts:>10,} contacts  {last}")
    if not found:
        say("no lists yet; import one with: dialer list import FILE --member M --list L")


async def _ls(config: Config, member: str | None) -> list[ListRow]:
    async with database(config) as conn:
        await check_names(conn, config, member=member)
        return await all_lists(conn, member)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Contact lists: import, take back, list.")
    group.command("import")(import_)
    group.command("undo")(undo_)
    group.command("ls")(ls)
    app.add_typer(group, name="list")
