"""What the fault suite counts: cuts, silence, double dials, lost and doubled records, by the carrier's word."""

from dataclasses import replace

import pytest

from dialer_engine.lab.behaviours import Kind, pitch_hz
from dialer_engine.lab.chaos.catalogue import catalogue, chosen
from dialer_engine.lab.chaos.flood_faults import p95_ratio
from dialer_engine.lab.chaos.records import DueAgain, Kept, Record
from dialer_engine.lab.chaos.table import evidence, table
from dialer_engine.lab.chaos.talks import talks
from dialer_engine.lab.chaos.verdict import (
    Promise,
    Row,
    Seen,
    Witness,
    row_of,
    tally,
)
from dialer_engine.lab.ears import Heard
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.people import Held, Oracle
from dialer_engine.lab.place import LabError
from dialer_engine.lab.usage import Busy

pytestmark = pytest.mark.unit

ADA, BOB = "+12125550100", "+12125550101"
GOOD = CarrierCall(
    "1", ADA, "+12125550198", 100.0, Kind.HUMAN, 100.0, 101.0, 101.1, None, 105.0, 16, "callee"
)
TALK = Heard("agent001", 101.02, 104.98, float(pitch_hz(ADA)))
KEPT = (Record(ADA, "bridged", 105.0, "agent001"),)
ABANDONED = (Record(ADA, "abandoned", 105.0),)
MESSAGE_S = 26.0


def judge(promise: Promise, world: Witness, seen: Seen | None = None) -> Row:
    return row_of("x", promise, [tally(world, seen or Seen(1, [1.0]))])


def row(
    calls: list[CarrierCall],
    records: tuple[Record, ...] = KEPT,
    seen: Seen | None = None,
    heard: tuple[Heard, ...] = (TALK,),
) -> Row:
    return judge(Promise(), Witness(calls, heard, Kept(records), message_s=MESSAGE_S), seen)


def test_a_good_round_breaks_nothing() -> None:
    assert row([GOOD]).broken == ()


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (replace(GOOD, ended_by="caller"), "calls_cut"),
        (replace(GOOD, heard_at=103.3, answered_at=101.0), "silent_answers"),
        (replace(GOOD, heard_at=None, ended_at=109.0), "silent_answers"),
    ],
)
def test_what_happens_to_one_call_is_counted(call: CarrierCall, name: str) -> None:
    silent = name == "silent_answers"
    kept = replace(ABANDONED[0], ended_at=call.until) if silent else KEPT[0]
    judged = row([call], (kept,), heard=() if silent else (TALK,))
    assert judged.broken == (name,)
    assert getattr(judged, name) == 1
    assert any(line.startswith(f"{name}: {ADA}") for line in judged.evidence)


def test_silence_ends_when_the_person_hears_something_within_the_measuring() -> None:
    assert row([replace(GOOD, heard_at=103.1)], ABANDONED, heard=()).broken == ()


def test_who_hung_up_before_anything_was_due_was_not_left_in_silence() -> None:
    gone = replace(GOOD, heard_at=None, ended_at=101.5)
    assert row([gone], (Record(ADA, "hung_up", 101.5),), heard=()).broken == ()


def test_an_unanswered_call_that_we_end_is_not_cut() -> None:
    unanswered = replace(GOOD, answered_at=None, heard_at=None, ended_at=116.0, ended_by="caller")
    assert row([unanswered], (Record(ADA, "cancelled", 116.0, originated_at=100.0),), heard=()).broken == ()


def test_the_message_may_end_a_call_when_it_is_over_and_not_before() -> None:
    over = replace(GOOD, heard_at=102.9, ended_at=102.9 + MESSAGE_S, ended_by="caller")
    abandoned = (replace(ABANDONED[0], ended_at=over.until),)
    assert row([over], abandoned, heard=()).broken == ()
    assert row([over], abandoned, heard=()).messages == 1
    early = replace(over, ended_at=102.9 + MESSAGE_S / 2)
    cut = (replace(ABANDONED[0], ended_at=early.until),)
    assert row([early], cut, heard=()).broken == ("calls_cut",)
    talked = (replace(KEPT[0], ended_at=over.until),)
    assert row([replace(over, heard_at=101.1)], talked).broken == ("calls_cut", "left_alone"), "it was a talk"


