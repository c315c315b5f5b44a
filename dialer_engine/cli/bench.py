"""`dialer bench answer|originate|...`: how quick the engine is, measured by the lab and beside a yardstick."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from dialer_engine.cli import bench_floor, bench_pacing, bench_registry, bench_reserve
from dialer_engine.cli.common import EXPECTED, fail
from dialer_engine.cli.lab_run import Measure, in_place, run_lab
from dialer_engine.cli.terminal import say
from dialer_engine.lab.bench_answer import bench_answer
from dialer_engine.lab.bench_decide import bench_decide
from dialer_engine.lab.bench_flood import FloodPlan, Guard, bench_flood
from dialer_engine.lab.bench_originate import bench_originate
from dialer_engine.lab.bench_revoke import WAYS, bench_revoke
from dialer_engine.lab.bench_soak import bench_soak
from dialer_engine.lab.firewalled import enter_network
from dialer_engine.lab.flood import Rates
from dialer_engine.lab.place import LabError
from dialer_engine.lab.soak_result import MEMBER_CALLS_PER_S
from dialer_engine.pbx.bundle import install_bundle
from dialer_engine.pbx.nft_bundle import install_nft_bundle
from dialer_engine.settings.home import home, prepare_home, service_user

JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")]

bench = typer.Typer(no_args_is_help=True, help="Measure the engine on this machine; nobody is called.")


class Result(Protocol):
    """What a benchmark gives."""

    def as_json(self) -> dict[str, Any]:
        """The figures by name."""


@bench.command("answer")
def answer(
    rate: Annotated[float, typer.Option(min=1, max=30, help="Answered calls a second.")] = 10.0,
    seconds: Annotated[float, typer.Option(min=2, max=120, help="Length of each round.")] = 15.0,
    rounds: Annotated[int, typer.Option(min=1, max=10, help="Rounds each way, alternating.")] = 3,
    json_file: JsonFile = None,
) -> None:
    """From the carrier's 200 OK to the agent's ear: the engine beside bare ARI, in one run."""
    figures = _measured(lambda b, place, tell: bench_answer(b, place, rate, seconds, rounds, tell), json_file)
    _row("", "p50", "p99", "longest", "over 2 s", "calls", "unheard")
    _row("engine", *(figures[k] for k in ("p50_ms", "p99_ms", "max_ms", "over_2s", "calls", "unheard")))
    floor = ("floor_p50_ms", "floor_p99_ms", "floor_max_ms")
    _row("bare ARI", *(figures[k] for k in floor), "", figures["floor_calls"], figures["floor_unheard"])


@bench.command("originate")
def originate(
    seconds: Annotated[float, typer.Option(min=5, max=120, help="Length of each round.")] = 60.0,
    agents: Annotated[int, typer.Option(min=10, max=600, help="Agents, and calls up at once.")] = 200,
    json_file: JsonFile = None,
) -> None:
    """Calls a second through the whole engine, beside bare call files into the same Asterisk."""
    figures = _measured(lambda b, place, tell: bench_originate(b, place, seconds, agents, tell), json_file)
    say(f"engine      {figures['engine_cps']:7.1f} calls/s, {figures['cpu_ms_per_call']} ms CPU each")
    say(f"call files  {figures['callfile_cps']:7.1f} calls/s")
    say(f"ratio       {figures['ratio']:7.2f}    engine's memory {figures['rss_mb']} MB")
    say(f"CPU in the engine's round: {figures['engine_cpu_shares']}")
    say(f"CPU with call files:       {figures['callfile_cpu_shares']}")
    say(f"limit: {figures['limit']}")


@bench.command("decide")
def decide(
    agents: Annotated[int, typer.Option(min=1, max=1000, help="Agents on duty.")] = 100,
    calls: Annotated[int, typer.Option(min=1, max=5000, help="Calls ringing.")] = 400,
    decisions: Annotated[int, typer.Option(min=10, max=100000, help="How many to measure.")] = 1000,
    json_file: JsonFile = None,
) -> None:
    """The CPU time of one decision of predictive pacing on a full floor."""
    figures = bench_decide(agents, calls, decisions, lambda text: say(f"- {text}"))
    _write(figures.as_json(), json_file)
    say(f"one decision: p50 {figures.p50_ms} ms, p99 {figures.p99_ms} ms, at most {figures.max_ms} ms CPU")


@bench.command("flood")
def flood(
    rate: Annotated[float, typer.Option(min=1, max=30, help="Answered calls a second.")] = 5.0,
    seconds: Annotated[float, typer.Option(min=2, max=120, help="Length of each round.")] = 60.0,
    rounds: Annotated[int, typer.Option(min=1, max=10, help="Rounds of each kind, in turn.")] = 3,
    registers: Annotated[int, typer.Option(min=0, max=20000, help="REGISTERs a second.")] = 1000,
    options: Annotated[int, typer.Option(min=0, max=20000, help="OPTIONS a second.")] = 5000,
    invites: Annotated[int, typer.Option(min=0, max=20000, help="INVITEs a second.")] = 100,
    front: Annotated[bool, typer.Option("--front", help="Put the front before Asterisk.")] = False,
    firewall: Annotated[
        bool,
        typer.Option("--firewall", help="Load the rules of `dialer firewall`, in a network of its own."),
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Calls during a flood of SIP requests from strangers, beside calls without one, in one run."""
    plan = FloodPlan(rate, seconds, rounds, Rates(registers, options, invites), _guard(front, firewall))
    if plan.guard is Guard.FIREWALL:
        _enter_network()
    figures = _measured(lambda b, place, tell: bench_flood(b, place, plan, tell), json_file)
    _row("", "calls", "cut", "unheard", "silent", "p95 ms")
    for one in figures["rounds"]:
        _row(one["kind"], *(one[k] for k in ("calls", "calls_cut", "unheard", "silent", "p95_ms")))
    say(f"p95 with the flood by p95 without: {figures['p95_ratio']} (median of {figures['p95_ratios']})")
    say(
        f"by p95 while the sender sends aside: {figures['p95_ratio_to_aside']} "
        f"(median of {figures['p95_ratios_to_aside']})"
    )
    say(
        f"of {figures['sent']:,} requests Asterisk's log told the engine of {figures['refused']:,} as refused; "
        f"the firewall dropped {_count(figures['dropped'])} packets"
    )
    say(f"microseconds of CPU for each request: {figures['cpu_us_per_request']}")
    say(
        f"Asterisk: {figures['waiting_tasks']} tasks left waiting, at most {figures['most_waiting']} in one queue; "
        f"memory {figures['rss_before_mb']} MB before, {figures['rss_after_mb']} MB after, "
        f"{figures['rss_trimmed_mb']} MB once trimmed"
    )


