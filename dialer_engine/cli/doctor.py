"""`dialer doctor`: look at everything a dialer needs and say what is wrong and what to do."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import typer

from dialer_engine.cli.common import DEFAULT_CONFIG, ConfigOption, JsonOption, engine, print_json
from dialer_engine.cli.database import database_left_alone
from dialer_engine.cli.doctor_names import names
from dialer_engine.cli.doctor_nodes import lent, nodes, restart_words
from dialer_engine.cli.doctor_registries import registries
from dialer_engine.cli.finding import CRITICAL, OK, WARNING, Finding
from dialer_engine.cli.status import overload_in_words
from dialer_engine.cli.terminal import say
from dialer_engine.engine.control_client import EngineNotRunning, EngineRefused
from dialer_engine.engine.lock import home_lock
from dialer_engine.engine.node_link import node_config
from dialer_engine.pbx.bundle import MINIMUM_VERSION, find_bundle
from dialer_engine.pbx.process import host_name_problem, running_pid
from dialer_engine.pbx.reloads import outdated
from dialer_engine.pbx.render import AgentAccount, unusable
from dialer_engine.settings.home import HomeError, home, service_user, unreachable
from dialer_engine.settings.load import SettingsError, load_config
from dialer_engine.settings.rules import load_zones
from dialer_engine.store.directory import list_agents
from dialer_engine.store.errors import StoreError
from dialer_engine.store.held import held_directory, held_records, rejected_file
from dialer_engine.store.journal import unreadable_files
from dialer_engine.store.migrate import pending
from dialer_engine.store.sql import sql

__all__ = ["CRITICAL", "OK", "WARNING", "Finding"]

EXIT = {OK: 0, WARNING: 1, CRITICAL: 2}
LEAST_FREE = 2 * 1024**3
EVENTFUL_TZDATA = (2026, 6)
DECEMBER = datetime(2026, 12, 8, 18, tzinfo=UTC)
OFFSETS = {
    "America/Vancouver": -7,
    "America/Edmonton": -6,
    "America/Winnipeg": -5,
    "America/Inuvik": -6,
}
"""Hours from UTC in December 2026, of the provinces that stopped changing clocks that year."""

TZDATA_REMEDY = (
    "Canada is not dialed with older zone data: start through ./dialer, which installs the pinned one"
)


Check = Callable[[Path], Awaitable[Finding]]


async def _configuration(config: Path) -> Finding:
    try:
        loaded = load_config(config)
    except SettingsError as error:
        return Finding("configuration", CRITICAL, str(error))
    warnings = "; ".join(one.text() for one in loaded.warnings)
    return Finding(
        "configuration", WARNING if warnings else OK, warnings or f"{len(loaded.campaigns)} campaigns"
    )


async def _home(config: Path) -> Finding:
    try:
        barrier = unreachable(home(), service_user()) if home().exists() else None
    except HomeError as error:
        return Finding("home", CRITICAL, str(error))
    if barrier is not None:
        words = f"{service_user().name!r} may not enter {barrier}; set DIALER_HOME to another place"
        return Finding("home", CRITICAL, words)
    return Finding("home", OK, f"{home()}, services run as {service_user().name}")


async def _disk(config: Path) -> Finding:
    place = home() if home().exists() else Path("/")
    free = shutil.disk_usage(place).free
    words = f"{free / 1024**3:.1f} GiB free at {place}"
    if free < LEAST_FREE:
        return Finding("disk", CRITICAL, f"{words}; records need room: at least 2 GiB")
    return Finding("disk", OK, words)


async def _host_name(config: Path) -> Finding:
    problem = host_name_problem()
    return Finding("host name", CRITICAL if problem else OK, problem or socket.gethostname())


async def _zones(config: Path) -> Finding:
    found = version("tzdata")
    year, release = (int(part) for part in found.split(".")[:2])
    if (year, release) < EVENTFUL_TZDATA:
        return Finding("zone data", CRITICAL, f"tzdata {found}; {TZDATA_REMEDY}")
    wrong = _wrong_offsets()
    if wrong:
        words = f"tzdata {found} has the wrong winter time for {', '.join(wrong)}; {TZDATA_REMEDY}"
        return Finding("zone data", CRITICAL, words)
    return Finding("zone data", OK, f"tzdata {found}, December 2026 offsets are right")


def _wrong_offsets() -> list[str]:
    """Name the zones whose offset in December 2026 is not what the law of 2026 made it."""
    zones = load_zones()
    found = {zone: DECEMBER.astimezone(zones[zone]).utcoffset() for zone in OFFSETS if zone in zones}
    return [zone for zone, hours in OFFSETS.items() if found.get(zone) != timedelta(hours=hours)]


async def _rules(config: Path) -> Finding:
    try:
        rules = load_config(config).rules
    except SettingsError:
        return Finding("calling rules", WARNING, "not looked at: the configuration has errors")
    this_year = datetime.now(UTC).year
    if this_year not in rules.holiday_years:
        words = f"no holidays are listed for {this_year}: regions that forbid them are not called"
        return Finding("calling rules", CRITICAL, words)
    tables = (rules.regions, rules.automated, rules.devices, rules.terms)
    rows = [row for table in tables for dated in table.values() for row in dated]
    unsure = sum(row.confidence != "high" and not row.reviewed_by for row in rows)
    words = f"{unsure} of {len(rows)} rows are not certain and not reviewed; see: dialer rules show"
    if rules.loosened:
        places = ", ".join(sorted({each.region for each in rules.loosened}))
        return Finding(
            "calling rules", WARNING, f"your own rules permit more than the shipped: {places}; {words}"
        )
    return Finding("calling rules", OK, words)


async def _asterisk(config: Path) -> Finding:
    bundle = find_bundle(home())
    if bundle is None:
        return Finding(
            "asterisk", WARNING, "not installed yet; the first 'dialer run' or 'dialer demo' does it"
        )
    found = bundle.version
    if tuple(int(part) for part in found.split(".")[:3]) < MINIMUM_VERSION:
        least = ".".join(map(str, MINIMUM_VERSION))
        return Finding("asterisk", CRITICAL, f"{found} is older than {least}, which closes security holes")
    if late := _late(config):
        return Finding("asterisk", WARNING, restart_words(late, "dialer stop --all"))
    return Finding("asterisk", OK, f"{found} at {bundle.root}")


def _late(config: Path) -> set[str]:
    """What the bundled Asterisk, when it runs, only takes up at its next start."""
    try:
        asterisk = load_config(config).settings.asterisk
        place = node_config(asterisk.node, home(), service_user())
    except (SettingsError, HomeError):
        return set()
    return outdated(place) if asterisk.managed and running_pid(place) is not None else set()


async def _database(config: Path) -> Finding:
    try:
        loaded = load_config(config)
        async with database_left_alone(loaded) as conn:
            missing = await pending(conn)
            server = await conn.fetchval(sql("server_version"))
            alters = not missing and await conn.fetchval(sql("login_may_alter_records"))
    except SettingsError:
        return Finding("database", WARNING, "not looked at: the configuration has errors")
    except StoreError as error:
        return Finding("database", CRITICAL, str(error))
    if missing:
        return Finding(
            "database", WARNING, f"{len(missing)} migrations are missing; 'dialer run' applies them"
        )
    database = loaded.settings.database
    if database.url and not database.engine_url and alters:
        words = (
            "this machine only puts down the owner's rights, set database.engine_url to a login without them"
        )
        return Finding("database", WARNING, f"PostgreSQL {server}; {words}")
    return Finding("database", OK, f"PostgreSQL {server}")


async def _agents(config: Path) -> Finding:
    """Accounts that Asterisk's configuration leaves out."""
    try:
        async with database_left_alone(load_config(config)) as conn:
            rows = await list_agents(conn) if not await pending(conn) else []
    except (SettingsError, StoreError) as error:
        return Finding("agents", WARNING, f"not looked at: {str(error).splitlines()[0]}")
    bad = [why for row in rows if (why := unusable(AgentAccount(row.name, row.password))) is not None]
    if bad:
        remedy = "remove them (dialer agent remove) and add them anew"
        return Finding("agents", CRITICAL, f"these cannot register: {'; '.join(bad)}: {remedy}")
    return Finding("agents", OK, f"{len(rows)} accounts")


