"""Rules about registries, litigators, fresh lists, reassigned numbers and wireless lines."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from gate_support import BOOK, NOON, context

from dialer_engine.core.gate import (
    Consent,
    ConsentKind,
    Facts,
    GateContext,
    ListHit,
    ListState,
    Outcome,
    ReassignedAnswer,
    Verdict,
    evaluate,
)
from dialer_engine.core.gate.lists import Age
from dialer_engine.core.gate.rules import list_freshness, litigator, reassigned, registry, wireless

pytestmark = pytest.mark.unit

NEW_YORK, DALLAS, MAINE, TORONTO = "+12122345678", "+12142345678", "+12072345678", "+14162345678"
DAY = timedelta(days=1)
AS_OF = NOON - 3 * DAY


def asked(now: datetime = NOON, *, lab: bool = False) -> GateContext:
    """The shipped rules with the lists they need."""
    return replace(context(now, lab=lab), lists=BOOK.lists)


def hit(name: str) -> ListHit:
    return ListHit(name, "7", AS_OF)


def consent(kind: ConsentKind, days_ago: int = 10, revoked: datetime | None = None) -> Consent:
    return Consent(kind, NOON - days_ago * DAY, "web form", evidence_id=42, revoked_at=revoked)


def state(name: str, age_days: float = 3, **changes: object) -> ListState:
    return replace(ListState(name, NOON - age_days * DAY, "7"), **changes)  # type: ignore[arg-type]


def fresh(number: str, *states: ListState, regions: tuple[str, ...] = (), now: datetime = NOON) -> Verdict:
    return list_freshness.check(Facts(number, regions, list_states=states), asked(now))


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("us_national", "US National Do Not Call Registry"),
        ("us_state:TX", "do-not-call list of TX"),
        ("ca_dncl", "Canadian National Do Not Call List"),
    ],
)
def test_a_number_on_a_registry_is_refused_with_list_and_version(name: str, title: str) -> None:
    verdict = registry.check(Facts(NEW_YORK, lists=(hit("wireless"), hit(name))), asked())
    assert verdict.outcome is Outcome.block
    assert title in verdict.reason
    assert dict(verdict.evidence)["list"] == name
    assert dict(verdict.evidence)["version"] == "7"


@pytest.mark.parametrize(
    ("kind", "days_ago", "us", "canada"),
    [
        (ConsentKind.express_written, 3000, Outcome.allow, Outcome.allow),
        (ConsentKind.express, 10, Outcome.block, Outcome.allow),
        (ConsentKind.ebr_purchase, 500, Outcome.allow, Outcome.allow),
        (ConsentKind.ebr_purchase, 560, Outcome.block, Outcome.block),
        (ConsentKind.ebr_inquiry, 80, Outcome.allow, Outcome.allow),
        (ConsentKind.ebr_inquiry, 95, Outcome.block, Outcome.block),
    ],
)
def test_what_was_agreed_decides_on_a_registry_number(
    kind: ConsentKind, days_ago: int, us: Outcome, canada: Outcome
) -> None:
    agreed = (consent(kind, days_ago),)
    american = registry.check(Facts(NEW_YORK, lists=(hit("us_national"),), consents=agreed), asked())
    canadian = registry.check(Facts(TORONTO, lists=(hit("ca_dncl"),), consents=agreed), asked())
    assert (american.outcome, canadian.outcome) == (us, canada)
    if american.outcome is Outcome.allow:
        assert "record 42" in american.reason


def test_a_revoked_consent_does_not_count_and_a_business_is_exempt() -> None:
    revoked = (consent(ConsentKind.express_written, 30, revoked=NOON - DAY),)
    named = Facts(NEW_YORK, lists=(hit("us_national"),))
    assert registry.check(replace(named, consents=revoked), asked()).outcome is Outcome.block
    assert registry.check(replace(named, business=True), asked()).outcome is Outcome.allow
    assert registry.check(named, replace(asked(), business=True)).outcome is Outcome.allow


def test_every_registry_must_be_exempted() -> None:
    both = Facts(
        TORONTO, lists=(hit("ca_dncl"), hit("us_national")), consents=(consent(ConsentKind.express),)
    )
    assert "US National" in registry.check(both, asked()).reason


def test_a_litigator_is_refused_whatever_was_agreed() -> None:
    facts = Facts(NEW_YORK, lists=(hit("litigator:acme"),), consents=(consent(ConsentKind.express_written),))
    verdict = litigator.check(facts, asked())
    assert verdict.outcome is Outcome.block
    assert "acme" in verdict.reason
    assert registry.check(facts, asked()).outcome is Outcome.allow
    assert litigator.check(Facts(NEW_YORK), asked()).outcome is Outcome.allow


@pytest.mark.parametrize(
    ("age_days", "outcome", "words"),
    [
        (0.0, Outcome.allow, "fresh"),
        (21.0, Outcome.allow, "fresh"),
        (21.1, Outcome.allow, "calls stop after 31"),
        (31.0, Outcome.allow, "calls stop after 31"),
        (31.001, Outcome.block, "at most 31"),
        (400.0, Outcome.block, "400 days old"),
    ],
)
def test_the_age_of_a_list(age_days: float, outcome: Outcome, words: str) -> None:
    verdict = fresh(NEW_YORK, state("us_national", age_days))
    assert verdict.outcome is outcome
    assert words in verdict.reason


def test_a_list_that_is_fresh_now_stops_calls_when_it_has_aged() -> None:
    assert fresh(NEW_YORK, state("us_national"), now=NOON).outcome is Outcome.allow
    assert fresh(NEW_YORK, state("us_national"), now=NOON + 29 * DAY).outcome is Outcome.block


def test_a_list_with_a_limit_of_its_own() -> None:
    quarterly = tuple(
        replace(row, max_age_days=95) if row.name == "us_state:TX" else row for row in BOOK.lists.required
    )
    allowing = replace(asked(), lists=replace(BOOK.lists, required=quarterly))
    for age, outcome in ((60, Outcome.allow), (96, Outcome.block)):
        facts = Facts(DALLAS, list_states=(state("us_national"), state("us_state:TX", age)))
        assert list_freshness.check(facts, allowing).outcome is outcome
        assert list_freshness.check(facts, asked()).outcome is Outcome.block


def test_a_missing_list_stops_calls_except_in_the_lab() -> None:
    verdict = fresh(NEW_YORK)
    assert verdict.outcome is Outcome.block
    assert "not loaded for area code 212" in verdict.reason
    assert dict(verdict.evidence)["remedy"] == "dialer registry import us_national"
    assert fresh(NEW_YORK, state("us_national", as_of=None)).outcome is Outcome.block
    facts = Facts("+12125550143")
    assert list_freshness.check(facts, asked(lab=True)).outcome is Outcome.allow


def test_a_stale_list_stops_calls_in_the_lab_too() -> None:
    facts = Facts("+12125550143", list_states=(state("us_national", 40),))
    assert list_freshness.check(facts, asked(lab=True)).outcome is Outcome.block


def test_a_subscription_of_somebody_else_does_not_help() -> None:
    verdict = fresh(NEW_YORK, state("us_national", subscribed=False))
    assert verdict.outcome is Outcome.block
    assert "no subscription of this Member" in verdict.reason


def test_a_waiver_is_said_with_its_reason() -> None:
    verdict = fresh(NEW_YORK, state("us_national", as_of=None, waiver="registered charity"))
    assert verdict.outcome is Outcome.allow
    assert "registered charity" in verdict.reason


def test_states_of_area_code_and_address_ask_for_their_lists() -> None:
    national = state("us_national")
    assert "list of TX" in fresh(DALLAS, national).reason
    assert fresh(DALLAS, national, state("us_state:TX")).outcome is Outcome.allow
    assert "list of FL" in fresh(NEW_YORK, national, regions=("US-FL",)).reason
    assert fresh(NEW_YORK, national, regions=("US-NY",)).outcome is Outcome.allow


def test_canada_needs_its_own_list_and_not_the_american_one() -> None:
    assert "Canadian" in fresh(TORONTO, state("us_national")).reason
    assert fresh(TORONTO, state("ca_dncl")).outcome is Outcome.allow
    assert fresh(TORONTO, state("ca_dncl"), regions=("US-NY",)).outcome is Outcome.allow


def test_a_recorded_consent_needs_no_list() -> None:
    facts = Facts(NEW_YORK, consents=(consent(ConsentKind.express_written),))
    verdict = list_freshness.check(facts, asked())
    assert verdict.outcome is Outcome.allow
    assert "not needed" in verdict.reason


def test_a_consent_for_one_list_does_not_hide_that_another_is_missing() -> None:
    """An exempt number passes every list; a number without consent stops at the first that is missing."""
    facts = Facts(DALLAS, list_states=(state("us_national", 25),))
    assert list_freshness.check(facts, asked()).outcome is Outcome.block


def test_nothing_is_needed_without_rows() -> None:
    assert list_freshness.check(Facts(NEW_YORK), context()).outcome is Outcome.allow
    assert reassigned.check(Facts(MAINE), context()).outcome is Outcome.allow


def test_ages_at_their_borders() -> None:
    old = ListState("x", NOON - 31 * DAY)
    assert old.age(NOON, 21, 31) is Age.warning
    assert old.age(NOON + timedelta(seconds=1), 21, 31) is Age.stale
    assert old.age_days(NOON + timedelta(hours=23)) == 31
    assert ListState("x", None).age(NOON, 21, 31) is Age.missing
    assert ListState("x", NOON + DAY).age(NOON, 21, 31) is Age.fresh


def answer(word: str, days_ago: float = 5) -> ReassignedAnswer:
    return ReassignedAnswer(word, date(2025, 1, 1), NOON - days_ago * DAY)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("number", "found", "outcome", "words"),
    [
        (NEW_YORK, None, Outcome.allow, "need not be asked"),
        (NEW_YORK, answer("no"), Outcome.allow, "not given up since 2025-01-01"),
        (NEW_YORK, answer("no_data"), Outcome.allow, "no data"),
        (NEW_YORK, answer("yes"), Outcome.block, "given up since"),
        (MAINE, None, Outcome.block, "must be asked"),
        (MAINE, answer("no"), Outcome.allow, "not given up"),
        (MAINE, answer("no", 46), Outcome.block, "older than 45 days"),
        (MAINE, answer("no_data"), Outcome.block, "not a no"),
        (MAINE, answer("yes"), Outcome.block, "given up since"),
    ],
)
def test_reassigned_numbers(
    number: str, found: ReassignedAnswer | None, outcome: Outcome, words: str
) -> None:
    verdict = reassigned.check(Facts(number, reassigned=(found,) if found else ()), asked())
    assert verdict.outcome is outcome
    assert words in verdict.reason


def test_who_agreed_after_the_answer_is_the_present_owner() -> None:
    later = Consent(ConsentKind.express_written, NOON - DAY, "web form")
    facts = Facts(NEW_YORK, reassigned=(answer("yes"),), consents=(later,))
    assert reassigned.check(facts, asked()).outcome is Outcome.allow
    before = replace(facts, consents=(consent(ConsentKind.express_written, 90),))
    assert reassigned.check(before, asked()).outcome is Outcome.block


def about(word: str, since: str, days_ago: float) -> ReassignedAnswer:
    return replace(answer(word, days_ago), asked_since=date.fromisoformat(since))


LONG_AGO, OLDER, OLD_DAY, BETWEEN = "2020-01-01", "2023-01-01", f"{NOON.date() - 900 * DAY}", "2025-06-01"


@pytest.mark.parametrize(
    ("found", "outcome", "words"),
    [
        pytest.param([("no", OLD_DAY, 5)], Outcome.allow, "not given up since", id="the very date"),
        pytest.param([("no", OLDER, 5)], Outcome.allow, "not given up since", id="an earlier date"),
        pytest.param([("no", BETWEEN, 5)], Outcome.block, f"ask about {OLD_DAY}", id="too late a date"),
        pytest.param([("yes", OLDER, 9), ("no", BETWEEN, 5)], Outcome.block, "given up", id="no for another"),
        pytest.param([("yes", OLDER, 9), ("no", OLDER, 5)], Outcome.block, "given up", id="taken back"),
        pytest.param([("yes", OLDER, 9), ("no", OLD_DAY, 5)], Outcome.allow, "not given up", id="before it"),
        pytest.param([("yes", OLDER, 5), ("no", OLD_DAY, 5)], Outcome.allow, "not given up", id="on one day"),
        pytest.param([("yes", OLDER, 5), ("no", OLD_DAY, 9)], Outcome.block, "given up", id="yes is newer"),
        pytest.param([("yes", BETWEEN, 5)], Outcome.block, "given up", id="yes about a later date"),
        pytest.param([("no", OLD_DAY, 9), ("no", BETWEEN, 5)], Outcome.allow, "not given up", id="both"),
        pytest.param([("no", OLD_DAY, 46), ("no", BETWEEN, 5)], Outcome.block, "older than", id="too old"),
        pytest.param([("no", OLD_DAY, 46), ("no", OLDER, 5)], Outcome.allow, "not given up", id="asked anew"),
        pytest.param([("no", OLD_DAY, 9), ("no_data", LONG_AGO, 5)], Outcome.allow, "not given", id="vaguer"),
        pytest.param([("no", OLDER, 9), ("no_data", OLD_DAY, 5)], Outcome.block, "not a no", id="data lost"),
        pytest.param([("no_data", BETWEEN, 5)], Outcome.block, "ask about", id="no data about a later date"),
        pytest.param(
            [("yes", LONG_AGO, 30), ("no", OLDER, 20), ("no_data", OLD_DAY, 5)],
            *(Outcome.block, "given up"),
            id="what overtook the yes is lost",
        ),
    ],
)
def test_an_answer_counts_about_the_date_that_is_relied_on(
    found: list[tuple[str, str, float]], outcome: Outcome, words: str
) -> None:
    signed = consent(ConsentKind.express_written, 900)
    facts = Facts(MAINE, reassigned=tuple(about(*each) for each in found), consents=(signed,))
    for answers in (facts.reassigned, facts.reassigned[::-1]):
        verdict = reassigned.check(replace(facts, reassigned=answers), asked())
        assert (verdict.outcome, words in verdict.reason) == (outcome, True), verdict.reason


def test_another_member_s_later_question_hides_no_yes() -> None:
    """The consent is of 900 days ago; somebody else asks about last week."""
    signed = consent(ConsentKind.express_written, 900)
    answers = (about("yes", LONG_AGO, 20), about("no", f"{NOON.date() - 7 * DAY}", 2))
    for number in (MAINE, NEW_YORK):
        facts = Facts(number, reassigned=answers, consents=(signed,))
        assert reassigned.check(facts, asked()).outcome is Outcome.block
        bought = consent(ConsentKind.ebr_purchase, 3)
        theirs = reassigned.check(replace(facts, consents=(signed, bought)), asked())
        assert (theirs.outcome, theirs.evidence[0]) == (Outcome.allow, ("answer", "no"))
        nobody = replace(facts, consents=(replace(signed, revoked_at=NOON - DAY),))
        assert reassigned.check(nobody, asked()).outcome is Outcome.block, "a yes stands without a consent"


ASKED, ANSWERED = date(2025, 1, 10), datetime(2026, 9, 1, 12, tzinfo=UTC)
FORMER = Consent(ConsentKind.express_written, datetime(2025, 1, 10, 12, tzinfo=UTC), "web form")
PRESENT = Consent(ConsentKind.express, datetime(2026, 10, 1, 12, tzinfo=UTC), "phone")
BEFORE_HER = ReassignedAnswer("no", date(2025, 1, 11), ANSWERED)
"""A number given up some time after January 10, 2025, unless this answer says that it was that very day."""


@pytest.mark.parametrize(
    ("consents", "answers", "refused"),
    [
        pytest.param((FORMER,), (), "reassigned", id="the former owner alone"),
        pytest.param((PRESENT,), (), "registry", id="the present owner, who signed nothing"),
        pytest.param((FORMER, PRESENT), (), "registry", id="a signature of the former owner beside"),
        pytest.param((PRESENT, FORMER), (), "registry", id="in the other order"),
        pytest.param(
            (replace(FORMER, since=ANSWERED), PRESENT), (), "registry", id="the moment of the answer"
        ),
        pytest.param(
            (replace(FORMER, since=ANSWERED + DAY), PRESENT), (), None, id="signed after the answer"
        ),
        pytest.param(
            (replace(FORMER, since=FORMER.since + DAY), PRESENT), (BEFORE_HER,), None, id="later no"
        ),
        pytest.param((FORMER, PRESENT), (BEFORE_HER,), "registry", id="no about a day after the signature"),
        pytest.param(
            (replace(FORMER, since=FORMER.since + DAY), PRESENT),
            (BEFORE_HER, ReassignedAnswer("no_data", date(2025, 1, 11), ANSWERED + DAY)),
            "registry",
            id="a no that is lost",
        ),
        pytest.param(
            (replace(FORMER, since=ANSWERED + DAY), PRESENT),
            (ReassignedAnswer("yes", date(2025, 1, 10), ANSWERED + 5 * DAY),),
            "registry",
            id="given up twice",
        ),
    ],
)
def test_a_former_owners_consent_permits_nothing(
    consents: tuple[Consent, ...], answers: tuple[ReassignedAnswer, ...], refused: str | None
) -> None:
    """What one owner signed does not join with what the next one said."""
    given_up = ReassignedAnswer("yes", ASKED, ANSWERED)
    facts = Facts(NEW_YORK, lists=(hit("us_national"),), consents=consents, reassigned=(given_up, *answers))
    decision = evaluate(facts, context(datetime(2026, 10, 13, 17, tzinfo=UTC)))
    assert (decision.blocking.rule if decision.blocking else None) == refused


def test_answers_that_cannot_be_compared_leave_no_consent() -> None:
    odd = replace(FORMER, since=datetime(2026, 10, 1))  # noqa: DTZ001
    given_up = ReassignedAnswer("yes", ASKED, ANSWERED)
    decision = evaluate(Facts(NEW_YORK, consents=(odd, PRESENT), reassigned=(given_up,)), context())
    assert decision.blocking is not None
    assert decision.blocking.rule == "reassigned"


def test_in_maine_the_lab_needs_no_answer() -> None:
    assert reassigned.check(Facts("+12075550143"), asked(lab=True)).outcome is Outcome.allow


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((), False),
        (("wireless",), True),
        (("wireless", "ported:to_wireline"), False),
        (("ported:to_wireless",), True),
        (("us_national",), False),
    ],
)
def test_what_kind_of_line_it_is(names: tuple[str, ...], expected: bool) -> None:
    assert wireless.is_wireless(Facts(NEW_YORK, lists=tuple(map(hit, names)))) is expected


def test_wireless_lines_in_strict_mode_need_written_consent_or_a_hand() -> None:
    mobile = Facts(NEW_YORK, lists=(hit("wireless"),))
    strict = replace(asked(), strict_predictive=True)
    assert wireless.check(mobile, asked()).outcome is Outcome.allow
    assert wireless.check(mobile, strict).outcome is Outcome.block
    assert wireless.check(mobile, replace(strict, dialing="manual")).outcome is Outcome.allow
    signed = replace(mobile, consents=(consent(ConsentKind.express_written),))
    assert wireless.check(signed, strict).outcome is Outcome.allow
    said = replace(mobile, consents=(consent(ConsentKind.express),))
    assert wireless.check(said, strict).outcome is Outcome.block


def test_rows_have_dates() -> None:
    row = next(each for each in BOOK.lists.required if each.region == "US-ME")
    assert not row.in_force(date(2024, 7, 15))
    assert row.in_force(date(2024, 7, 16))
    assert [each.name for each in BOOK.lists.needed(("US", "US-TX"), date(2026, 6, 1))] == [
        "us_national",
        "us_state:TX",
    ]
    assert NOON.tzinfo is UTC
