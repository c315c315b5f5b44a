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
    assert silence.overdue(FRONT) == ()


def test_after_the_front_is_back_only_those_who_stay_silent_lose_their_legs() -> None:
    silence = Silence(FRONT)
    silence.said(FRONT, UNREACHABLE, [])
    silence.said("ana", UNREACHABLE, ["c1"])
    silence.said("bo", UNREACHABLE, ["c2"])
    silence.said(FRONT, REACHABLE, [])
    assert silence.waiting
    assert silence.said("ana", REACHABLE, ["c1"]) == ()
    assert silence.overdue(FRONT) == ("c2",)
    assert silence.overdue(FRONT) == ()


def test_a_front_that_goes_again_gives_more_time() -> None:
    silence = Silence(FRONT)
    silence.said(FRONT, UNREACHABLE, [])
    silence.said("ana", UNREACHABLE, ["c1"])
    silence.said(FRONT, REACHABLE, [])
    silence.said(FRONT, UNREACHABLE, [])
    assert silence.overdue(FRONT) == ()
    silence.said(FRONT, REACHABLE, [])
    assert silence.overdue(FRONT) == ("c1",)


def test_a_question_of_before_says_nothing_of_a_new_leg() -> None:
    """The phone has some seconds to answer; one that stays silent loses the leg all the same."""
    silence = Silence(FRONT)
    assert silence.said("ana", UNREACHABLE, ["old", "new"], {"new"}) == ("old",)
    assert silence.said("bo", UNREACHABLE, ["c2"], {"c2"}) == ()
    assert silence.waiting
    silence.said("ana", REACHABLE, ["new"])
    assert silence.overdue("ana") == ()
    assert silence.overdue("bo") == ("c2",)
    assert not silence.waiting


def test_one_phones_time_is_not_anothers() -> None:
    silence = Silence(FRONT)
    silence.said("ana", UNREACHABLE, ["c1"], {"c1"})
    silence.said("bo", UNREACHABLE, ["c2"], {"c2"})
    assert silence.overdue("ana") == ("c1",)
    assert silence.waiting
    silence.said(FRONT, UNREACHABLE, [])
    assert silence.overdue("bo") == (), "the front is away: nobody can answer"
    silence.said(FRONT, REACHABLE, [])
    assert silence.overdue(FRONT) == ("c2",)


def test_other_states_say_nothing() -> None:
    assert Silence(FRONT).said("ana", "NonQualified", ["c1"]) == ()
