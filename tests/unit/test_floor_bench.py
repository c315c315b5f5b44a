"""The pure parts of `bench floor`: the table of people, the simulated runs, the figures and how they are shown."""

from dataclasses import asdict, replace
from statistics import fmean

import pytest

from dialer_engine.core.pacing import Goals
from dialer_engine.lab.behaviours import Behaviour, Kind, pitch_hz
from dialer_engine.lab.bench_floor import ROWS, Findings, scenario, table_lines, verdict
from dialer_engine.lab.crowd import EARLY_OR_AWAY
from dialer_engine.lab.ears import Heard
from dialer_engine.lab.floor_figures import Counted, FloorFigures, Seen, ended_by_us, real_figures, spread
from dialer_engine.lab.floor_forecast import FloorRun, Plan, TablePeople, person_of, simulate
from dialer_engine.lab.floor_table import RING_OUT_S, WRAP_LAG_S, Habits, callees, floor_table, quantiles
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.pacing.policies import make_policy
from dialer_engine.lab.people import Oracle
from dialer_engine.lab.place import LabError
from dialer_engine.lab.summary import summarize
from dialer_engine.settings.rules import SHIPPED, load_rules

pytestmark = pytest.mark.unit

PLAN = Plan(attempts=120, agents=4, habits=Habits(ring_s=1.0, talk_s=6.0, wrap_s=1.0))


def test_the_table_has_a_quarter_of_people_with_the_means_it_promises() -> None:
    table = floor_table(Habits())
    people = [row for row in table if row.human]
    assert len(table) == 100
    assert len(people) == 25
    assert sum(row.kind is Kind.BUSY for row in table) == 19
    assert sum(row.kind is Kind.NO_ANSWER for row in table) == 56
    assert fmean(row.talk_s for row in people) == pytest.approx(20.0, abs=0.01)
    assert fmean(row.ring_s for row in people) == pytest.approx(3.2, abs=0.01)
    assert max(row.ring_s for row in people) < RING_OUT_S - 5
    assert [row.talk_s for row in people] != sorted(row.talk_s for row in people)


def test_quantiles_spread_as_asked() -> None:
    values = quantiles(10.0, 0.5, 400)
    mean = fmean(values)
    deviation = fmean((value - mean) ** 2 for value in values) ** 0.5
    assert mean == pytest.approx(10.0, abs=0.01)
    assert deviation / mean == pytest.approx(0.5, rel=0.05)
    assert values == sorted(values)


def test_contacts_are_different_numbers_of_one_country_in_no_order() -> None:
    people = callees(2000, 1)
    _, plan = load_rules(SHIPPED)
    areas = [plan.area(person.number) for person in people]
    assert len({person.number for person in people}) == 2000
    assert all(area is not None and area.country == "US" for area in areas)
    assert all(set(EARLY_OR_AWAY).isdisjoint(area.regions) for area in areas if area is not None)
    assert people != callees(2000, 2)
    assert callees(20, 1) == people[:20]
    table = floor_table(Habits())
    share = fmean(table[int(person.number[-2:])].human for person in people)
    assert 0.22 < share < 0.28
    assert len(callees(5000, 3)) == 5000
    with pytest.raises(LabError, match="fictional numbers"):
        callees(100_000, 1)


@pytest.mark.parametrize("kind", [Kind.HUMAN, Kind.BUSY, Kind.NO_ANSWER])
def test_the_simulator_s_people_do_what_the_table_says(kind: Kind) -> None:
    work = PLAN.workload()
    person = person_of(Behaviour(kind, 2.0, 7.0), 3, 1.5)
    assert person.answers(work, 100.0) is (kind is Kind.HUMAN)
    assert (person.fail_dice < work.fail_share) is (kind is Kind.BUSY)
    assert (person.ring_s, person.talk_s, person.wrap_s) == (2.0, 7.0, 1.5)


def test_simulated_people_follow_the_table() -> None:
    people = TablePeople(PLAN, 5)
    drawn = [people.take() for _ in range(4000)]
    answering = [person for person in drawn if person.answers(people.work, 0.0)]
    assert len(answering) / len(drawn) == pytest.approx(0.25, abs=0.03)
    assert fmean(person.talk_s for person in answering) == pytest.approx(6.0, rel=0.1)
    assert fmean(person.wrap_s for person in drawn) == pytest.approx(1.0 + WRAP_LAG_S, rel=0.03)


def test_a_simulated_run_calls_the_list_once_and_ends() -> None:
    run = FloorRun(PLAN, make_policy("predictive"), 0)
    figures = run.figures()
    assert figures.attempts == 120 == run.floor.people.next
    assert not run.floor.calls
    assert figures.seconds < 3600
    assert figures.abandoned <= 2, "the law leaves two before the first hundred"
    assert 0 < figures.utilisation < 100
    day = run.tally.days[0]
    counted = day.talk_s + day.wrap_s + day.ready_s
    assert counted == pytest.approx(4 * (run.floor.closes - run.floor.day_start), abs=0.01)


def test_a_simulated_run_can_be_repeated() -> None:
    assert simulate((PLAN, 1)) == simulate((PLAN, 1))
    assert simulate((PLAN, 1)) != simulate((PLAN, 2))
    assert simulate((replace(PLAN, seed=2), 1)) != simulate((PLAN, 1))


def test_a_greedy_policy_cannot_call_more_than_the_list() -> None:
    assert FloorRun(PLAN, make_policy("ratio-10"), 0).figures().attempts == 120


