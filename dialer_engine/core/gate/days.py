"""Local dates of the candidates: which holidays hold now, and which cap on attempts is in force."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from dialer_engine.core.gate.rulebook import RuleBook

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Holiday:
    """A holiday on which a region forbids calls, and where it is that date."""

    region: str
    zone: str
    day: date
    name: str


@dataclass(frozen=True, slots=True)
class Day:
    """From `begins` until `ends` no candidate zone changes its date, so holidays and caps stay the same.

    `unreviewed` are the regions with forbidden holidays whose list does not cover the year.
    """

    begins: datetime
    ends: datetime
    holidays: tuple[Holiday, ...]
    unreviewed: tuple[str, ...]
    cap: int | None
    cap_region: str


def day_of(rules: RuleBook, regions: tuple[str, ...], zones: tuple[str, ...], now: datetime) -> Day:
    """Look up the dates, holidays and caps that hold at `now` for every candidate."""
    local = [(zone, now.astimezone(rules.zones[zone]).date()) for zone in zones]
    ends = min(_midnight(rules, zone, day + _DAY) for zone, day in local)
    begins = max(_midnight(rules, zone, day) for zone, day in local)
    banned = [(r, z, d) for r in regions for z, d in local if _forbids_holidays(rules, r, d)]
    names = rules.holidays
    holidays = tuple(Holiday(r, z, d, names[r][d]) for r, z, d in banned if d in names.get(r, {}))
    unreviewed = tuple(dict.fromkeys(r for r, _, d in banned if d.year not in rules.holiday_years))
    cap, region = _cap(rules, regions, {day for _, day in local})
    return Day(begins, ends, holidays, unreviewed, cap, region)


def _midnight(rules: RuleBook, zone: str, day: date) -> datetime:
    return datetime.combine(day, time(), rules.zones[zone]).astimezone(UTC)


def _forbids_holidays(rules: RuleBook, region: str, day: date) -> bool:
    row = rules.rule(region, day)
    return row is not None and row.holidays_prohibited


def _cap(rules: RuleBook, regions: tuple[str, ...], days: set[date]) -> tuple[int | None, str]:
    rows = [row for region in regions for day in days if (row := rules.rule(region, day)) is not None]
    caps = [(row.attempts_24h, row.name) for row in rows if row.attempts_24h is not None]
    return min(caps, default=(None, ""))
