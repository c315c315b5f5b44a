"""A second opinion on the gate: a slow oracle that shares nothing with it but the zone files.

The table below was typed from the research on the law, not read from the engine's files; holidays are looked
up by walking through the calendar; every question is answered by looking at the local clock of every zone,
now and at the end of the next minute.
"""

import calendar
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache

from gate_support import AREAS, SAME_NAME, area_zones, zone

HOURS = """
US-AL 08:00-20:00 08:00-20:00 closed
US-AK 08:00-21:00 08:00-21:00 08:00-21:00
US-AZ 08:00-21:00 08:00-21:00 08:00-21:00
US-AR 08:00-21:00 08:00-21:00 08:00-21:00
US-CA 08:00-21:00 08:00-21:00 08:00-21:00
US-CO 08:00-21:00 08:00-21:00 08:00-21:00
US-CT 09:00-20:00 09:00-20:00 09:00-20:00
US-DE 08:00-21:00 08:00-21:00 08:00-21:00
US-DC 08:00-21:00 08:00-21:00 08:00-21:00
US-FL 08:00-20:00 08:00-20:00 08:00-20:00
US-GA 08:00-21:00 08:00-21:00 08:00-21:00
US-HI 08:00-21:00 08:00-21:00 08:00-21:00
US-ID 08:00-21:00 08:00-21:00 08:00-21:00
US-IL 08:00-21:00 08:00-21:00 08:00-21:00
US-IN 08:00-21:00 08:00-21:00 08:00-21:00
US-IA 08:00-21:00 08:00-21:00 08:00-21:00
US-KS 08:00-21:00 08:00-21:00 08:00-21:00
US-KY 10:00-21:00 10:00-21:00 10:00-21:00
US-LA 08:00-20:00 08:00-20:00 closed
US-ME 08:00-21:00 08:00-21:00 08:00-21:00
US-MD 08:00-20:00 08:00-20:00 08:00-20:00
US-MA 08:00-20:00 08:00-20:00 08:00-20:00
US-MI 09:00-21:00 09:00-21:00 09:00-21:00
US-MN 09:00-21:00 09:00-21:00 09:00-21:00
US-MS 08:00-20:00 08:00-20:00 closed
US-MO 08:00-21:00 08:00-21:00 08:00-21:00
US-MT 08:00-21:00 08:00-21:00 08:00-21:00
US-NE 08:00-21:00 08:00-21:00 08:00-21:00
US-NV 09:00-20:00 09:00-20:00 09:00-20:00
US-NH 08:00-21:00 08:00-21:00 08:00-21:00
US-NJ 08:00-21:00 08:00-21:00 08:00-21:00
US-NM 09:00-21:00 09:00-21:00 09:00-21:00
US-NY 08:00-21:00 08:00-21:00 08:00-21:00
US-NC 08:00-21:00 08:00-21:00 08:00-21:00
US-ND 08:00-21:00 08:00-21:00 08:00-21:00
US-OH 08:00-21:00 08:00-21:00 08:00-21:00
US-OK 08:00-20:00 08:00-20:00 08:00-20:00
US-OR 08:00-20:00 08:00-20:00 08:00-20:00
US-PA 08:00-21:00 08:00-21:00 13:30-21:00
US-RI 09:00-18:00 10:00-17:00 closed
US-SC 08:00-21:00 08:00-21:00 08:00-21:00
US-SD 09:00-21:00 09:00-21:00 closed
US-TN 08:00-21:00 08:00-21:00 08:00-21:00
US-TX 09:00-21:00 09:00-21:00 12:00-21:00
US-UT 08:00-21:00 08:00-21:00 closed
US-VT 08:00-21:00 08:00-21:00 08:00-21:00
US-VA 08:00-21:00 08:00-21:00 08:00-21:00
US-WA 08:00-20:00 08:00-20:00 08:00-20:00
US-WV 08:00-21:00 08:00-21:00 08:00-21:00
US-WI 08:00-21:00 08:00-21:00 08:00-21:00
US-WY 08:00-20:00 08:00-20:00 08:00-20:00
US-PR 09:00-21:00 09:00-21:00 09:00-21:00
US-AS 08:00-21:00 08:00-21:00 08:00-21:00
US-GU 08:00-21:00 08:00-21:00 08:00-21:00
US-MP 08:00-21:00 08:00-21:00 08:00-21:00
US-VI 08:00-21:00 08:00-21:00 08:00-21:00
CA-AB 09:00-21:30 10:00-18:00 10:00-18:00
CA-BC 09:00-21:30 10:00-18:00 10:00-18:00
CA-MB 09:00-21:30 10:00-18:00 10:00-18:00
CA-NB 09:00-21:30 10:00-18:00 10:00-18:00
CA-NL 09:00-21:30 10:00-18:00 10:00-18:00
CA-NS 09:00-21:30 10:00-18:00 10:00-18:00
CA-NT 09:00-21:30 10:00-18:00 10:00-18:00
CA-NU 09:00-21:30 10:00-18:00 10:00-18:00
CA-ON 09:00-21:30 10:00-18:00 10:00-18:00
CA-PE 09:00-21:30 10:00-18:00 10:00-18:00
CA-QC 09:00-21:30 10:00-18:00 10:00-18:00
CA-SK 09:00-21:30 10:00-18:00 10:00-18:00
CA-YT 09:00-21:30 10:00-18:00 10:00-18:00
"""
FEDERAL = {"US": "08:00-21:00 08:00-21:00 08:00-21:00", "CA": "09:00-21:30 10:00-18:00 10:00-18:00"}
WINDOWS = {name: days.split() for name, _, days in (row.partition(" ") for row in HOURS.split("\n") if row)}
WINDOWS |= {name: days.split() for name, days in FEDERAL.items()}

