"""The crowd of load and fault tests: neighbours differ in what they do and in their voices."""

import pytest

from dialer_engine.lab.behaviours import behaviour, pitch_hz
from dialer_engine.lab.chaos.ground import Talks, crowd_for, rounds_in_a_world, setting_for
from dialer_engine.lab.crowd import make_crowd, most_people
from dialer_engine.lab.people import Held
from dialer_engine.lab.place import LabError
from dialer_engine.settings.campaign import AttemptLimits

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
    assert {behaviour(table, person.number).talk_s for person in some} == set(Talks.SHORT.value)
    assert len({person.number[-2:] for person in some}) == 60
    assert len({pitch_hz(person.number) for person in some}) >= 40


def test_some_may_not_be_called() -> None:
    crowd = crowd_for(1200)
    assert sum(person.held is Held.SUPPRESSED for person in crowd) == 100
    assert sum(person.held is Held.OUT_OF_HOURS for person in crowd) == 100


def test_agents_hold_dialing_back_unless_the_trunk_must() -> None:
    scenario, paced = setting_for(50, 1).scenario, setting_for(50, 1, paced=True).scenario
    assert (scenario.agents, paced.agents) == (60, 76)
    assert scenario.calls_per_second == pytest.approx(2 * paced.calls_per_second, abs=0.1)


def test_a_second_call_to_somebody_would_reach_the_carrier() -> None:
    scenario = setting_for(50, 1).scenario
    assert scenario.cap == AttemptLimits().per_number_24h > 1
    assert scenario.retry_s == 24 * 3600


def test_a_world_has_numbers_for_so_many_rounds() -> None:
    assert rounds_in_a_world(50, 10) * 50 * 10 <= most_people()
    assert rounds_in_a_world(60, 10_000) == 1
