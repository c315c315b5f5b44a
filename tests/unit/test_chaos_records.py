"""What the fault suite makes of records, tries and what phones heard: lost, doubled, wrong, charged, crossed lines."""

from dataclasses import replace

import pytest
from chaos_records_support import (
    ADA,
    ASTERISK,
    BOB,
    BRIDGED,
    CALL,
    KILLED,
    LEAVING,
    PHONES,
    SPAN,
    TALK,
    UNANSWERED,
    judge,
)

from dialer_engine.core.outcome import Result
from dialer_engine.lab.behaviours import Kind, pitch_hz
from dialer_engine.lab.chaos.catalogue import catalogue
from dialer_engine.lab.chaos.records import Kept, Record, Wrong, of_the_carrier
from dialer_engine.lab.chaos.talks import talks
from dialer_engine.lab.chaos.verdict import Promise, Seen, Witness, row_of, tally
from dialer_engine.lab.ears import Heard
from dialer_engine.lab.ledger import CarrierCall

pytestmark = pytest.mark.unit


def said(result: str, agent: str | None = None) -> Record:
    return replace(BRIDGED, result=result, agent=agent, joined_at=None)


# --- how many ----------------------------------------------------------------------------------------


def test_every_call_has_one_record() -> None:
    assert judge(CALL, BRIDGED).broken == ()
    assert judge(CALL).broken == ("cdrs_lost",)
    assert judge(CALL, BRIDGED, BRIDGED).broken == ("cdrs_doubled",)


def test_an_attempt_that_never_left_neither_doubles_a_record_nor_replaces_one() -> None:
    unsent = Record(ADA, "cancelled", 99.0)
    assert judge(CALL, unsent, BRIDGED).broken == ()
    assert judge(CALL, unsent).broken == ("cdrs_lost",)
    assert judge(CALL, replace(unsent, number=BOB), BRIDGED).broken == ()
    left = replace(unsent, originated_at=98.0)
    assert judge(CALL, left, BRIDGED).broken == ("cdrs_doubled",)


def test_a_trunk_fault_that_the_carrier_saw_is_its_record_beside_one_that_never_left() -> None:
    records = [Record(ADA, "cancelled", 99.0), Record(ADA, "trunk_fault", 105.0, originated_at=100.0)]
    assert of_the_carrier(records, [UNANSWERED]) == records
    assert of_the_carrier(records, []) == records[:1]


@pytest.mark.parametrize(
    ("result", "wrong"),
    [
        *((result, True) for result in ("bridged", "abandoned", "hung_up", "no_answer", "busy", "rejected")),
        *((result, False) for result in ("cancelled", "failed", "unknown", "node_lost")),
    ],
)
def test_what_only_a_carrier_can_tell_is_not_said_of_a_call_that_it_never_saw(
    result: str, wrong: bool
) -> None:
    judged = judge(CALL, BRIDGED, Record(BOB, result, 105.0, originated_at=100.0))
    assert judged.broken == (("cdrs_wrong",) if wrong else ())


# --- what the phones heard ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "heard", "record", "wrong"),
    [
        (CALL, (TALK,), said("abandoned"), True),
        (CALL, (TALK,), said("hung_up"), True),
        (CALL, (TALK,), said("no_answer"), True),
        (CALL, (), said("abandoned"), False),
        (CALL, (), said("hung_up"), True),
        (CALL, (), BRIDGED, True),
        (CALL, (), said("busy"), True),
        (replace(CALL, heard_at=None, ended_at=102.0), (), replace(said("hung_up"), ended_at=102.0), False),
        (replace(CALL, heard_at=None, ended_at=102.0), (), replace(BRIDGED, ended_at=102.0), True),
        (
            replace(CALL, heard_at=None, ended_at=102.0),
            (),
            replace(BRIDGED, ended_at=102.0, joined_at=101.7),
            False,
        ),
        (UNANSWERED, (), BRIDGED, True),
        (UNANSWERED, (), said("no_answer"), False),
        (CALL, (TALK,), replace(BRIDGED, agent="bob"), True),
        (CALL, (TALK,), replace(BRIDGED, agent=None), True),
    ],
)
def test_a_record_says_what_the_carrier_and_the_phones_saw(
    call: CarrierCall, heard: tuple[Heard, ...], record: Record, wrong: bool
) -> None:
    judged = judge(call, record, heard=heard)
    assert judged.broken == (("cdrs_wrong",) if wrong else ())


