"""What the fault suite makes of the times of records: the carrier's, but for what a fault kept from being seen."""

from dataclasses import replace

import pytest
from chaos_records_support import (
    ADA,
    BRIDGED,
    CALL,
    KILLED,
    LEAVING,
    TALK,
    UNANSWERED,
    judge,
)

from dialer_engine.lab.chaos.catalogue import catalogue
from dialer_engine.lab.chaos.records import Record
from dialer_engine.lab.chaos.verdict import Promise, Seen

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (BRIDGED, None),
        (replace(BRIDGED, originated_at=97.9, answered_at=103.1, ended_at=107.1), None),
        (replace(BRIDGED, ended_at=107.3), "ended +2.3 s"),
        (replace(BRIDGED, ended_at=102.7), "ended -2.3 s"),
        (replace(BRIDGED, answered_at=103.3), "answered +2.3 s"),
        (replace(BRIDGED, originated_at=97.5, answered_at=98.5), "left -2.5 s, answered -2.5 s"),
    ],
)
def test_the_times_of_a_record_are_the_carriers(record: Record, words: str | None) -> None:
    judged = judge(CALL, record, seen=Seen(1, [1.0], spans=[(90.0, 95.0)]))
    assert judged.broken == (() if words is None else ("cdrs_wrong",))
    assert [each.rpartition("times ")[2] for each in judged.evidence] == ([] if words is None else [words])


UNTIMED = LEAVING["unknown"] | {"trunk-silent"}


def test_only_of_a_time_without_engine_link_or_signalling_are_times_not_known() -> None:
    """A frozen engine reads when it was, as Asterisk's own events say so; what died with an Asterisk is *node_lost*."""
    late = replace(BRIDGED, ended_at=108.0)
    for name, fault in catalogue().items():
        judged = judge(CALL, late, promise=fault.promise)
        assert judged.broken == (() if name in UNTIMED else ("cdrs_wrong",)), name
        before = judge(CALL, late, promise=fault.promise, seen=Seen(1, [1.0], spans=[(106.1, 110.0)]))
        assert before.broken == ("cdrs_wrong",), name


def test_of_two_moments_each_must_be_one_that_nobody_saw() -> None:
    both = replace(BRIDGED, answered_at=103.5, ended_at=108.0)
    late = Seen(1, [1.0], spans=[(104.0, 110.0)])
    assert judge(CALL, replace(both, answered_at=101.0), promise=KILLED, seen=late).broken == ()
    assert judge(CALL, both, promise=KILLED, seen=late).broken == ("cdrs_wrong",)


def test_a_call_that_we_gave_up_while_nothing_passed_ends_later_at_the_carrier() -> None:
    given_up = replace(UNANSWERED, came_at=84.0, rang_at=84.0, ended_at=114.1, ended_by="caller")
    record = Record(ADA, "no_answer", 104.0, originated_at=84.0)
    silent = catalogue()["trunk-silent"].promise
    for span, late, broken in (
        ((103.0, 113.0), 0.0, False),
        ((103.0, 113.0), 6.8, False),
        ((103.0, 113.0), 7.0, True),
        ((105.1, 113.0), 0.0, True),
    ):
        seen = Seen(1, [1.0], spans=[span], excused=[(span[0], 130.0)])
        ended = replace(given_up, ended_at=114.1 + late)
        judged = judge(ended, record, heard=(), promise=silent, seen=seen)
        assert ("cdrs_wrong" in judged.broken) == broken
        assert "cdrs_wrong" in judge(ended, record, heard=(), promise=KILLED, seen=seen).broken


