"""The campaign of `bench floor`: who is called, what they do, and the same people for the simulator.

Times are the comparison's (docs/pacing.md), sped up: talk and wrap-up six times, ringing three times, the spread
of each kept. 25 of 100 pairs of last digits belong to people; a quarter of the others are busy, and the rest ring out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, log, sqrt
from statistics import NormalDist, fmean

from dialer_engine.lab.agents import Manners
from dialer_engine.lab.behaviours import Behaviour, Kind, Table
from dialer_engine.lab.crowd import awake_areas
from dialer_engine.lab.dice import Dice
from dialer_engine.lab.ears import SILENCE_S
from dialer_engine.lab.people import NUMBERS_PER_AREA, Person
from dialer_engine.lab.phone_bank import DIGIT_MS
from dialer_engine.lab.place import LabError
from dialer_engine.settings.rules import SHIPPED, load_rules

PEOPLE_ROWS = 25
TABLE_SEED = 0
RING_CV = 0.53
TALK_CV = 1.0
WRAP_SPREAD = 0.5
RING_OUT_S = 20
"""From sending until a call that nobody answers is ended: the law's 15 s of ringing and 5 s until it rings."""
WRAP_LAG_S = SILENCE_S + DIGIT_MS / 1000
"""What an agent needs to notice that the customer has gone, and to press a key."""


@dataclass(frozen=True, slots=True)
class Habits:
    """Mean seconds: ringing of those who answer, talk, and wrap-up until the agent presses a key.

    Of the people who do not answer `busy_rows` of `100 - PEOPLE_ROWS` are busy, the others let it ring.
    """

    ring_s: float = 3.2
    talk_s: float = 20.0
    wrap_s: float = 3.3
    busy_rows: int = 19

    @property
    def wrap_between(self) -> tuple[float, float]:
        """The shortest and longest wrap-up, in seconds; all between are equally likely."""
        return (1 - WRAP_SPREAD) * self.wrap_s, (1 + WRAP_SPREAD) * self.wrap_s

    @property
    def manners(self) -> Manners:
        """Agents who let customers finish, and who take their wrap-up before they press a key."""
        return Manners(ends_share=0.0, disposes_after_s=self.wrap_between, digits="12")


def quantiles(mean: float, cv: float, count: int) -> list[float]:
    """Return `count` values that stand for a lognormal spread, rising; their mean is exactly `mean`."""
    sigma, normal = sqrt(log(1 + cv * cv)), NormalDist()
    values = [exp(sigma * normal.inv_cdf((index + 0.5) / count)) for index in range(count)]
    factor = mean / fmean(values)
    return [round(value * factor, 3) for value in values]


def floor_table(habits: Habits) -> Table:
    """What each pair of last digits does; ringing and talk are independent of each other."""
    dice = Dice(TABLE_SEED)
    rings = quantiles(habits.ring_s, RING_CV, PEOPLE_ROWS)
    talks = dice.shuffled(quantiles(habits.talk_s, TALK_CV, PEOPLE_ROWS), "talks")
    rows = [Behaviour(Kind.HUMAN, ring, talk) for ring, talk in zip(rings, talks, strict=True)]
    rows += [Behaviour(Kind.BUSY, 0.0, 0.0)] * habits.busy_rows
    rows += [Behaviour(Kind.NO_ANSWER, 0.0, 0.0)] * (100 - len(rows))
    return tuple(dice.shuffled(rows, "digits"))


def callees(count: int, seed: int) -> list[Person]:
    """Return people of the United States who may be called at the crowd's hour, each with another number.

    One country, because the budget of abandoned calls differs between the two.
    """
    rules, plan = load_rules(SHIPPED)
    areas = [(npa, state) for npa, state in awake_areas(rules, plan) if plan.areas[npa].country == "US"]
    everybody = [
        Person("Ada", "Floor", npa, f"{100 + line:04d}", state)
        for npa, state in areas
        for line in range(NUMBERS_PER_AREA)
    ]
    if count > len(everybody):
        raise LabError(f"{count} contacts: there are {len(everybody)} fictional numbers")
    chosen = Dice(seed).shuffled(everybody, "list")[:count]
    return [replace(person, first=f"Nr{index}") for index, person in enumerate(chosen)]