def test_the_record_names_one_of_the_agents_who_went_on() -> None:
    first, second = replace(TALK, last=103.0), replace(TALK, agent="bob", first=104.0)
    assert judge(CALL, BRIDGED, heard=(first, second)).broken == ()
    assert judge(CALL, replace(BRIDGED, agent="bob"), heard=(first, second)).broken == ()
    assert judge(CALL, replace(BRIDGED, agent="eve"), heard=(first, second)).broken == ("cdrs_wrong",)


def test_a_second_customer_in_the_bridge_of_an_agent_who_still_talks_is_found() -> None:
    """The ear follows loudness: it takes the second voice for the first one's, until both are gone."""
    other = replace(
        CALL, id="2", number=BOB, came_at=102.0, answered_at=103.0, heard_at=103.1, ended_at=108.0
    )
    both = replace(TALK, last=107.98)
    second = Record(BOB, "bridged", 108.0, "ann", 102.0, joined_at=103.05)
    records = (BRIDGED, second)
    world = Witness([CALL, other], (both,), Kept(records))
    judged = row_of("x", Promise(), [tally(world, Seen(1, [1.0]))])
    assert judged.broken == ("crossed", "cdrs_wrong")
    assert (judged.crossed, judged.cdrs_wrong) == (1, 1)
    assert f"ann heard {ADA} or somebody else for 3.0 s after the end of that call" in judged.evidence[0]


def test_one_customer_with_two_agents_is_found() -> None:
    second = replace(TALK, agent="bob", first=101.6)
    judged = judge(CALL, BRIDGED, heard=(TALK, second))
    assert (judged.crossed, judged.broken) == (1, ("crossed",))
    assert "bob heard a voice of" in judged.evidence[0]


@pytest.mark.parametrize(
    "second",
    [
        replace(TALK, agent="bob", first=104.2, last=104.9),
        replace(TALK, agent="bob", first=103.0, last=103.9),
        replace(TALK, last=105.9),
    ],
    ids=["short", "a-tail", "the-phone-lags"],
)
def test_what_is_short_or_lags_is_no_crossed_line(second: Heard) -> None:
    heard = (second,) if second.agent == "ann" else (TALK, second)
    assert judge(CALL, BRIDGED, heard=heard).broken == ()


def test_who_is_moved_may_be_heard_by_both_agents_for_a_moment() -> None:
    first, second = replace(TALK, last=103.2), replace(TALK, agent="bob", first=103.0)
    assert judge(CALL, BRIDGED, heard=(first, second)).broken == ()


def test_who_is_heard_late_behind_a_dead_phone_is_no_crossed_line() -> None:
    call = replace(CALL, heard_at=113.1, still_at=117.2, ended_at=118.0)
    late = replace(TALK, agent="bob", first=113.0, last=117.98)
    assert [talk.heard for talk in talks([call], [late])] == [(late,)]
    judged = judge(call, replace(BRIDGED, agent="bob", ended_at=118.0), heard=(late,))
    assert judged.broken == ("silent_answers",)


def test_what_is_heard_of_calls_that_go_on_counts_nothing_when_a_run_is_interrupted() -> None:
    going_on = replace(TALK, pitch=float(pitch_hz(BOB)))
    world = Witness([CALL], (TALK, going_on))
    assert row_of("x", Promise(), [tally(world, Seen(1, [1.0]))]).broken == ()


# --- what a fault excuses ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "heard", "record", "broken"),
    [
        (CALL, (TALK,), said("abandoned"), False),
        (CALL, (TALK,), said("hung_up"), True),
        (CALL, (TALK,), said("no_answer"), True),
        (CALL, (TALK,), replace(BRIDGED, agent="bob"), True),
        (CALL, (), BRIDGED, True),
        (UNANSWERED, (), said("abandoned"), True),
        (
            replace(CALL, ended_at=111.0, still_at=110.5),
            (replace(TALK, last=110.98),),
            said("abandoned"),
            True,
        ),
        (
            replace(CALL, answered_at=99.9, heard_at=100.3, still_at=104.2),
            (replace(TALK, first=100.2),),
            said("abandoned"),
            True,
        ),
    ],
    ids=[
        "as-decided",
        "hung-up",
        "unanswered",
        "another-agent",
        "nobody",
        "rang",
        "still-there-when-the-next-one-came",
        "joined-before",
    ],
)
def test_a_killed_engine_may_only_take_a_fresh_talk_for_abandoned(
    call: CarrierCall, heard: tuple[Heard, ...], record: Record, broken: bool
) -> None:
    """Killed 1.5 s after the answer: who was joined in the second before, and left before the next one came."""
    seen = Seen(1, [1.0], spans=[SPAN], excused=[(101.0, 102.0)])
    judged = judge(call, record, heard=heard, promise=KILLED, seen=seen)
    assert judged.broken == (("cdrs_wrong",) if broken else ())


