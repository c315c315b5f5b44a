"""What `dialer plan CAMPAIGN --agents N` adds: the coming hours, simulated before anything is dialed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Any

from rich.table import Table

from dialer_engine.cli.terminal import new_console, say
from dialer_engine.core.ledger import limits_in_force
from dialer_engine.core.pacing.measured import ENOUGH, ENOUGH_LOOKS, Looks, Measured, Spread, share_error
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.pacing_view import goals
from dialer_engine.lab.pacing.figures import Row
from dialer_engine.lab.pacing.plan import Outlook, Way, outcomes, outlook, with_looks, workload
from dialer_engine.lab.pacing.runs import ended_by_signals
from dialer_engine.lab.pacing.workload import Workload
from dialer_engine.settings.load import Config
from dialer_engine.settings.models import Campaign

MEASURED_OVER = timedelta(days=30)
JOBS = 2
COUNTRY = "US"
PREVIEW = "preview"


@dataclass(frozen=True, slots=True)
class Size:
    """What was asked for: agents on duty, hours, and (None: as before, or as usual) seconds to look at a contact."""

    agents: int
    hours: float
    look_s: float | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What the campaign's own calls (`sent` of them) and previews say; None where there are too few."""

    calls: Measured | None
    sent: int
    looks: Looks | None = None


def question(config: Config, campaign: Campaign, size: Size, seen: Seen) -> Outlook:
    """Return what is simulated: the campaign's mode, and progressive beside it."""
    aims = goals(campaign.pacing)
    own = Way(campaign.mode, campaign.lines_per_agent, aims, campaign.cancel_before_15s)
    plain = Way("progressive", 1.0, aims, campaign.cancel_before_15s)
    ways = (own,) if campaign.mode == plain.mode else (own, plain)
    work = workload(size.agents, size.hours, seen.calls, float(campaign.ring_seconds))
    work = with_looks(work, seen.looks, size.look_s, float(campaign.preview.seconds))
    return outlook(work, ways, _limit(config, campaign))


def _limit(config: Config, campaign: Campaign) -> Fraction:
    law = limits_in_force(config.rules, utc_now().date())[COUNTRY].share
    own = campaign.pacing.abandon_limit
    return law if own is None else min(law, Fraction(own).limit_denominator(1_000_000) / 100)


def simulate(asked: Outlook) -> tuple[list[Row], bool]:
    """Return every way's row and whether it was left to end; progress goes to the terminal's error stream."""
    console = new_console(stderr=True)
    names = " and ".join(asked.policies)
    hours = asked.work.shift_s / 3600
    text = f"simulating {hours:g} h with {asked.work.agents} agents: {names}"
    found: list[Row] = []
    try:
        with ended_by_signals(), console.status(text) as status:
            say(f"- {text}; Ctrl-C ends it", err=True)
            for number, rows in outcomes(asked, JOBS):
                found = rows
                status.update(f"{text}, {number} runs done")
    except KeyboardInterrupt:
        return found, False
    return found, True


def per_hour(row: Row, agents: int) -> tuple[float, float]:
    """Return calls talked and attempts made per hour by all agents together."""
    return agents * row.of("calls_per_hour").mean, agents * row.of("attempts_per_hour").mean


def document(asked: Outlook, seen: Seen, rows: list[Row], contacts: int) -> dict[str, Any]:
    """Return the forecast for programs: shares in percent, waits in seconds."""
    looks = asked.ways[0].mode == PREVIEW
    return {
        "agents": asked.work.agents,
        "hours": asked.work.shift_s / 3600,
        "calls_seen": seen.sent,
        "measured": asdict(seen.calls) if seen.calls else None,
        "look_s": round(asked.work.look_mean_s, 1) if looks else None,
        "skip_percent": round(100 * asked.work.skip_share, 1) if looks else None,
        "looks_measured": asdict(seen.looks) if looks and seen.looks else None,
        "ways": [_way(row, asked.work.agents, contacts) for row in rows],
    }


