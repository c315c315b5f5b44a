"""Predictive: what it does with good and bad input, what bounds it, and what it costs."""

from dataclasses import replace

import pytest

from dialer_engine.core.ledger import FIRST_ANSWERS
from dialer_engine.core.pacing import (
    AgentView,
    CallView,
    Goals,
    LedgerView,
    PacingEvent,
    Snapshot,
    make_pacer,
)
from dialer_engine.core.pacing.predictive import Predictive
from dialer_engine.core.pacing.price import Price, spendable

pytestmark = pytest.mark.unit

NOW = 1_000_000.0


def trained(answer_in: int = 4, calls: int = 400) -> Predictive:
    """A pacer that saw one answer in `answer_in` calls, after 2 s of dialing and 6 s of ringing."""
    pacer = make_pacer("predictive")
    assert isinstance(pacer, Predictive)
    for number in range(calls):
        call, at = f"t{number}", 30.0 * number
        pacer.observe(PacingEvent("placed", at, call=call))
        pacer.observe(PacingEvent("ringing", at + 2.0, call=call))
        if answer_in and number % answer_in == 0:
            pacer.observe(PacingEvent("answered", at + 8.0, call=call))
        else:
            pacer.observe(PacingEvent("ended", at + 24.0, call=call, result="no_answer"))
    return pacer


def moment(ready: int = 0, busy: int = 0, calls: tuple[CallView, ...] = ()) -> Snapshot:
    """A running campaign with a ledger that leaves room."""
    agents = [AgentView(f"r{n}", "ready", NOW - 5.0) for n in range(ready)]
    agents += [AgentView(f"b{n}", "in_call", NOW - 60.0) for n in range(busy)]
    return Snapshot(
        now=NOW,
        agents=tuple(agents),
        calls=calls,
        lines_per_agent=2.0,
        channels_free=500,
        rate_tokens=500,
        queue_due=None,
        cancel_before_15s=False,
        open=True,
        budget=40,
        ledger=LedgerView(live=2000, abandoned=20, share=0.03),
    )


def ringing(count: int, rang: float, least: int = 15) -> tuple[CallView, ...]:
    """Calls that have been ringing for so long, and must ring for `least` seconds."""
    return tuple(
        CallView(f"c{n}", "ringing", NOW - rang, rang, NOW - rang - 2.0, ring_min_s=least)
        for n in range(count)
    )


def test_it_dials_ahead_where_few_answer_and_less_where_many_do() -> None:
    rare, often = trained(10).decide(moment(ready=5)), trained(2).decide(moment(ready=5))
    assert rare.place > often.place >= 5


def test_a_phone_that_rang_long_leaves_room_for_another() -> None:
    """Nobody ever answered after 6 s, so lines that rang 12 s count for nothing."""
    fresh = trained().decide(moment(ready=5, calls=ringing(8, 1.0)))
    stale = trained().decide(moment(ready=5, calls=ringing(8, 12.0)))
    assert stale.place > fresh.place


def test_it_begins_with_one_line_per_agent() -> None:
    pacer = make_pacer("predictive")
    decision = pacer.decide(moment(ready=3))
    assert decision.place == 3
    assert decision.covered is None
    assert decision.reasons[0] == "0 of 40 calls seen, one line per agent until then"


def test_the_budget_bounds_what_may_at_worst_be_abandoned() -> None:
    for left in (0, 1, 3, 10):
        decision = trained(2).decide(replace(moment(ready=2, busy=6), budget=left))
        assert decision.covered is not None
        assert max(0, decision.place - max(2, decision.covered)) <= left
    none = trained(2).decide(replace(moment(ready=2, busy=6), budget=-5))
    assert none.place <= 2


def test_over_the_laws_limit_it_is_one_to_one_whatever_the_forecast_says() -> None:
    """Thirty agents talk and some will soon be free; a forecast that has just been wrong is not asked."""
    pacer, crowd = trained(10), moment(ready=2, busy=30)
    assert pacer.decide(crowd).place > 2
    over = pacer.decide(replace(crowd, budget=-1))
    assert (over.place, over.bound, over.covered) == (2, "budget", None)
    assert "1 abandoned calls more than the law allows" in over.reasons[0]
    assert pacer.decide(replace(crowd, budget=-1, calls=ringing(2, 3.0))).place == 0


def test_a_used_up_allowance_makes_every_line_dearer() -> None:
    saved = replace(moment(ready=5), ledger=LedgerView(2000, 30, 0.03))
    spent = replace(moment(ready=5), ledger=LedgerView(2000, 75, 0.03))
    assert trained().decide(spent).place < trained().decide(saved).place


@pytest.mark.parametrize("least", [15, 20])
def test_lines_not_worth_their_risk_end_but_not_before_the_rules_allow(least: int) -> None:
    pacer = trained(2)
    for number in range(100):  # phones that are answered late too
        call, at = f"l{number}", 50_000.0 + 30.0 * number
        pacer.observe(PacingEvent("placed", at, call=call))
        pacer.observe(PacingEvent("ringing", at + 2.0, call=call))
        pacer.observe(PacingEvent("answered", at + 20.0, call=call))
    spent = LedgerView(live=2000, abandoned=75, share=0.03)
    crowd = replace(moment(ready=0, busy=10), budget=40, ledger=spent)
    young = replace(crowd, calls=ringing(6, least - 0.1, least))
    assert pacer.decide(young).cancel == ()
    old = replace(crowd, calls=ringing(6, least, least))
    cancelled = pacer.decide(old).cancel
    assert len(cancelled) == 1
    assert set(cancelled) < {call.id for call in old.calls}


