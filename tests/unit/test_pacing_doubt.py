"""A list that turns: what the newest calls allow, and that the law's limit holds at every moment of such days."""

from dataclasses import replace
from math import log

import pytest

from dialer_engine.core.pacing import CallView, Goals, LedgerView, PacingEvent
from dialer_engine.core.pacing.evidence import Window, likeliest, most
from dialer_engine.core.pacing.flying import Flying
from dialer_engine.core.pacing.price import HOLDS_S, Price
from dialer_engine.core.pacing.turns import MOMENTS, Turn, Turns
from dialer_engine.lab.pacing.policies import make_policy
from dialer_engine.lab.pacing.scenarios import scenario
from dialer_engine.lab.pacing.workload import HOUR_S, Block, Workload
from tests.unit.sim_support import logged
from tests.unit.test_pacing_predictive import NOW, moment, trained

pytestmark = pytest.mark.unit

HUNDREDTH = log(100.0)


def window(answers: float = 0, failures: float = 0, in_flight: float = 0, rung: float = 0) -> Window:
    """Calls of which so much is known."""
    return Window(answers, failures, in_flight, rung, in_flight, rung, {})


# --- evidence -----------------------------------------------------------------------------------------


def test_of_calls_that_just_left_nothing_is_known() -> None:
    assert most(window(in_flight=50), likeliest(window(in_flight=50)), HUNDREDTH) == 1.0


def test_failures_lower_the_rate_and_more_of_them_lower_it_more() -> None:
    few, many = window(failures=10), window(failures=100)
    assert most(few, 0.0, HUNDREDTH) == pytest.approx(1 - 0.01**0.1, abs=0.02)
    assert most(many, 0.0, HUNDREDTH) < 0.06


def test_the_likeliest_rate_is_the_share_of_answers_and_the_highest_lies_above() -> None:
    seen = window(answers=30, failures=70)
    assert likeliest(seen) == pytest.approx(0.3, abs=0.01)
    assert 0.35 < most(seen, likeliest(seen), HUNDREDTH) < 0.5


def test_phones_that_should_have_been_picked_up_count_as_their_share() -> None:
    """Forty phones that rang as long as a tenth of all who answer take say less than forty failures, but something."""
    ringing = most(window(in_flight=40, rung=4.0), 0.0, HUNDREDTH)
    assert most(window(failures=40), 0.0, HUNDREDTH) < ringing
    assert most(window(in_flight=80, rung=16.0), 0.0, HUNDREDTH) < 0.5


# --- turns --------------------------------------------------------------------------------------------


def turn(mean: float, variance: float = 0.0, chance: float = 1.0, sds: float = 1.645) -> Turn:
    """The same at every moment ahead."""
    count = len(MOMENTS)
    return Turn(sds, [mean] * count, [variance] * count, [chance] * count)


def test_when_all_may_answer_there_are_as_many_lines_as_agents_and_the_budget() -> None:
    turns = Turns((turn(-5.0),), beyond=-5)
    assert turns.room(3) == 8
    assert (turns.short(8), turns.short(9), turns.short(2)) == (3, 4, 0)


def test_the_worst_turn_counts_and_room_and_short_agree() -> None:
    turns = Turns((turn(-5.0, 2.0, 0.4), turn(-9.0, 1.0, 0.9, 2.7), turn(-20.0)), beyond=20)
    for budget in range(10):
        room = turns.room(budget)
        assert turns.short(room) <= budget
        assert turns.short(room + 2) > budget


def test_without_turns_there_is_no_bound() -> None:
    assert Turns().short(50) == 0
    assert Turns().room(0) > 100_000


# --- the mode -----------------------------------------------------------------------------------------


def test_no_more_lines_leave_at_once_than_agents_and_the_budget_have_room_for() -> None:
    """One in fifty answered so far; the forecast would place a crowd for five agents."""
    lines = replace(moment(ready=5), budget=4)
    held = trained(50).decide(lines)
    assert 5 <= held.place <= 9
    assert held.bound == "budget"
    assert "should the list have just turned" in held.reasons[-1]
    believed = trained(50).decide(replace(lines, goals=Goals(guard="forecast")))
    assert believed.place > 15


def test_what_was_learned_of_a_list_is_not_believed_either() -> None:
    """Calls to a list that hardly ever answers leave the guard no more room than calls of which nothing is known."""
    pacer = trained(4)
    for _ in range(200):
        pacer.learning.segments.add(("old",), answered=False, expected=0.3)
        pacer.learning.segments.add(("new",), answered=True, expected=0.3)
    assert pacer.learning.segments.factor(("old",)) < 0.3

    def room(*segments: str) -> int:
        calls = tuple(
            CallView(f"n{i}", "ringing", NOW - 4.0, 4.0, NOW - 6.0, segments=segments) for i in range(30)
        )
        lines = replace(moment(ready=40, calls=calls), budget=12)
        flying = Flying.of(calls, NOW, pacer.learning.segments.factor)
        return pacer.turns(lines, pacer.forecast(lines, pacer.coming_back(lines), flying), flying).room(12)

    assert room("old") == room("new") == room() > 0