def _guard(front: bool, firewall: bool) -> Guard:
    if front and firewall:
        raise typer.BadParameter("--front or --firewall, not both")
    return Guard.FRONT if front else Guard.FIREWALL if firewall else Guard.NONE


def _enter_network() -> None:
    """Get what needs the host's network, and leave it."""
    prepare_home(home(), service_user())
    try:
        install_bundle(home())
        install_nft_bundle(home())
        enter_network()
    except (*EXPECTED, LabError) as error:
        raise fail(str(error)) from error


def _count(number: int | None) -> str:
    return "no" if number is None else f"{number:,}"


@bench.command("revoke")
def revoke(
    rounds: Annotated[int, typer.Option(min=1, max=200, help="Numbers revoked each way.")] = 20,
    json_file: JsonFile = None,
) -> None:
    """From an opt-out until the carrier sees the ringing end, by a command and by another engine."""
    figures = _measured(lambda b, place, tell: bench_revoke(b, place, rounds, tell), json_file)
    _row("ms", "p50", "longest", "numbers")
    for way in WAYS:
        _row(way, *(figures[f"{way}_{name}"] for name in ("p50_ms", "max_ms", "count")))
    say(f"called after their revocation: {figures['called_after']}")


@bench.command("soak")
def soak(
    attempts: Annotated[int, typer.Option(min=50, max=25000, help="Contacts, each called once.")] = 20000,
    agents: Annotated[int, typer.Option(min=2, max=100, help="Agents on duty.")] = 30,
    idle: Annotated[
        float, typer.Option(min=0, max=3600, help="Seconds to watch without calls at the end.")
    ] = 120,
    json_file: JsonFile = None,
) -> None:
    """Thousands of calls: does the engine's memory grow, are channels, bridges, tasks or descriptors left behind?"""
    figures = _measured(lambda b, place, tell: bench_soak(b, place, attempts, agents, idle, tell), json_file)
    before, after = figures["before"], figures["after"]
    _row("", "before", "after")
    for name in ("rss_mb", "tasks", "descriptors", "threads"):
        _row(name, before["engine"][name], after["engine"][name])
    for name in ("channels", "bridges", "sessions", "asterisk_mb"):
        _row(name, before[name], after[name])
    _row("trimmed", before["asterisk_trimmed_mb"], after["asterisk_trimmed_mb"])
    say(
        f"{figures['calls']:,} calls in {figures['seconds']:g} s; after the warm-up the engine grew by "
        f"{_growth(figures['kb_per_1000_calls'])} kB per 1,000 calls"
    )
    say(
        f"MB an hour: {_growth(figures['mb_per_hour'])} at the run's {figures['calls_per_second']:g} calls/s, "
        f"{_growth(figures['mb_per_hour_of_member'])} at the {MEMBER_CALLS_PER_S:g} calls/s of 100 busy agents, "
        f"{_growth(figures['mb_per_hour_idle'])} without calls"
    )
    for leak in figures["leaks"]:
        say(f"left behind: {leak}")
    for what in figures["unshown"]:
        say(f"not shown: {what}")
    if figures["leaks"] or figures["unshown"]:
        raise typer.Exit(2)


def _measured(measure: Measure[Result], json_file: Path | None) -> dict[str, Any]:
    figures = run_lab(in_place(measure)).as_json()
    _write(figures, json_file)
    return figures


def _write(figures: dict[str, Any], json_file: Path | None) -> None:
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _growth(found: dict[str, float | None]) -> str:
    """A slope with half its 95 % interval."""
    half = found["half"]
    return f"{found['slope']:g}" if half is None else f"{found['slope']:g} ±{half:g}"


def _row(name: str, *values: object) -> None:
    say(f"{name:<10}" + "".join(f"{'-' if value is None else value!s:>10}" for value in values))


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    bench_floor.add_to(bench)
    bench_pacing.add_to(bench)
    bench_registry.add_to(bench)
    bench_reserve.add_to(bench)
    app.add_typer(bench, name="bench")
