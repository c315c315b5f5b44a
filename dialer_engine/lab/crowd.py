"""Many contacts for load tests: the fictional numbers of all area codes awake at the crowd's hour."""

from __future__ import annotations

from dialer_engine.core.gate import RuleBook
from dialer_engine.core.numbers import NumberPlan
from dialer_engine.lab.people import NUMBERS_PER_AREA, Person
from dialer_engine.lab.place import LabError
from dialer_engine.settings.rules import SHIPPED, load_rules

CROWD_CLOCK = "2026-06-10T14:00:00-05:00"
APART = 37
"""No divisor of the numbers of an area code, and no neighbour of one."""
EARLY_OR_AWAY = ("US-HI", "US-AK", "US-PR", "US-VI", "US-GU", "US-AS", "US-MP")


def make_crowd(count: int) -> list[Person]:
    """`count` people spread over all area codes of the United States and Canada but a few far away.

    Neighbours differ in the last two digits too, by which the carrier chooses what they do. Raises LabError.
    """
    areas = awake_areas(*load_rules(SHIPPED))
    if count > len(areas) * NUMBERS_PER_AREA:
        raise LabError(f"{count} contacts: there are {len(areas) * NUMBERS_PER_AREA} fictional numbers")
    return [
        Person("Ada", "Crowd", npa, _line(place, index // len(areas)), state)
        for index in range(count)
        for place in (index % len(areas),)
        for npa, state in (areas[place],)
    ]


def most_people() -> int:
    """How many people a crowd can have."""
    return len(awake_areas(*load_rules(SHIPPED))) * NUMBERS_PER_AREA


def _line(place: int, turn: int) -> str:
    """The last four digits in a turn through all places: each comes once at every place."""
    return f"{100 + (turn + APART * place) % NUMBERS_PER_AREA:04d}"


def awake_areas(rules: RuleBook, plan: NumberPlan) -> list[tuple[str, str]]:
    """Area codes where it is between 11:00 and 16:00 at the crowd's clock, each with a state.

    Without the states where a machine may dial only people who consented.
    """
    left_out = {*EARLY_OR_AWAY, *rules.automated}
    return [
        (area.npa, area.regions[0].split("-")[1])
        for area in plan.areas.values()
        if left_out.isdisjoint(area.regions)
    ]