async def _engine(config: Path) -> Finding:
    try:
        status = await engine(config).status()
    except (EngineNotRunning, EngineRefused) as error:
        return Finding("engine", CRITICAL, str(error))
    found, nodes = status["engine"], status["nodes"]
    if found["state"] == "standby":
        return Finding("engine", OK, found["why_not"])
    if found["why_not"]:
        return Finding("engine", CRITICAL, found["why_not"])
    away = [node["name"] for node in nodes if not node["up"]]
    if away:
        return Finding("engine", CRITICAL, f"no calls leave from node {', '.join(away)}: it is not connected")
    deaf = [node["name"] for node in nodes if not node["ami"]]
    if deaf:
        words = f"AMI is not connected at node {', '.join(deaf)}: states of phones and trunks are stale"
        return Finding("engine", WARNING, words)
    return Finding("engine", OK, f"pid {found['pid']}, dialing is possible")


async def _trunks(config: Path) -> Finding:
    try:
        trunks = (await engine(config).status())["trunks"]
    except (EngineNotRunning, EngineRefused):
        return Finding("trunks", WARNING, "not looked at: no engine is running")
    return trunks_found(trunks)


def trunks_found(trunks: list[dict[str, Any]]) -> Finding:
    """Return how the trunks of an engine's status are: critical when there is one that no node can use."""
    down = [one["name"] for one in trunks if one["reachable"] is False or one["registered"] is False]
    if down:
        return Finding("trunks", CRITICAL, f"not reachable or not registered: {', '.join(down)}")
    seen = [(one["name"], node, reach) for one in trunks for node, reach in one.get("nodes", {}).items()]
    partly = [
        f"{name} from {node}"
        for name, node, reach in seen
        if False in (reach["reachable"], reach["registered"])
    ]
    lacking = [(name, node) for name, node, reach in seen if reach.get("known") is False]
    words = [f"not reachable or not registered: {', '.join(partly)}"] if partly else []
    if lacking:
        where = ", ".join(f"{name} at {node}" for name, node in lacking)
        words.append(
            f"no channel from Asterisk: {where}: is it in that node's own settings, and were they reloaded?"
        )
    if words:
        nowhere = {name for name, _ in lacking} - {
            name for name, node, _ in seen if (name, node) not in lacking
        }
        return Finding("trunks", CRITICAL if nowhere else WARNING, "; ".join(words))
    return Finding("trunks", OK, ", ".join(one["name"] for one in trunks) or "none")


