"""Silence of phones behind a front: theirs, or the front's."""

import pytest

from dialer_engine.engine.silence import REACHABLE, UNREACHABLE, Silence

pytestmark = pytest.mark.unit
FRONT = "dialer.front"


def test_a_silent_phone_loses_its_leg() -> None:
    assert Silence(FRONT).said("ana", UNREACHABLE, ["c1"]) == ("c1",)


def test_nobody_loses_a_leg_while_the_front_is_away() -> None:
    silence = Silence(FRONT)
    assert silence.said(FRONT, UNREACHABLE, []) == ()
    assert silence.said("ana", UNREACHABLE, ["c1"]) == ()
    assert not silence.waiting
    assert silence.overdue() == ()


def test_after_the_front_is_back_only_those_who_stay_silent_lose_their_legs() -> None:
    silence = Silence(FRONT)
    silence.said(FRONT, UNREACHABLE, [])
    silence.said("ana", UNREACHABLE, ["c1"])
    silence.said("bo", UNREACHABLE, ["c2"])
    silence.said(FRONT, REACHABLE, [])
    assert silence.waiting
    assert silence.said("ana", REACHABLE, ["c1"]) == ()
    assert silence.overdue() == ("c2",)
    assert silence.overdue() == ()


def test_a_front_that_goes_again_gives_more_time() -> None:
    silence = Silence(FRONT)
    silence.said(FRONT, UNREACHABLE, [])
    silence.said("ana", UNREACHABLE, ["c1"])
    silence.said(FRONT, REACHABLE, [])
    silence.said(FRONT, UNREACHABLE, [])
    assert silence.overdue() == ()
    silence.said(FRONT, REACHABLE, [])
    assert silence.overdue() == ("c1",)


def test_other_states_say_nothing() -> None:
    assert Silence(FRONT).said("ana", "NonQualified", ["c1"]) == ()
