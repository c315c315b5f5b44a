"""Uniting addresses: what may be called afterwards is exactly what every one of them allows."""

from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from gate_support import BOOK, PLAN, SAME_NAME, ask, context
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialer_engine.contacts.columns import choose
from dialer_engine.contacts.regions import zone_hints
from dialer_engine.contacts.staging import CONTACT_COLUMNS, Reader
from dialer_engine.core.gate import Facts, Outcome
from dialer_engine.core.gate.places import Hints, places_for, unite, zones_left, zones_of_address

pytestmark = pytest.mark.unit

REGIONS = [*sorted({region for area in PLAN.areas.values() for region in area.regions}), "US-XX", "MX-BC"]
ZONES = [*sorted({zone for area in PLAN.areas.values() for zone in area.zones}), "Mars/Base"]
FEW = ["US-TN", "US-TX", "US-KY", "US-CT", "US-IN", "US-ID", "US-AZ", "CA-ON"]
some = st.builds(
    Hints,
    st.lists(st.sampled_from(FEW) | st.sampled_from(REGIONS), max_size=3, unique=True).map(tuple),
    st.lists(st.sampled_from(ZONES), max_size=3, unique=True).map(tuple),
)


@cache
def zones_of(region: str) -> tuple[str, ...]:
    return zones_of_address(region, PLAN)


def imported(number: str, state: str, zone: str) -> Facts:
    """What a file's row says of a number."""
    head, row = ["Phone", "State", "Time zone"], [number, state, zone]
    reader = Reader(choose([head, row], []), PLAN, BOOK.zones, lab=True)
    (batch,) = reader.batches([(2, row)])
    (contact,) = (dict(zip(CONTACT_COLUMNS, values, strict=True)) for values in batch.contacts)
    return Facts(number, contact["regions"], contact["zones"])


def candidates(hints: Hints) -> tuple[set[str], set[str]]:
    found = places_for(Facts("+12105550100", hints.regions, hints.zones), context())
    return {*found.regions, *found.unknown}, set(found.zones)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(some, min_size=1, max_size=4))
def test_the_candidates_of_the_union_are_those_of_its_sides(sides: list[Hints]) -> None:
    regions, zones = (set[str]().union(*each) for each in zip(*map(candidates, sides), strict=True))
    united_regions, united_zones = candidates(unite(sides, zones_of))
    assert united_regions == regions
    same_name = set[str]().union(*(SAME_NAME.get(zone, set()) for zone in zones))
    assert zones <= united_zones <= zones | same_name, "one side's zone may mean another's too"


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(some, min_size=1, max_size=4))
def test_what_came_in_one_import_or_in_several_is_the_same(sides: list[Hints]) -> None:
    united = sides[0]
    for side in sides[1:]:
        united = unite((united, side), zones_of)
    assert candidates(united) == candidates(unite(sides, zones_of))


@given(some)
def test_the_zones_left_are_the_gates(hints: Hints) -> None:
    assert zones_left(hints, zones_of) | {"America/Chicago"} == candidates(hints)[1]


def test_a_side_that_says_nothing_new_changes_nothing() -> None:
    known = Hints(("US-CT", "US-TX"), ("America/Chicago",))
    for new in (known, Hints((), ()), Hints(("US-CT",), ()), Hints((), ("America/Chicago",))):
        assert unite((known, new), zones_of) == known


# --- what people call their zones -----------------------------------------------------------------


@pytest.mark.parametrize("word", ["MST", "mountain time", "America/Denver"])
def test_mountain_time_in_arizona_may_be_that_of_phoenix(word: str) -> None:
    """08:05 in Denver, 07:05 in Phoenix; a contact that was imported long ago has the zone of Denver alone."""
    facts = imported("+13035550123", "AZ", word)
    assert facts.zones == ("America/Denver",)
    early = datetime(2027, 6, 9, 14, 5, tzinfo=UTC)
    decision = ask(facts, early, lab=True)
    assert decision.blocking is not None
    assert (decision.blocking.rule, decision.blocking.outcome) == ("calling_hours", Outcome.wait)
    assert decision.next_allowed == datetime(2027, 6, 9, 15, 0, tzinfo=UTC)
    assert ask(imported("+13035550123", "CO", word), early, lab=True).allowed, "Colorado loses no hour"


@pytest.mark.parametrize(
    ("state", "word", "further"),
    [
        ("AZ", "Mountain", {"America/Phoenix"}),
        ("ON", "CST", {"America/Winnipeg", "America/Atikokan"}),
        ("QC", "Atlantic", {"America/Blanc-Sablon"}),
        ("NL", "Atlantic", {"America/Puerto_Rico"}),
        ("AK", "Hawaii", {"America/Adak"}),
        ("ND", "Mountain", set()),
        ("ID", "Pacific", set()),
        ("TX", "Central", set()),
        ("TX", "Mountain", set()),
    ],
)
def test_a_word_means_every_zone_of_that_name_in_its_state(state: str, word: str, further: set[str]) -> None:
    facts = imported("+12105550100", state, word)
    hints = Hints(facts.regions, facts.zones)
    assert zones_left(hints, zones_of) == {*facts.zones, *further}
    assert candidates(hints)[1] == {"America/Chicago", *facts.zones, *further}


def test_no_zone_with_a_name_of_two_clocks_is_missing() -> None:
    """Whatever goes with the clock that a word names on some days of the year, and not on others."""
    days = [datetime(2027, 1, 1, 12, tzinfo=UTC) + timedelta(days=n) for n in range(365)]

    def clock(zone: str) -> list[timedelta | None]:
        return [day.astimezone(BOOK.zones[zone]).utcoffset() for day in days]

    words = ("eastern", "central", "mountain", "pacific", "alaska", "hawaii", "atlantic", "newfoundland")
    for (named,) in (zone_hints(word, BOOK.zones) for word in words):
        there = {zone for region in REGIONS if named in zones_of(region) for zone in PLAN.zones_of(region)}
        sometimes = {zone for zone in there if any(map(timedelta.__eq__, clock(zone), clock(named)))}
        assert {zone for zone in sometimes if clock(zone) != clock(named)} == SAME_NAME.get(named, set())