def _way(row: Row, agents: int, contacts: int) -> dict[str, Any]:
    calls, attempts = per_hour(row, agents)
    return {
        "mode": row.policy,
        "runs": len(row.runs),
        "calls_per_hour": round(calls, 1),
        "attempts_per_hour": round(attempts, 1),
        "talk_percent": round(row.of("utilisation").mean, 1),
        "agent_wait_s": round(row.of("agent_wait").mean, 1),
        "customer_wait_s": round(row.of("people_wait").mean, 2),
        "abandoned_percent": round(_abandoned(row), 2),
        "list_lasts_hours": round(contacts / attempts, 1) if attempts else None,
    }


def _abandoned(row: Row) -> float:
    """Return the abandoned percent of all runs together: single ones have too few answers for a share."""
    answers = sum(run.answers for run in row.runs)
    return 100.0 * sum(run.lost for run in row.runs) / answers if answers else 0.0


def basis(asked: Outlook, seen: Seen, look_s: float | None) -> Iterator[str]:
    """Yield what the forecast starts from, in words."""
    yield from _calls_basis(seen.calls, seen.sent, asked.work)
    if asked.ways[0].mode == PREVIEW:
        yield _looks_basis(seen.looks, look_s, asked.work)


def _looks_basis(looks: Looks | None, look_s: float | None, work: Workload) -> str:
    skipped = f" and do not call {100 * work.skip_share:.0f} % of them" if looks else ""
    said = f"agents look at each contact for {work.look_mean_s:.1f} s{skipped}"
    if look_s is not None:
        return f"{said}, by --look" + (f"; the share is that of {looks.seen:,} previews" if looks else "")
    if looks is not None:
        return f"{said}, as in {looks.seen:,} previews of {MEASURED_OVER.days} days"
    return (
        f"{said}, the time to read about 60 words: fewer than {ENOUGH_LOOKS} previews were decided on in "
        f"{MEASURED_OVER.days} days; --look says another"
    )


def _calls_basis(seen: Measured | None, sent: int, work: Workload) -> Iterator[str]:
    if seen is None:
        yield (
            f"{sent:,} calls in the last {MEASURED_OVER.days} days are fewer than {ENOUGH}: the usual figures are "
            f"taken, {100 * work.answer_rate:g} % answered by a person, talk {work.talk_mean_s:g} s, "
            f"wrap-up {work.wrap_mean_s:g} s"
        )
        return
    error = 100 * share_error(seen.answer_rate, seen.calls)
    yield (
        f"measured on the last {seen.calls:,} calls of {MEASURED_OVER.days} days: "
        f"{100 * seen.answer_rate:.1f} % (±{error:.1f}) answered by a person within {seen.ring_limit_s:g} s of "
        f"ringing, {100 * seen.machine_rate:.1f} % by a machine, {100 * seen.fail_rate:.1f} % fail at once"
    )
    spans = (
        ("until it rings", seen.dial),
        ("ringing", seen.ring),
        ("talk", seen.talk),
        ("wrap-up", seen.wrap),
    )
    yield "  " + ", ".join(_duration(name, spread) for name, spread in spans)


def _duration(name: str, spread: Spread | None) -> str:
    return f"{name} {spread.mean_s:.1f} s" if spread else f"{name} as usual (too few seen)"


def table(asked: Outlook, rows: list[Row], contacts: int) -> Table:
    """Lay the ways out side by side."""
    hours, agents = asked.work.shift_s / 3600, asked.work.agents
    title = f"The first {hours:g} hours with {agents} agents on duty (simulated; nobody was called)"
    shown = Table(title=title)
    shown.add_column("Mode")
    for name in (
        *("Calls/h", "Attempts/h", "Talk %", "Agent waits s", "Customer waits s", "Abandoned %"),
        *("List lasts h", "Runs"),
    ):
        shown.add_column(name, justify="right")
    for row in rows:
        way = _way(row, agents, contacts)
        lasts = way["list_lasts_hours"]
        shown.add_row(
            row.policy,
            *(f"{way['calls_per_hour']:,.0f}", f"{way['attempts_per_hour']:,.0f}"),
            row.of("utilisation").text(),
            row.of("agent_wait").text(),
            f"{way['customer_wait_s']:.2f}",
            f"{way['abandoned_percent']:.2f}",
            "-" if lasts is None else f"{lasts:g}",
            str(len(row.runs)),
        )
    return shown
