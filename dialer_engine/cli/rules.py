"""`dialer rules show|check|diff|next|stop|resume|stops`: the calling rules as they are, were and will be."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from dialer_engine.cli.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    carry_out,
    fail,
    not_blank,
    read_config,
)
from dialer_engine.cli.database import database, who
from dialer_engine.cli.rules_text import changes, described, difference_lines, upcoming_lines
from dialer_engine.cli.terminal import say, say_json
from dialer_engine.engine.clock import utc_now
from dialer_engine.settings.load import ENGINE_FILE, Config
from dialer_engine.settings.own_rules import OWN_RULES
from dialer_engine.settings.rules import (
    RulesError,
    RuleSet,
    load_rule_set,
    own_rules_file,
    rules_directory,
)
from dialer_engine.store import stops

RegionArgument = Annotated[str | None, typer.Argument(help="A region such as US-FL, CA-ON, US or CA.")]
StopArgument = Annotated[
    str, typer.Argument(help="A region such as US-LA or Louisiana; US or Canada for all of it.")
]
ReasonOption = Annotated[str, typer.Option("--reason", callback=not_blank, help="Why; kept for ever.")]
DayOption = Annotated[str | None, typer.Option("--at", help="On this local date; default today.")]
PlaceArgument = Annotated[
    Path | None, typer.Argument(help="A directory of rules or a configuration; default this configuration.")
]
ExemptOption = Annotated[
    bool, typer.Option("--except-consent", help="Go on calling people with a consent or relationship.")
]

_OF_CONFIGURATION = (ENGINE_FILE, OWN_RULES, "rules")


def show(
    region: RegionArgument = None,
    at: DayOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Show the rules in force on a date, of one region or of all, with source and confidence."""
    rules, day = _rules_of(config), _day(at)
    known = sorted(rules.book.regions)
    if region is not None and region.upper() not in known:
        raise fail(f"no rule for {region!r}; regions are: {', '.join(known)}")
    found = [described(rules.book, each, day) for each in known if region is None or region.upper() == each]
    if as_json:
        document = {"date": day.isoformat(), "version": rules.book.version, "regions": found}
        say_json(document)
        return
    say(f"rules in force on {day.isoformat()}, version {rules.book.version}")
    for entry in found:
        say("")
        say(f"{entry['region']}  {entry['name']}")
        for name, value in entry["rules"].items():
            say(f"  {name:<18} {value}")
    for each in rules.book.loosened:
        say("")
        say(f"loosened: {each.region}: {each.what}; by {each.who}: {each.reason}")


