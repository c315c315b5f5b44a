"""`dialer why NUMBER`: may this number be called now, which rule says so, and when will it be possible?

The rules, the clock and the facts are those of the engine. Without a database the rules that need none are
still answered; the others count as refused, because the engine would refuse as well.
"""

import asyncio
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from dialer_engine.cli.database import database_left_alone
from dialer_engine.cli.terminal import say, say_json, say_text
from dialer_engine.cli.why_text import answer_lines, as_json
from dialer_engine.core.gate import Decision, Facts, Limits, Outcome, Verdict, evaluate
from dialer_engine.engine.clock import GateClock
from dialer_engine.engine.control_client import ControlClient, EngineNotRunning, EngineRefused
from dialer_engine.engine.plan import gate_context, limits_of
from dialer_engine.settings.home import HomeError, home
from dialer_engine.settings.load import DEFAULT_DIRECTORY, Config, SettingsError, load_config
from dialer_engine.settings.models import Settings
from dialer_engine.store.candidates import NOT_LISTED, WHY_NOT_LISTED
from dialer_engine.store.errors import StoreError
from dialer_engine.store.facts import NumberInCampaign, facts_for, facts_off_list

_NO_CAMPAIGN = Limits(per_number_24h=3, per_contact_total=sys.maxsize, retry={})
"""Without a campaign only the law and the house limit count."""

NumberArgument = Annotated[str, typer.Argument(help="The number, such as +12105550100.")]
CampaignOption = Annotated[str | None, typer.Option("--campaign", help="Only as this campaign sees it.")]
ConfigOption = Annotated[Path, typer.Option("--config", help="Directory with dialer.yaml.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Write the answer as JSON.")]


@dataclass(frozen=True, slots=True)
class Question:
    """One number as one campaign sees it, and the gate's answer."""

    entry: NumberInCampaign
    decision: Decision


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything `why` found out; `database_error` says why the rules that need it were not checked."""

    number: str
    clock: datetime
    questions: tuple[Question, ...]
    database_error: str | None


def why(
    number: NumberArgument,
    campaign: CampaignOption = None,
    config: ConfigOption = DEFAULT_DIRECTORY,
    json_output: JsonOption = False,
) -> None:
    """Say whether a number may be called now, rule by rule, and when it may next be called."""
    try:
        answer = asyncio.run(find_out(number, campaign, load_config(config)))
    except (SettingsError, HomeError, LookupError) as error:
        say_text(str(error), err=True)
        raise typer.Exit(1) from error
    if json_output:
        say_json(as_json(answer))
        return
    for line in answer_lines(answer):
        say(line)


async def find_out(text: str, campaign: str | None, config: Config) -> Answer:
    """Ask the gate about a number, once per campaign that has it; LookupError for an unknown campaign."""
    if campaign is not None and campaign not in config.campaigns:
        known = ", ".join(sorted(config.campaigns)) or "none"
        raise LookupError(f"no campaign {campaign!r} in {config.directory}; campaigns are: {known}")
    number = normalised(text)
    clock = await gate_clock(config.settings)
    entries, error = await _entries(number, campaign, clock, config)
    questions = tuple(Question(entry, _decide(entry, campaign, clock, config)) for entry in entries)
    return Answer(number, clock, questions, error)


def normalised(text: str) -> str:
    """Return the number in E.164 form when it is ten digits or eleven from 1, however they are written."""
    bare = re.sub(r"[\s().-]", "", text)
    if re.fullmatch(r"[2-9]\d{9}", bare, re.ASCII):
        return f"+1{bare}"
    return f"+{bare}" if re.fullmatch(r"1[2-9]\d{9}", bare, re.ASCII) else bare


async def gate_clock(settings: Settings) -> datetime:
    """Return the running engine's gate clock, else the one an engine started now would have."""
    start = settings.lab.clock if settings.lab is not None else None
    own = GateClock.starting_at(start).now()
    client = ControlClient(settings.control.socket or home() / "run" / "control.sock", timeout_s=2.0)
    try:
        engine: Mapping[str, Any] = (await client.status()).get("engine", {})
        return datetime.fromisoformat(str(engine.get("clock"))) if engine.get("clock") else own
    except (EngineNotRunning, EngineRefused, TimeoutError, ValueError):
        return own


async def _entries(
    number: str, campaign: str | None, clock: datetime, config: Config
) -> tuple[list[NumberInCampaign], str | None]:
    try:
        return await _stored(number, campaign, clock, config), None
    except StoreError as error:
        return [NumberInCampaign(Facts(number), campaign=campaign)], str(error)


async def _stored(
    number: str, campaign: str | None, clock: datetime, config: Config
) -> list[NumberInCampaign]:
    """Return what the database knows; of a campaign that has the number on no list, what its Member would be told."""
    async with database_left_alone(config) as connection:
        found = await facts_for(connection, number, None, clock)
        if campaign is None:
            return found
        mine = [entry for entry in found if entry.campaign == campaign]
        member = config.campaigns[campaign].member
        return mine or [await facts_off_list(connection, number, member, clock)]


def _decide(entry: NumberInCampaign, campaign: str | None, clock: datetime, config: Config) -> Decision:
    name = entry.campaign or campaign
    settings = config.campaigns.get(name) if name is not None else None
    limits = limits_of(settings) if settings is not None else _NO_CAMPAIGN
    context = gate_context(config, settings, limits, clock, entry.stops)
    decision = evaluate(entry.facts, context, all_rules=True)
    return decision if entry.on_list else _not_listed(decision)


def _not_listed(decision: Decision) -> Decision:
    """Return the answer about a contact of a list that the campaign has no more; a reservation asks for that first."""
    verdict = Verdict(NOT_LISTED, Outcome.block, WHY_NOT_LISTED)
    verdicts = (verdict, *decision.verdicts)
    return replace(decision, verdicts=verdicts, allowed=False, blocking=verdict, next_allowed=None)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("why")(why)
