"""Read the dated calling rules and the number plan from `config/rules/`; a bad file is refused whole.

`calling_rules.csv` has windows and caps per region (region `*` is the federal row that bounds all others),
`automated_dialing.csv` the consents, `announcing_devices.csv` the windows of strict mode, `dialing_terms.csv`
ring time, abandonment and age of lists, `registries.csv` the lists needed, `holidays.csv` the forbidden days,
`area_codes.csv` our own table of area codes with the zones `phonenumbers` knows beside ours, `postal_zones.csv`
the zones of postal codes in regions that have several, `upcoming.csv` what may change. Over them lies the
operator's own `rules.yaml`. Zone data comes from the `tzdata` package only: the host's own copy may be years old.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib import metadata, resources
from importlib.resources.abc import Traversable
from pathlib import Path
from zoneinfo import ZoneInfo

from dialer_engine.core.gate import RuleBook
from dialer_engine.core.numbers import NumberPlan
from dialer_engine.settings.own_merge import OwnBook, put_over, read_own
from dialer_engine.settings.own_rules import OWN_RULES
from dialer_engine.settings.registries import LIST_COLUMNS, parse_lists
from dialer_engine.settings.rule_more import (
    AUTOMATED_COLUMNS,
    DEVICE_COLUMNS,
    TERMS_COLUMNS,
    UPCOMING_COLUMNS,
    Upcoming,
    automated_rule,
    device_rule,
    parse_rows,
    parse_upcoming,
    terms_rule,
)
from dialer_engine.settings.rule_rows import (
    AREA_COLUMNS,
    HOLIDAY_COLUMNS,
    POSTAL_COLUMNS,
    RULE_COLUMNS,
    Holidays,
    Regions,
    parse_areas,
    parse_holidays,
    parse_postal_zones,
    parse_regions,
)
from dialer_engine.settings.rule_table import RulesError, RulesProblem, RuleTable, read_table
from dialer_engine.settings.yaml_text import Document

__all__ = [
    "SHIPPED",
    "RuleSet",
    "RulesError",
    "RulesProblem",
    "load_rule_set",
    "load_rules",
    "load_zones",
    "own_rules_file",
    "rules_directory",
]

SHIPPED = Path(__file__).resolve().parents[2] / "config" / "rules"
"""The rule files that come with the engine."""

FILES = {
    "calling_rules": RULE_COLUMNS,
    "automated_dialing": AUTOMATED_COLUMNS,
    "announcing_devices": DEVICE_COLUMNS,
    "dialing_terms": TERMS_COLUMNS,
    "area_codes": AREA_COLUMNS,
    "postal_zones": POSTAL_COLUMNS,
    "holidays": HOLIDAY_COLUMNS,
    "registries": LIST_COLUMNS,
    "upcoming": UPCOMING_COLUMNS,
}
"""Every rule file without `.csv`, and its columns."""

_RULES = ("calling_rules", "automated_dialing", "announcing_devices", "dialing_terms", "registries")
_ZONE_FOLDERS = ("America", "Pacific", "US", "Canada")


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Everything read from one directory of rules and the operator's file; `texts` are the files by name."""

    book: RuleBook
    plan: NumberPlan
    upcoming: tuple[Upcoming, ...]
    files: tuple[Path, ...]
    texts: Mapping[str, str]


def rules_directory(config: Path) -> Path:
    """Return the configuration's own `rules/` directory, or the shipped one when it has none."""
    own = config / "rules"
    return own if own.is_dir() else SHIPPED


def own_rules_file(config: Path) -> Path | None:
    """Return the configuration's `rules.yaml`, or None when it has none."""
    own = config / OWN_RULES
    return own if own.exists() else None


def load_rules(directory: Path, own: Path | None = None) -> tuple[RuleBook, NumberPlan]:
    """Read the rules of a directory and the operator's file over them; RulesError holds every problem."""
    found = load_rule_set(directory, own)
    return found.book, found.plan


