"""Uniting addresses: what may be called afterwards is exactly what every one of them allows."""

from functools import cache

import pytest
from gate_support import PLAN, context
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialer_engine.core.gate import Facts
from dialer_engine.core.gate.places import Hints, places_for, unite, zones_left, zones_of_address

pytestmark = pytest.mark.unit

REGIONS = [*sorted({region for area in PLAN.areas.values() for region in area.regions}), "US-XX", "MX-BC"]
ZONES = [*sorted({zone for area in PLAN.areas.values() for zone in area.zones}), "Mars/Base"]
FEW = ["US-TN", "US-TX", "US-KY", "US-CT", "US-IN", "US-ID", "CA-ON"]
some = st.builds(
    Hints,
    st.lists(st.sampled_from(FEW) | st.sampled_from(REGIONS), max_size=3, unique=True).map(tuple),
    st.lists(st.sampled_from(ZONES), max_size=3, unique=True).map(tuple),
)


@cache
def zones_of(region: str) -> tuple[str, ...]:
    return zones_of_address(region, PLAN)


def candidates(hints: Hints) -> tuple[set[str], set[str]]:
    found = places_for(Facts("+12105550100", hints.regions, hints.zones), context())
    return {*found.regions, *found.unknown}, set(found.zones)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(some, min_size=1, max_size=4))
def test_the_candidates_of_the_union_are_those_of_its_sides(sides: list[Hints]) -> None:
    regions, zones = zip(*map(candidates, sides), strict=True)
    assert candidates(unite(sides, zones_of)) == (set().union(*regions), set().union(*zones))


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
