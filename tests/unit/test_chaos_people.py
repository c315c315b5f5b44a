"""Whom the fault suite calls: some answer late, some never, some are busy, and enough talk all the same."""

import pytest

from dialer_engine.engine.runner import ring_time
from dialer_engine.lab.behaviours import Behaviour, Kind, behaviour
from dialer_engine.lab.chaos.ground import (
    BRIEF_RING_S,
    LATE_S,
    RINGS_ON_S,
    Share,
    Talks,
    agents_for,
    setting_for,
)
from dialer_engine.lab.chaos.ringing import RING_OUT_S, answers_of
from dialer_engine.lab.ledger import CarrierCall

pytestmark = pytest.mark.unit

LATE, NEVER, ENGAGED, SOON = "+12125550106", "+12125550104", "+12125550105", "+12125550100"


@pytest.mark.parametrize("talks", Talks)
def test_of_ten_people_one_is_late_one_never_answers_one_is_busy(talks: Talks) -> None:
    table = talks.table(1.0)
    for tens in range(10):
        ten = table[10 * tens : 10 * tens + 10]
        assert [each.kind for each in ten].count(Kind.NO_ANSWER) == 1
        assert [each.kind for each in ten].count(Kind.BUSY) == 1
        assert [each.kind for each in ten].count(Kind.OPT_OUT) == 1
        assert [each.ring_s for each in ten if each.human].count(LATE_S) == 1
        assert {each.talk_s for each in ten if each.human} == {talks.value[tens]}
        assert all(each.listens for each in ten if each.human)


def test_who_answers_late_does_so_before_the_call_is_given_up_and_phones_ring_for_longer() -> None:
    scenario = setting_for(6, 6).scenario
    assert LATE_S < RING_OUT_S - 4
    assert RING_OUT_S < RINGS_ON_S - 5
    assert ring_time(RING_OUT_S, (15, 60)) == RING_OUT_S
    assert scenario.ring_seconds == RING_OUT_S
    assert scenario.retry_s >= 86400


@pytest.mark.parametrize(("pace", "seconds"), [(1.0, RINGS_ON_S), (0.3, BRIEF_RING_S)])
def test_phones_that_nobody_answers_ring_for_less_where_people_talk_for_less(
    pace: float, seconds: float
) -> None:
    never = [each for each in Talks.SHORT.table(pace) if each.kind is Kind.NO_ANSWER]
    assert {each.ring_s for each in never} == {seconds}
    assert all(each.listens for each in never), "or the dialplan would let them ring for two minutes"


def test_who_does_not_answer_keeps_a_place_and_does_not_talk() -> None:
    answers, never = Behaviour(Kind.HUMAN, 1.0, 8.0), Behaviour(Kind.NO_ANSWER, 30.0, 0.0)
    assert Share.of((answers,)) == Share(8.0, 10.0)
    assert Share.of((answers, never)) == Share(4.0, (10.0 + RING_OUT_S) / 2)
    assert Share.of((Behaviour(Kind.OPT_OUT, 1.0, 8.0),)).talk_s == 11.0, "and three seconds until the 9"


@pytest.mark.parametrize("talks", Talks)
@pytest.mark.parametrize("pace", [0.3, 1.0])
@pytest.mark.parametrize("calls", [3, 6, 25, 50])
def test_there_are_agents_enough_for_the_calls_that_a_fault_waits_for(
    calls: int, pace: float, talks: Talks
) -> None:
    share = Share.of(talks.table(pace))
    for paced in (False, True):
        scenario = setting_for(calls, 2, pace=pace, talks=talks, paced=paced).scenario
        by_agents = scenario.agents * share.talk_s / share.place_s
        by_rate = scenario.calls_per_second * share.talk_s
        assert min(by_agents, by_rate) > 0.7 * calls
        assert scenario.agents > calls


def test_agents_are_never_fewer_than_a_fifth_more_than_calls() -> None:
    assert (agents_for(25, 10.0), agents_for(25, 34.2)) == (30, 35)
    assert (agents_for(25, 10.0, paced=True), agents_for(25, 34.2, paced=True)) == (38, 42)


def test_those_whose_phones_ring_on_are_excused_when_they_answer_and_nobody_else() -> None:
    table = Talks.SHORT.table(1.0)
    calls = [CarrierCall(number, number, "", 95.0) for number in (LATE, NEVER, ENGAGED, SOON)]
    assert behaviour(table, LATE).ring_s == 8.0
    ((low, high),) = answers_of(calls, table, 100.0)
    assert low < 103.0 < high
    assert high - low < 1.0
    assert answers_of(calls, table, 104.0) == (), "it was answered before"
    assert answers_of(calls, table, 94.0) == (), "it came later"
    gone = [CarrierCall("1", LATE, "", 95.0, ended_at=99.0)]
    assert answers_of(gone, table, 100.0) == (), "it had been given up"