def check(place: PlaceArgument = None, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Check all rule files; every error with file and line, exit code 1 when there is one."""
    rules = _rules_of(place or config)
    rows = sum(text.count("\n") for text in rules.texts.values())
    say(f"{len(rules.files)} files, about {rows} lines: no errors")
    say(f"version {rules.book.version}")
    say(_review(rules))
    for each in rules.book.loosened:
        say(f"warning: {each.region} is loosened ({each.what}) by {each.who}: {each.reason}")


def _review(rules: RuleSet) -> str:
    tables = (rules.book.regions, rules.book.automated, rules.book.devices, rules.book.terms)
    rows = [row for table in tables for dated in table.values() for row in dated]
    open_ = [row for row in rows if row.confidence != "high" and not row.reviewed_by]
    return f"{len(open_)} of {len(rows)} rows are of low or medium confidence and nobody has reviewed them"


def diff(
    old: Annotated[Path | None, typer.Argument(help="Rules to compare with; default the shipped.")] = None,
    new: PlaceArgument = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Show what differs between two sets of rules: the shipped ones and yours, or two directories."""
    before = _rules_of(old) if old is not None else _load(rules_directory(Path("/nonexistent")), None)
    after = _rules_of(new or config)
    found = changes(before, after)
    if as_json:
        say_json(found)
        return
    for line in difference_lines(found):
        say(line)
    say(f"{len(found)} differences" if found else "no differences")


def next_(at: DayOption = None, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show what changes next: rows that begin or end, holidays ahead, and announced or possible laws."""
    rules, day = _rules_of(config), _day(at)
    lines = list(upcoming_lines(rules, day))
    if as_json:
        say_json([{"when": when, "what": what} for when, what in lines])
        return
    for when, what in lines:
        say(f"{when:<12} {what}")


# --- emergency stops ------------------------------------------------------------------------------


def stop(
    region: StopArgument,
    reason: ReasonOption,
    except_consent: ExemptOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Stop all calls into a region at once, in every engine; calls that ring are cancelled."""
    loaded = read_config(config)
    name = _known_region(loaded, region)
    if not carry_out(_stop(loaded, name, reason, except_consent)):
        raise fail(f"calls to {_typed(name)} are stopped already; see: dialer rules stops")
    say(f"no more calls to {_typed(name)} until: dialer rules resume {_typed(name)} --reason ...")


def resume(region: StopArgument, reason: ReasonOption, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """End the stop of a region."""
    loaded = read_config(config)
    name = _known_region(loaded, region)
    if not carry_out(_resume(loaded, name, reason)):
        raise fail(f"calls to {_typed(name)} are not stopped; see: dialer rules stops")
    say(f"{_typed(name)} may be called again, as far as this stop goes")


def stops_(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List emergency stops, those in force and those that ended."""
    found = carry_out(_stops(read_config(config)))
    if as_json:
        say_json([asdict(each) for each in found])
        return
    for each in found:
        until = "in force" if each.ended_at is None else f"ended {each.ended_at:%Y-%m-%d %H:%M} UTC"
        say(f"{_typed(each.region):<6} since {each.since:%Y-%m-%d %H:%M} UTC, {until}: {each.reason}")
    if not found:
        say("no region was ever stopped")


async def _stop(config: Config, region: str, reason: str, exempts: bool) -> bool:
    async with database(config) as conn:
        return await stops.stop(conn, region, reason, utc_now(), who=who(), exempts_consent=exempts)


async def _resume(config: Config, region: str, reason: str) -> bool:
    async with database(config) as conn:
        return await stops.resume(conn, region, reason, utc_now(), who=who())


async def _stops(config: Config) -> list[stops.StopRecord]:
    async with database(config) as conn:
        return await stops.history(conn)


def _known_region(config: Config, text: str) -> str:
    """Return the region of a code or a name; the code CA alone is refused, a mistake there would be grave."""
    rules = config.rules.regions
    code = text.strip().upper()
    meant = [each for each in (code, f"US-{code}", f"CA-{code}") if each in rules]
    meant += [each for each, rows in rules.items() if code in {row.name.upper() for row in rows}]
    if len(meant) == 1:
        return meant[0]
    if meant:
        places = " or ".join(f"{_typed(each)} for {rules[each][0].name}" for each in meant)
        raise fail(f"{text!r} can mean two places and nothing was changed; write {places}")
    raise fail(f"no region {text!r}; regions are: {', '.join(sorted(map(_typed, rules)))}")


def _typed(region: str) -> str:
    """Return how to write a region so that nobody takes it for another: CA alone might be California."""
    return "Canada" if region == "CA" else region


# --- reading --------------------------------------------------------------------------------------


def _rules_of(place: Path) -> RuleSet:
    """Read a directory of rule files, or the rules of a configuration directory; a mistyped place is an error."""
    if all((place / f"{name}.csv").exists() for name in ("calling_rules", "area_codes")):
        return _load(place, own_rules_file(place.parent))
    if place != DEFAULT_CONFIG and not any((place / name).exists() for name in _OF_CONFIGURATION):
        raise fail(
            f"{place}: holds neither calling_rules.csv with area_codes.csv nor a configuration "
            f"({', '.join(_OF_CONFIGURATION)}); name a directory that does"
        )
    return _load(rules_directory(place), own_rules_file(place))


def _load(directory: Path, own: Path | None) -> RuleSet:
    try:
        return load_rule_set(directory, own)
    except RulesError as error:
        raise fail(str(error)) from error


def _day(text: str | None) -> date:
    if text is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a date such as 2026-12-24") from error


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(
        no_args_is_help=True, help="The calling rules: show, check, diff, next, stop, resume."
    )
    commands: dict[str, Any] = {
        "show": show,
        "check": check,
        "diff": diff,
        "next": next_,
        "stop": stop,
        "resume": resume,
        "stops": stops_,
    }
    for name, command in commands.items():
        group.command(name)(command)
    app.add_typer(group, name="rules")
