"""The rows of the first rule files, checked one by one; an error names its line and spoils the whole file."""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Literal
from zoneinfo import ZoneInfo

from dialer_engine.core.gate import RegionRule
from dialer_engine.core.gate.rulebook import Dated, Window
from dialer_engine.core.numbers import Area, NumberPlan
from dialer_engine.settings.rule_table import CellError, RuleTable, day_or, limit_or_none, minutes, one_of

PLACE_COLUMNS = ("country", "region_code", "region_name")
WINDOW_COLUMNS = (
    "weekday_start",
    "weekday_end",
    "saturday_start",
    "saturday_end",
    "sunday_start",
    "sunday_end",
)
DATED_COLUMNS = ("source", "confidence", "effective_from", "effective_to", "reviewed_by")
"""The last columns of every file of rules: where a row comes from, its dates, and who confirmed it."""

RULE_COLUMNS = (
    *PLACE_COLUMNS,
    *WINDOW_COLUMNS,
    "holidays_prohibited",
    "max_attempts_per_24h",
    "all_party_recording_consent",
    *DATED_COLUMNS,
)
AREA_COLUMNS = ("npa", "country", "regions", "zones", "library_zones")
POSTAL_COLUMNS = ("prefix", "region", "zones", "source")
HOLIDAY_COLUMNS = ("region", "date", "kind", "name")
COUNTRIES = ("US", "CA")
CONFIDENCES = ("high", "medium", "low")
RECORDING: Mapping[str, Literal["yes", "no", "mixed", "notice"]] = {
    "yes": "yes",
    "no": "no",
    "mixed": "mixed",
    "notice": "notice",
}
"""Must all parties consent to a recording? `mixed`: sources differ, so yes; `notice`: they must be told."""

_PREFIX = {"US": r"\d{3}", "CA": r"[A-Z](\d[A-Z]?)?"}

Regions = dict[str, tuple[RegionRule, ...]]
PostalZones = dict[tuple[str, str], tuple[str, ...]]
Holidays = dict[str, dict[date, str]]


def parse_regions(table: RuleTable) -> Regions:
    """Return the dated rows per region; two rows of a region must not overlap."""
    found: dict[str, list[RegionRule]] = {}
    for line, row in table.rows:
        try:
            rule = _region_rule(row)
            refuse_overlap(rule, found.get(rule.region, []))
        except CellError as error:
            table.fail(line, str(error))
            continue
        found.setdefault(rule.region, []).append(rule)
    for country in COUNTRIES:
        if country not in found and not table.problems:
            table.fail(0, f"has no federal row ({country},*), which bounds every region's window")
    return {
        region: tuple(sorted(rows, key=lambda rule: rule.effective_from)) for region, rows in found.items()
    }


def _region_rule(cells: Mapping[str, str]) -> RegionRule:
    return RegionRule(
        **dated_cells(cells),
        windows=day_windows(cells),
        attempts_24h=limit_or_none(cells["max_attempts_per_24h"]),
        holidays_prohibited=one_of(cells["holidays_prohibited"], "yes", "no") == "yes",
        recording=RECORDING[one_of(cells["all_party_recording_consent"], *RECORDING)],
    )


def dated_cells(cells: Mapping[str, str]) -> dict[str, Any]:
    """Return the values that every dated row has: region and name, dates, source, confidence, reviewer."""
    country = one_of(cells["country"], *COUNTRIES)
    code = cells["region_code"]
    if code != "*" and not (len(code) == 2 and code.isalpha() and code.isupper()):
        raise CellError(f"region code {code!r} is neither two capital letters nor *")
    if not cells["source"]:
        raise CellError("a rule needs its source")
    return {
        "region": country if code == "*" else f"{country}-{code}",
        "name": cells["region_name"] or code,
        "effective_from": day_or(cells["effective_from"], date.min) or date.min,
        "effective_to": day_or(cells["effective_to"], None),
        "source": cells["source"],
        "confidence": one_of(cells["confidence"], *CONFIDENCES),
        "reviewed_by": cells["reviewed_by"],
    }


def day_windows(cells: Mapping[str, str]) -> tuple[Window, ...]:
    """Return the seven windows from Monday to Sunday."""
    weekday = window(cells["weekday_start"], cells["weekday_end"])
    saturday = window(cells["saturday_start"], cells["saturday_end"])
    sunday = window(cells["sunday_start"], cells["sunday_end"])
    return (weekday,) * 5 + (saturday, sunday)


def window(opens: str, closes: str) -> Window:
    """Return a window of the local day, None for a closed one."""
    if "closed" in (opens, closes):
        if opens != closes:
            raise CellError(f"a closed day needs closed in both cells, found {opens!r} and {closes!r}")
        return None
    found = (minutes(opens), minutes(closes))
    if found[0] >= found[1]:
        raise CellError(f"the window {opens}-{closes} ends before it begins")
    return found


