"""`dialer retention`: what need not be kept any longer, and with --apply its deletion."""

from collections.abc import Mapping
from typing import Annotated

import typer

from dialer_engine.cli.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    carry_out,
    print_json,
    read_config,
)
from dialer_engine.cli.database import database, who
from dialer_engine.cli.terminal import say
from dialer_engine.engine.clock import utc_now
from dialer_engine.settings.load import Config
from dialer_engine.store.retention import KEPT_FOR_GOOD, Policy, due, run

ApplyOption = Annotated[bool, typer.Option("--apply", help="Delete it; without this nothing is changed.")]

_NAMES = {
    "records": "attempts with their events, dispositions and call-detail records",
    "audit": "lines of the audit log",
    "pacing": "minutes of the pacing's history",
    "previews": "previews of contacts",
    "writers": "engines that ended, as the database remembers how far they had written",
    "leads": "contacts who were never called",
    "links": "numbers of rows that made several contacts one person, and do so no more",
}


def retention(
    apply: ApplyOption = False, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False
) -> None:
    """Show what is older than the retention settings, or delete it; never below what the law wants kept."""
    settings = read_config(config)
    policy = Policy(settings.settings.retention.record_years, settings.settings.retention.lead_months)
    counts = carry_out(_carry_out(settings, policy, apply))
    if as_json:
        print_json({"applied": apply, "counts": counts, "record_years": policy.record_years})
        return
    for name, count in counts.items():
        say(f"{'deleted' if apply else 'could be deleted'}: {count:,} {_NAMES[name]}")
    if policy.lead_months is None:
        say("contacts who were never called are kept; see retention.lead_months")
    for kept in KEPT_FOR_GOOD:
        say(f"never deleted: {kept}")
    if not apply and any(counts.values()):
        say("nothing was changed; delete with: dialer retention --apply")


async def _carry_out(config: Config, policy: Policy, apply: bool) -> Mapping[str, int]:
    async with database(config) as conn:
        return await run(conn, policy, utc_now(), who=who()) if apply else await due(conn, policy, utc_now())


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("retention")(retention)
