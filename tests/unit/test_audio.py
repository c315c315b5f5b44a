"""Who was heard in a talk: every pair of looks."""

import pytest

from dialer_engine.core.audio import Audio

pytestmark = pytest.mark.unit

HEARD = {
    Audio.OK: (True, True),
    Audio.NONE_FROM_CUSTOMER: (False, True),
    Audio.NONE_FROM_AGENT: (True, False),
    Audio.NONE: (False, False),
}


@pytest.mark.parametrize(("audio", "heard"), list(HEARD.items()))
def test_a_look_names_who_was_not_heard(audio: Audio, heard: tuple[bool, bool]) -> None:
    assert Audio.heard(customer=heard[0], agent=heard[1]) is audio


@pytest.mark.parametrize("first", list(HEARD))
@pytest.mark.parametrize("later", list(HEARD))
def test_two_looks_keep_every_fault(first: Audio, later: Audio) -> None:
    both = [all(pair) for pair in zip(HEARD[first], HEARD[later], strict=True)]
    assert HEARD[first.with_later(later)] == tuple(both)


@pytest.mark.parametrize("known", list(Audio))
def test_what_nobody_saw_changes_nothing(known: Audio) -> None:
    assert Audio.UNKNOWN.with_later(known) is known.with_later(Audio.UNKNOWN) is known
