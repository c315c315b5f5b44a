"""`dialer demo`: the whole way of a call on this machine, with a simulated carrier and simulated agents."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dialer_engine.cli.lab_run import run_lab
from dialer_engine.cli.terminal import new_console
from dialer_engine.lab.demo import Wishes, demo
from dialer_engine.lab.people import MOST_PEOPLE


class Mode(StrEnum):
    """The modes of pacing."""

    preview = "preview"
    progressive = "progressive"
    power = "power"
    predictive = "predictive"


def run_demo(
    agents: Annotated[int, typer.Option(min=1, max=60, help="Simulated agents.")] = 5,
    contacts: Annotated[int, typer.Option(min=1, max=MOST_PEOPLE, help="Fictional contacts.")] = 300,
    lines: Annotated[float, typer.Option(min=1, max=10, help="Calls in flight per ready agent.")] = 3.0,
    mode: Annotated[Mode, typer.Option(help="How to pace the calls.")] = Mode.power,
    seconds: Annotated[float, typer.Option(min=1, help="Longest time to dial, in seconds.")] = 600.0,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the data for a look.")] = False,
    seed: Annotated[int, typer.Option(help="Another number gives other people and manners.")] = 1,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the summary to this file.")] = None,
) -> None:
    """Dial a list of fictional contacts on this machine and show it; nobody is called."""
    console = new_console()
    wishes = Wishes(agents, contacts, lines, mode.value, seconds, keep, seed)
    summary = run_lab(demo(wishes, console))
    if json_file is not None:
        json_file.write_text(json.dumps(summary.as_json(), indent=1) + "\n", encoding="utf-8")
    if not summary.clean:
        raise typer.Exit(2)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("demo")(run_demo)
