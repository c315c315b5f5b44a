"""`dialer plan CAMPAIGN`: what would be dialed now, what would wait, and what is blocked.

With `--agents N` the coming hours are forecast too; that is in `plan_forecast`.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from dialer_engine.cli import plan_forecast
from dialer_engine.cli.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    carry_out,
    fail,
    print_json,
    read_config,
)
from dialer_engine.cli.database import database_as_it_is
from dialer_engine.cli.terminal import new_console, say
from dialer_engine.cli.why import gate_clock
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.plan import gate_context, limits_of
from dialer_engine.settings.load import Config
from dialer_engine.store.directory import known_ids
from dialer_engine.store.measured import measured, measured_looks
from dialer_engine.store.plan import Question, Survey, survey
from dialer_engine.store.stops import in_force

SAMPLE = 20_000
INTERRUPTED = 130

NameArgument = Annotated[str, typer.Argument(help="The campaign's name: its file without .yaml.")]
SampleOption = Annotated[int, typer.Option("--sample", min=100, help="Ask about so many contacts at most.")]
PaceOption = Annotated[
    float | None,
    typer.Option("--per-hour", min=0.1, help="Attempts per hour; default as in the last 7 days."),
]
AgentsOption = Annotated[
    int | None,
    typer.Option("--agents", min=1, max=200, help="Forecast the coming hours with so many agents."),
]
HoursOption = Annotated[
    float, typer.Option("--hours", min=0.25, max=8, help="With --agents: hours to simulate.")
]


LookOption = Annotated[
    float | None,
    typer.Option(
        "--look",
        min=0,
        max=600,
        help="With --agents, mode preview: mean seconds an agent looks at a contact; default as in the last 30 days.",
    ),
]


def plan(
    campaign: NameArgument,
    agents: AgentsOption = None,
    hours: HoursOption = 2.0,
    look: LookOption = None,
    sample: SampleOption = SAMPLE,
    per_hour: PaceOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Say before starting what can be dialed now, what waits for what, which list blocks what, and what to expect."""
    read = read_config(config)
    if campaign not in read.campaigns:
        known = ", ".join(sorted(read.campaigns)) or "none"
        raise fail(f"no campaign {campaign!r} in {read.directory}; campaigns are: {known}")
    mode = read.campaigns[campaign].mode
    if look is not None and (agents is None or mode != plan_forecast.PREVIEW):
        why = "needs --agents" if agents is None else f"is for mode preview; {campaign} dials in mode {mode}"
        raise fail(f"--look {why}")
    now = asyncio.run(gate_clock(read.settings))
    found, seen = carry_out(_survey(read, campaign, now, sample))
    if per_hour is not None:
        found.attempts_per_hour = per_hour
    if not as_json:
        for line in lines(campaign, found, now):
            say(line)
    elif agents is None:
        print_json(document(campaign, found, now))
    if agents is not None:
        size = plan_forecast.Size(agents, hours, look)
        _forecast(read, campaign, size, found, seen, now if as_json else None)


def _forecast(
    config: Config,
    name: str,
    size: plan_forecast.Size,
    found: Survey,
    seen: plan_forecast.Seen,
    as_json_at: datetime | None,
) -> None:
    """Simulate and print; for programs together with the survey of that moment."""
    asked = plan_forecast.question(config, config.campaigns[name], size, seen)
    if as_json_at is None:
        for line in plan_forecast.basis(asked, seen, size.look_s):
            say(line)
    rows, ended = plan_forecast.simulate(asked)
    contacts = callable_contacts(found)
    if as_json_at is not None:
        told = plan_forecast.document(asked, seen, rows, contacts) | {"complete": ended}
        print_json(document(name, found, as_json_at) | {"forecast": told})
    elif rows:
        new_console().print(plan_forecast.table(asked, rows, contacts))
    if not ended:
        say("interrupted; the forecast is from the runs that had ended", err=True)
        raise typer.Exit(INTERRUPTED)


