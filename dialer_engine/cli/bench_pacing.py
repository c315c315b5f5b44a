"""`dialer bench pacing`: ways of pacing side by side, on simulated people; nothing is dialed."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import typer

from dialer_engine.cli.common import fail
from dialer_engine.cli.terminal import say
from dialer_engine.core.pacing import MODES
from dialer_engine.lab.pacing import table
from dialer_engine.lab.pacing.figures import share_of_way
from dialer_engine.lab.pacing.policies import Terms, make_policy
from dialer_engine.lab.pacing.runs import Cell, Comparison, Done, blank, ended_by_signals, finished, rows
from dialer_engine.lab.pacing.scenarios import SCENARIOS, scenario

CELLS = "1x25,3x25,10x25"
COMPARED = tuple(
    mode for mode in MODES if mode != "preview"
)  # nobody looks in a simulation: it is progressive
POLICIES = ",".join([*COMPARED, "vicidial-hard", "vicidial-tapered", "vicidial-average", "oracle"])
INTERRUPTED = 130
_CELL = re.compile(r"(\d+)x(\d+(?:\.\d+)?)")


def pacing(
    cells: Annotated[str, typer.Option(help="Agents x percent of dials that a person answers.")] = CELLS,
    policies: Annotated[
        str, typer.Option(help="Names, separated by commas; a wrong one lists all.")
    ] = POLICIES,
    days: Annotated[int, typer.Option(min=1, max=30, help="Days of 8 hours, in one legal period.")] = 1,
    runs: Annotated[int, typer.Option(min=1, max=200, help="Runs of each, with other people.")] = 4,
    scenario_name: Annotated[str, typer.Option("--scenario", help=", ".join(SCENARIOS))] = "steady",
    settle: Annotated[float, typer.Option(min=0, max=5, help="Least seconds between two decisions.")] = 0.0,
    target: Annotated[
        float, typer.Option(min=0, max=100, help="Abandoned percent a forecast aims at.")
    ] = 2.8,
    limit: Annotated[float, typer.Option(min=0, max=100, help="The law's percent.")] = 3.0,
    cancel_early: Annotated[bool, typer.Option(help="May lines end before they rang 15 s?")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Another number gives other people.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 2,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
) -> None:
    """Compare ways of pacing on the same simulated people; Ctrl-C prints what has ended."""
    terms = Terms(round(target / 100, 6), round(limit / 100, 6), cancel_early)
    try:
        asked = Comparison(_cells(cells), _policies(policies), days, runs, scenario_name, settle, seed, terms)
        scenario(scenario_name, 1, 0.25)
        if json_file is not None:
            json_file.touch()
    except (OSError, ValueError) as error:
        raise fail(str(error)) from error
    if not _run(asked, jobs, json_file):
        raise typer.Exit(INTERRUPTED)


def _cells(text: str) -> tuple[Cell, ...]:
    return tuple(dict.fromkeys(_cell(word.strip()) for word in text.split(",")))


def _cell(word: str) -> Cell:
    found = _CELL.fullmatch(word)
    if not found or not 1 <= int(found[1]) <= 500 or not 0 < float(found[2]) <= 95:
        raise ValueError(f"{word!r} is no cell; write agents (1-500) x percent (up to 95), as in {CELLS}")
    return Cell(int(found[1]), float(found[2]) / 100)


def _policies(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(word.strip() for word in text.split(",")))
    for name in names:
        make_policy(name)
    return names


def _run(asked: Comparison, jobs: int, json_file: Path | None) -> bool:
    """Print and save each cell when it is complete; False when it was interrupted."""
    started, done = monotonic(), blank(asked.cells, asked.policies)
    expected = asked.runs * len(asked.policies)
    left = dict.fromkeys(asked.cells, expected)
    say(f"{asked.scenario}: {asked.runs} runs of {asked.days} days, law {100 * asked.terms.limit:g} %")
    say(table.head())
    try:
        with ended_by_signals():
            for task, figures in finished(asked, jobs):
                done[task.cell][task.policy].append(figures)
                left[task.cell] -= 1
                if not left[task.cell]:
                    _print(task.cell, done)
                    _save(json_file, asked, done, not any(left.values()))
                    say(f"- {task.cell.name} done after {monotonic() - started:.0f} s", err=True)
    except KeyboardInterrupt:
        say("interrupted; what has ended:")
        for cell in (cell for cell, runs in left.items() if 0 < runs < expected):
            _print(cell, done)
        _save(json_file, asked, done, complete=False)
        return False
    return True


def _save(json_file: Path | None, asked: Comparison, done: Done, complete: bool) -> None:
    if json_file is not None:
        document = json.dumps(_document(asked, done, complete), indent=1)
        json_file.write_text(document + "\n", encoding="utf-8")


def _print(cell: Cell, done: Done) -> None:
    for line in table.block(cell.name, rows(done, cell)):
        say(line)


def _document(asked: Comparison, done: Done, complete: bool) -> dict[str, Any]:
    cells = []
    for cell in asked.cells:
        there = rows(done, cell)
        policies = [{**row.as_json(), "share_of_way": share_of_way(row, there)} for row in there]
        cells.append({"cell": cell.name, "policies": policies})
    settings = {"days": asked.days, "runs": asked.runs, "settle_s": asked.settle_s, "seed": asked.seed}
    return {
        "scenario": asked.scenario,
        **settings,
        **asdict(asked.terms),
        "complete": complete,
        "cells": cells,
    }


def add_to(bench: typer.Typer) -> None:
    """Add the command to the group `bench`."""
    bench.command("pacing")(pacing)