async def _load(config: Path) -> Finding:
    try:
        overload = (await engine(config).status())["engine"]["overload"]
    except (EngineNotRunning, EngineRefused):
        return Finding("load", WARNING, "not looked at: no engine is running")
    if overload is None:
        return Finding("load", OK, "a standby has none")
    words = overload_in_words(overload)
    if overload["level"] == "full":
        before = f"; braked {overload['times']} time(s) since the start" if overload["times"] else ""
        return Finding("load", OK, f"{words}{before}")
    remedy = "fewer calls a second, or a machine with more CPUs (docs/operations.md, Overload)"
    return Finding("load", WARNING, f"{words}; {remedy}")


async def _journals(config: Path) -> Finding:
    """What waits on the disk, and what nobody could take in."""
    bad = [
        path for place in sorted(home().glob("nodes/*/journal/optout")) for path in unreadable_files(place)
    ]
    if bad:
        named = ", ".join(map(str, bad))
        remedy = "read them, suppress their numbers with 'dialer dnc add', then remove them"
        return Finding("journals", CRITICAL, f"opt-outs that cannot be read: {named}; {remedy}")
    held, refused = held_directory(home()), rejected_file(home())
    if count := held_records(held):
        words = (
            f"{count} records in {held}; they are written when database and engine are back: leave them there"
        )
        return Finding("journals", WARNING, words)
    if refused.exists():
        return Finding(
            "journals", WARNING, f"records that the database refused, each with the reason: {refused}"
        )
    return Finding("journals", OK, "nothing waits on the disk")


CHECKS: tuple[Check, ...] = (
    _configuration,
    _home,
    _disk,
    _host_name,
    _zones,
    _rules,
    _asterisk,
    _database,
    registries,
    names,
    _agents,
    _engine,
    _trunks,
    _load,
    _journals,
)

NODE_CHECKS: tuple[Check, ...] = (
    _configuration,
    _home,
    _disk,
    _host_name,
    _asterisk,
    _database,
    _agents,
    lent,
    _journals,
)
"""On a machine that only lends its Asterisk."""


def doctor(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Look at everything; exit status 0 all well, 1 warnings, 2 something critical."""
    findings = asyncio.run(_all(config))
    if json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            say(f"{finding.state:9} {finding.what:14} {finding.words}")
    raise typer.Exit(max(EXIT[finding.state] for finding in findings))


async def _all(config: Path) -> list[Finding]:
    held = home_lock(home()).holder()
    if held is not None and held.kind == "node":
        return [await check(config) for check in NODE_CHECKS]
    return [await check(config) for check in CHECKS] + await nodes(config)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("doctor", help="Look at everything the dialer needs and say what is wrong.")(doctor)
