"""Silence of phones behind a front: theirs, or the front's."""

import pytest

from dialer_engine.engine.reach import REACHABLE, UNREACHABLE, Reach

pytestmark = pytest.mark.unit
FRONT = "dialer.front"


def test_a_silent_phone_loses_its_leg() -> None:
    assert Reach(FRONT).said("ana", UNREACHABLE, ["c1"]) == ("c1",)


def test_nobody_loses_a_leg_while_the_front_is_away() -> None:
    reach = Reach(FRONT)
    assert reach.said(FRONT, UNREACHABLE, []) == ()
    assert reach.said("ana", UNREACHABLE, ["c1"]) == ()
    assert not reach.waiting
    assert reach.overdue() == ()


def test_after_the_front_is_back_only_those_who_stay_silent_lose_their_legs() -> None:
    reach = Reach(FRONT)
    reach.said(FRONT, UNREACHABLE, [])
    reach.said("ana", UNREACHABLE, ["c1"])
    reach.said("bo", UNREACHABLE, ["c2"])
    reach.said(FRONT, REACHABLE, [])
    assert reach.waiting
    assert reach.said("ana", REACHABLE, ["c1"]) == ()
    assert reach.overdue() == ("c2",)
    assert reach.overdue() == ()


def test_a_front_that_goes_again_gives_more_time() -> None:
    reach = Reach(FRONT)
    reach.said(FRONT, UNREACHABLE, [])
    reach.said("ana", UNREACHABLE, ["c1"])
    reach.said(FRONT, REACHABLE, [])
    reach.said(FRONT, UNREACHABLE, [])
    assert reach.overdue() == ()
    reach.said(FRONT, REACHABLE, [])
    assert reach.overdue() == ("c1",)


def test_other_states_say_nothing() -> None:
    assert Reach(FRONT).said("ana", "NonQualified", ["c1"]) == ()
