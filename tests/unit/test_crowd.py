"""The crowd of load and fault tests: neighbours differ in what they do and in their voices."""

from datetime import datetime, time, timedelta

import pytest

from dialer_engine.core.gate import GateContext, Limits
from dialer_engine.core.gate.model import CampaignHours, Facts, Outcome
from dialer_engine.core.gate.rules import calling_hours
from dialer_engine.lab.behaviours import Kind, behaviour, pitch_hz
from dialer_engine.lab.chaos.ground import NIGHT, Talks, crowd_for, rounds_in_a_world, setting_for
from dialer_engine.lab.crowd import CROWD_CLOCK, HOUR, HOURS, make_crowd, most_people
from dialer_engine.lab.people import Held, Person
from dialer_engine.lab.place import LabError
from dialer_engine.settings.campaign import AttemptLimits, Retry
from dialer_engine.settings.rules import SHIPPED, load_rules

pytestmark = pytest.mark.unit


def test_everybody_has_a_number_of_their_own() -> None:
    crowd = make_crowd(most_people())
    assert len({person.number for person in crowd}) == most_people()
    with pytest.raises(LabError, match="fictional numbers"):
        make_crowd(most_people() + 1)


@pytest.mark.parametrize("first", [0, 250, 5100])
def test_neighbours_differ(first: int) -> None:
    some = make_crowd(first + 60)[first:]
    table = Talks.SHORT.table(1.0)
    does = [behaviour(table, person.number) for person in some]
    assert {each.talk_s for each in does if each.human} == set(Talks.SHORT.value)
    assert {each.kind for each in does} == {Kind.HUMAN, Kind.OPT_OUT, Kind.NO_ANSWER, Kind.BUSY}
    assert len({person.number[-2:] for person in some}) == 60
    assert len({pitch_hz(person.number) for person in some}) >= 40


def test_some_may_not_be_called() -> None:
    crowd = crowd_for(1200)
    assert sum(person.held is Held.SUPPRESSED for person in crowd) == 100
    assert sum(person.held is Held.OUT_OF_HOURS for person in crowd) == 100


@pytest.mark.parametrize("minutes", [0, 55])
def test_a_clock_that_is_wrong_by_an_hour_would_let_others_be_called(minutes: int) -> None:
    """By the gate itself, which the crowd knows nothing of; for so long as a world lasts."""
    rules, plan = load_rules(SHIPPED)
    retry, hours = Retry().delays(), CampaignHours(*(time.fromisoformat(hour) for hour in HOURS))
    now = datetime.fromisoformat(CROWD_CLOCK) + timedelta(minutes=minutes)

    def callable_by(clock: datetime, people: list[Person]) -> set[bool]:
        context = GateContext(clock, rules, plan, Limits(3, 6, retry, hours), lab=True)
        facts = [Facts(each.number, (f"{plan.areas[each.npa].country}-{each.state}",)) for each in people]
        return {calling_hours.check(fact, context).outcome is Outcome.allow for fact in facts}

    crowd = crowd_for(1200, edges=True)
    assert len({person.number for person in crowd}) == len(crowd)
    asleep = [person for person in crowd if person.npa == NIGHT[0]]
    inside = [person for person in crowd if person.held is not Held.OUT_OF_HOURS]
    outside = [person for person in crowd if person.held is Held.OUT_OF_HOURS and person not in asleep]
    assert (len(inside), len(outside)) == (1200, 1200)
    assert sum(person.held is Held.SUPPRESSED for person in inside) == 100
    assert crowd[len(asleep) :: 2] == inside, "whoever is looked at next, people of each kind are among them"
    early, late = outside[::2], outside[1::2]
    assert callable_by(now, inside) == {True}
    assert callable_by(now, asleep) == callable_by(now, early) == callable_by(now, late) == {False}
    assert callable_by(now + HOUR, early) == {True}
    assert callable_by(now - HOUR, late) == {True}


def test_agents_hold_dialing_back_unless_the_trunk_must() -> None:
    scenario, paced = setting_for(50, 1).scenario, setting_for(50, 1, paced=True).scenario
    assert (scenario.agents, paced.agents) == (72, 86)
    assert scenario.calls_per_second == pytest.approx(2 * paced.calls_per_second, abs=0.1)


def test_a_second_call_to_somebody_would_reach_the_carrier() -> None:
    scenario = setting_for(50, 1).scenario
    assert scenario.cap == AttemptLimits().per_number_24h > 1
    assert scenario.retry_s == 24 * 3600


def test_a_world_has_numbers_for_so_many_rounds() -> None:
    assert rounds_in_a_world(50, 10) * 50 * 10 <= most_people()
    assert rounds_in_a_world(60, 10_000) == 1


def test_a_world_of_people_out_of_hours_ends_before_they_may_be_called() -> None:
    assert rounds_in_a_world(1, 10, edges=True) == 40
    crowd_for(rounds_in_a_world(50, 10, edges=True) * 50 * 10, edges=True)