def test_lines_ring_on_while_too_many_answers_are_unlikely_and_end_when_agents_leave() -> None:
    """Six young lines, two left by the law: fine with agents about to be free, not when all have left."""
    pacer = trained(6)
    young = replace(moment(ready=3, calls=ringing(8, 2.0)), budget=2)
    assert pacer.decide(young).cancel == ()
    left = replace(young, agents=tuple(replace(agent, state="paused") for agent in young.agents))
    cancelled = pacer.decide(left).cancel
    assert 0 < len(cancelled) < 8


def test_agents_who_wait_briefly_enough_get_no_lines_ahead() -> None:
    pacer = trained(10)
    for number in range(20):
        pacer.observe(PacingEvent("agent", NOW + 10 * number, agent="a", result="ready"))
        pacer.observe(PacingEvent("agent", NOW + 10 * number + 4, agent="a", result="in_call"))
    wish = replace(moment(ready=5), goals=Goals(wait_s=5.0))
    decision = pacer.decide(wish)
    assert decision.place == 5
    assert any("agents wait 4.0 s, 5 s is the goal" in reason for reason in decision.reasons)
    assert pacer.decide(replace(wish, goals=Goals(wait_s=3.0))).place > 5


def test_too_few_agents_are_paced_as_in_power() -> None:
    decision = trained().decide(replace(moment(ready=2), goals=Goals(min_agents=3)))
    assert decision.place == 4
    assert decision.reasons[0] == "2 agents on duty, forecasts begin with 3"


def test_most_lines_per_agent_hold() -> None:
    decision = trained(0).decide(replace(moment(ready=3), goals=Goals(max_lines_per_agent=4)))
    assert decision.place == 12
    assert any("12 lines are the most for 3 agents" in reason for reason in decision.reasons)


# --- bad days -------------------------------------------------------------------------------------


def test_no_agents_no_calls() -> None:
    assert trained().decide(moment()).place == 0
    assert trained().decide(moment(busy=4)).place <= 40


def test_an_empty_list_places_nothing_and_says_so() -> None:
    decision = trained().decide(replace(moment(ready=5), queue_due=0))
    assert decision.place == 0
    assert any("queue has 0 contacts due" in reason for reason in decision.reasons)


def test_an_hour_without_an_answer_stays_within_the_most_lines() -> None:
    decision = trained(0, calls=1500).decide(moment(ready=5))
    assert 5 <= decision.place <= 50


def test_a_limit_of_nothing_is_one_to_one() -> None:
    decision = trained(2).decide(replace(moment(ready=4, busy=4), budget=0, ledger=LedgerView(500, 0, 0.0)))
    assert decision.place <= 4
    assert any(
        "the law leaves 0 abandoned calls" in reason or "risks" in reason for reason in decision.reasons
    )


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0, 1e9])
def test_a_clock_that_jumps_does_no_harm(jump: float) -> None:
    pacer, state = trained(), moment(ready=3, busy=3, calls=ringing(3, 5.0))
    pacer.observe(PacingEvent("placed", NOW, call="j"))
    pacer.observe(PacingEvent("ringing", NOW + jump, call="j"))
    pacer.observe(PacingEvent("answered", NOW + jump + 5, call="j"))
    decision = pacer.decide(replace(state, now=NOW + jump))
    assert 0 <= decision.place <= 60


def test_a_campaign_that_is_not_open_places_nothing() -> None:
    decision = trained().decide(replace(moment(ready=5), open=False))
    assert decision.place == 0
    assert "campaign is not running: 0 to place" in decision.reasons


# --- the price ------------------------------------------------------------------------------------


def test_the_price_rises_with_every_abandoned_call_too_many_and_falls_with_every_one_less() -> None:
    price = Price()
    even = price.update(LedgerView(2000, round(spendable(LedgerView(2000, 0, 0.03), 0.028)), 0.03), 0.028)
    assert price.update(LedgerView(2000, 80, 0.03), 0.028) > even
    assert price.update(LedgerView(2000, 30, 0.03), 0.028) < even


def test_what_stays_wrong_changes_the_price_for_good() -> None:
    price = Price()
    first = price.update(LedgerView(2000, 75, 0.03), 0.028)
    for live in range(2000, 4000, 10):
        price.update(LedgerView(live, round(0.028 * live) + 20, 0.03), 0.028)
    assert price.update(LedgerView(2000, 75, 0.03), 0.028) > 1.5 * first


def test_a_young_period_spends_less_than_the_target() -> None:
    assert 0 < spendable(LedgerView(FIRST_ANSWERS, 0, 0.03), 0.028) < 0.028 * FIRST_ANSWERS
    assert spendable(LedgerView(0, 0, 0.03), 0.028) == 0.0
    assert spendable(LedgerView(1000, 0, 0.01), 0.028) < 10.0


def test_memory_does_not_grow_with_the_calls() -> None:
    pacer = trained(calls=3000)
    assert len(pacer.learning._calls) == 0
    rows = (pacer.learning._ring_rows, pacer.learning._dial_rows, pacer.learning._talk_rows)
    assert sum(len(kept._made) for kept in rows) < 400