def test_both_are_given_the_same_terms() -> None:
    engine, work = scenario(PLAN), PLAN.workload()
    assert engine.mode == "predictive"
    assert engine.learn_calls == Goals().learn_calls
    assert engine.max_channels == work.channels
    assert engine.ring_seconds == pytest.approx(work.ring_timeout_s, abs=0.1)
    assert engine.wrap_seconds > PLAN.habits.wrap_between[1] + 2 * WRAP_LAG_S
    assert work.grace_s < 2.0
    assert work.breaks == ()


def call(number: str, came: float, answered: float | None, ended: float, heard: float | None) -> CarrierCall:
    kind = Kind.HUMAN if answered else Kind.BUSY
    return CarrierCall(
        number + str(came), number, "", came, kind, came, answered, heard, None, ended, 16, "callee"
    )


def test_real_figures_come_from_carrier_and_phones() -> None:
    first, second, third = "+12125550100", "+12125550101", "+12125550102"
    calls = [
        call(first, 101.0, 102.0, 112.0, 102.1),
        call(second, 103.0, 104.0, 109.0, 105.8),
        call(third, 110.0, None, 110.1, None),
        call(third, 120.0, None, 120.1, None),
    ]
    heard = [Heard("agent001", 102.05, 112.05, float(pitch_hz(first)))]
    figures = real_figures(Seen(calls, heard, 3, 2, 100.0, 2.0))
    assert (figures.attempts, figures.answers, figures.abandoned) == (7, 2, 1)
    assert (figures.cancelled, figures.short) == (3, 3), "those that never left"
    assert figures.seconds == 20.0
    assert figures.utilisation == pytest.approx(100 * 10 / 40)
    assert figures.abandoned_percent == 50.0
    assert figures.idle_s == pytest.approx(40 - 10 - 2)
    assert figures.wait_ms == pytest.approx(50.0, abs=0.2)
    assert figures.dials == pytest.approx(7 * 3600 / 40)


def test_talk_after_the_last_call_does_not_count() -> None:
    number = "+12125550100"
    calls = [call(number, 101.0, 102.0, 142.0, 102.1), call("+12125550101", 112.0, None, 112.1, None)]
    heard = [Heard("agent001", 102.0, 142.0, float(pitch_hz(number)))]
    figures = real_figures(Seen(calls, heard, 0, 1, 100.0, 2.0))
    assert figures.utilisation == pytest.approx(100 * 10 / 12, abs=0.01)
    assert figures.idle_s == pytest.approx(2.0)


def test_no_call_at_all_has_figures_too() -> None:
    figures = real_figures(Seen([], [], 0, 3, 100.0, 2.0))
    assert set(asdict(figures).values()) == {0}


@pytest.mark.parametrize(
    ("answered", "ended", "by", "ours", "short"),
    [
        (None, 116.5, "caller", True, 0),
        (None, 108.0, "caller", True, 1),
        (None, 121.0, "caller", False, 0),
        (None, 108.0, "callee", False, 0),
        (103.0, 108.0, "caller", False, 0),
        (None, None, None, False, 0),
    ],
)
def test_which_calls_we_ended(
    answered: float | None, ended: float | None, by: str | None, ours: bool, short: int
) -> None:
    one = CarrierCall(
        "1", "+12125550100", "", 101.0, Kind.NO_ANSWER, 101.1, answered, None, None, ended, 16, by
    )
    assert ended_by_us(one) is ours
    figures = real_figures(Seen([one], [], 0, 1, 100.0, 2.0))
    assert (figures.cancelled, figures.short) == (int(ours), short)


def figures(**changes: float) -> FloorFigures:
    made = Counted(20, 600.0, 2000, 500, 10, 90, 5, 7000.0, 1500.0, 900.0).figures()
    return FloorFigures(**{**asdict(made), **changes})


def test_the_range_of_a_figure() -> None:
    runs = [figures(utilisation=value) for value in (50.0, 60.0, 70.0)]
    over = spread("utilisation", runs)
    assert (over.mean, over.least, over.most) == (60.0, 50.0, 70.0)
    assert [over.holds(value) for value in (49.9, 50.0, 70.0, 70.1)] == [False, True, True, False]
    with pytest.raises(ValueError, match="no simulated run"):
        spread("utilisation", [])


def test_the_table_is_complete_with_whatever_is_there() -> None:
    found = Findings(Plan())
    assert [line for line in table_lines(found) if line.split()[-1] != "-"] == list(table_lines(found))[:1]
    found.forecast = [figures(utilisation=50.0), figures(utilisation=60.0)]
    found.real = figures(utilisation=65.0)
    assert not any("outside" in line for line in table_lines(found))
    assert list(verdict(found)) == []
    assert not found.complete
    assert found.as_json()["records"] is None
    found.summary = summarize([], [], [], Oracle({}, frozenset()), 0.0)
    found.unsent = Plan().attempts
    assert found.complete
    lines = list(table_lines(found))
    assert len(lines) == 1 + len(ROWS)
    [talk] = [line for line in lines if line.startswith("talk")]
    assert talk.split()[-6:] == ["65.0", "55.0", "50.0", "to", "60.0", "outside"]
    assert sum("outside" in line for line in lines) == 1
    assert found.as_json()["forecast"]["ranges"]["utilisation"] == {"mean": 55.0, "least": 50.0, "most": 60.0}
