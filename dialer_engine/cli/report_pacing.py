"""`dialer report pacing`: the level by the hour, what bounded it, and whether the forecasts came true."""

from __future__ import annotations

import csv
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from dialer_engine.cli.cdr import CampaignOption, FromOption, ToOption
from dialer_engine.cli.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    carry_out,
    fail,
    print_json,
    read_config,
)
from dialer_engine.cli.database import check_names, database, moment
from dialer_engine.cli.pacing_plot import plot
from dialer_engine.cli.terminal import exported, new_console, say
from dialer_engine.core.pacing.history import BINS, EDGES
from dialer_engine.engine.clock import utc_now
from dialer_engine.settings.load import Config
from dialer_engine.store.pacing import RiskBin, Span, calibration, spans

DEFAULT_HOURS = 24
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
MOST_POINTS = 600
BOUNDS = {
    "closed": "not running",
    "nobody": "no agent",
    "agents": "number of agents",
    "learning": "still learning",
    "risk": "risk of abandoning",
    "budget": "the law's budget",
    "wait": "wait asked for",
    "lines": "most lines per agent",
    "trunk": "no usable trunk",
    "channels": "trunk's channels",
    "rate": "trunk's calls/s",
    "list": "empty list",
}
"""What keeps the level from being higher, in words."""

CsvOption = Annotated[bool, typer.Option("--csv", help="Print the hours as CSV.")]
PlotOption = Annotated[
    Path | None, typer.Option("--plot", help="Draw one campaign as SVG into this file.", dir_okay=False)
]


def pacing(
    campaign: CampaignOption = None,
    start: FromOption = None,
    end: ToOption = None,
    as_csv: CsvOption = False,
    as_json: JsonOption = False,
    plot_file: PlotOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Report the pacing per campaign and hour (UTC), by default of the last 24 hours, and its calibration."""
    if as_csv and as_json:
        raise fail("--csv and --json exclude each other")
    now = utc_now()
    span = (moment(start, now - timedelta(hours=DEFAULT_HOURS)), moment(end, now, end=True))
    fine = _fine(*span)
    hours, bins, points = carry_out(_read(read_config(config), span, campaign, fine if plot_file else None))
    if as_json:
        print_json({"hours": [as_plain(h) for h in hours], "calibration": [bin_as_plain(b) for b in bins]})
    elif as_csv:
        _print_csv(hours)
    else:
        _print(hours, bins)
    if plot_file is not None:
        _draw(points, fine, plot_file)


def _fine(start: datetime, end: datetime) -> timedelta:
    """Return whole minutes, so many that a drawing has about `MOST_POINTS` at most."""
    minutes = -((start - end) // MINUTE)
    return MINUTE * max(1, -(-minutes // MOST_POINTS))


async def _read(
    config: Config, span: tuple[datetime, datetime], campaign: str | None, fine: timedelta | None
) -> tuple[list[Span], list[RiskBin], list[Span]]:
    async with database(config) as conn:
        await check_names(conn, config, campaign=campaign)
        return (
            await spans(conn, *span, HOUR, campaign),
            await calibration(conn, *span, campaign),
            await spans(conn, *span, fine, campaign) if fine is not None else [],
        )


def as_plain(span: Span) -> dict[str, Any]:
    """Return a span's fields and what is computed from them."""
    shares = {"abandoned_share": span.abandoned_share, "talking_share": span.talking_share}
    return asdict(span) | {"start": span.start.isoformat()} | shares


def bin_as_plain(found: RiskBin) -> dict[str, Any]:
    """Return a bin with its edges (risk from 0 to 1)."""
    low, high = edges(found.bin)
    return asdict(found) | {"from": low, "to": high}


def edges(number: int) -> tuple[float, float]:
    """Return the lower and upper edge of a bin, 1 to 10."""
    return (0.0, *EDGES)[number - 1], (*EDGES, 1.0)[min(number, BINS) - 1]


def _print(hours: list[Span], bins: list[RiskBin]) -> None:
    console = new_console()
    console.print(hour_table(hours) if hours else "no minutes of pacing in this time")
    if bins:
        console.print(calibration_table(bins))


def hour_table(hours: list[Span]) -> Table:
    """Lay the hours out as a table."""
    table = Table(title="Pacing (hours in UTC; means by time; waits in seconds)")
    for name in ("Hour", "Campaign", "Mode"):
        table.add_column(name, no_wrap=name == "Hour")
    columns = ("Lines", "max", "Talk", "Ready", "Wrap", "Talk %", "Wait", "Placed", "Live", "Aband.", "Share")
    for name in columns:
        table.add_column(name, justify="right")
    table.add_column("Bound by")
    for h in hours:
        numbers = (f"{h.talking:.1f}", f"{h.ready:.1f}", f"{h.wrap:.1f}", f"{h.talking_share:.0%}")
        table.add_row(
            *(f"{h.start:%m-%d %H}h", h.campaign, h.mode, f"{h.level:.1f}", str(h.level_max), *numbers),
            "-" if h.agent_wait_s is None else f"{h.agent_wait_s:.1f}",
            *(f"{h.placed:,}", f"{h.live:,}", f"{h.abandoned:,}", f"{h.abandoned_share:.1%}"),
            bound_in_words(h),
        )
    return table


def bound_in_words(span: Span) -> str:
    """Return what kept the level of a span from being higher."""
    if span.bound == "list" and span.hours:
        return "dialing hours"
    return BOUNDS.get(span.bound, span.bound)


def calibration_table(bins: list[RiskBin]) -> Table:
    """Lay forecast and outcome out side by side."""
    table = Table(
        title="Forecast against outcome: answers by the risk given to their line when it was placed"
    )
    table.add_column("Campaign")
    for name in ("Risk given", "Answers", "Expected", "Abandoned", "Mean risk", "Found"):
        table.add_column(name, justify="right")
    for b in bins:
        low, high = edges(b.bin)
        shares = (f"{b.predicted / b.answers:.1%}", f"{b.abandoned / b.answers:.1%}")
        risk = f"{100 * low:g}-{100 * high:g} %"
        table.add_row(b.campaign, risk, f"{b.answers:,}", f"{b.predicted:,.1f}", f"{b.abandoned:,}", *shares)
    return table


def _print_csv(hours: list[Span]) -> None:
    names = [*(field.name for field in fields(Span)), "abandoned_share", "talking_share"]
    writer = csv.DictWriter(exported(), names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(as_plain(hour) for hour in hours)


def _draw(points: list[Span], width: timedelta, file: Path) -> None:
    names = sorted({point.campaign for point in points})
    if len(names) != 1:
        there = f"there are {', '.join(names)}; name one with --campaign" if names else "there is none"
        raise fail(f"a drawing needs the minutes of one campaign: {there}")
    try:
        file.write_text(plot(names[0], points, width), encoding="utf-8")
    except OSError as error:
        raise fail(f"{file}: cannot be written ({error.strerror})") from error
    say(f"drawn: {file}", err=True)