def load_rule_set(directory: Path, own: Path | None = None) -> RuleSet:
    """Read rules, number plan and announced changes; RulesError holds every problem of every file."""
    tables = {name: read_table(directory / f"{name}.csv", columns) for name, columns in FILES.items()}
    zones = load_zones()
    regions = parse_regions(tables["calling_rules"])
    known = None if tables["calling_rules"].problems else regions
    automated = parse_rows(tables["automated_dialing"], automated_rule, known)
    devices = parse_rows(tables["announcing_devices"], device_rule, known)
    terms = parse_rows(tables["dialing_terms"], terms_rule, known)
    areas = parse_areas(tables["area_codes"], known, zones)
    postal_zones = parse_postal_zones(tables["postal_zones"], known, areas, zones)
    holidays = parse_holidays(tables["holidays"], known)
    lists = parse_lists(tables["registries"])
    upcoming = parse_upcoming(tables["upcoming"], known)
    problems = [problem for table in tables.values() for problem in table.problems]
    merged = OwnBook(regions, automated, terms, frozenset(holidays))
    document = _merge_own(merged, own, problems)
    if problems:
        raise RulesError(tuple(problems))
    tzdata = metadata.version("tzdata")
    book = RuleBook(
        regions=merged.regions,
        holidays=holidays,
        holiday_years=_reviewed_years(merged.regions, holidays),
        zones=zones,
        tzdata=tzdata,
        version=_version(tables, document, tzdata),
        automated=merged.automated,
        devices=devices,
        terms=merged.terms,
        closures=merged.closures,
        loosened=tuple(merged.loosened),
        lists=lists,
    )
    texts = {table.file.name: table.text for table in tables.values()}
    if document is not None:
        texts[document.file.name] = document.raw.decode("utf-8", "replace")
    files = (*(table.file for table in tables.values()), *([own] if own else []))
    return RuleSet(book, NumberPlan(areas, postal_zones), upcoming, files, texts)


def _merge_own(book: OwnBook, own: Path | None, problems: list[RulesProblem]) -> Document | None:
    """Put the operator's rules over the book; with spoiled shipped files only their form is checked."""
    if own is None:
        return None
    document, rules, found = read_own(own)
    spoiled = bool(problems)
    problems += found
    if document is None or found or spoiled:
        return document
    put_over(book, document, rules.rules)
    problems += book.problems
    return document


def _version(tables: dict[str, RuleTable], own: Document | None, tzdata: str) -> str:
    """Name the version of everything a verdict depends on; one digest stands for the files of rules."""
    together = "".join(tables[name].digest for name in _RULES).encode() + (own.raw if own else b"")
    rules = hashlib.sha256(together).hexdigest()[:8]
    files = " ".join(f"{name}:{tables[name].digest}" for name in ("area_codes", "postal_zones", "holidays"))
    return f"rules:{rules} {files} tzdata:{tzdata}"


def load_zones() -> dict[str, ZoneInfo]:
    """Return every American and Pacific zone of the `tzdata` package by its IANA name."""
    root = resources.files("tzdata").joinpath("zoneinfo")
    zones: dict[str, ZoneInfo] = {}
    for folder in _ZONE_FOLDERS:
        _collect(root.joinpath(folder), folder, zones)
    return zones


def _collect(folder: Traversable, name: str, zones: dict[str, ZoneInfo]) -> None:
    for entry in folder.iterdir():
        path = f"{name}/{entry.name}"
        if entry.is_dir():
            _collect(entry, path, zones)
        elif "." not in entry.name:
            with entry.open("rb") as file:
                zones[path] = ZoneInfo.from_file(file, key=path)


def _reviewed_years(regions: Regions, days: Holidays) -> frozenset[int]:
    """Return the years whose first and last holidays every region concerned has on its list."""
    concerned = [region for region, rows in regions.items() if any(row.holidays_prohibited for row in rows)]
    years = {day.year for names in days.values() for day in names}
    return frozenset(
        year
        for year in years
        if all({date(year, 1, 1), date(year, 12, 25)} <= days.get(region, {}).keys() for region in concerned)
    )
