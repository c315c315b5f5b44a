"""Consents and relationships: what counts until when, what it permits, and who may be dialed by a machine."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from gate_support import BOOK, LIMITS, NOON, PLAN, SIGNED, context

from dialer_engine.core.gate import (
    Consent,
    ConsentKind,
    Dialing,
    EmergencyStop,
    Facts,
    GateContext,
    Outcome,
    Verdict,
    evaluate,
)
from dialer_engine.core.gate.consent import add_months, allows_automated, allows_registry, valid_consent

pytestmark = pytest.mark.unit

FLORIDA = "+13052345678"
OKLAHOMA = "+14052345678"
CONNECTICUT = "+12032345678"
UTAH = "+18012345678"
WRITTEN, EXPRESS = ConsentKind.express_written, ConsentKind.express
PURCHASE, INQUIRY = ConsentKind.ebr_purchase, ConsentKind.ebr_inquiry


def given(kind: ConsentKind, days_ago: float = 10, revoked: datetime | None = None) -> Consent:
    return Consent(kind, NOON - timedelta(days=days_ago), "form", evidence_id=7, revoked_at=revoked)


def automated(number: str, *consents: Consent, dialing: Dialing = "power", business: bool = False) -> Verdict:
    asked = replace(context(), dialing=dialing, business=business)
    verdicts = evaluate(Facts(number, consents=consents), asked, all_rules=True).verdicts
    return next(verdict for verdict in verdicts if verdict.rule == "automated_dialing")


# --- terms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "months", "expected"),
    [
        ("2026-01-31", 1, "2026-02-28"),
        ("2027-11-30", 3, "2028-02-29"),
        ("2026-08-31", 18, "2028-02-29"),
        ("2026-12-15", 1, "2027-01-15"),
        ("2026-05-05", 18, "2027-11-05"),
    ],
)
def test_months_end_on_the_same_day_or_the_months_last(start: str, months: int, expected: str) -> None:
    assert add_months(datetime.fromisoformat(start), months) == datetime.fromisoformat(expected)


def test_a_purchase_counts_eighteen_months_and_an_inquiry_three() -> None:
    since = datetime(2026, 1, 15, 12, tzinfo=UTC)
    purchase, inquiry = Consent(PURCHASE, since, "shop"), Consent(INQUIRY, since, "call")
    second = timedelta(seconds=1)
    assert inquiry.valid_at(datetime(2026, 4, 15, 12, tzinfo=UTC) - second)
    assert not inquiry.valid_at(datetime(2026, 4, 15, 12, tzinfo=UTC))
    assert purchase.valid_at(datetime(2027, 7, 15, 12, tzinfo=UTC) - second)
    assert not purchase.valid_at(datetime(2027, 7, 15, 12, tzinfo=UTC))
    assert not purchase.valid_at(since - second)


def test_a_consent_counts_until_revoked_and_never_afterwards() -> None:
    consent = Consent(WRITTEN, NOON - timedelta(days=4000), "form")
    assert consent.valid_at(NOON)
    assert consent.ends_at() is None
    revoked = replace(consent, revoked_at=NOON + timedelta(days=1))
    assert not revoked.valid_at(NOON)
    assert revoked.ends_at() == NOON + timedelta(days=1)
    lapsed = Consent(INQUIRY, NOON - timedelta(days=400), "call", revoked_at=NOON)
    assert lapsed.ends_at() == add_months(lapsed.since, 3)


@pytest.mark.parametrize(
    ("kind", "us", "canada"),
    [(EXPRESS, False, True), (WRITTEN, True, True), (PURCHASE, True, True), (INQUIRY, True, True)],
)
def test_what_exempts_from_a_registry(kind: ConsentKind, us: bool, canada: bool) -> None:
    consent = given(kind)
    assert (allows_registry([consent], NOON) is consent) is us
    assert (allows_registry([consent], NOON, "CA") is consent) is canada
    assert allows_registry([consent], NOON, "XX") is None
    assert allows_registry([replace(consent, revoked_at=NOON)], NOON, "CA") is None


def test_the_first_that_counts_is_named() -> None:
    old, new = given(INQUIRY, 400), given(INQUIRY, 5)
    assert valid_consent({INQUIRY}, [old, new], NOON) is new
    assert allows_automated({WRITTEN}, [old, new], NOON) is None


# --- automated dialing ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "kinds"),
    [
        (FLORIDA, {WRITTEN}),
        (CONNECTICUT, {WRITTEN}),
        ("+14102345678", {WRITTEN, INQUIRY}),
        (OKLAHOMA, {WRITTEN, PURCHASE, INQUIRY}),
        ("+13072345678", {EXPRESS, WRITTEN, PURCHASE, INQUIRY}),
        ("+12102345678", set(ConsentKind)),
    ],
)
def test_each_state_accepts_its_own_consents(number: str, kinds: set[ConsentKind]) -> None:
    for kind in ConsentKind:
        expected = Outcome.allow if kind in kinds else Outcome.block
        assert automated(number, given(kind)).outcome is expected, kind
    if number != "+12102345678":
        assert automated(number).outcome is Outcome.block


def test_reason_names_the_state_and_what_is_missing() -> None:
    verdict = automated(FLORIDA)
    assert verdict.reason == (
        "Florida permits automated dialing only with express_written, and no such consent is recorded"
    )
    evidence = dict(verdict.evidence)
    assert (evidence["region"], evidence["by_hand"]) == ("US-FL", "yes")
    assert "501.059" in evidence["source"]
    assert dict(automated(FLORIDA, given(WRITTEN)).evidence)["consent"] == "7"


def test_calls_by_hand_need_none_but_in_connecticut() -> None:
    assert automated(FLORIDA, dialing="manual").outcome is Outcome.allow
    refused = automated(CONNECTICUT, dialing="manual")
    assert refused.outcome is Outcome.block
    assert "sales calls" in refused.reason
    assert dict(refused.evidence)["by_hand"] == "no"
    for dialing in ("progressive", "power", "predictive"):
        assert automated(FLORIDA, dialing=dialing).outcome is Outcome.block  # type: ignore[arg-type]


def test_only_oklahoma_exempts_businesses() -> None:
    assert automated(OKLAHOMA, business=True).outcome is Outcome.allow
    assert automated(FLORIDA, business=True).outcome is Outcome.block
    facts = Facts(OKLAHOMA, business=True)
    assert evaluate(facts, context()).allowed


def test_every_candidate_region_must_be_satisfied() -> None:
    """An Oklahoma number of somebody in Florida needs what both states want."""
    facts = Facts(OKLAHOMA, ("US-FL",), consents=(given(PURCHASE),))
    refusal = evaluate(facts, context()).blocking
    assert refusal is not None
    assert (refusal.rule, "Florida" in refusal.reason) == ("automated_dialing", True)
    assert evaluate(replace(facts, consents=(given(WRITTEN),)), context()).allowed


def test_a_lapsed_or_revoked_consent_is_none() -> None:
    assert automated(OKLAHOMA, given(INQUIRY, 95)).outcome is Outcome.block
    assert automated(FLORIDA, given(WRITTEN, revoked=NOON)).outcome is Outcome.block
    assert automated(FLORIDA, given(WRITTEN, -1)).outcome is Outcome.block


# --- announcing devices ---------------------------------------------------------------------------


def strict(number: str, now: datetime, *consents: Consent, dialing: Dialing = "power") -> Verdict:
    asked = replace(context(now), strict_predictive=True, dialing=dialing)
    verdicts = evaluate(Facts(number, consents=(SIGNED, *consents)), asked, all_rules=True).verdicts
    return next(verdict for verdict in verdicts if verdict.rule == "announcing_device")


@pytest.mark.parametrize(
    ("number", "local", "allowed"),
    [
        ("+12072345678", "2026-06-10T17:00:00-04:00", False),  # Maine: weekdays 09:00-17:00
        ("+12072345678", "2026-06-10T16:59:00-04:00", True),
        ("+12072345678", "2026-06-13T12:00:00-04:00", False),  # a Saturday
        ("+13102345678", "2026-06-10T08:30:00-07:00", False),  # California opens at nine
        ("+13102345678", "2026-06-10T09:00:00-07:00", True),
        ("+14022345678", "2026-06-14T12:30:00-05:00", False),  # Nebraska, Sunday from 13:00
        ("+14022345678", "2026-11-26T12:30:00-06:00", False),  # and on Thanksgiving
        ("+14022345678", "2026-11-26T14:00:00-06:00", True),  # where it has two zones
        ("+14022345678", "2026-11-25T12:30:00-06:00", True),
        ("+12052345678", "2026-06-14T12:00:00-05:00", False),  # Alabama, no Sundays
        ("+12122345678", "2026-06-10T08:30:00-04:00", True),  # New York says nothing about devices
    ],
)
def test_strict_mode_keeps_to_the_devices_windows(number: str, local: str, allowed: bool) -> None:
    verdict = strict(number, datetime.fromisoformat(local))
    assert (verdict.outcome is Outcome.allow) is allowed


def test_strict_mode_says_who_and_until_when() -> None:
    verdict = strict("+12072345678", datetime.fromisoformat("2026-06-12T17:00:00-04:00"))
    assert "Maine allows 09:00-17:00" in verdict.reason
    assert verdict.until == datetime.fromisoformat("2026-06-15T09:00:00-04:00")
    assert "1498" in dict(verdict.evidence)["source"]


def test_without_strict_mode_or_by_hand_the_windows_do_not_matter() -> None:
    evening = datetime.fromisoformat("2026-06-10T18:00:00-04:00")
    decision = evaluate(Facts("+12072345678"), context(evening))
    assert decision.allowed
    assert strict("+12072345678", evening, dialing="manual").outcome is Outcome.allow
    assert strict("+12072345678", evening, dialing="progressive").outcome is Outcome.wait


def test_utah_and_indiana_want_consent_to_devices() -> None:
    asked = replace(context(), strict_predictive=True)
    for number in (UTAH, "+13172345678"):
        refusal = evaluate(Facts(number), asked).blocking
        assert refusal is not None
        assert (refusal.rule, refusal.outcome) == ("announcing_device", Outcome.block)
        assert "wants consent to announcing devices" in refusal.reason
        assert evaluate(Facts(number, consents=(given(EXPRESS),)), asked).allowed


# --- emergency stops, persons, territories, ring time ---------------------------------------------


def stopped(region: str, facts: Facts, *, exempts: bool = False) -> GateContext:
    return replace(context(), stops=(EmergencyStop(region, "hurricane", NOON, "ops", exempts),))


@pytest.mark.parametrize(
    ("region", "facts", "refused"),
    [
        ("US-LA", Facts("+15042345678"), True),
        ("US-LA", Facts("+12122345678", ("US-LA",)), True),  # the address alone
        ("US-LA", Facts("+15042345678", ("US-NY",)), True),  # the area code alone
        ("US-LA", Facts("+12122345678"), False),
        ("US", Facts("+12122345678"), True),
        ("US", Facts("+14162345678"), False),
        ("CA", Facts("+14162345678"), True),
    ],
)
def test_a_stop_refuses_whoever_may_be_there(region: str, facts: Facts, refused: bool) -> None:
    decision = evaluate(replace(facts, consents=(SIGNED,)), stopped(region, facts))
    assert (decision.blocking is not None and decision.blocking.rule == "emergency_stop") is refused
    if refused:
        assert decision.blocking is not None
        assert "hurricane" in decision.blocking.reason
        assert decision.next_allowed is None


def test_a_stop_may_leave_people_with_consent() -> None:
    facts = Facts("+15042345678", consents=(given(PURCHASE),))
    assert not evaluate(facts, stopped("US-LA", facts)).allowed
    assert evaluate(facts, stopped("US-LA", facts, exempts=True)).allowed
    stranger = Facts("+15042345678", consents=(given(EXPRESS),))
    assert not evaluate(stranger, stopped("US-LA", stranger, exempts=True)).allowed


def test_attempts_are_counted_per_person() -> None:
    hour = timedelta(hours=1)
    facts = Facts("+12102345678", recent_attempts=(NOON - hour,), person_attempts=(NOON - hour,) * 2)
    assert evaluate(facts, context()).allowed
    tired = replace(facts, person_attempts=(NOON - 5 * hour, NOON - 3 * hour, NOON - hour))
    refusal = evaluate(tired, context()).blocking
    assert refusal is not None
    assert (refusal.rule, refusal.until) == ("person_attempts", NOON + 19 * hour + timedelta(minutes=1))
    assert "this person's numbers" in refusal.reason
    strict_campaign = replace(context(), limits=replace(LIMITS, per_person_24h=1))
    assert evaluate(facts, strict_campaign).blocking is not None


@pytest.mark.parametrize(
    ("number", "territories", "lab", "allowed"),
    [
        ("+17872345678", frozenset(), False, False),
        ("+17872345678", frozenset({"US-PR"}), False, True),
        ("+17872345678", frozenset({"US-VI"}), False, False),
        ("+17875550100", frozenset({"US-PR"}), False, False),
        ("+17875550100", frozenset({"US-PR"}), True, True),
        ("+17875550100", frozenset(), True, False),
        ("+17875551212", frozenset({"US-PR"}), True, False),
        ("+17879762345", frozenset({"US-PR"}), True, False),
    ],
)
def test_territories_are_called_only_when_named(
    number: str, territories: frozenset[str], lab: bool, allowed: bool
) -> None:
    asked = replace(context(lab=lab), territories=territories)
    decision = evaluate(Facts(number), asked)
    assert decision.allowed is allowed
    if not allowed:
        assert decision.blocking is not None
        assert decision.blocking.rule == "number_class"


@pytest.mark.parametrize(
    ("facts", "window"),
    [
        (Facts("+12122345678"), (15, 60)),
        (Facts("+17872345678"), (15, 28)),
        (Facts("+12122345678", ("US-PR",)), (15, 28)),
        (Facts("+14162345678"), (15, 60)),
        (Facts("+19002345678"), None),
    ],
)
def test_the_ring_window_is_the_narrowest_of_all_candidates(
    facts: Facts, window: tuple[int, int] | None
) -> None:
    asked = replace(context(), territories=frozenset({"US-PR"}))
    assert evaluate(facts, asked).ring_window == window


def test_contradicting_ring_times_leave_the_longest_permitted() -> None:
    row = BOOK.terms["US"][0]
    book = replace(BOOK, terms={**BOOK.terms, "US": (replace(row, ring_min_s=40),)}, memo={})
    asked = GateContext(NOON, book, PLAN, LIMITS, territories=frozenset({"US-PR"}))
    assert evaluate(Facts("+17872345678"), asked).ring_window == (28, 28)
