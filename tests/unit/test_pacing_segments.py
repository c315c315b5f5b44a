"""What a call is like, as the pacing is told: its region, its list, and whether its contact was tried before."""

from dataclasses import replace
from datetime import timedelta

import pytest
from dispatch_support import START, reservation

from dialer_engine.core.attempt import Attempt
from dialer_engine.core.pacing.measured import SeenCall
from dialer_engine.engine.call import Call
from dialer_engine.engine.pacing_view import NEWEST, segments_of, segments_seen, segments_to_come

pytestmark = pytest.mark.unit


def region(npa: str) -> str:
    return {"210": "TX", "416": "ON"}.get(npa, "")


def call(number: int, to: str = "+12105550100", list_id: int = 7, tries: int = 0) -> Call:
    """The n-th call that was reserved."""
    name = f"c{number}"
    made = replace(
        reservation(name, to), list_id=list_id, tries=tries, reserved_at=START + timedelta(seconds=number)
    )
    return Call(made, "spring", Attempt(name), START)


def test_a_call_is_like_those_of_its_region_its_list_and_its_tries() -> None:
    assert segments_of(call(1), region) == ("TX", "7", "first")
    assert segments_of(call(1, "+14165550100", tries=2), region) == ("ON", "7", "again")
    assert segments_of(call(1, "+19995550100", list_id=0), region) == ("", "", "")


def test_a_call_on_record_is_like_the_same_call_while_it_lived() -> None:
    seen = SeenCall("no_answer", False, True, 2.0, 20.0, 22.0, None, npa="210", list_id=7, again=True)
    assert segments_seen(seen, region) == segments_of(call(1, tries=1), region)
    assert segments_seen(replace(seen, list_id=0), region) == ("TX", "", "")


def test_the_next_calls_are_like_the_newest_where_those_agree() -> None:
    old = [call(n, list_id=3, tries=1) for n in range(20)]
    newest = [call(100 + n, "+14165550100" if n == 2 else "+12105550100") for n in range(NEWEST)]
    assert segments_to_come([*newest, *old], region) == ("", "7", "first")
    assert segments_to_come(newest[1:], region) == (), "too few to say"
    mixed = [*newest[1:], call(200, list_id=8)]
    assert segments_to_come([*mixed, *old], region) == ("", "", "first")
