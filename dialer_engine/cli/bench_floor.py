"""`dialer bench floor`: a campaign with predictive pacing on the real engine, beside its forecast."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from dialer_engine.cli.common import fail
from dialer_engine.cli.lab_run import Tell, in_place, run_lab
from dialer_engine.cli.terminal import say
from dialer_engine.lab.bench_floor import Findings, calibration_lines, run_floor, table_lines, verdict
from dialer_engine.lab.floor_forecast import USUAL, Plan, forecast
from dialer_engine.lab.floor_table import Habits
from dialer_engine.lab.pacing.runs import ended_by_signals
from dialer_engine.lab.place import Place
from dialer_engine.lab.session import INTERRUPTED
from dialer_engine.pbx.bundle import Bundle

DISAGREE = 2
JOBS = 2


def floor(
    attempts: Annotated[int, typer.Option(min=20, max=5000, help="Contacts, each called once.")] = 2000,
    agents: Annotated[int, typer.Option(min=1, max=60, help="Agents on duty.")] = 20,
    talk: Annotated[float, typer.Option(min=1, max=120, help="Mean seconds of talk.")] = USUAL.talk_s,
    runs: Annotated[int, typer.Option(min=2, max=200, help="Simulated runs of the forecast.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Another number gives other people.")] = 1,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
) -> None:
    """Predictive pacing on real Asterisk and a simulated carrier; Ctrl-C prints what there is."""
    found = Findings(Plan(attempts, agents, seed, Habits(talk_s=talk)))
    try:
        if json_file is not None:
            json_file.touch()
    except OSError as error:
        raise fail(str(error)) from error
    try:
        _foresee(found, runs)
        _carry_out(found)
    finally:
        _report(found, json_file)
    if not found.clean:
        raise typer.Exit(DISAGREE)


def _foresee(found: Findings, runs: int) -> None:
    """Simulate before anything is dialed, so that the forecast cannot know the outcome."""
    try:
        with ended_by_signals():
            say(f"- forecasting with {runs} simulated runs")
            for figures in forecast(found.plan, runs, JOBS):
                found.forecast.append(figures)
    except KeyboardInterrupt as error:
        raise typer.Exit(INTERRUPTED) from error


def _carry_out(found: Findings) -> None:
    async def measure(bundle: Bundle, place: Place, tell: Tell) -> Findings:
        return await run_floor(bundle, place, tell, found)

    run_lab(in_place(measure))


def _report(found: Findings, json_file: Path | None) -> None:
    if json_file is not None:
        json_file.write_text(json.dumps(found.as_json(), indent=1) + "\n", encoding="utf-8")
    if not found.complete:
        say("not complete; what there is, without calls in progress:")
    for line in (*table_lines(found), *calibration_lines(found), *verdict(found)):
        say(line)


def add_to(bench: typer.Typer) -> None:
    """Add the command to the group `bench`."""
    bench.command("floor")(floor)
