"""The engine's ledgers: what calls, agents and dispositions make of the budget, with real dispatchers."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from dispatch_support import START, Floor, at

from dialer_engine.core import attempt as life
from dialer_engine.core import seat as chair
from dialer_engine.core.gate import Limits
from dialer_engine.core.ledger import LIMITS, Counts, Ledger, limits_in_force
from dialer_engine.engine import ledger as ledger_module
from dialer_engine.engine.ledger import Ledgers
from dialer_engine.engine.plan import CampaignPlan
from dialer_engine.engine.prompts import Prompt
from dialer_engine.settings.models import Campaign
from dialer_engine.settings.rules import SHIPPED, load_rules
from dialer_engine.store.ledger import LegalCampaign

pytestmark = pytest.mark.unit

US, CANADA = "+12105550100", "+14165550100"
NODES = ("main", "other")


def plan(name: str, campaign_id: int) -> CampaignPlan:
    settings = Campaign(
        name=name, member="acme", lists=["june"], trunks=["main"], caller_ids=["+12105550177"]
    )
    return CampaignPlan(settings, campaign_id, 1, Prompt("x", "v"), Limits(3, 6, {}))


class Desk(Floor):
    """A floor whose ends and dispositions go into ledgers, as in the engine."""

    def __init__(self, legal: Mapping[int, LegalCampaign] | None = None, **agents: str) -> None:
        super().__init__(**agents)
        self.now = START
        self.away: set[str] = set()
        self.ledgers = Ledgers(
            self.dispatcher,
            load_rules(SHIPPED)[1],
            NODES,
            lambda: self.now,
            up=lambda node: node not in self.away,
        )
        self.ledgers.begin({"spring": plan("spring", 1), "summer": plan("summer", 2)}, legal or separate())
        ended = self.book.attempt_end

        def end(call: Any, event: life.Event) -> None:
            ended(call, event)
            self.ledgers.ended(call)

        self.book.attempt_end = end  # type: ignore[method-assign]

    def counts(self, campaign: str = "spring", country: str = "US") -> Counts:
        return self.ledgers.together(campaign).counts(country, START.date())


def separate() -> dict[int, LegalCampaign]:
    return {1: LegalCampaign(1, "Acme", "roofs"), 2: LegalCampaign(1, "Acme", "windows")}


def one() -> dict[int, LegalCampaign]:
    return dict.fromkeys((1, 2), LegalCampaign(1, "Acme", "roofs"))


def talk(desk: Desk, attempt_id: str, *, person: bool = True, second: float = 5.0) -> None:
    """One call from ringing to the disposition."""
    desk.ring(attempt_id)
    desk.answer(attempt_id, second)
    desk.join(attempt_id, second + 0.01)
    desk.hang_up(attempt_id, second + 30)
    desk.ledgers.disposed(attempt_id, person=person)
    desk.dispatcher.feed_seat("alice", chair.WrapOver(at(second + 40), attempt_id))


def test_a_connected_call_is_live_once_its_disposition_says_so() -> None:
    desk = Desk(alice="spring")
    desk.on_duty("alice")
    desk.ring("x")
    desk.answer("x")
    desk.join("x")
    desk.hang_up("x")
    assert desk.counts() == Counts(doubtful=1)
    desk.ledgers.disposed("x", person=True)
    assert desk.counts() == Counts(connected=1)
    desk.ledgers.disposed("x", person=True)
    assert desk.counts() == Counts(connected=1), "a second disposition counts nothing"


def test_a_machine_the_agent_found_is_no_live_answer() -> None:
    desk = Desk(alice="spring")
    desk.on_duty("alice")
    talk(desk, "x", person=False)
    assert desk.counts() == Counts(doubtful=1)
    assert desk.counts().live == 0


def test_a_disposition_that_comes_before_the_end_is_remembered() -> None:
    desk = Desk(alice="spring")
    desk.on_duty("alice")
    desk.ring("x")
    desk.answer("x")
    desk.join("x")
    desk.ledgers.disposed("x", person=True)
    desk.hang_up("x")
    assert desk.counts() == Counts(connected=1)


def test_who_was_taken_from_the_agent_at_once_is_abandoned_whatever_the_agent_says() -> None:
    desk = Desk(alice="spring")
    desk.on_duty("alice")
    desk.ring("x")
    desk.answer("x")
    desk.join("x", 6.8)
    desk.dispatcher.feed("x", life.MessageStarted(at(6.85)))
    desk.ledgers.disposed("x", person=True)
    desk.hang_up("x")
    assert desk.counts() == Counts(abandoned=1, messages=1)


def test_nobody_free_is_abandoned_and_hung_up_at_once_is_not() -> None:
    desk = Desk(alice="spring")
    for name, gone in (("slow", 12.0), ("fast", 6.0)):
        desk.ring(name, number=f"+121055501{int(gone):02d}")
        desk.answer(name)
        if name == "slow":
            desk.dispatcher.feed(name, life.MessageStarted(at(6.8)))
        desk.hang_up(name, gone)
    assert desk.counts() == Counts(abandoned=1, messages=1, short=1)


def test_countries_are_counted_apart_by_the_called_number() -> None:
    desk = Desk(alice="spring")
    desk.ring("x", number=CANADA)
    desk.answer("x")
    desk.hang_up("x", 30)
    assert desk.counts(country="CA").abandoned == 1
    assert desk.counts(country="US").abandoned == 0
    assert desk.ledgers.budget("spring", "main").left == {"US": 2, "CA": 1}


def test_lines_and_agents_of_this_moment() -> None:
    desk = Desk(alice="spring", bob="spring", carol="summer")
    for agent in ("alice", "bob", "carol"):
        desk.on_duty(agent)
    for n, attempt_id in enumerate(("a", "b", "c", "d")):
        desk.ring(attempt_id, number=f"+1210555010{n}")
    desk.ring("e", number=CANADA)
    exposure = desk.ledgers.exposure("spring", "main")
    assert (exposure.free, exposure.flying, exposure.lines) == (2, {"US": 4, "CA": 1}, 5)
    desk.answer("a")
    exposure = desk.ledgers.exposure("spring", "main")
    assert (exposure.free, exposure.lines) == (2, 5), "the call that is being joined has its agent"
    desk.join("a")
    exposure = desk.ledgers.exposure("spring", "main")
    assert (exposure.free, exposure.lines) == (1, 4)
    desk.dispatcher.cancel("b", "test")
    exposure = desk.ledgers.exposure("spring", "main")
    assert (exposure.flying["US"], exposure.lost["US"], desk.ledgers.ending("spring", "main")) == (2, 1, 1)


def test_one_offer_of_one_seller_is_one_measure() -> None:
    apart, together = Desk(separate(), alice="spring"), Desk(one(), alice="spring")
    for desk in (apart, together):
        for n in range(2):
            desk.ring(f"x{n}", number=f"+1210555010{n}")
            desk.answer(f"x{n}")
            desk.hang_up(f"x{n}", 20)
    assert apart.ledgers.budget("summer", "main").left["US"] == 2
    assert together.ledgers.budget("summer", "main").left["US"] == 0
    assert together.ledgers.budget("spring", "main").left["US"] == 0


def test_calls_of_a_campaign_that_was_renamed_are_counted_in_what_it_is_one_with() -> None:
    desk = Desk(alice="spring")
    legal = {**one(), 3: LegalCampaign(1, "Acme", "roofs"), 4: LegalCampaign(1, "Acme", "gone")}
    plans = {"spring": plan("spring", 1), "summer": plan("summer", 2)}
    desk.ledgers.begin(plans, legal, {"autumn": 3, "other": 4})
    desk.ring("x", campaign="autumn", number="+12105550101")
    desk.ring("y", campaign="other", number="+12105550102")
    assert desk.ledgers.budget("spring", "main").left["US"] == 2 - 1, "a line of it that is up is at risk"
    for attempt_id in ("x", "y"):
        desk.answer(attempt_id)
        desk.hang_up(attempt_id, 20)
    assert desk.counts() == desk.counts("summer") == Counts(abandoned=1)
    assert desk.ledgers.budget("spring", "main").left["US"] == 1


def test_lines_of_the_other_campaign_and_promised_ones_are_at_risk_too() -> None:
    desk = Desk(one(), alice="spring")
    desk.ledgers.together("spring").add("US", START.date(), Counts(connected=1000))
    desk.on_duty("alice")
    for n in range(4):
        desk.ring(f"x{n}", number=f"+1210555010{n}")
    assert desk.ledgers.budget("summer", "main").left["US"] == 30 - 3
    desk.ledgers.promised["spring", "main"] = 5
    assert desk.ledgers.budget("summer", "main").left["US"] == 30 - 8
    assert desk.ledgers.budget("spring", "main").left["US"] == 30


def test_agents_of_a_node_that_is_away_cover_nothing() -> None:
    desk = Desk(alice="spring", bob="spring")
    desk.on_duty("alice", node="other")
    desk.on_duty("bob", node="other")
    desk.ring("x", number="+12105550101", node="other")
    desk.ledgers.covered["spring", "other"] = 2
    assert desk.ledgers.exposure("spring", "other").at_risk("US") == 0
    desk.away.add("other")
    assert desk.ledgers.exposure("spring", "other").at_risk("US") == 1, "whoever answers there hears nobody"
    desk.away.clear()
    assert desk.ledgers.exposure("spring", "other").at_risk("US") == 0


def test_agents_of_one_node_cover_no_lines_of_another() -> None:
    desk = Desk(separate(), alice="spring", bob="spring")
    desk.ledgers.together("spring").add("US", START.date(), Counts(connected=1000))
    desk.on_duty("alice", node="main")
    desk.on_duty("bob", node="main")
    for n in range(2):
        desk.ring(f"x{n}", number=f"+1210555010{n}", node="other")
    assert desk.ledgers.exposure("spring", "main").at_risk("US") == 0
    assert desk.ledgers.exposure("spring", "other").at_risk("US") == 2, "two agents are free, but not there"
    assert desk.ledgers.budget("spring", "main").left["US"] == 28
    desk.ledgers.promised["spring", "other"] = 3
    assert desk.ledgers.budget("spring", "main").left["US"] == 25
    assert desk.ledgers.status("spring")["US"]["at_risk"] == 5


def test_a_reload_puts_campaigns_together_anew_and_forgets_nothing() -> None:
    desk = Desk(separate(), alice="spring")
    desk.on_duty("alice")
    talk(desk, "x")
    plans = {"spring": plan("spring", 1), "summer": plan("summer", 2)}
    desk.ledgers.begin(plans, one())
    assert desk.counts("summer") == desk.counts("spring") == Counts(connected=1)
    desk.ledgers.begin({"summer": plans["summer"]}, separate())
    assert desk.counts("summer") == Counts()
    assert desk.counts("spring") == Counts(connected=1)


def test_status_says_what_is_counted_and_left() -> None:
    desk = Desk(alice="spring")
    desk.ring("x")
    desk.answer("x")
    desk.hang_up("x", 20)
    shown = desk.ledgers.status("spring")
    assert set(shown) == {"US"}
    us = shown["US"]
    assert (us["since"], us["live"], us["abandoned"], us["allowed"], us["left"]) == ("2026-06-10", 1, 1, 2, 1)
    assert desk.ledgers.status("unknown") == {}
    assert Desk(alice="spring").ledgers.status("spring") == {}


def test_the_next_period_begins_anew() -> None:
    desk = Desk(alice="spring")
    desk.ring("x")
    desk.answer("x")
    desk.hang_up("x", 20)
    assert desk.ledgers.budget("spring", "main").left["US"] == 1
    desk.now = START + timedelta(days=30)
    assert desk.ledgers.budget("spring", "main").left["US"] == 2


def test_a_campaigns_first_call_begins_the_periods_of_every_country_that_it_calls() -> None:
    """As in the database, from which the next engine reads the ledger."""
    desk = Desk(alice="spring")
    for attempt_id, number, day in (("x", CANADA, 0), ("y", US, 9)):
        desk.ring(attempt_id, number=number)
        desk.answer(attempt_id, 5 + day * 86_400)
        desk.hang_up(attempt_id, 20 + day * 86_400)
    ledger, first = desk.ledgers.together("spring"), START.date()
    assert ledger.period("US", first + timedelta(days=9)) == first
    assert ledger.period("US", first + timedelta(days=31)) == first + timedelta(days=30)
    assert ledger.counts("US", first + timedelta(days=31)) == Counts()


def test_a_ledger_takes_in_another() -> None:
    one, other = Ledger(), Ledger()
    one.add("US", START.date(), Counts(connected=2))
    other.add("US", START.date() - timedelta(days=1), Counts(connected=3, abandoned=1))
    one.take(other)
    assert one.counts("US", START.date()) == Counts(connected=5, abandoned=1)
    assert one.first_days["US"] == START.date() - timedelta(days=1)


def test_a_campaign_of_a_reload_that_was_rolled_back_does_not_stop_the_next_one() -> None:
    desk = Desk(alice="spring")
    desk.on_duty("alice")
    plans = {"spring": plan("spring", 1), "summer": plan("summer", 2)}
    new = LegalCampaign(1, "Acme", "gutters")
    desk.ledgers.begin({**plans, "autumn": plan("autumn", 3)}, {**separate(), 3: new})
    desk.ledgers.begin({**plans, "autumn": plan("autumn", 4)}, {**separate(), 4: new})
    talk(desk, "one")
    assert desk.counts() == Counts(connected=1)
    assert desk.counts("autumn") == Counts()


def test_limits_are_those_of_the_rules_in_force() -> None:
    rules, _ = load_rules(SHIPPED)
    shipped = limits_in_force(rules, START.date())
    assert shipped == LIMITS
    [row] = rules.terms["US"]
    tighter = replace(row, abandon_limit=0.01, effective_from=START.date() + timedelta(days=1))
    until = replace(row, effective_to=START.date())
    changed = replace(rules, terms={**rules.terms, "US": (until, tighter)})
    assert limits_in_force(changed, START.date())["US"].share == Fraction(3, 100)
    assert limits_in_force(changed, START.date() + timedelta(days=1))["US"].share == Fraction(1, 100)
    assert limits_in_force(replace(rules, terms={}), START.date()) == LIMITS, "no rule is no licence"


def test_a_tighter_rule_takes_effect_in_the_engine() -> None:
    desk = Desk(alice="spring")
    desk.ledgers.together("spring").add("US", START.date(), Counts(connected=1000))
    assert desk.ledgers.budget("spring", "main").left["US"] == 30
    rules, _ = load_rules(SHIPPED)
    [row] = rules.terms["US"]
    desk.ledgers.rules = replace(rules, terms={"US": (replace(row, abandon_limit=0.01),)})
    assert desk.ledgers.budget("spring", "main").left["US"] == 10


async def test_what_is_loaded_counts_only_once_it_is_begun_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reload reads inside of its transaction, whose end may be refused."""
    desk = Desk(separate(), alice="spring")
    desk.on_duty("alice")
    talk(desk, "x")
    plans = {"spring": plan("spring", 1), "summer": plan("summer", 2), "autumn": plan("autumn", 3)}
    together = {**one(), 3: one()[1]}

    async def uncommitted(conn: object) -> object:
        return together

    async def ids(conn: object) -> object:
        return {name: each.campaign_id for name, each in plans.items()}

    async def of_before(conn: object, campaign_id: int, *rest: object) -> Ledger:
        assert campaign_id == 3
        ledger = Ledger()
        ledger.add("US", START.date(), Counts(connected=5))
        return ledger

    async def none(*what: object) -> list[object]:
        return []

    for name, instead in {
        "legal_campaigns": uncommitted,
        "campaign_ids": ids,
        "load_ledger": of_before,
        "doubtful": none,
    }.items():
        monkeypatch.setattr(ledger_module, name, instead)
    nobody: Any = None
    grouping = await desk.ledgers.load(nobody, plans)
    assert (desk.counts("spring"), desk.counts("summer")) == (Counts(connected=1), Counts())
    assert desk.ledgers.status("autumn") == {}
    desk.ledgers.begin(*grouping)
    assert desk.counts("spring") == desk.counts("autumn") == Counts(connected=6)
