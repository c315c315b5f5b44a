"""Who of the far side ended an answered call: the person who hung up, or a carrier that lost it."""

import pytest

from dialer_engine.core import attempt as life
from dialer_engine.core.attempt import EndedBy
from dialer_engine.core.outcome import Result
from tests.unit.test_attempt_life import ANSWERED, BRIDGED, at, walk

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("cause", "derived"), [(17, 486), (19, 480), (21, 403), (22, 410), (31, 480), (34, 503)]
)
def test_a_code_that_asterisk_makes_of_a_byes_reason_is_not_the_carriers(cause: int, derived: int) -> None:
    for events in (BRIDGED, ANSWERED):
        ended, _ = walk(*events, life.Gone(at(6), cause, derived))
        assert (ended.ended_by, ended.cause, ended.sip_code) == (EndedBy.CUSTOMER, cause, None)
        told, _ = walk(*events, life.Gone(at(6), cause, derived, f"SIP {derived} No"))
        assert (told.ended_by, told.sip_code) == (EndedBy.CARRIER, derived)


@pytest.mark.parametrize(
    ("cause", "by"),
    [
        *((cause, EndedBy.CUSTOMER) for cause in (None, 0, 16, 31)),
        *((cause, EndedBy.CARRIER) for cause in (18, 27, 38, 41, 44, 102)),
    ],
)
def test_who_stops_sending_has_not_hung_up(cause: int | None, by: EndedBy) -> None:
    ended, _ = walk(*BRIDGED, life.Gone(at(65), cause=cause))
    assert (ended.result, ended.ended_by) == (Result.BRIDGED, by)
    refused, _ = walk(*BRIDGED, life.Gone(at(65), cause=127, sip_code=481))
    assert (refused.ended_by, refused.sip_code) == (EndedBy.CARRIER, 481)
    unheard, _ = walk(*BRIDGED, life.Gone(at(65), cause=18, sip_code=408))
    assert (unheard.ended_by, unheard.sip_code) == (EndedBy.CARRIER, 408)
    waiting, _ = walk(*ANSWERED, life.Gone(at(6), cause=cause))
    assert (waiting.result, waiting.ended_by) == (Result.HUNG_UP, by)