def test_a_talk_that_the_dialplan_took_back_is_abandoned() -> None:
    """Decision 0017: the join and what keeps it did not both arrive. That the message is heard is not known here."""
    taken, call = replace(TALK, last=102.8), replace(CALL, ended_at=112.0)
    abandoned = replace(said("abandoned", "ann"), ended_at=112.0)
    assert judge(call, abandoned, heard=(taken,)).cdrs_wrong == 0
    assert judge(call, replace(abandoned, result="hung_up"), heard=(taken,)).cdrs_wrong == 1
    talked = replace(TALK, last=104.0)
    assert judge(call, abandoned, heard=(talked,)).cdrs_wrong == 1


def test_phones_that_die_excuse_whom_nobody_heard_and_who_did_not_go_on() -> None:
    seen = Seen(1, [1.0], spans=[SPAN], excused=[(98.8, 109.2)])
    assert judge(CALL, BRIDGED, heard=(), promise=PHONES, seen=seen).broken == ()
    cut = (replace(TALK, last=103.0),)
    assert judge(CALL, replace(BRIDGED, agent="bob"), heard=cut, promise=PHONES, seen=seen).broken == ()
    assert judge(CALL, said("hung_up"), heard=(), promise=PHONES, seen=seen).broken == ("cdrs_wrong",)
    later = replace(seen, excused=[(90.0, 100.0)])
    assert judge(CALL, BRIDGED, heard=(), promise=PHONES, seen=later).broken == ("cdrs_wrong",)


# --- what nobody knows -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "span", "wrong"),
    [
        (UNANSWERED, SPAN, False),
        (UNANSWERED, (105.9, 110.0), False),
        (UNANSWERED, (106.1, 110.0), True),
        (UNANSWERED, (99.0, 104.9), True),
        (CALL, (101.9, 110.0), False),
        (CALL, (102.1, 110.0), True),
    ],
    ids=["in-it", "unwritten", "before", "after", "answered-in-it", "answer-was-seen"],
)
def test_an_outcome_is_unknown_only_of_what_ended_while_the_engine_was_away(
    call: CarrierCall, span: tuple[float, float], wrong: bool
) -> None:
    heard = () if call.answered_at is None else (TALK,)
    judged = judge(call, said("unknown"), heard=heard, promise=KILLED, seen=Seen(1, [1.0], spans=[span]))
    assert (judged.cdrs_wrong, judged.broken) == ((1, ("cdrs_wrong",)) if wrong else (0, ()))


@pytest.mark.parametrize(
    ("span", "wrong"), [((104.0, 110.0), False), ((105.1, 110.0), True), ((90.0, 98.0), True)]
)
def test_a_call_is_lost_with_its_node_only_when_it_was_there(span: tuple[float, float], wrong: bool) -> None:
    seen = Seen(1, [1.0], spans=[span])
    judged = judge(CALL, said("node_lost", "ann"), promise=ASTERISK, seen=seen)
    assert judged.broken == (("cdrs_wrong",) if wrong else ())


def test_a_silent_trunk_may_hide_an_answer_from_the_engine_and_nothing_else_may() -> None:
    """The carrier's 200 never passed: neither heard the other, and by our record nobody answered."""
    unheard = replace(CALL, heard_at=None)
    seen = Seen(1, [1.0], spans=[SPAN], excused=[(unheard.answered_at or 0.0, 103.0)])
    silent = catalogue()["trunk-silent"].promise
    assert judge(unheard, said("no_answer"), heard=(), promise=silent, seen=seen).broken == ()
    for call, record, promise, then in (
        (unheard, said("no_answer"), silent, Seen(1, [1.0], spans=[SPAN])),
        (unheard, said("no_answer"), catalogue()["trunk-503"].promise, seen),
        (unheard, said("busy"), silent, seen),
        (CALL, said("no_answer"), silent, seen),
    ):
        assert "cdrs_wrong" in judge(call, record, heard=(), promise=promise, seen=then).broken


@pytest.mark.parametrize("result", ["unknown", "node_lost"])
def test_an_engine_that_sees_and_a_node_that_lives_leave_nothing_unknown(result: str) -> None:
    for name, fault in catalogue().items():
        judged = judge(UNANSWERED, said(result), heard=(), promise=fault.promise)
        assert judged.broken == (() if name in LEAVING[result] else ("cdrs_wrong",)), name


