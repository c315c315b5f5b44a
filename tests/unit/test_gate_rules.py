"""Each rule on its own, the order, the exact next moment, and failing closed."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from typing import Any, Literal

import pytest
from gate_support import BOOK, LIMITS, NOON, PLAN, ask, consenting, context
from hypothesis import given
from hypothesis import strategies as st

from dialer_engine.core.gate import (
    RULES,
    Decision,
    Facts,
    Outcome,
    SuppressionHit,
    Verdict,
    evaluate,
)
from dialer_engine.engine.runner import STALE_S

pytestmark = pytest.mark.unit

NUMBER = "+12122345678"
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def blocking(decision: Decision) -> Verdict:
    assert decision.blocking is not None
    assert not decision.allowed
    return decision.blocking


def hit(scope: Literal["internal", "member"], source: str = "drop_message") -> SuppressionHit:
    return SuppressionHit(scope, source, NOON - HOUR)


def test_rules_are_asked_in_the_documented_order() -> None:
    decision = ask(Facts(NUMBER), all_rules=True)
    assert [verdict.rule for verdict in decision.verdicts] == [rule.name for rule in RULES]
    assert [rule.name for rule in RULES] == [
        "number_class",
        "internal_suppression",
        "member_suppression",
        "emergency_stop",
        "contact_finished",
        "live_call",
        "zone_data",
        "registry",
        "litigator",
        "list_freshness",
        "reassigned",
        "wireless",
        "automated_dialing",
        "holiday",
        "calling_hours",
        "announcing_device",
        "number_attempts",
        "person_attempts",
        "contact_attempts",
        "retry_delay",
    ]


def test_an_ordinary_contact_is_allowed_with_versions_and_local_time() -> None:
    decision = ask(Facts(NUMBER, ("US-NY",)))
    assert decision.allowed
    assert decision.blocking is None
    assert decision.next_allowed == NOON
    assert decision.local_time == "2026-06-10T13:00:00-04:00"
    assert decision.rule_versions == BOOK.version
    for name in ("rules:", "area_codes:", "holidays:", "tzdata:2026."):
        assert name in decision.rule_versions


def test_first_refusal_stops_the_pass_unless_all_rules_are_wanted() -> None:
    facts = Facts("+18002345678", suppressions=(hit("internal"),))
    assert len(ask(facts).verdicts) == 1
    everything = ask(facts, all_rules=True)
    assert len(everything.verdicts) == len(RULES)
    assert blocking(everything).rule == "number_class"


@pytest.mark.parametrize(
    ("number", "word"),
    [
        ("+18002345678", "toll-free"),
        ("+19002345678", "premium"),
        ("+19112345678", "911"),
        ("+18762345678", "Caribbean"),
        ("+17872345678", "territories"),
        ("+442071234567", "outside the US"),
        ("+12992345678", "not a US or Canadian"),
        ("+15002345678", "no place"),
        ("+12125550123", "lab"),
    ],
)
def test_number_class_refuses_in_words(number: str, word: str) -> None:
    verdict = blocking(ask(Facts(number)))
    assert verdict.rule == "number_class"
    assert verdict.outcome is Outcome.block
    assert word in verdict.reason


def test_numbers_of_fiction_are_for_the_lab_only() -> None:
    assert ask(Facts("+12125550123"), lab=True).allowed
    assert not ask(Facts("+12125550123")).allowed
    assert not ask(Facts("+18005550123"), lab=True).allowed


@pytest.mark.parametrize(
    ("scope", "rule"), [("internal", "internal_suppression"), ("member", "member_suppression")]
)
def test_suppressions_refuse_and_name_their_source(scope: Any, rule: str) -> None:
    verdict = blocking(ask(Facts(NUMBER, suppressions=(hit(scope, "agent_key"),))))
    assert verdict.rule == rule
    assert verdict.outcome is Outcome.block
    assert dict(verdict.evidence)["source"] == "agent_key"
    assert "2026-06-10" in verdict.reason


def test_a_suppression_of_unknown_scope_still_refuses() -> None:
    scope: Any = "registry"
    unknown = SuppressionHit(scope, "federal list", NOON)
    assert not ask(Facts(NUMBER, suppressions=(unknown,))).allowed


def test_finished_contact_is_refused_for_good() -> None:
    decision = ask(Facts(NUMBER, contact_final=True, last_result="bridged"))
    assert blocking(decision).rule == "contact_finished"
    assert decision.next_allowed is None


@pytest.mark.parametrize("facts", [Facts(NUMBER, number_live=True), Facts(NUMBER, contact_live=True)])
def test_live_call_waits_without_a_known_end(facts: Facts) -> None:
    decision = ask(facts)
    assert blocking(decision).rule == "live_call"
    assert blocking(decision).outcome is Outcome.wait
    assert decision.next_allowed is None


@pytest.mark.parametrize("version", ["2026.5", "2025.2", "2026", "unknown", ""])
def test_old_zone_data_refuses_canada_but_not_the_us(version: str) -> None:
    old = replace(context(), rules=replace(BOOK, tzdata=version, memo={}))
    assert blocking(evaluate(Facts("+14162345678"), old)).rule == "zone_data"
    assert blocking(evaluate(Facts(NUMBER, ("CA-ON",)), old)).rule == "zone_data"
    assert blocking(evaluate(Facts(NUMBER, (), ("America/Vancouver",)), old)).rule == "zone_data"
    assert evaluate(Facts(NUMBER), old).allowed


@pytest.mark.parametrize("version", ["2026.6", "2026.7", "2027.1", "2026.6.1"])
def test_new_zone_data_admits_canada(version: str) -> None:
    new = replace(context(), rules=replace(BOOK, tzdata=version, memo={}))
    assert evaluate(Facts("+14162345678"), new).allowed


@pytest.mark.parametrize("facts", [Facts(NUMBER, ("MX-JAL",)), Facts(NUMBER, (), ("Mars/Olympus",))])
def test_hints_that_are_not_understood_refuse(facts: Facts) -> None:
    verdict = blocking(ask(facts))
    assert verdict.rule == "zone_data"
    assert "cannot tell the local time" in verdict.reason


def test_attempts_wait_until_the_oldest_that_counts_is_a_day_old() -> None:
    ages = (23 * HOUR, 5 * HOUR, 2 * HOUR)
    decision = ask(Facts(NUMBER, recent_attempts=tuple(NOON - age for age in ages)))
    verdict = blocking(decision)
    assert verdict.rule == "number_attempts"
    assert verdict.until == NOON + HOUR + MINUTE
    assert decision.next_allowed == NOON + HOUR + MINUTE
    assert "3 attempts" in verdict.reason


def test_an_attempt_counts_for_a_day_and_a_minute_because_it_may_have_left_late() -> None:
    ages = (24 * HOUR + MINUTE, 5 * HOUR, 2 * HOUR)
    assert ask(Facts(NUMBER, recent_attempts=tuple(NOON - age for age in ages))).allowed
    slightly_younger = (24 * HOUR + timedelta(seconds=STALE_S), *ages[1:])
    for person in (False, True):
        times = tuple(NOON - age for age in slightly_younger)
        facts = Facts(NUMBER, person_attempts=times) if person else Facts(NUMBER, recent_attempts=times)
        assert blocking(ask(facts)).rule == ("person_attempts" if person else "number_attempts")
        assert ask(facts).next_allowed == NOON + timedelta(seconds=30)


def test_campaigns_smaller_cap_and_house_cap() -> None:
    one = replace(LIMITS, per_number_24h=1)
    facts = Facts(NUMBER, recent_attempts=(NOON - HOUR,))
    verdict = blocking(evaluate(facts, context(limits=one)))
    assert "the campaign allows 1" in verdict.reason
    generous = replace(LIMITS, per_number_24h=10)
    busy = Facts(NUMBER, recent_attempts=tuple(NOON - n * HOUR for n in (4, 3, 2)))
    assert "house limit allows 3" in blocking(evaluate(busy, context(limits=generous))).reason
    none = replace(LIMITS, per_number_24h=0)
    assert blocking(evaluate(Facts(NUMBER), context(limits=none))).outcome is Outcome.block


def test_regions_cap_counts() -> None:
    rows = tuple(replace(row, attempts_24h=2) for row in BOOK.regions["US-FL"])
    strict = replace(BOOK, regions={**BOOK.regions, "US-FL": rows}, memo={})
    facts = Facts("+13052345678", recent_attempts=(NOON - 2 * HOUR, NOON - HOUR))
    verdict = blocking(evaluate(consenting(facts), replace(context(), rules=strict)))
    assert "Florida allows 2" in verdict.reason


@given(
    st.lists(st.integers(0, 30 * 60), max_size=8).map(sorted),
    st.integers(1, 3),
)
def test_next_moment_keeps_every_24_hours_within_the_cap(minutes: list[int], cap: int) -> None:
    attempts = tuple(NOON - timedelta(minutes=m) for m in reversed(minutes))
    limits = replace(LIMITS, per_number_24h=cap)
    decision = evaluate(Facts(NUMBER, recent_attempts=attempts), context(limits=limits))
    moment = decision.next_allowed
    assert moment is not None
    counted = [at for at in attempts if moment - timedelta(hours=24) < at + timedelta(seconds=STALE_S)]
    assert len(counted) < cap
    if moment > NOON:
        earlier = moment - timedelta(microseconds=1)
        assert not evaluate(Facts(NUMBER, recent_attempts=attempts), context(earlier, limits=limits)).allowed


def test_contacts_total_is_final() -> None:
    assert ask(Facts(NUMBER, contact_attempts=5)).allowed
    decision = ask(Facts(NUMBER, contact_attempts=6))
    assert blocking(decision).rule == "contact_attempts"
    assert "allows 6" in blocking(decision).reason
    assert decision.next_allowed is None


@pytest.mark.parametrize(
    ("result", "age", "until"),
    [
        ("no_answer", 1 * HOUR, 3 * HOUR),
        ("no_answer", 4 * HOUR, None),
        ("busy", 0 * HOUR, HOUR / 2),
        ("unknown", 21 * HOUR, 3 * HOUR),
        ("unknown", 24 * HOUR, None),
        ("bridged", 0 * HOUR, None),
    ],
)
def test_retry_delay_after_each_result(result: str, age: timedelta, until: timedelta | None) -> None:
    decision = ask(Facts(NUMBER, last_result=result, last_attempt_at=NOON - age))
    if until is None:
        assert decision.allowed
    else:
        assert blocking(decision).rule == "retry_delay"
        assert blocking(decision).until == NOON + until


def test_a_result_that_is_never_retried_blocks() -> None:
    decision = ask(Facts(NUMBER, last_result="rejected", last_attempt_at=NOON - 90 * HOUR))
    assert blocking(decision).outcome is Outcome.block
    assert "never retries" in blocking(decision).reason


def test_next_moment_is_the_first_that_satisfies_every_rule_together() -> None:
    evening = datetime.fromisoformat("2026-06-10T20:00:00-04:00")
    facts = Facts(NUMBER, last_result="no_answer", last_attempt_at=evening, contact_attempts=1)
    decision = ask(facts, evening)
    assert blocking(decision).rule == "retry_delay"
    assert blocking(decision).until == evening + 4 * HOUR  # midnight: closed by then
    assert decision.next_allowed == datetime.fromisoformat("2026-06-11T08:00:00-04:00")


class BrokenZones(Mapping[str, tzinfo]):
    """Zone data that cannot be read."""

    def __getitem__(self, key: str) -> tzinfo:
        raise OSError("zone data is gone")

    def __iter__(self) -> Iterator[str]:
        return iter(BOOK.zones)

    def __len__(self) -> int:
        return len(BOOK.zones)


def test_whatever_breaks_in_a_rule_refuses() -> None:
    broken = replace(context(), rules=replace(BOOK, zones=BrokenZones(), memo={}))
    decision = evaluate(Facts(NUMBER), broken)
    assert not decision.allowed
    assert blocking(decision).reason == "cannot be checked"
    assert decision.zone == "UTC"
    everything = evaluate(Facts(NUMBER), broken, all_rules=True)
    assert len(everything.verdicts) == len(RULES)


def test_inconsistent_facts_and_a_naive_clock_refuse() -> None:
    verdict = blocking(ask(Facts(NUMBER, last_result="busy")))
    assert verdict.rule == "retry_delay"
    assert verdict.reason == "cannot be checked"
    assert dict(verdict.evidence) == {"error": "ValueError"}
    naive = evaluate(Facts(NUMBER), context(NOON.replace(tzinfo=None)))
    assert blocking(naive).rule == "zone_data"


def test_rules_without_any_row_for_the_day_refuse() -> None:
    bare = replace(BOOK, regions={"US": (), "US-NY": ()}, memo={})
    assert not evaluate(Facts(NUMBER), replace(context(), rules=bare)).allowed
    empty = replace(BOOK, regions={}, memo={})
    assert blocking(evaluate(Facts(NUMBER), replace(context(), rules=empty))).rule == "zone_data"


def test_a_new_plan_is_not_answered_from_the_old_ones_memory() -> None:
    assert ask(Facts(NUMBER)).allowed
    areas = {**PLAN.areas, "212": replace(PLAN.areas["212"], zones=("Pacific/Guam",))}
    moved = replace(context(), plan=replace(PLAN, areas=areas))
    assert not evaluate(Facts(NUMBER), moved).allowed
    assert ask(Facts(NUMBER)).allowed
