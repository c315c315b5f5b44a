"""Regions that forbid calls on holidays: the date and the day it is observed, at local midnight.

A year that nobody has reviewed is refused for these regions: a missing list is not a year without holidays.
"""

from datetime import datetime

from dialer_engine.core.gate.days import Day
from dialer_engine.core.gate.model import Facts, GateContext, Verdict
from dialer_engine.core.gate.places import Places, places_for
from dialer_engine.core.gate.rules.shape import allow, block, wait
from dialer_engine.core.gate.schedule import AHEAD

NAME = "holiday"

_ALLOW = allow(NAME, "no holiday on which calls are forbidden")
_LONGEST = 14


def check(facts: Facts, context: GateContext) -> Verdict:
    """Wait for the end of a forbidden holiday in every candidate region and zone."""
    places = places_for(facts, context)
    day = _first_affected(places, context.now)
    if day is None:
        return _ALLOW
    if day.unreviewed:
        region = day.unreviewed[0]
        return block(NAME, f"the holidays of {region} are not listed for this year", region=region)
    found = day.holidays[0]
    rule = context.rules.rule(found.region, found.day)
    where = rule.name if rule is not None else found.region
    evidence = {"region": found.region, "zone": found.zone, "date": found.day.isoformat()}
    return wait(NAME, f"{found.name} in {where}", _end(places, day), **evidence)


def _first_affected(places: Places, now: datetime) -> Day | None:
    """Return the day, of now and the next 60 s, that forbids calls."""
    day = places.day(now)
    if day.holidays or day.unreviewed:
        return day
    if now + AHEAD <= day.ends:
        return None
    following = places.day(day.ends)
    return following if following.holidays or following.unreviewed else None


def _end(places: Places, day: Day) -> datetime | None:
    moment = day.ends
    for _ in range(_LONGEST):
        following = _first_affected(places, moment)
        if following is None:
            return moment
        if following.unreviewed:
            return None
        moment = following.ends
    return None