# --- the message -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "wrong"),
    [
        (replace(CALL, ended_at=120.0, still_at=118.9), False),
        (replace(CALL, ended_at=120.0, still_at=110.6), False),
        (replace(CALL, ended_at=120.0, still_at=110.4), True),
        (replace(CALL, ended_at=120.0, still_at=103.0), True),
        (replace(CALL, ended_at=120.0, still_at=103.0, nine_at=112.0), False),
        (replace(CALL, ended_at=120.0, still_at=103.0, ended_by="caller"), True),
        (replace(CALL, ended_at=112.4, still_at=103.0), False),
        (replace(CALL, ended_at=112.6, still_at=103.0), True),
    ],
    ids=[
        *(
            "to-the-end",
            "its-first-word",
            "the-agents-last-word",
            "nothing",
            "pressed-nine",
            "nothing-and-cut",
        ),
        *("left-at-once", "stayed"),
    ],
)
@pytest.mark.parametrize("fault", ["phone-vanish", "phones-gone", "engine-kill"])
def test_whoever_was_given_to_the_message_heard_it(call: CarrierCall, wrong: bool, fault: str) -> None:
    """Not by our own Asterisk's word, and how long nobody was there before is no matter."""
    record = replace(BRIDGED, message_at=110.0, ended_at=call.until)
    seen = Seen(1, [1.0], spans=[(101.0, 125.0)], excused=[(101.0, 125.0)])
    heard = (replace(TALK, last=103.0),)
    judged = judge(call, record, heard=heard, promise=catalogue()[fault].promise, seen=seen)
    assert ("cdrs_wrong" in judged.broken) == wrong
    said = [each for each in judged.evidence if "heard nothing of it" in each]
    assert len(said) == wrong


# --- who is charged ----------------------------------------------------------------------------------


def test_nobody_is_charged_for_a_call_that_never_came() -> None:
    charged = Kept((BRIDGED,), {ADA: 1, BOB: 1})
    for promise in (Promise(), KILLED, ASTERISK):
        assert judge(kept=charged, promise=promise).broken == ("charged",)


@pytest.mark.parametrize(
    ("promise", "record", "tries", "broken"),
    [
        (KILLED, Record(BOB, "unknown", 112.9), 1, False),
        (KILLED, Record(BOB, "unknown", 113.1), 1, True),
        (KILLED, Record(BOB, "unknown", 112.0), 2, True),
        (KILLED, Record(BOB, "node_lost", 105.0), 1, True),
        (KILLED, Record(BOB, "cancelled", 105.0), 1, True),
        (ASTERISK, Record(BOB, "node_lost", 105.0), 1, False),
        (Promise(), Record(BOB, "unknown", 105.0), 1, True),
    ],
)
def test_who_may_have_been_called_by_what_died_is_charged(
    promise: Promise, record: Record, tries: int, broken: bool
) -> None:
    judged = judge(kept=Kept((BRIDGED, record), {ADA: 1, BOB: tries}), promise=promise)
    assert (judged.charged, judged.broken) == (1, ("charged",) if broken else ())


def test_a_refusal_of_the_trunk_counts_for_no_cap() -> None:
    judged = judge(kept=Kept((BRIDGED,), counted_refusals=[BOB]))
    assert judged.broken == ("charged",)
    assert judged.evidence == (f"charged: {BOB}: refused by the trunk, and counted for the caps",)


def test_what_earlier_faults_left_in_a_world_is_theirs() -> None:
    earlier = Record(BOB, "unknown", 50.0)
    kept = Kept((earlier, BRIDGED), {ADA: 1, BOB: 1}, counted_refusals=[BOB])
    assert judge(kept=kept.of_calls([CALL], frozenset({BOB}))).broken == ()
    assert judge(kept=kept.of_calls([CALL], frozenset())).broken == ("charged",)
    assert judge(kept=Kept((), {ADA: 1}).of_calls([CALL], frozenset({ADA}))).broken == ("cdrs_lost",)


# --- opt-outs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "message_at", "lost"),
    [
        (102.8, 103.0, True),
        (102.8, None, False),
        (102.8, 107.0, False),
        (104.2, 103.0, False),
        (107.9, None, False),
    ],
    ids=["taken-back", "no-message", "before-the-message", "with-the-agent", "a-talk"],
)
def test_who_was_taken_back_into_the_message_opts_out_there(
    last: float, message_at: float | None, lost: bool
) -> None:
    nine = replace(CALL, kind=Kind.OPT_OUT, nine_at=104.1, ended_at=108.0, ended_by="caller")
    record = replace(said("abandoned", "ann"), message_at=message_at)
    judged = judge(nine, record, heard=(replace(TALK, last=last),))
    assert judged.opt_outs_lost == (1 if lost else None)
    assert judged.calls_cut == (not lost), "the thanks end the call"


def test_kinds_are_no_counts() -> None:
    assert not {str(kind) for kind in Wrong} & {str(result) for result in Result}
