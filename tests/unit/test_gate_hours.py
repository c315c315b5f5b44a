"""Calling hours and holidays against an independent, slow oracle that steps through the minutes."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from gate_support import AREAS, BOOK, CALLABLE, NOON, PLAN, Oracle, ask, ask_hours, clock_changes, context
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialer_engine.contacts.regions import read_address
from dialer_engine.core.gate import CampaignHours, Decision, Facts, Outcome
from dialer_engine.core.gate.places import places_for

pytestmark = pytest.mark.unit

REGIONS = sorted({region for npa in CALLABLE for region in AREAS[npa]["regions"].split()})
ZONES = ["America/New_York", "America/Chicago", "America/Denver", "America/Phoenix", "America/Los_Angeles"]
HOURS = [
    None,
    CampaignHours(time(9), time(17), ("mon", "tue", "wed", "thu", "fri")),
    CampaignHours(time(10, 30), time(10, 31)),
    CampaignHours(time(19, 45), time(23, 59), ("sat", "sun")),
]
moments = st.datetimes(datetime.fromisoformat("2026-01-02"), datetime.fromisoformat("2027-12-31")).map(
    lambda naive: naive.replace(tzinfo=UTC)
)


def number(npa: str) -> str:
    return f"+1{npa}2345678"


def rule(decision: Decision) -> str:
    assert decision.blocking is not None
    return decision.blocking.rule


def test_every_area_code_around_every_clock_change_agrees_with_the_oracle() -> None:
    around = clock_changes((2026, 2027))
    for index, npa in enumerate(CALLABLE):
        oracle = Oracle(npa)
        for moment in around[index % 7 :: 7]:
            assert ask(Facts(number(npa)), moment).allowed is oracle.callable_at(moment), (npa, moment)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(CALLABLE),
    st.none() | st.sampled_from(REGIONS),
    st.none() | st.sampled_from(ZONES),
    moments,
    st.sampled_from(HOURS),
)
def test_answer_and_next_moment_agree_with_the_oracle(
    npa: str, region: str | None, zone: str | None, now: datetime, hours: CampaignHours | None
) -> None:
    facts = Facts(number(npa), (region,) if region else (), (zone,) if zone else ())
    decision = ask_hours(facts, now, hours)
    oracle = Oracle(npa, region, zone, hours)
    assert decision.allowed is oracle.callable_at(now)
    expected = oracle.next_callable(now)
    if expected is not None:
        assert decision.next_allowed == expected


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(CALLABLE), moments)
def test_until_is_the_first_moment_and_the_one_before_is_refused(npa: str, now: datetime) -> None:
    decision = ask(Facts(number(npa)), now)
    if decision.allowed or decision.next_allowed is None:
        assert decision.allowed
        return
    assert ask(Facts(number(npa)), decision.next_allowed).allowed
    just_before = decision.next_allowed - timedelta(microseconds=1)
    assert not ask(Facts(number(npa)), just_before).allowed


@pytest.mark.parametrize(
    ("npa", "local", "allowed"),
    [
        ("212", "2026-06-10T08:00:00-04:00", True),
        ("212", "2026-06-10T07:59:59-04:00", False),
        ("212", "2026-06-10T20:59:00-04:00", True),
        ("212", "2026-06-10T20:59:01-04:00", False),
        ("203", "2026-06-10T19:59:00-04:00", True),
        ("203", "2026-06-10T20:00:00-04:00", False),
        ("205", "2026-06-14T12:00:00-05:00", False),  # Alabama on a Sunday
        ("713", "2026-06-14T11:59:00-05:00", False),  # Texas opens at noon on Sundays
        ("713", "2026-06-14T12:00:00-05:00", True),
        ("401", "2026-06-13T16:59:00-04:00", True),  # Rhode Island on a Saturday
        ("401", "2026-06-13T17:00:00-04:00", False),
        ("850", "2026-06-10T08:30:00-04:00", False),  # Florida's two zones: Chicago is at 07:30
        ("850", "2026-06-10T09:00:00-04:00", True),
        ("850", "2026-06-10T19:30:00-04:00", True),
        ("850", "2026-06-10T19:30:00-05:00", False),  # New York is at 20:30
        ("604", "2026-12-08T09:00:00-07:00", True),  # British Columbia keeps -07:00 in winter
        ("604", "2026-12-08T21:29:00-07:00", True),
        ("604", "2026-12-08T21:30:00-07:00", False),
        ("204", "2026-12-08T09:00:00-05:00", True),  # Manitoba keeps -05:00
        ("403", "2026-12-08T09:00:00-06:00", True),  # Alberta keeps -06:00
        ("416", "2026-06-13T18:00:00-04:00", False),  # Canada closes at 18:00 on Saturdays
        ("602", "2026-07-08T08:00:00-07:00", True),  # Arizona has no summer time
        ("928", "2026-07-08T20:30:00-07:00", False),  # the Navajo Nation has: 21:30 there
        ("928", "2026-01-08T20:30:00-07:00", True),
    ],
)
def test_known_edges(npa: str, local: str, allowed: bool) -> None:
    assert ask(Facts(number(npa)), datetime.fromisoformat(local)).allowed is allowed


def test_address_and_area_code_must_both_allow() -> None:
    facts = Facts(number("310"), ("US-NY",))
    morning_in_new_york = datetime.fromisoformat("2026-06-10T09:00:00-04:00")
    decision = ask(facts, morning_in_new_york)
    assert rule(decision) == "calling_hours"
    assert decision.next_allowed == datetime.fromisoformat("2026-06-10T08:00:00-07:00")
    assert not ask(facts, datetime.fromisoformat("2026-06-10T18:30:00-07:00")).allowed


def test_a_zone_hint_narrows_the_addresses_region_but_never_the_area_code() -> None:
    eight_in_new_york = datetime.fromisoformat("2026-06-10T08:00:00-04:00")
    florida = Facts(number("212"), ("US-FL",), ("America/New_York",))
    assert ask(florida, eight_in_new_york).allowed
    assert not ask(Facts(number("212"), ("US-FL",)), eight_in_new_york).allowed
    assert not ask(Facts(number("850"), ("US-FL",), ("America/New_York",)), eight_in_new_york).allowed


@pytest.mark.parametrize(
    ("npa", "region", "local"),
    [
        ("615", "US-TN", "2026-06-10T21:45:00-04:00"),  # Knoxville; 20:45 in Nashville
        ("901", "US-TN", "2026-06-10T21:45:00-04:00"),
        ("305", "US-FL", "2026-06-10T07:30:00-05:00"),  # Pensacola; 08:30 in Miami
        ("317", "US-IN", "2026-06-10T07:30:00-05:00"),
        ("502", "US-KY", "2026-06-10T09:30:00-05:00"),
        ("512", "US-TX", "2026-06-10T08:30:00-06:00"),
        ("503", "US-OR", "2026-06-10T20:30:00-06:00"),
        ("604", "CA-BC", "2026-12-08T21:45:00-06:00"),
    ],
)
def test_an_address_in_the_area_codes_own_state_may_be_in_any_of_its_zones(
    npa: str, region: str, local: str
) -> None:
    moment = datetime.fromisoformat(local)
    assert ask(Facts(number(npa)), moment).allowed
    assert rule(ask(Facts(number(npa), (region,)), moment)) == "calling_hours"


@pytest.mark.parametrize(
    ("npa", "state", "postal", "local", "allowed"),
    [
        ("615", "TN", "37902", "2026-06-10T21:45:00-04:00", False),
        ("901", "TN", "37402", "2026-06-10T21:45:00-04:00", False),
        ("305", "FL", "32501", "2026-06-10T07:30:00-05:00", False),
        ("317", "IN", "46402", "2026-06-10T07:30:00-05:00", False),
        ("502", "KY", "42001", "2026-06-10T09:30:00-05:00", False),
        ("512", "TX", "79901", "2026-06-10T08:30:00-06:00", False),
        ("503", "OR", "97914", "2026-06-10T20:30:00-06:00", False),
        ("615", "TN", "37203", "2026-06-10T20:45:00-05:00", True),
        ("305", "", "33101", "2026-06-10T08:15:00-04:00", True),
        ("317", "Indiana", "46204-1234", "2026-06-10T08:15:00-04:00", True),
        ("512", "TX", "78701", "2026-06-10T09:15:00-05:00", True),
        ("503", "OR", "97201", "2026-06-10T19:45:00-07:00", True),
        ("416", "ON", "M5V 3L9", "2026-12-08T09:15:00-05:00", True),
        ("604", "BC", "V6B 1A1", "2026-12-08T21:15:00-07:00", True),
        ("615", "TN", "", "2026-06-10T20:45:00-05:00", False),
        ("615", "KY", "37203", "2026-06-10T20:45:00-05:00", False),  # the state says something else
    ],
)
def test_a_postal_code_narrows_the_zones_of_its_state(
    npa: str, state: str, postal: str, local: str, allowed: bool
) -> None:
    address = read_address(state, postal)
    facts = Facts(number(npa), address.regions, address.zones(PLAN))
    assert ask(facts, datetime.fromisoformat(local)).allowed is allowed


def test_an_unknown_state_gets_the_federal_window_in_every_zone_of_the_country() -> None:
    facts = Facts(number("212"), ("US-XX",))
    assert not ask(facts, datetime.fromisoformat("2026-06-10T13:30:00-04:00")).allowed
    assert ask(facts, datetime.fromisoformat("2026-06-10T14:00:00-04:00")).allowed  # 08:00 in Honolulu
    assert not ask(facts, datetime.fromisoformat("2026-06-10T21:00:00-04:00")).allowed


def test_reason_names_place_window_and_local_time() -> None:
    decision = ask(Facts(number("203")), datetime.fromisoformat("2026-06-10T20:15:00-04:00"))
    assert decision.blocking is not None
    assert "Connecticut allows 09:00-20:00" in decision.blocking.reason
    assert "Wed 20:15" in decision.blocking.reason
    evidence = dict(decision.blocking.evidence)
    assert evidence["zone"] == "America/New_York"
    assert evidence["window"] == "09:00-20:00"
    assert "42-288a" in evidence["source"]
    assert decision.blocking.until == datetime.fromisoformat("2026-06-11T09:00:00-04:00")


def test_reason_of_a_closed_day_of_the_campaign_and_of_the_last_seconds() -> None:
    sunday = ask(Facts(number("205")), datetime.fromisoformat("2026-06-14T12:00:00-05:00"))
    assert sunday.blocking is not None
    assert "Alabama is closed today" in sunday.blocking.reason
    campaign = ask_hours(Facts(number("212")), NOON, CampaignHours(time(15), time(16)))
    assert campaign.blocking is not None
    assert "campaign's own hours there are 15:00-16:00" in campaign.blocking.reason
    closing = ask(Facts(number("212")), datetime.fromisoformat("2026-06-10T20:59:30-04:00"))
    assert closing.blocking is not None
    assert "less than 60 s" in closing.blocking.reason


def test_hours_that_never_meet_have_no_next_moment() -> None:
    narrow = CampaignHours(time(9), time(10))
    decision = ask_hours(Facts(number("212"), ("US-CA",)), NOON, narrow)
    assert decision.blocking is not None
    assert decision.blocking.outcome is Outcome.wait
    assert decision.next_allowed is None
    assert "no common opening" in decision.blocking.reason


def test_holiday_ends_at_local_midnight_and_the_number_opens_with_the_hours() -> None:
    thanksgiving = datetime.fromisoformat("2026-11-26T12:00:00-06:00")
    decision = ask(Facts(number("504")), thanksgiving)
    assert rule(decision) == "holiday"
    assert decision.blocking is not None
    assert "Thanksgiving Day in Louisiana" in decision.blocking.reason
    assert decision.blocking.until == datetime.fromisoformat("2026-11-27T00:00:00-06:00")
    assert decision.next_allowed == datetime.fromisoformat("2026-11-27T08:00:00-06:00")
    assert ask(Facts(number("601")), thanksgiving).allowed  # Mississippi lifted its ban


def test_holiday_on_a_weekend_is_also_refused_on_the_day_observed() -> None:
    assert rule(ask(Facts(number("801")), datetime.fromisoformat("2026-07-03T12:00:00-06:00"))) == "holiday"
    assert rule(ask(Facts(number("801")), datetime.fromisoformat("2026-07-04T12:00:00-06:00"))) == "holiday"


def test_consecutive_holidays_end_together() -> None:
    friday_before = datetime.fromisoformat("2027-12-24T12:00:00-05:00")
    decision = ask(Facts(number("215")), friday_before)  # Friday observed, Saturday Christmas
    assert decision.blocking is not None
    assert decision.blocking.until == datetime.fromisoformat("2027-12-26T00:00:00-05:00")


def test_last_minute_before_a_holiday_is_refused() -> None:
    last = datetime.fromisoformat("2026-12-24T23:59:30-05:00")
    assert rule(ask(Facts(number("215")), last)) == "holiday"


def test_a_year_without_a_holiday_list_is_refused_where_holidays_are_forbidden() -> None:
    far = datetime(2035, 6, 13, 17, 0, tzinfo=UTC)
    decision = ask(Facts(number("504")), far)
    assert rule(decision) == "holiday"
    assert decision.blocking is not None
    assert decision.blocking.outcome is Outcome.block
    assert decision.next_allowed is None
    assert ask(Facts(number("212")), far).allowed


def test_local_time_is_that_of_the_zone_that_closes_first() -> None:
    decision = ask(Facts(number("310"), ("US-NY",)))
    assert decision.zone == "America/New_York"
    assert decision.local_time == "2026-06-10T13:00:00-04:00"
    closed = ask(Facts(number("310"), ("US-NY",)), datetime(2026, 6, 10, 12, 0, tzinfo=UTC))
    assert closed.zone == "America/Los_Angeles"


def test_the_same_regions_and_zones_share_their_hours() -> None:
    rules = replace(BOOK, memo={})
    one, other, third = (
        places_for(Facts(f"+1{npa}5550100", (), ()), replace(context(), rules=rules))
        for npa in ("212", "646", "415")
    )
    assert one is not other
    assert one.schedule(None) is other.schedule(None)
    assert one.schedule(None) is not third.schedule(None)


def test_hours_of_the_past_are_forgotten() -> None:
    schedule = places_for(
        Facts("+12125550100", (), ()), replace(context(), rules=replace(BOOK, memo={}))
    ).schedule(None)
    first = datetime(2026, 3, 2, 17, tzinfo=UTC)
    held = [schedule.current(first + timedelta(days=14 * n)) and len(schedule._blocks) for n in range(6)]
    assert max(filter(None, held)) == 2
