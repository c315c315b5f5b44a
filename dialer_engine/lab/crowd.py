"""Many contacts for load tests: the fictional numbers of all area codes awake at the crowd's hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import zip_longest

from dialer_engine.core.gate import RuleBook
from dialer_engine.core.numbers import NumberPlan
from dialer_engine.lab.people import NUMBERS_PER_AREA, Held, Person
from dialer_engine.lab.place import LabError
from dialer_engine.settings.rules import SHIPPED, load_rules

CROWD_CLOCK = "2026-06-10T14:00:00-05:00"
APART = 37
"""No divisor of the numbers of an area code, and no neighbour of one."""
EARLY_OR_AWAY = ("US-HI", "US-AK", "US-PR", "US-VI", "US-GU", "US-AS", "US-MP")
HOURS = ("13:00", "15:00")
"""Hours of a campaign, open at the crowd's clock and for an hour from then in Denver and Chicago; an hour later by the
clock they would be open in Los Angeles, an hour earlier in New York."""
HOUR = timedelta(hours=1)

Place = tuple[str, str]
"""An area code and a state."""


def make_crowd(count: int) -> list[Person]:
    """`count` people spread over all area codes of the United States and Canada but a few far away.

    Neighbours differ in the last two digits too, by which the carrier chooses what they do. Raises LabError.
    """
    return _spread(count, awake_areas(*load_rules(SHIPPED)))


def most_people() -> int:
    """How many people a crowd can have."""
    return len(awake_areas(*load_rules(SHIPPED))) * NUMBERS_PER_AREA


def crowd_in_hours(count: int) -> list[Person]:
    """`count` people who may be called in `HOURS` for an hour from the crowd's clock on. Raises LabError."""
    return _spread(count, _areas_by_hours()[0])


def crowd_out_of_hours(count: int) -> list[Person]:
    """`count` people who may not be called then, and could by a clock that is wrong by an hour. Raises LabError.

    In turn by one that is an hour ahead, and by one that is an hour behind.
    """
    _, early, late = _areas_by_hours()
    turns = zip_longest(_spread(count - count // 2, early), _spread(count // 2, late))
    return [replace(each, held=Held.OUT_OF_HOURS) for turn in turns for each in turn if each is not None]


def most_in_hours() -> int:
    """How many people there can be who may be called in `HOURS`, with as many who may not."""
    inside, early, late = map(len, _areas_by_hours())
    return NUMBERS_PER_AREA * min(inside, 2 * early, 2 * late)


def _spread(count: int, areas: Sequence[Place]) -> list[Person]:
    if count > len(areas) * NUMBERS_PER_AREA:
        raise LabError(f"{count} contacts: there are {len(areas) * NUMBERS_PER_AREA} fictional numbers")
    return [
        Person("Ada", "Crowd", npa, _line(place, index // len(areas)), state)
        for index in range(count)
        for place in (index % len(areas),)
        for npa, state in (areas[place],)
    ]


def _areas_by_hours() -> tuple[list[Place], list[Place], list[Place]]:
    """Where it is within `HOURS` at the crowd's clock; where only an hour later by it; where only an hour earlier."""
    rules, plan = load_rules(SHIPPED)
    clock = datetime.fromisoformat(CROWD_CLOCK)
    first, end = (int(hour.partition(":")[0]) for hour in HOURS)

    def inside(npa: str, off: timedelta) -> bool:
        area = plan.areas[npa]
        zones = {*area.zones, *(zone for region in area.regions for zone in plan.zones_of(region))}
        return all(first <= (clock + off).astimezone(rules.zones[zone]).hour < end for zone in zones)

    areas = awake_areas(rules, plan)
    now, later, earlier = (
        [place for place in areas if inside(place[0], off)] for off in (timedelta(0), HOUR, -HOUR)
    )
    return (
        now,
        [place for place in later if place not in now],
        [place for place in earlier if place not in now],
    )


def _line(place: int, turn: int) -> str:
    """The last four digits in a turn through all places: each comes once at every place."""
    return f"{100 + (turn + APART * place) % NUMBERS_PER_AREA:04d}"


def awake_areas(rules: RuleBook, plan: NumberPlan) -> list[Place]:
    """Area codes where it is between 11:00 and 16:00 at the crowd's clock, each with a state.

    Without the states where a machine may dial only people who consented.
    """
    left_out = {*EARLY_OR_AWAY, *rules.automated}
    return [
        (area.npa, area.regions[0].split("-")[1])
        for area in plan.areas.values()
        if left_out.isdisjoint(area.regions)
    ]
