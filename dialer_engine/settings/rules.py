"""Read the dated calling rules and the number plan from `config/rules/`; a bad file is refused whole.

Three files: `calling_rules.csv` (windows and caps per region; region `*` is the federal row that bounds all
others), `area_codes.csv` (our own table, with the zones `phonenumbers` knows beside ours) and `holidays.csv`.
Zone data comes from the `tzdata` package only: the host's own copy may be years old.
"""

from datetime import date
from importlib import metadata, resources
from importlib.resources.abc import Traversable
from pathlib import Path
from zoneinfo import ZoneInfo

from dialer_engine.core.gate import RuleBook
from dialer_engine.core.numbers import NumberPlan
from dialer_engine.settings.rule_rows import (
    AREA_COLUMNS,
    HOLIDAY_COLUMNS,
    RULE_COLUMNS,
    Holidays,
    Regions,
    parse_areas,
    parse_holidays,
    parse_regions,
)
from dialer_engine.settings.rule_table import RulesError, RulesProblem, read_table

__all__ = ["SHIPPED", "RulesError", "RulesProblem", "load_rules", "load_zones", "rules_directory"]

SHIPPED = Path(__file__).resolve().parents[2] / "config" / "rules"
"""The rule files that come with the engine."""

_ZONE_FOLDERS = ("America", "Pacific", "US", "Canada")


def rules_directory(config: Path) -> Path:
    """Return the configuration's own `rules/` directory, or the shipped one when it has none."""
    own = config / "rules"
    return own if own.is_dir() else SHIPPED


def load_rules(directory: Path) -> tuple[RuleBook, NumberPlan]:
    """Read `calling_rules.csv`, `area_codes.csv` and `holidays.csv` of a directory; RulesError if bad."""
    rules = read_table(directory / "calling_rules.csv", RULE_COLUMNS)
    areas = read_table(directory / "area_codes.csv", AREA_COLUMNS)
    holidays = read_table(directory / "holidays.csv", HOLIDAY_COLUMNS)
    zones = load_zones()
    regions = parse_regions(rules)
    known = None if rules.problems else regions
    plan = NumberPlan(parse_areas(areas, known, zones))
    days = parse_holidays(holidays, known)
    problems = tuple(problem for table in (rules, areas, holidays) for problem in table.problems)
    if problems:
        raise RulesError(problems)
    tzdata = metadata.version("tzdata")
    version = " ".join(f"{table.file.stem}:{table.digest}" for table in (rules, areas, holidays))
    book = RuleBook(
        regions, days, _reviewed_years(regions, days), zones, tzdata, f"{version} tzdata:{tzdata}"
    )
    return book, plan


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