def test_who_was_talked_to_must_not_be_left_alone() -> None:
    gone = replace(TALK, last=102.0)
    judged = row([GOOD], heard=(gone,))
    assert judged.broken == ("left_alone",)
    assert judged.evidence == (
        f"left_alone: {ADA}: alone for 3.0 s from +2.000, heard by agent001 +1.020 to +2.000; "
        "came 100.000, answered +1.000, heard +1.100, ended +5.000",
    )
    back = Heard("agent002", 103.9, 104.98, float(pitch_hz(ADA)))
    assert row([GOOD], heard=(gone, back)).broken == ()
    other = replace(back, pitch=float(pitch_hz(BOB)))
    assert row([GOOD], heard=(gone, other)).broken == ("left_alone", "crossed"), (
        "an agent heard somebody else"
    )


def test_who_goes_on_with_whom_is_told_by_the_end_and_by_the_agent() -> None:
    """Two people with the same voice lose their agents at the same moment."""
    other = "+12126550100"
    assert pitch_hz(other) == pitch_hz(ADA)
    first, second = replace(GOOD, ended_at=120.0), replace(GOOD, number=other, ended_at=110.0)
    second = replace(second, came_at=100.5, answered_at=101.5, heard_at=101.6)
    one, two = replace(TALK, last=104.0), replace(TALK, agent="agent002", first=101.52, last=104.0)
    soon = replace(two, first=105.0, last=107.0), replace(one, first=105.5, last=120.0)
    swapped = replace(one, first=105.0, last=110.0), replace(two, first=105.5, last=120.0)
    for of_other, of_ada in (soon, swapped):
        found = {
            talk.call.number: talk.heard for talk in talks([first, second], [one, two, of_other, of_ada])
        }
        assert found == {ADA: (one, of_ada), other: (two, of_other)}


def test_a_fault_excuses_only_what_comes_in_its_time() -> None:
    gone, excusing = replace(TALK, last=102.0), Promise().excusing("left_alone")
    world = Witness([GOOD], (gone,), Kept(KEPT))
    assert judge(excusing, world, Seen(1, [1.0], excused=[(101.9, 110.0)])).broken == ()
    late = judge(excusing, world, Seen(1, [1.0], excused=[(102.1, 110.0)]))
    assert (late.left_alone, late.broken) == (1, ("left_alone",))


def test_a_second_call_to_a_number_is_a_double_dial_whenever_it_comes() -> None:
    later = replace(GOOD, id="2", came_at=500.0, answered_at=501.0, heard_at=501.1, ended_at=505.0)
    again = replace(TALK, first=501.02, last=504.98)
    judged = row([GOOD, later], (*KEPT, Record(ADA, "bridged", 505.0, "agent001")), heard=(TALK, again))
    assert judged.broken == ("double_dials",)


def test_who_was_called_and_is_due_again_would_have_been_called_twice() -> None:
    again = (DueAgain(ADA, "-infinity", "10:00"), DueAgain(BOB, None, "10:01"))
    judged = judge(Promise(), Witness([GOOD], (TALK,), Kept(KEPT, due_again=again)))
    assert (judged.double_dials, judged.broken) == (2, ("double_dials",))
    assert judged.evidence == (
        f"double_dials: {ADA}: due again at -infinity, though called at 10:00",
        f"double_dials: {BOB}: due again too soon and refused by the gate, though called at 10:01",
    )


def test_nobody_is_called_who_may_not_be_called() -> None:
    oracle = Oracle({BOB: Held.SUPPRESSED}, frozenset({ADA, BOB}), 1)
    ringing = replace(GOOD, id="2", number=BOB, answered_at=None, heard_at=None)
    world = Witness([GOOD, ringing], (TALK,), Kept((*KEPT, Record(BOB, "no_answer", 105.0))), oracle)
    assert judge(Promise(), world).broken == ("forbidden",)
    assert judge(Promise(), world).evidence == (f"forbidden: {BOB}: suppressed",)


def test_who_pressed_9_in_the_message_is_suppressed_and_thanked() -> None:
    nine = replace(GOOD, kind=Kind.OPT_OUT, nine_at=104.1, ended_at=108.0, ended_by="caller")
    records = (Record(ADA, "abandoned", 108.0),)
    kept = Kept(records, suppressed=frozenset({ADA}))
    assert judge(Promise(), Witness([nine], (), kept, message_s=MESSAGE_S)).broken == ()
    assert row([nine], records, heard=()).broken == ("opt_outs_lost",)
    said = replace(nine, ended_by="callee")
    kept_to_end = (replace(KEPT[0], ended_at=108.0),)
    assert row([said], kept_to_end, heard=(replace(TALK, last=107.9),)).broken == (), "to an agent"


