"""Local dates of the candidates: which holidays hold now, and which cap on attempts is in force."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from dialer_engine.core.gate.rulebook import AutomatedRule, RuleBook, in_force

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

    `unreviewed` are the regions with forbidden holidays whose list does not cover the year; `automated` are
    the rules on automated dialing, `ring_window` the seconds a call rings at least and at most.
    """

    begins: datetime
    ends: datetime
    holidays: tuple[Holiday, ...]
    unreviewed: tuple[str, ...]
    cap: int | None
    cap_region: str
    automated: tuple[AutomatedRule, ...]
    ring_window: tuple[int, int]


def day_of(rules: RuleBook, regions: tuple[str, ...], zones: tuple[str, ...], now: datetime) -> Day:
    """Look up the dates, holidays and caps that hold at `now` for every candidate."""
    local = [(zone, now.astimezone(rules.zones[zone]).date()) for zone in zones]
    ends = min(_midnight(rules, zone, day + _DAY) for zone, day in local)
    begins = max(_midnight(rules, zone, day) for zone, day in local)
    banned = [(r, z, d) for r in regions for z, d in local if _forbids_holidays(rules, r, d)]
    names = rules.holidays
    holidays = tuple(Holiday(r, z, d, names[r][d]) for r, z, d in banned if d in names.get(r, {}))
    holidays += _closures(rules, regions, local)
    unreviewed = tuple(dict.fromkeys(r for r, _, d in banned if d.year not in rules.holiday_years))
    days = {day for _, day in local}
    cap, region = _cap(rules, regions, days)
    automated = _automated(rules, regions, days)
    return Day(begins, ends, holidays, unreviewed, cap, region, automated, rules.ring_window(regions, days))


def _closures(
    rules: RuleBook, regions: tuple[str, ...], local: list[tuple[str, date]]
) -> tuple[Holiday, ...]:
    """The operator's own closed days, also in regions that forbid no holidays."""
    own = [(region, rules.closures[region]) for region in regions if region in rules.closures]
    return tuple(Holiday(r, z, d, names[d]) for r, names in own for z, d in local if d in names)


def _automated(rules: RuleBook, regions: tuple[str, ...], days: set[date]) -> tuple[AutomatedRule, ...]:
    rows = (in_force(rules.automated.get(region, ()), day) for region in regions for day in sorted(days))
    return tuple(dict.fromkeys(row for row in rows if row is not None))


def _midnight(rules: RuleBook, zone: str, day: date) -> datetime:
    return datetime.combine(day, time(), rules.zones[zone]).astimezone(UTC)


def _forbids_holidays(rules: RuleBook, region: str, day: date) -> bool:
    row = rules.rule(region, day)
    return row is not None and row.holidays_prohibited


def _cap(rules: RuleBook, regions: tuple[str, ...], days: set[date]) -> tuple[int | None, str]:
    rows = [row for region in regions for day in days if (row := rules.rule(region, day)) is not None]
    caps = [(row.attempts_24h, row.name) for row in rows if row.attempts_24h is not None]
    return min(caps, default=(None, ""))
