"""`dialer report`: what each campaign, day and agent came to; `dialer report pacing` has a module of its own."""

from dataclasses import asdict
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any

import typer
from rich.table import Table

from dialer_engine.cli import report_pacing
from dialer_engine.cli.cdr import CampaignOption, FromOption, ToOption
from dialer_engine.cli.common import DEFAULT_CONFIG, ConfigOption, JsonOption, carry_out, read_config
from dialer_engine.cli.database import check_names, database, moment
from dialer_engine.cli.terminal import new_console, say_json
from dialer_engine.engine.clock import utc_now
from dialer_engine.settings.load import Config
from dialer_engine.store.report import AgentDay, CampaignDay, agent_days, campaign_days

DEFAULT_DAYS = 7
"""Whole days (UTC) before the present one."""
AgentsOption = Annotated[bool, typer.Option("--agents/--no-agents", help="With the agents' table.")]


def report(
    context: typer.Context,
    start: FromOption = None,
    end: ToOption = None,
    campaign: CampaignOption = None,
    agents: AgentsOption = True,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Report per campaign and day (UTC): calls, abandonment, waiting for an agent; and per agent.

    Without --from it begins seven days ago, at 00:00 UTC.
    """
    if context.invoked_subcommand is not None:
        return
    now = utc_now()
    first = datetime.combine(now.date() - timedelta(days=DEFAULT_DAYS), time(), UTC)
    span = (moment(start, first), moment(end, now, end=True))
    days, people = carry_out(_read(read_config(config), *span, campaign))
    if as_json:
        document = {"campaigns": [as_plain(d) for d in days], "agents": [as_plain(p) for p in people]}
        say_json(document, indent=2)
        return
    console = new_console()
    console.print(campaign_table(days) if days else "no calls in this time")
    if agents and people:
        console.print(agent_table(people))


async def _read(
    config: Config, start: Any, end: Any, campaign: str | None
) -> tuple[list[CampaignDay], list[AgentDay]]:
    async with database(config) as conn:
        await check_names(conn, config, campaign=campaign)
        return (
            await campaign_days(conn, start, end, campaign),
            await agent_days(conn, start, end, utc_now(), campaign),
        )


def as_plain(row: CampaignDay | AgentDay) -> dict[str, Any]:
    """Return a row's fields and what is computed from them."""
    computed: dict[str, Any] = (
        {"abandoned_share": row.abandoned_share, "over_2s_share": row.over_2s_share}
        if isinstance(row, CampaignDay)
        else {"calls_per_hour": row.calls_per_hour}
    )
    return asdict(row) | computed


def campaign_table(days: list[CampaignDay]) -> Table:
    """Lay the campaigns' days out as a table."""
    table = Table(
        title="Campaigns (days in UTC; live and abandoned as the law counts; waits from answer to agent)"
    )
    for name in ("Day", "Campaign"):
        table.add_column(name)
    for name in (
        *(
            "Attempts",
            "Answered",
            "Bridged",
            "Live",
            "Abandoned",
            "Rate",
            "p50 ms",
            "p95 ms",
            "p99 ms",
            "> 2 s",
        ),
        "Talk h",
    ):
        table.add_column(name, justify="right")
    for d in days:
        waits = (d.wait_p50_ms, d.wait_p95_ms, d.wait_p99_ms)
        table.add_row(
            *(
                str(d.day),
                d.campaign,
                f"{d.attempts:,}",
                f"{d.answered:,}",
                f"{d.bridged:,}",
                f"{d.live:,}",
                f"{d.abandoned:,}",
            ),
            f"{d.abandoned_share:.1%}",
            *("-" if wait is None else f"{wait:.0f}" for wait in waits),
            f"{d.over_2s_share:.1%}",
            f"{d.talk_ms / 3_600_000:.2f}",
        )
    return table


def agent_table(people: list[AgentDay]) -> Table:
    """Lay the agents' days out as a table."""
    table = Table(title="Agents (minutes)")
    for name in ("Day", "Campaign", "Agent"):
        table.add_column(name)
    for name in ("Calls", "Calls/h", "Talk", "Wrap", "Wait", "Paused"):
        table.add_column(name, justify="right")
    for p in people:
        spans = (p.talk_s, p.wrap_s, p.wait_s, p.paused_s)
        minutes = (f"{seconds / 60:.1f}" for seconds in spans)
        table.add_row(str(p.day), p.campaign, p.agent, f"{p.calls:,}", f"{p.calls_per_hour:.1f}", *minutes)
    return table


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer()
    group.callback(invoke_without_command=True)(report)
    group.command("pacing")(report_pacing.pacing)
    app.add_typer(group, name="report")