def test_without_the_database_nothing_is_compared_with_it() -> None:
    assert judge(Promise(), Witness([GOOD], (TALK,))).broken == ()


def test_calls_that_were_up_and_lived_through_the_fault_are_counted() -> None:
    seen = Seen(2, [1.0, 1.0], spans=[(102.0, 104.0), (104.5, 106.0)])
    judged = row([GOOD], seen=seen)
    assert (judged.calls_up, judged.lived_through) == (1, 1)
    assert row([GOOD], seen=Seen(1, [1.0], spans=[(90.0, 95.0)])).calls_up == 0


def test_the_slowest_recoveries_and_the_stuck_count() -> None:
    slow = row([GOOD], seen=Seen(20, [1.0] * 18 + [9.0] * 2, stuck=["agent001: nobody"]))
    assert slow.broken == ("stuck", "recovery_p95_s")
    assert slow.recovery_p95_s == 9.0


def test_worlds_of_one_fault_are_summed_up() -> None:
    promise = Promise()
    one = tally(Witness([GOOD], (TALK,), Kept(KEPT)), Seen(19, [1.0] * 19, spans=[(102.0, 104.0)]))
    two = tally(Witness([GOOD], (), Kept()), Seen(1, [9.0], broken=["something"], spans=[(90.0, 95.0)]))
    both = row_of("x", promise, [one, two])
    assert (both.rounds, both.calls, both.calls_up, both.lived_through) == (20, 2, 0, 1)
    assert (both.double_dials, both.cdrs_lost) == (0, 1), "numbers come again in another world"
    assert both.broken == ("cdrs_lost", "something")
    assert both.recovery_p95_s == 1.0


def test_slower_answers_break_a_promise_only_where_there_is_one() -> None:
    seen, world = Seen(3, [1.0], answer_ratios=[1.1, 1.3, 4.0]), Witness([GOOD], (TALK,), Kept(KEPT))
    held = judge(Promise(answer_ratio=1.3), world, seen)
    assert (held.answer_p95_ratio, held.broken) == (1.3, ())
    assert judge(Promise(answer_ratio=1.2), world, seen).broken == ("answer_p95_ratio",)
    assert judge(Promise(), world, seen).broken == ()
    assert judge(Promise(answer_ratio=1.2), world).answer_p95_ratio is None


def test_few_answers_are_not_compared() -> None:
    assert p95_ratio([20.0] * 19, [40.0] * 40) is None
    assert p95_ratio([20.0] * 20, [40.0] * 20) == 2.0


def test_the_table_marks_what_is_broken_and_says_why() -> None:
    _, heading, line = table([row([GOOD], ())])
    assert heading.split()[:3] == ["fault", "rounds", "calls"]
    assert line.split() == [
        *("x", "1", "1", "0", "0", "0"),
        *("0", "0", "0", "0", "0", "0", "0", "-", "1!", "0", "0", "0", "0", "1.0", "-", "0.0"),
    ]
    assert evidence([row([GOOD], ())]) == [
        "x: broken: cdrs_lost",
        f"  cdrs_lost: {ADA}: 1 calls, 0 records",
    ]
    assert set(row([GOOD], ()).as_json()) >= {
        *("rounds", "calls_cut", "double_dials", "cdrs_lost", "cdrs_doubled", "stuck", "silent_answers"),
        "recovery_p95_s",
    }


def test_a_machine_without_room_is_told_of() -> None:
    """What the phones did not hear there need not be the engine's fault."""
    busy = judge(Promise(), Witness([GOOD], (TALK,), Kept(KEPT)), Seen(1, [1.0], cpu_busy=0.97))
    assert (busy.cpu_busy, busy.broken) == (0.97, ())
    (line,) = evidence([busy])
    assert "97% busy" in line
    assert "--calls" in line
    assert evidence([replace(busy, cpu_busy=0.9)]) == []


def test_how_busy_the_machine_was_is_the_share_of_all_its_cpus() -> None:
    assert Busy(700, 1200).since(Busy(600, 1000)) == 0.5
    assert Busy(600, 1000).since(Busy(600, 1000)) == 0.0
    now = Busy.read()
    assert 0 < now.ran <= now.all


def test_faults_are_chosen_by_name() -> None:
    assert [fault.name for fault in chosen(["engine-freeze", "engine-kill"])] == [
        "engine-freeze",
        "engine-kill",
    ]
    assert {fault.name for fault in chosen([])} == set(catalogue())
    with pytest.raises(LabError, match="no fault 'fire'"):
        chosen(["fire"])