async def _survey(config: Config, name: str, now: datetime, sample: int) -> tuple[Survey, plan_forecast.Seen]:
    campaign = config.campaigns[name]
    async with database_as_it_is(config) as conn:
        ids = await known_ids(conn, name, campaign)
        stops = await in_force(conn)
        context = gate_context(config, campaign, limits_of(campaign), now, stops)
        found = await survey(
            conn, Question(ids.campaign_id, ids.member_id, ids.list_ids, now, context), sample, utc_now()
        )
        since = utc_now() - plan_forecast.MEASURED_OVER
        calls, sent = await measured(conn, ids.campaign_id, since, float(campaign.ring_seconds))
        return found, plan_forecast.Seen(calls, sent, await measured_looks(conn, ids.campaign_id, since))


def document(campaign: str, found: Survey, now: datetime) -> dict[str, Any]:
    """Return the answer for programs; counts are of the whole list."""
    return {
        "campaign": campaign,
        "clock": now.isoformat(),
        "open": found.open,
        "under_way": found.live,
        "done": found.done,
        "asked": found.asked,
        "error_points": round(found.error, 2),
        "now": found.scaled(found.now),
        "waiting": {rule: found.scaled(n) for rule, n in found.waiting.most_common()},
        "opens": {at.isoformat(): found.scaled(n) for at, n in sorted(found.opens.items())},
        "blocked": [
            {"rule": rule, "by": by, "contacts": found.scaled(n)}
            for (rule, by), n in found.blocked.most_common()
        ],
        "attempts_per_hour": found.attempts_per_hour,
        "hours_left": hours_left(found),
    }


def hours_left(found: Survey) -> float | None:
    """Return how many hours of dialing are left, one attempt per contact; None: pace not known."""
    if not found.attempts_per_hour:
        return None
    return round(callable_contacts(found) / found.attempts_per_hour, 1)


def callable_contacts(found: Survey) -> int:
    """Return how many contacts can be called now or later, as things are."""
    return found.scaled(found.now) + found.scaled(found.waiting.total())


def lines(campaign: str, found: Survey, now: datetime) -> list[str]:
    """Return the answer for people."""
    said = [
        f"campaign {campaign} at {now:%Y-%m-%d %H:%M} UTC: {found.open:,} contacts open, "
        f"{found.live:,} under way, {found.done:,} done"
    ]
    if found.error:
        said.append(f"estimated from {found.asked:,} contacts, each share within {found.error:.1f} points")
    said.append(f"  {found.scaled(found.now):>12,}  can be dialed now")
    said += [f"  {found.scaled(n):>12,}  wait: {rule}" for rule, n in found.waiting.most_common()]
    said += [
        f"  {found.scaled(n):>12,}  blocked: {rule}, {by}" for (rule, by), n in found.blocked.most_common()
    ]
    said += _openings(found, now)
    hours = hours_left(found)
    if hours is not None:
        said.append(
            f"the list holds {hours:g} hours of dialing at {found.attempts_per_hour:,.0f} attempts per hour"
        )
    elif found.open:
        said.append("hours of list left: not known before the first calls; say --per-hour")
    return said


def _openings(found: Survey, now: datetime) -> list[str]:
    """Return one line per hour in which waiting contacts open, in the time zone of this machine."""
    if not found.opens and not found.unknown_opening:
        return []
    said = ["waiting contacts open:"]
    soon = {at: n for at, n in sorted(found.opens.items()) if at < now + timedelta(hours=48)}
    for at, n in soon.items():
        local = at.astimezone()
        said.append(f"  {found.scaled(n):>12,}  {local:%a %Y-%m-%d %H}h {local:%Z}")
    later = found.opens.total() - sum(soon.values())
    if later:
        said.append(f"  {found.scaled(later):>12,}  later")
    if found.unknown_opening:
        said.append(f"  {found.scaled(found.unknown_opening):>12,}  when something changes")
    return said


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("plan")(plan)
