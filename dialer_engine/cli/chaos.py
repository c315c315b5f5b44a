"""`dialer chaos`: break parts of a running world on purpose and count what it costs; nobody is called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from dialer_engine.cli.common import FAILED
from dialer_engine.cli.lab_run import run_lab
from dialer_engine.cli.terminal import say
from dialer_engine.lab.chaos.catalogue import catalogue, chosen
from dialer_engine.lab.chaos.suite import run_suite
from dialer_engine.lab.chaos.table import evidence, table
from dialer_engine.lab.chaos.verdict import Row, broken_rows
from dialer_engine.lab.place import LabError


def run_chaos(
    faults: Annotated[list[str] | None, typer.Argument(help="Names of faults; all without any.")] = None,
    rounds: Annotated[
        int, typer.Option(min=1, max=500, help="Rounds of each fault; six pass every turn.")
    ] = 6,
    calls: Annotated[
        int,
        typer.Option(
            min=1,
            max=60,
            help="Calls up at once; a fifth more agents, half as many more where the trunk fails.",
        ),
    ] = 6,
    seed: Annotated[int, typer.Option(help="Another number gives other moments.")] = 1,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the table to this file.")] = None,
    show: Annotated[bool, typer.Option("--list", help="Name the faults and end.")] = False,
) -> None:
    """Kill, freeze and cut off parts of a simulated call centre; carrier and phones are the judges."""
    if show:
        for fault in catalogue().values():
            say(f"{fault.name:<22}{fault.does}")
        return
    try:
        wanted = chosen(faults or [])
    except LabError as error:
        raise typer.BadParameter(str(error)) from error
    rows: list[Row] = []
    try:
        run_lab(run_suite(wanted, rounds, calls, seed, lambda text: say(f"- {text}"), rows))
    finally:
        _print(rows, json_file)
    if broken_rows(rows):
        raise typer.Exit(FAILED)


def _print(rows: list[Row], json_file: Path | None) -> None:
    for line in (*table(rows), *evidence(rows)):
        say(line)
    if json_file is not None:
        document = [row.as_json() for row in rows]
        json_file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("chaos")(run_chaos)
