"""What the gate's tests share: the shipped rules, short ways to ask, and an independent slow oracle.

The oracle reads the CSV files itself and steps through the minutes; it shares no code with the gate.
"""

import csv
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

from dialer_engine.core.gate import (
    CampaignHours,
    Consent,
    ConsentKind,
    Decision,
    Facts,
    GateContext,
    Limits,
    evaluate,
)
from dialer_engine.settings.rules import SHIPPED, load_rules

BOOK, PLAN = load_rules(SHIPPED)
RETRY: dict[str, timedelta | None] = {
    "no_answer": timedelta(hours=4),
    "busy": timedelta(minutes=30),
    "rejected": None,
    "bridged": None,
}
LIMITS = Limits(per_number_24h=3, per_contact_total=6, retry=RETRY)
NOON = datetime(2026, 6, 10, 17, 0, tzinfo=UTC)
"""A Wednesday, 13:00 in New York, 10:00 in Los Angeles: open everywhere on the mainland."""


SIGNED = Consent(ConsentKind.express_written, datetime(2020, 1, 1, tzinfo=UTC), "test")
"""A consent that satisfies every state, so that the other rules can be looked at everywhere."""


def context(now: datetime = NOON, *, lab: bool = False, limits: Limits = LIMITS) -> GateContext:
    """The shipped rules at a moment."""
    return GateContext(now, BOOK, PLAN, limits, lab)


def ask(facts: Facts, now: datetime = NOON, *, all_rules: bool = False, lab: bool = False) -> Decision:
    """Evaluate with the shipped rules and ordinary limits, for a person who consented."""
    return evaluate(consenting(facts), context(now, lab=lab), all_rules=all_rules)


def ask_hours(facts: Facts, now: datetime, hours: CampaignHours | None) -> Decision:
    """Evaluate with a campaign's own hours."""
    return evaluate(consenting(facts), context(now, limits=replace(LIMITS, hours=hours)))


def consenting(facts: Facts) -> Facts:
    """The same facts with a signed consent."""
    return replace(facts, consents=(*facts.consents, SIGNED))


@cache
def zone(name: str) -> ZoneInfo:
    """Read a zone straight from the tzdata package."""
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def table(name: str) -> list[dict[str, str]]:
    """Read one of the shipped rule files."""
    with (SHIPPED / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


RULES = {(row["country"], row["region_code"]): row for row in table("calling_rules")}
AREAS = {row["npa"]: row for row in table("area_codes")}
HOLIDAYS = {(row["region"], row["date"]) for row in table("holidays")}
TERRITORIES = {"US-PR", "US-VI", "US-GU", "US-AS", "US-MP"}
CALLABLE = sorted(npa for npa, row in AREAS.items() if row["regions"] not in TERRITORIES)


SAME_NAME = {
    "America/Denver": {"America/Phoenix"},
    "America/Chicago": {"America/Winnipeg", "America/Atikokan"},
    "America/Halifax": {"America/Blanc-Sablon", "America/Puerto_Rico"},
    "Pacific/Honolulu": {"America/Adak"},
}
"""Zones that people in one state or province call by the same name, though their clocks differ for a time."""


def area_zones(row: dict[str, str]) -> set[str]:
    """All zones of an area code, ours and the library's."""
    return {*row["zones"].split(), *row["library_zones"].split()}


class Oracle:
    """Answers from the tables, minute by minute, for one area code and one address."""

    def __init__(
        self,
        npa: str,
        region: str | None = None,
        zone_name: str | None = None,
        hours: CampaignHours | None = None,
    ) -> None:
        area = AREAS[npa]
        self.hours = hours
        self.regions = set(area["regions"].split()) | ({region} if region else set())
        zones = area_zones(area) | ({zone_name} if zone_name else set())
        if region:
            of_region = [area_zones(row) for row in AREAS.values() if region in row["regions"].split()]
            there: set[str] = set().union(*of_region)
            zones |= there & SAME_NAME.get(zone_name or "", set()) if zone_name in there else there
        self.zones = [zone(name) for name in sorted(zones)]

    def open_at(self, moment: datetime) -> bool:
        """Is every candidate open at this very moment?"""
        locals_ = [moment.astimezone(each) for each in self.zones]
        return all(self._open(region, local) for local in locals_ for region in self.regions)

    def callable_at(self, moment: datetime) -> bool:
        """Is every candidate open now and throughout the next 60 seconds?"""
        next_minute = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
        moments = [moment] if next_minute - moment == timedelta(minutes=1) else [moment, next_minute]
        return all(self.open_at(each) for each in moments)

    def next_callable(self, moment: datetime, days: int = 8) -> datetime | None:
        """Step through the minutes until every candidate is open; None after these days."""
        if self.callable_at(moment):
            return moment
        minute = moment.replace(second=0, microsecond=0)
        for n in range(1, days * 1440 + 2):
            if self.callable_at(minute + timedelta(minutes=n)):
                return minute + timedelta(minutes=n)
        return None

    def _open(self, region: str, local: datetime) -> bool:
        country, _, code = region.partition("-")
        federal, own = RULES[country, "*"], RULES[country, code]
        if own["holidays_prohibited"] == "yes" and (region, local.date().isoformat()) in HOLIDAYS:
            return False
        return inside(federal, local) and inside(own, local) and self._campaign_open(local)

    def _campaign_open(self, local: datetime) -> bool:
        if self.hours is None:
            return True
        day = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"][local.weekday()]
        return day in self.hours.weekdays and self.hours.start <= local.time() < self.hours.end


def inside(row: dict[str, str], local: datetime) -> bool:
    """Does a row of the table allow this local time? Text comparison is enough for HH:MM."""
    kind = {5: "saturday", 6: "sunday"}.get(local.weekday(), "weekday")
    clock = local.strftime("%H:%M")
    begins, ends = row[f"{kind}_start"], row[f"{kind}_end"]
    in_force = (row["effective_from"] or "0001-01-01") <= local.date().isoformat()
    return in_force and begins != "closed" and begins <= clock < ends


def clock_changes(years: Iterable[int]) -> list[datetime]:
    """The moments (UTC) around which North America changes clocks, hour by hour for two days."""
    changes = []
    for year in years:
        march, november = date(year, 3, 8), date(year, 11, 1)
        for first in (march, november):
            sunday = first + timedelta(days=(6 - first.weekday()) % 7)
            start = datetime.combine(sunday, time(), UTC) - timedelta(hours=12)
            changes += [start + timedelta(hours=n) for n in range(60)]
    return changes
