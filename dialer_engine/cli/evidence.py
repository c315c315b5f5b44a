"""`dialer evidence` writes what can be proved about calls; `dialer evidence verify` checks such a pack."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from dialer_engine.cli.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    carry_out,
    fail,
    print_json,
    read_config,
)
from dialer_engine.cli.database import database, moment, who
from dialer_engine.cli.numbers import number_given
from dialer_engine.cli.terminal import say
from dialer_engine.engine.clock import utc_now
from dialer_engine.settings.home import home
from dialer_engine.settings.load import Config
from dialer_engine.store.directory import campaign_id_of
from dialer_engine.store.evidence import Asked, Pack, write_pack
from dialer_engine.store.evidence_verify import Verified, verify, verify_with_database

FIRST = datetime(1970, 1, 1, tzinfo=UTC)

NumberOption = Annotated[str | None, typer.Option("--number", "-n", help="All calls to this number.")]
CampaignOption = Annotated[str | None, typer.Option("--campaign", help="All calls of this campaign.")]
FromOption = Annotated[str | None, typer.Option("--from", help="First day or moment (UTC).")]
ToOption = Annotated[str | None, typer.Option("--to", help="Last day, or moment (UTC).")]
OutOption = Annotated[Path | None, typer.Option("--out", "-o", help="New directory for the pack.")]

group = typer.Typer(help="Prove what was called, when, by which rules and lists.")


@group.callback(invoke_without_command=True)
def write(
    context: typer.Context,
    number: NumberOption = None,
    campaign: CampaignOption = None,
    start: FromOption = None,
    end: ToOption = None,
    out: OutOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Write a pack: attempts, verdicts, list versions, consents, abandonment ledger, prompts, and a page."""
    if context.invoked_subcommand is not None:
        return
    if (number is None) == (campaign is None):
        raise fail("name a number (--number) or a campaign (--campaign)")
    e164 = number_given(number) if number else None
    now = utc_now()
    span = (moment(start, FIRST), moment(end, now, end=True))
    target = out or Path(f"evidence-{campaign or (e164 or '')[1:]}-{now:%Y%m%dT%H%M%SZ}")
    pack = carry_out(_write(read_config(config), e164, campaign, span, target.absolute()))
    if as_json:
        print_json({"directory": pack.directory, "sections": pack.sections, "seal": pack.seal})
        return
    say(f"{pack.directory}: {pack.sections['attempts']} attempts, {sum(pack.sections.values())} records")
    say(f"read {pack.directory / 'index.html'}; seal {pack.seal}")


def check(
    directory: Annotated[Path, typer.Argument(help="The pack's directory.")],
    with_database: Annotated[
        bool, typer.Option("--database", help="Compare its seal with the one this database remembers.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Tell whether anything in a pack was changed since it was sealed; status 1 when something was."""
    verified = verify(directory)
    problems = list(verified.problems)
    if with_database and verified.seal:
        unknown = carry_out(_remembered(read_config(config), verified))
        problems += [unknown] if unknown else []
    if as_json:
        print_json(
            {"ok": not problems, "problems": problems, "seal": verified.seal, "records": verified.records}
        )
    else:
        for problem in problems:
            say(problem, err=True)
        if not problems:
            say(f"nothing was changed: {verified.records} records, seal {verified.seal}")
    if problems:
        raise typer.Exit(1)


async def _write(
    config: Config, number: str | None, campaign: str | None, span: tuple[datetime, datetime], target: Path
) -> Pack:
    def country_of(npa: str) -> str:
        area = config.plan.areas.get(npa)
        return area.country if area is not None else "US"

    async with database(config) as conn:
        campaign_id = await campaign_id_of(conn, campaign) if campaign else None
        asked = Asked(number, campaign_id, campaign, *span)
        sounds = home() / "sounds"
        return await write_pack(
            conn, asked, target, country_of, config.rules, made_at=utc_now(), made_by=who(), sounds=sounds
        )


async def _remembered(config: Config, verified: Verified) -> str | None:
    async with database(config) as conn:
        return await verify_with_database(conn, verified)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group.command("verify")(check)
    app.add_typer(group, name="evidence")
