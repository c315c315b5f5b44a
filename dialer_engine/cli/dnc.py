"""`dialer dnc add|remove|check|import|copy`: numbers that must not be called."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from dialer_engine.cli.common import (
    DEFAULT_CONFIG,
    FAILED,
    ConfigOption,
    JsonOption,
    carry_out,
    fail,
    not_blank,
    read_config,
)
from dialer_engine.cli.database import database, who
from dialer_engine.cli.numbers import number_given, tell_suppressed
from dialer_engine.cli.terminal import say, say_json, say_text
from dialer_engine.contacts.source import HIDES_ROWS
from dialer_engine.contacts.suppression_file import SuppressionImport, import_suppressions
from dialer_engine.engine.clock import utc_now
from dialer_engine.settings.load import Config
from dialer_engine.store import suppress
from dialer_engine.store.directory import member_id_of
from dialer_engine.store.renames import copy_suppressions

NumberArgument = Annotated[str, typer.Argument(help="The number, such as +12105550100.")]
MemberOption = Annotated[
    str | None, typer.Option("--member", "-m", help="Only this Member; default nobody here may call it.")
]
NoteOption = Annotated[str | None, typer.Option("--note", help="Why; kept in the log.")]
SourceOption = Annotated[str, typer.Option("--source", callback=not_blank, help="Where it comes from.")]


def add(
    number: NumberArgument,
    member: MemberOption = None,
    source: SourceOption = "request",
    note: NoteOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Forbid a number; calls to it that are queued or ringing are cancelled, and the person's consents end."""
    e164 = number_given(number)
    what, live = carry_out(_add(read_config(config), e164, member, source, note))
    told = carry_out(tell_suppressed(config, [what]))
    say(f"{e164} will not be called {_scope(member)}")
    if live and not told:
        say(f"{len(live)} call(s) to it are under way, and the engine could not be told", err=True)


async def _add(
    config: Config, number: str, member: str | None, source: str, note: str | None
) -> tuple[suppress.Forbidden, list[str]]:
    async with database(config) as conn:
        member_id = await member_id_of(conn, member) if member else None
        live = await suppress.add(conn, number, member_id, source, utc_now(), who=who(), note=note)
    return suppress.Forbidden(number, member_id), live


def remove(
    number: NumberArgument,
    member: MemberOption = None,
    note: NoteOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Allow a number again; who did it, when and why stays in the log. Consents that have ended do not come back."""
    e164 = number_given(number)
    if not carry_out(_remove(read_config(config), e164, member, note)):
        raise fail(f"{e164} does not stand on that list; see 'dialer dnc check {e164}'")
    say(f"{e164} may be called again {_scope(member)}, as far as this list goes")


async def _remove(config: Config, number: str, member: str | None, note: str | None) -> bool:
    async with database(config) as conn:
        member_id = await member_id_of(conn, member) if member else None
        return await suppress.remove(conn, number, member_id, utc_now(), who=who(), note=note)


def check(number: NumberArgument, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show every entry of a number and what was ever done with it."""
    e164 = number_given(number)
    entries, log = carry_out(_check(read_config(config), e164))
    if as_json:
        document = {"number": e164, "entries": [asdict(e) for e in entries], "log": [asdict(e) for e in log]}
        say_json(document)
        return
    say(f"{e164}: {'must not be called' if entries else 'stands on no list'}")
    for entry in entries:
        note = f" ({entry.note})" if entry.note else ""
        say(f"  {_scope(entry.member)}: {entry.source} since {entry.since:%Y-%m-%d %H:%M} UTC{note}")
    for line in log:
        note = f" ({line.note})" if line.note else ""
        scope = _scope(line.member)
        say(f"  {line.at:%Y-%m-%d %H:%M} UTC  {line.action} {scope}, {line.source}, by {line.who}{note}")


async def _check(config: Config, number: str) -> tuple[list[suppress.Suppression], list[suppress.LogEntry]]:
    async with database(config) as conn:
        return await suppress.check(conn, number), await suppress.history(conn, number)


def import_(
    file: Annotated[Path, typer.Argument(help="Text or CSV with one number per row.")],
    member: MemberOption = None,
    source: SourceOption = "import",
    note: NoteOption = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column", help="Read this column only; may be given again. Default all with phone numbers."
        ),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Forbid all numbers of a file, in one transaction; status 1 when somebody in it may still be called."""
    done = carry_out(_import(read_config(config), file, member, source, note, column or ()))
    carry_out(tell_suppressed(config, done.to_cancel))
    say(f"read: {', '.join(map(repr, done.read))}")
    say(f"{done.rows:,} rows: {done.added:,} numbers added, {done.known:,} stood there already")
    _tell_unreadable(done)
    _tell_unread(done)
    if done.hiding:
        say_text("\n".join(f"{file}:{line}: {HIDES_ROWS}" for line in done.hiding[:10]), err=True)
        say("the numbers of such rows can still be called: mend the file and import it again", err=True)
    if not done.complete:
        raise typer.Exit(FAILED)


def _tell_unreadable(done: SuppressionImport) -> None:
    """Name the rows that may stand for somebody who can still be called."""
    for row, reason in done.unreadable:
        say(f"  row {row}: {reason}", err=True)
    if left := done.unreadable_count - len(done.unreadable):
        say(f"  and {left:,} rows more", err=True)
    if done.unreadable_count:
        say(
            f"{done.unreadable_count:,} rows hold a number that could not be read, or none: whom they mean can still "
            "be called. Mend them and import the file again (what stands there already stays), or say each number to "
            "'dialer dnc add'; when a column holds no phone numbers, name the others with --column",
            err=True,
        )


def _tell_unread(done: SuppressionImport) -> None:
    """Name the columns that were not read though they seem to hold phone numbers."""
    for name, count in done.unread.items():
        say(f"not read: {name!r}, though {count:,} of its cells could be phone numbers", err=True)
    if done.overlooked:
        say(
            "those numbers can still be called: import the file again with --column for each column of phone numbers",
            err=True,
        )


async def _import(
    config: Config, file: Path, member: str | None, source: str, note: str | None, columns: Sequence[str]
) -> SuppressionImport:
    async with database(config) as conn:
        member_id = await member_id_of(conn, member) if member else None
        return await import_suppressions(
            conn, file, member_id, source, utc_now(), who=who(), note=note, columns=columns
        )


def copy(
    old: Annotated[
        str, typer.Argument(help="The Member whose entries are copied; it may be gone from dialer.yaml.")
    ],
    new: Annotated[str, typer.Argument(help="The Member to whom the numbers are forbidden too.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Forbid to one Member every number that another one may not call, such as one whose customers it took over."""
    added, live = carry_out(_copy(read_config(config), old, new))
    carry_out(tell_suppressed(config, live))
    say(f"{added:,} numbers of {old} will not be called by {new} either")


async def _copy(config: Config, old: str, new: str) -> tuple[int, list[suppress.Forbidden]]:
    async with database(config) as conn:
        return await copy_suppressions(conn, old, new, utc_now(), who=who())


def _scope(member: str | None) -> str:
    return f"by {member}" if member else "by anybody"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Do not call: add, remove, check, import, copy.")
    group.command("add")(add)
    group.command("remove")(remove)
    group.command("check")(check)
    group.command("import")(import_)
    group.command("copy")(copy)
    app.add_typer(group, name="dnc")