def refuse_overlap(rule: Dated, others: Iterable[Dated]) -> None:
    """Refuse a row that is in force at the same time as another one of its region."""
    last = rule.effective_to or date.max
    if last < rule.effective_from:
        raise CellError("effective_to lies before effective_from")
    for other in others:
        if rule.effective_from <= (other.effective_to or date.max) and other.effective_from <= last:
            raise CellError(f"a second row for {rule.region} is in force at the same time")


def refuse_unknown(region: str, regions: Regions | None) -> None:
    """Refuse a region without a calling rule; with a spoiled rule file (None) nobody knows."""
    if not _has_rule(region, regions):
        raise CellError(f"region {region!r} has no calling rule")


def parse_areas(table: RuleTable, regions: Regions | None, zones: dict[str, ZoneInfo]) -> dict[str, Area]:
    """Return the area codes; their zones must exist, and their regions have a rule (None: rules unknown)."""
    areas: dict[str, Area] = {}
    for line, row in table.rows:
        try:
            area = _area(row)
            _check_area(area, areas, regions, zones)
        except CellError as error:
            table.fail(line, str(error))
            continue
        areas[area.npa] = area
    return areas


def _area(cells: Mapping[str, str]) -> Area:
    country = one_of(cells["country"], *COUNTRIES)
    zones = tuple(dict.fromkeys(f"{cells['zones']} {cells['library_zones']}".split()))
    return Area(cells["npa"], "US" if country == "US" else "CA", tuple(cells["regions"].split()), zones)


def _check_area(
    area: Area, seen: dict[str, Area], regions: Regions | None, zones: dict[str, ZoneInfo]
) -> None:
    if not (len(area.npa) == 3 and area.npa.isdecimal() and area.npa[0] in "23456789"):
        raise CellError(f"{area.npa!r} is not an area code")
    if area.npa in seen:
        raise CellError(f"area code {area.npa} is listed twice")
    if not area.regions or not area.zones:
        raise CellError(f"area code {area.npa} needs at least one region and one zone")
    for region in area.regions:
        if not _has_rule(region, regions) or not region.startswith(f"{area.country}-"):
            raise CellError(f"region {region!r} has no calling rule for {area.country}")
    for zone in area.zones:
        if zone not in zones:
            raise CellError(f"zone {zone!r} is not an American or Pacific zone of the tzdata package")


def parse_postal_zones(
    table: RuleTable, regions: Regions | None, areas: Mapping[str, Area], zones: Mapping[str, ZoneInfo]
) -> PostalZones:
    """Return the zones of postal codes by region and first characters; a region has them by its area codes too."""
    plan, found = NumberPlan(areas), PostalZones()
    for line, row in table.rows:
        region, prefix, names = row["region"], row["prefix"], tuple(row["zones"].split())
        try:
            refuse_unknown(region, regions)
            if not re.fullmatch(_PREFIX[one_of(region[:2], *COUNTRIES)], prefix, re.ASCII):
                raise CellError(
                    f"{prefix!r} is not how a postal code of {region} begins, such as 379, M or V6B"
                )
            if (region, prefix) in found:
                raise CellError(f"{prefix} of {region} is listed twice")
            if not names or not row["source"]:
                raise CellError(f"{prefix} of {region} needs at least one zone, and its source")
            for name in names:
                _check_zone(name, region, plan, zones)
        except CellError as error:
            table.fail(line, str(error))
            continue
        found[region, prefix] = names
    return found


def _check_zone(name: str, region: str, plan: NumberPlan, zones: Mapping[str, ZoneInfo]) -> None:
    known = plan.zones_of(region)
    if name not in zones:
        raise CellError(f"zone {name!r} is not an American or Pacific zone of the tzdata package")
    if known and name not in known:
        raise CellError(f"zone {name!r} is none of {region}, whose area codes have {', '.join(known)}")


def _has_rule(region: str, regions: Regions | None) -> bool:
    """With a spoiled rule file nobody knows; its own errors are enough to report."""
    return regions is None or region in regions


def parse_holidays(table: RuleTable, regions: Regions | None) -> Holidays:
    """Return the names of the forbidden days per region, which must have a rule (None: rules unknown)."""
    found: Holidays = {}
    for line, row in table.rows:
        try:
            _add_holiday(row, regions, found)
        except CellError as error:
            table.fail(line, str(error))
    return found


def _add_holiday(cells: Mapping[str, str], regions: Regions | None, found: Holidays) -> None:
    region, day = cells["region"], day_or(cells["date"], None)
    refuse_unknown(region, regions)
    if day is None or not cells["name"]:
        raise CellError("a holiday needs a date and a name")
    observed = one_of(cells["kind"], "date", "observed") == "observed"
    names = found.setdefault(region, {})
    name = f"{cells['name']} (observed)" if observed else cells["name"]
    names[day] = f"{names[day]}, {name}" if day in names else name