DEVICES = {
    "US-AL": "08:00-20:00 08:00-20:00 closed closed",
    "US-CA": "09:00-21:00 09:00-21:00 09:00-21:00 -",
    "US-IL": "09:00-21:00 09:00-21:00 09:00-21:00 -",
    "US-IN": "09:00-20:00 09:00-20:00 09:00-20:00 -",
    "US-KY": "08:00-21:00 08:00-21:00 08:00-21:00 -",
    "US-ME": "09:00-17:00 closed closed -",
    "US-MI": "09:00-21:00 09:00-21:00 09:00-21:00 -",
    "US-NE": "08:00-21:00 08:00-21:00 13:00-21:00 13:00-21:00",
    "US-NV": "09:00-21:00 09:00-21:00 09:00-21:00 -",
    "US-OK": "09:00-21:00 09:00-21:00 09:00-21:00 -",
    "US-SD": "09:00-21:00 closed closed -",
    "US-UT": "00:00-24:00 00:00-24:00 00:00-24:00 -",
}
"""Announcing devices: weekdays, Saturday, Sunday, holidays (- for the day's own)."""

DEVICE_CONSENT = {"US-IN": "express written", "US-UT": "express written purchase inquiry"}
AUTOMATED = {
    "US-CT": "written",
    "US-FL": "written",
    "US-MD": "written inquiry",
    "US-OK": "written purchase inquiry",
    "US-WY": "express written purchase inquiry",
}
TERM_MONTHS = {"purchase": 18, "inquiry": 3}
TERRITORIES = {"US-PR", "US-VI", "US-GU", "US-AS", "US-MP"}
BANNING = ("US-AL", "US-LA", "US-PA", "US-RI", "US-UT")


@dataclass(frozen=True)
class Asked:
    """One question in plain words; consents are pairs of a kind and the moment it was given."""

    npa: str
    moment: datetime
    region: str | None = None
    zone_name: str | None = None
    mode: str = "power"
    strict: bool = False
    business: bool = False
    consents: tuple[tuple[str, datetime], ...] = ()
    stopped: frozenset[str] = frozenset()
    territories: frozenset[str] = frozenset()
    number_attempts: tuple[datetime, ...] = ()
    person_attempts: tuple[datetime, ...] = field(default=())


def may_call(asked: Asked) -> bool:
    """Answer yes or no."""
    regions, zones = _places(asked.npa, asked.region, asked.zone_name)
    own = set(AREAS[asked.npa]["regions"].split())
    if own & TERRITORIES and not own <= asked.territories:
        return False
    countries = {region[:2] for region in regions}
    if (regions | countries) & asked.stopped:
        return False
    if not _consented(asked, regions):
        return False
    for moment in (asked.moment, asked.moment + timedelta(seconds=60, microseconds=-1)):
        if not all(
            _open(region, moment.astimezone(clock)) for clock in zones for region in regions | countries
        ):
            return False
        strict = asked.strict and asked.mode != "manual"
        if strict and not all(
            _device_open(region, moment.astimezone(z)) for z in zones for region in regions
        ):
            return False
    return all(_recent(asked.moment, times) < 3 for times in (asked.number_attempts, asked.person_attempts))


@cache
def _places(npa: str, region: str | None, zone_name: str | None) -> tuple[set[str], tuple[object, ...]]:
    area = AREAS[npa]
    regions = set(area["regions"].split())
    names = area_zones(area) | ({zone_name} if zone_name else set())
    if region is not None:
        there: set[str] = set()
        for row in AREAS.values():
            if region in row["regions"].split():
                there |= area_zones(row)
        names |= there & SAME_NAME.get(zone_name or "", set()) if zone_name in there else there
        regions.add(region)
    return regions, tuple(zone(name) for name in sorted(names))


def _open(region: str, local: datetime) -> bool:
    if region in BANNING and local.date() in holidays(region, local.year):
        return False
    return _inside(WINDOWS[region], local)