def test_one_line_per_free_agent_and_the_budget_is_always_allowed() -> None:
    """Arithmetic needs no forecast: with nothing in flight, one agent and no budget left there is still one line."""
    for ready in (1, 2, 5):
        for budget in (0, 1, 2):
            assert trained(2).decide(replace(moment(ready=ready), budget=budget)).place >= ready
    assert Turns((turn(-1.0, 5.0, 0.5, 2.7),), beyond=-1).room(0) == 1


def test_calls_that_rang_long_without_an_answer_make_room_again() -> None:
    pacer = trained(10)
    calls = tuple(CallView(f"n{i}", "dialing", NOW - 1.0, 0.0, NOW - 1.0) for i in range(9))
    for call in calls:
        pacer.observe(PacingEvent("placed", NOW - 1.0, call=call.id))
    fresh = replace(moment(ready=5, calls=calls), budget=4)
    assert pacer.decide(fresh).place == 0
    for call in calls:
        pacer.observe(PacingEvent("ringing", NOW, call=call.id))
    rung = tuple(replace(call, state="ringing", since=NOW, rang=14.0) for call in calls)
    later = pacer.decide(replace(fresh, now=NOW + 14.0, calls=rung))
    assert later.place > 3


def test_calls_of_before_count_as_calls_of_which_nothing_is_known() -> None:
    calls = tuple(CallView(f"old{i}", "reserved", NOW, 0.0) for i in range(9))
    assert trained(50).decide(replace(moment(ready=5, calls=calls), budget=4)).place == 0


def test_talks_that_just_began_are_not_counted_on_to_end() -> None:
    """Machines were talked to for 8 s each; thirty agents who began 5 s ago may be with people."""
    pacer = trained(4)
    for number in range(400):
        for state, at in (("in_call", 0.0), ("ready", 8.0)):
            pacer.observe(PacingEvent("agent", 20.0 * number + at, agent="m", result=state))
    base = moment(ready=2)
    talks = tuple(replace(base.agents[0], id=f"t{n}", state="in_call", since=NOW - 5.0) for n in range(30))
    assert pacer.decide(replace(base, agents=base.agents + talks, budget=3)).place <= 5


def test_the_guards_need_is_kept_back() -> None:
    price, counts = Price(), LedgerView(live=2000, abandoned=50, share=0.03)
    before = price.update(counts, 0.028)
    for second in range(3600):
        price.needs(12, float(second))
    assert price.update(counts, 0.028) > before
    assert HOLDS_S < 3600


# --- days on which the list turns ---------------------------------------------------------------------


def turning(agents: int, hours: float, *blocks: Block) -> Workload:
    """Hours with a list of such stretches."""
    return replace(scenario("steady", agents, 0.1), blocks=blocks, shift_s=hours * HOUR_S, breaks=())


BUSY_THEN_ALL = (Block(70, 0.0, fail_share=1.0), Block(4, 1.0, ring_factor=0.25))
RARE_THEN_ALL = (Block(60, 0.05), Block(5, 0.95))


@pytest.mark.parametrize("blocks", [BUSY_THEN_ALL, RARE_THEN_ALL], ids=["busy", "rare"])
@pytest.mark.parametrize("agents", [3, 10])
def test_the_limit_holds_at_every_moment_when_everybody_suddenly_answers(
    agents: int, blocks: tuple[Block, ...]
) -> None:
    simulator, log = logged("predictive", turning(agents, 1.0, *blocks), settle_s=1.0)
    assert sum(event.kind == "answered" for event in log) > 8 * agents
    assert simulator.tally.over == 0


def test_without_the_guard_the_same_people_break_it() -> None:
    """The scenario is worth something: the looser guard fails in it, the simulator counts by how much."""
    work = turning(20, 1.0, Block(70, 0.0, fail_share=1.0), Block(6, 1.0, ring_factor=0.25))
    assert logged("predictive-forecast", work, settle_s=1.0)[0].tally.over > 0
    assert logged("predictive", work, settle_s=1.0)[0].tally.over == 0


def test_blocks_follow_each_other_over_and_over() -> None:
    work = turning(2, 1.0, Block(3, 0.1), Block(1, 0.9))
    rates = [block.answer_rate for n in range(10) if (block := work.block_at(n)) is not None]
    assert rates == [0.1] * 6 + [0.9] * 2 + [0.1] * 2
    assert scenario("steady", 2, 0.25).block_at(5) is None
    assert make_policy("predictive-forecast").guarded