def test_an_end_that_waits_for_the_ack_to_an_answer_said_in_silence_comes_later() -> None:
    """The wire was silent until 113; the answer is said again at 116.5, and the BYE of 113.5 comes behind it."""
    call = replace(
        CALL, came_at=97.0, rang_at=97.0, answered_at=105.0, heard_at=None, still_at=None, ended_at=113.5
    )
    silent = catalogue()["trunk-silent"].promise
    seen = Seen(1, [1.0], spans=[(101.0, 113.0)], excused=[(98.8, 121.0)])
    for told, broken in ((116.5, False), (119.1, False), (119.3, True)):
        record = Record(ADA, "hung_up", told, originated_at=97.0, answered_at=min(told, 116.5))
        judged = judge(call, record, heard=(), promise=silent, seen=seen)
        assert ("cdrs_wrong" in judged.broken) == broken, told
        assert "cdrs_wrong" in judge(call, record, heard=(), promise=Promise(), seen=seen).broken


def test_a_talk_that_is_closed_while_it_goes_on_is_no_time_that_nobody_saw() -> None:
    """An engine that loses a talk at its start, and ends the record then: the person talks on for half a minute."""
    call = replace(CALL, came_at=90.0, answered_at=91.0, heard_at=91.1, still_at=124.2, ended_at=125.0)
    record = replace(BRIDGED, originated_at=90.0, joined_at=91.05, ended_at=101.5)
    talk = replace(TALK, first=91.05, last=124.98)
    seen = Seen(1, [1.0], spans=[(100.0, 104.0)])
    for name, fault in catalogue().items():
        judged = judge(call, record, heard=(talk,), promise=fault.promise, seen=seen)
        assert judged.broken == ("cdrs_wrong",), name


def test_a_call_that_was_stamped_and_not_sent_leaves_when_the_engine_goes_on() -> None:
    """Decision 0016: frozen between the last look at the lease and the sending, it leaves with the wake-up."""
    late = replace(
        CALL, came_at=105.0, rang_at=105.0, answered_at=106.0, heard_at=106.1, still_at=109.2, ended_at=110.0
    )
    record = replace(BRIDGED, originated_at=100.0, answered_at=106.0, joined_at=106.05, ended_at=110.0)
    talk = replace(TALK, first=106.02, last=109.98)
    frozen = catalogue()["engine-freeze"].promise
    for name in ("engine-freeze", "engine-freeze-long"):
        for span, broken in (
            ((99.9, 105.2), False),
            ((100.9, 104.9), False),
            ((101.1, 105.2), True),
            ((99.9, 102.7), True),
        ):
            seen = Seen(1, [1.0], spans=[span])
            judged = judge(late, record, heard=(talk,), promise=catalogue()[name].promise, seen=seen)
            assert judged.broken == (("cdrs_wrong",) if broken else ()), (name, span)
    seen = Seen(1, [1.0], spans=[(99.9, 105.2)])
    assert judge(late, record, heard=(talk,), seen=seen).broken == ("cdrs_wrong",), "nothing held it up"
    early = replace(record, originated_at=107.5)
    assert judge(late, early, heard=(talk,), promise=frozen, seen=seen).broken == ("cdrs_wrong",)
    for answered, ended in ((103.5, 110.0), (106.0, 107.5)):
        both = replace(record, answered_at=answered, ended_at=ended)
        assert judge(late, both, heard=(talk,), promise=frozen, seen=seen).broken == ("cdrs_wrong",)


@pytest.mark.parametrize("fault", ["flood", "flood-long"])
def test_what_is_said_again_in_a_flood_may_be_late_by_so_much(fault: str) -> None:
    """SIP says it again after 0.5 s, then 1 s."""
    promise = catalogue()[fault].promise
    assert judge(CALL, replace(BRIDGED, ended_at=106.5), promise=promise).broken == ()
    assert judge(CALL, replace(BRIDGED, ended_at=110.0), promise=promise).broken == ("cdrs_wrong",)


def test_no_call_ends_before_its_answer() -> None:
    turned = replace(BRIDGED, answered_at=105.5)
    judged = judge(CALL, turned, promise=KILLED)
    assert judged.broken == ("cdrs_wrong",)
    assert judged.evidence == (f"cdrs_wrong: {ADA}: ended 0.5 s before its answer by its record",)