def _device_open(region: str, local: datetime) -> bool:
    if region not in DEVICES:
        return True
    *days, holiday = DEVICES[region].split()
    if holiday != "-" and local.date() in holidays(region, local.year):
        return _within(holiday, local)
    return _inside(days, local)


def _inside(days: list[str], local: datetime) -> bool:
    weekday, saturday, sunday = days
    return _within({5: saturday, 6: sunday}.get(local.weekday(), weekday), local)


def _within(hours: str, local: datetime) -> bool:
    if hours == "closed":
        return False
    begins, ends = hours.split("-")
    return begins <= local.strftime("%H:%M") < ends


def _consented(asked: Asked, regions: set[str]) -> bool:
    has = {kind for kind, since in asked.consents if _counts(kind, since, asked.moment)}
    for region in regions & set(AUTOMATED):
        if asked.mode == "manual" and region != "US-CT":
            continue
        if region == "US-OK" and asked.business:
            continue
        if not has & set(AUTOMATED[region].split()):
            return False
    if asked.strict and asked.mode != "manual":
        return all(has & set(DEVICE_CONSENT[region].split()) for region in regions & set(DEVICE_CONSENT))
    return True


def _counts(kind: str, since: datetime, now: datetime) -> bool:
    if since > now:
        return False
    months = TERM_MONTHS.get(kind)
    if months is None:
        return True
    year, month = since.year, since.month
    for _ in range(months):
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    day = min(since.day, calendar.monthrange(year, month)[1])
    return now < since.replace(year=year, month=month, day=day)


def _recent(now: datetime, times: tuple[datetime, ...]) -> int:
    """An attempt counts for 24 hours after it left, which may be up to a minute after its time here."""
    return sum(now - timedelta(hours=24) < each + timedelta(minutes=1) for each in times)


# --- holidays by walking through the calendar -----------------------------------------------------


@cache
def holidays(region: str, year: int) -> frozenset[date]:
    """All days of a year on which the region has a holiday, with the days they are observed on."""
    found = set()
    for near in (year - 1, year, year + 1):
        for day in _named(region, near):
            found |= {day, *_observed(day)}
    return frozenset(day for day in found if day.year == year)


def _observed(day: date) -> list[date]:
    if day.weekday() == 5:
        return [day - timedelta(days=1)]
    return [day + timedelta(days=1)] if day.weekday() == 6 else []


def _named(region: str, year: int) -> Iterator[date]:
    everywhere = [(1, 1), (7, 4), (11, 11), (12, 25)]
    yield from (date(year, month, day) for month, day in everywhere)
    yield _weekday(year, 1, calendar.MONDAY, 3)
    yield _weekday(year, 5, calendar.MONDAY, -1)
    yield _weekday(year, 9, calendar.MONDAY, 1)
    yield _weekday(year, 11, calendar.THURSDAY, 4)
    if region in ("US-AL", "US-PA", "US-RI", "US-UT", "US-NE"):
        yield _weekday(year, 2, calendar.MONDAY, 3)
        yield _weekday(year, 10, calendar.MONDAY, 2)
    if region in ("US-AL", "US-RI", "US-UT", "US-NE"):
        yield date(year, 6, 19)
    easter = EASTER[year]
    if region in ("US-AL", "US-LA"):
        yield easter - timedelta(days=47)
    if region in ("US-LA", "US-PA", "US-UT"):
        yield easter - timedelta(days=2)
    if region in ("US-PA", "US-RI"):
        yield _weekday(year, 11, calendar.MONDAY, 1) + timedelta(days=1)
    if region == "US-AL":
        yield _weekday(year, 4, calendar.MONDAY, 4)
        yield _weekday(year, 6, calendar.MONDAY, 1)
    if region == "US-PA":
        yield date(year, 6, 14)
    if region == "US-UT":
        yield date(year, 7, 24)
        yield JUNETEENTH_IN_UTAH[year]
    if region == "US-RI":
        yield _weekday(year, 8, calendar.MONDAY, 2)


EASTER = {
    2025: date(2025, 4, 20),
    2026: date(2026, 4, 5),
    2027: date(2027, 3, 28),
    2028: date(2028, 4, 16),
    2029: date(2029, 4, 1),
}
"""From an almanac."""
JUNETEENTH_IN_UTAH = {
    2025: date(2025, 6, 16),
    2026: date(2026, 6, 15),
    2027: date(2027, 6, 21),
    2028: date(2028, 6, 19),
    2029: date(2029, 6, 18),
}
"""The Monday on which it is kept, from a calendar."""


def _weekday(year: int, month: int, weekday: int, which: int) -> date:
    days = [day for day in calendar.Calendar().itermonthdates(year, month) if day.month == month]
    of_weekday = [day for day in days if day.weekday() == weekday]
    return of_weekday[which - 1 if which > 0 else which]
