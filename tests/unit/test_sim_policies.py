"""VICIdial's rules on cases worked out by hand, Issabel's, the bounds, and who does better than whom."""

from dataclasses import replace

import pytest

from dialer_engine.core.pacing import PacingEvent
from dialer_engine.lab.pacing.bounds import earliest, lead_s
from dialer_engine.lab.pacing.figures import run_figures
from dialer_engine.lab.pacing.floor import Floor
from dialer_engine.lab.pacing.peers import Issabel
from dialer_engine.lab.pacing.policies import make_policy
from dialer_engine.lab.pacing.scenarios import scenario
from dialer_engine.lab.pacing.simulator import Simulator
from dialer_engine.lab.pacing.vicidial import Drops, Vicidial, braked, stepped, tapered_rate
from dialer_engine.lab.pacing.workload import HOUR_S
from tests.unit.sim_support import logged, short_day

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("level", "ready", "waiting", "agents", "maximum", "expected"),
    [
        (2.0, 1.0, 0.0, 10.0, 3.0, 2.2),
        (2.0, 0.0, 1.0, 10.0, 3.0, 1.8),
        (1.5, 2.5, 0.5, 8.0, 3.0, 1.875),
        (2.9, 5.0, 0.0, 10.0, 3.0, 3.0),
        (1.4, 5.0, 0.0, 10.0, 1.5, 1.5),
        (1.05, 0.0, 3.0, 10.0, 3.0, 1.0),
        (1.7, 0.0, 0.0, 0.0, 3.0, 1.7),
    ],
)
def test_the_level_is_multiplied_by_the_relative_difference(
    level: float, ready: float, waiting: float, agents: float, maximum: float, expected: float
) -> None:
    assert stepped(level, ready, waiting, agents, maximum) == expected


OVER = Drops(calls=400, answers=100, drops=4)
AT_LIMIT = Drops(calls=400, answers=100, drops=3)
EARLY = Drops(calls=50, answers=10, drops=9)
PANIC = Drops(calls=21, answers=20, drops=11, calls_minute=21, drops_minute=11)


@pytest.mark.parametrize(
    ("drops", "method", "taper", "expected"),
    [
        (OVER, "hard", 0.8, 1.0),
        (OVER, "average", 0.8, 1.2),
        (OVER, "tapered", 0.75, 1.8),
        (OVER, "tapered", 0.0, 1.0),
        (OVER, "tapered", -0.1, 1.0),
        (AT_LIMIT, "hard", 0.8, 2.4),
        (EARLY, "hard", 0.8, 2.4),
        (PANIC, "hard", 0.8, 1.2),
        (replace(PANIC, drops_minute=10), "hard", 0.8, 2.4),
        (replace(PANIC, calls_minute=20), "hard", 0.8, 2.4),
        (replace(PANIC, calls=400, answers=100), "average", 0.8, 1.0),
    ],
)
def test_drops_lower_the_level(drops: Drops, method: str, taper: float, expected: float) -> None:
    assert braked(2.4, drops, method, 3.0, taper) == pytest.approx(expected)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("clock", "latest", "expected"),
    [(1930, 2100, 0.17), (1100, 2100, 1.0), (900, 2100, 1.0), (2130, 2100, -0.03)],
)
def test_the_hours_left_are_a_plain_subtraction(clock: int, latest: int, expected: float) -> None:
    assert tapered_rate(clock, latest) == pytest.approx(expected)


def test_its_calls_leave_every_two_and_a_half_seconds() -> None:
    _, log = logged("vicidial-hard", short_day(5))
    placed = {event.at for event in log if event.kind == "placed"}
    assert len(placed) > 50
    assert all(at % 2.5 == 0 for at in placed)


def test_its_level_changes_every_fifteen_seconds() -> None:
    policy = Vicidial(method="average", maximum=1.5)
    work = short_day(5, 0.1, hours=0.5)
    changes: list[float] = []
    set_level = Vicidial._set_level

    def noted(self: Vicidial, floor: Floor) -> None:
        changes.append(floor.second)
        set_level(self, floor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Vicidial, "_set_level", noted)
        Simulator(work, policy).run(1)
    assert changes[:3] == [14.5, 29.5, 44.5]
    assert 1.0 <= policy.level <= 1.5


def test_issabel_counts_agents_whose_call_is_old_enough() -> None:
    policy = Issabel()
    for n in range(12):
        name = f"x{n}"
        for kind, at in (("placed", 0.0), ("answered", 10.0), ("bridged", 10.0)):
            policy.observe(PacingEvent(kind, at, name))  # type: ignore[arg-type]
        policy.observe(PacingEvent("ended", 110.0, name, result="bridged"))
    simulator = Simulator(short_day(1), policy)
    floor = simulator.floor
    floor.begin_day(0)
    while not floor.ready:
        floor.step()
    (agent,) = floor.agents
    floor.ready.clear()
    agent.state = "in_call"
    # 1 - exp(-(age + 10) / 100) reaches 0.97 at an age of 340.66 s.
    for age, expected in ((340.0, 0), (341.0, 1)):
        agent.since = floor.now - age
        assert policy.decide(floor).place == expected


def test_how_early_one_more_answer_may_come() -> None:
    assert earliest([], [], 2.0) is None
    assert earliest([10.0], [], 2.0) == 8.0
    assert earliest([10.0], [12.0], 2.0) is None
    assert earliest([10.0, 30.0], [12.0], 2.0) == 28.0
    # The answer at 29 can as well take the later agent, so that the new one may come for the first.
    assert earliest([10.0, 30.0], [29.0], 2.0) == 8.0
    assert 1.0 < lead_s(scenario("steady", 1, 0.25)) < 5.0


def test_who_knows_more_does_better() -> None:
    work = replace(scenario("steady", 5, 0.25), shift_s=3 * HOUR_S)
    names = ("progressive", "power", "oracle", "clairvoyant")
    runs = [run_figures(logged(name, work)[0].tally) for name in names]
    talk = [run.utilisation for run in runs]
    assert talk == sorted(talk)
    assert talk[0] + 15 < talk[2]
    assert 82 < talk[3] < 90
    assert all(run.abandoned < 3.5 for run in runs)
    assert runs[2].agent_wait < runs[0].agent_wait / 4


def test_a_plain_ratio_is_guarded_by_nothing() -> None:
    work = short_day(1, 0.4, hours=4.0)
    wild, kept = (run_figures(logged(name, work)[0].tally) for name in ("ratio-3", "power-3"))
    assert wild.abandoned > 15
    assert kept.lost <= max(2, 0.03 * kept.answers)


def test_policies_are_fresh_each_time() -> None:
    assert make_policy("vicidial-hard") is not make_policy("vicidial-hard")
    assert make_policy("vicidial-tapered-1.5") == Vicidial(method="tapered", maximum=1.5)
