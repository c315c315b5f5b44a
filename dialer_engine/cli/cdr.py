"""`dialer cdr export`: call-detail records as CSV or JSON lines."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from dialer_engine.cli.common import DEFAULT_CONFIG, ConfigOption, carry_out, fail, read_config
from dialer_engine.cli.database import check_names, database, moment
from dialer_engine.cli.terminal import exported, say
from dialer_engine.settings.load import Config
from dialer_engine.store.cdr import CdrQuery, Format, export

BEGINNING, END = datetime(2000, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
FromOption = Annotated[str | None, typer.Option("--from", help="First day (UTC) or ISO moment.")]
ToOption = Annotated[str | None, typer.Option("--to", help="Last day (UTC, included) or ISO moment.")]
FormatOption = Annotated[Format, typer.Option("--format", help="csv or jsonl.")]
OutputOption = Annotated[Path | None, typer.Option("--output", "-o", help="File; default the terminal.")]
CampaignOption = Annotated[str | None, typer.Option("--campaign", help="Only this campaign.")]
MemberOption = Annotated[str | None, typer.Option("--member", "-m", help="Only this Member.")]


def export_(
    start: FromOption = None,
    end: ToOption = None,
    form: FormatOption = "csv",
    output: OutputOption = None,
    campaign: CampaignOption = None,
    member: MemberOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Export call-detail records, oldest first; cells that a spreadsheet would run are made harmless."""
    query = CdrQuery(moment(start, BEGINNING), moment(end, END, end=True), campaign, member)
    settings = read_config(config)
    if output is None:
        try:
            carry_out(_export(settings, query, None, form))
        except BrokenPipeError:
            # The reader had enough (`| head`); nothing is left to be flushed to it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    count = carry_out(_to_file(settings, query, output, form))
    say(f"{count:,} records in {output}")


async def _to_file(config: Config, query: CdrQuery, output: Path, form: Format) -> int:
    """Write beside the target and rename: a half-written export is never taken for a whole one.

    A link keeps its place, and what is no file (a device, a pipe) is written to as it is.
    """
    try:
        if _is_device(output):
            return await _export(config, query, output, form)
        target, fresh = _names(output)
        try:
            count = await _export(config, query, fresh, form)
            fresh.replace(target)
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as error:
        raise fail(f"{output}: cannot be written ({error.strerror})") from error
    return count


def _names(output: Path) -> tuple[Path, Path]:
    """The file behind every link, and the unfinished one beside it."""
    target = output.resolve()
    return target, target.with_name(f"{target.name}.{os.getpid()}.part")


def _is_device(output: Path) -> bool:
    return (output.exists() and not output.is_file()) or output.absolute().parts[:2] == ("/", "dev")


async def _export(config: Config, query: CdrQuery, target: Path | None, form: Format) -> int:
    async with database(config) as conn:
        await check_names(conn, config, campaign=query.campaign, member=query.member)
        if target is None:
            return await export(conn, query, exported(), form)
        with target.open("w", encoding="utf-8", newline="") as file:
            return await export(conn, query, file, form)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Call-detail records.")
    group.command("export")(export_)
    app.add_typer(group, name="cdr")
