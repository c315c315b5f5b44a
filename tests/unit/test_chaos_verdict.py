"""What the fault suite counts: cuts, silence, double dials, lost and doubled records, by the carrier's word."""

from dataclasses import replace

import pytest

from dialer_engine.lab.behaviours import Kind
from dialer_engine.lab.chaos.catalogue import catalogue, chosen
from dialer_engine.lab.chaos.flood_faults import p95_ratio
from dialer_engine.lab.chaos.table import evidence, table
from dialer_engine.lab.chaos.verdict import Promise, Record, Row, Seen, judge
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.place import LabError

pytestmark = pytest.mark.unit

ADA, BOB = "+12125550100", "+12125550101"
GOOD = CarrierCall(
    "1", ADA, "+12125550198", 100.0, Kind.HUMAN, 100.0, 101.0, 101.1, None, 105.0, 16, "callee"
)
KEPT = [Record(ADA, "bridged", 105.0)]


def row(calls: list[CarrierCall], records: list[Record], seen: Seen | None = None) -> Row:
    return judge("x", Promise(), calls, records, seen or Seen(1, [1.0]))


def test_a_good_round_breaks_nothing() -> None:
    assert row([GOOD], KEPT).broken == ()


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (replace(GOOD, ended_by="caller"), "calls_cut"),
        (replace(GOOD, heard_at=103.3), "silent_answers"),
        (replace(GOOD, heard_at=None, ended_at=109.0), "silent_answers"),
    ],
)
def test_what_happens_to_one_call_is_counted(call: CarrierCall, name: str) -> None:
    judged = row([call], KEPT)
    assert judged.broken == (name,)
    assert getattr(judged, name) == 1
    assert any(line.startswith(f"{name}: {ADA}") for line in judged.evidence)


def test_silence_ends_when_the_person_hears_something_within_the_measuring() -> None:
    assert row([replace(GOOD, heard_at=103.1)], KEPT).broken == ()


def test_who_hung_up_before_anything_was_due_was_not_left_in_silence() -> None:
    assert row([replace(GOOD, heard_at=None, ended_at=101.5)], KEPT).broken == ()


def test_an_unanswered_call_that_we_end_is_not_cut() -> None:
    assert row([replace(GOOD, answered_at=None, heard_at=None, ended_by="caller")], KEPT).broken == ()


def test_a_second_call_to_a_number_is_a_double_dial_whenever_it_comes() -> None:
    later = replace(GOOD, id="2", came_at=500.0, answered_at=501.0, heard_at=501.1, ended_at=505.0)
    assert row([GOOD, later], [*KEPT, *KEPT]).broken == ("double_dials",)


def test_every_call_has_one_record() -> None:
    assert row([GOOD], []).broken == ("cdrs_lost",)
    assert row([GOOD], [*KEPT, *KEPT]).broken == ("cdrs_doubled",)
    assert row([GOOD], [*KEPT, Record(BOB, "cancelled", 1.0)]).broken == (), "a call that never left"


def test_the_slowest_recoveries_and_the_stuck_count() -> None:
    slow = row([GOOD], KEPT, Seen(20, [1.0] * 18 + [9.0] * 2, stuck=["agent001: nobody"]))
    assert slow.broken == ("stuck", "recovery_p95_s")
    assert slow.recovery_p95_s == 9.0


def test_slower_answers_break_a_promise_only_where_there_is_one() -> None:
    seen = Seen(3, [1.0], answer_ratios=[1.1, 1.3, 4.0])
    held = judge("x", Promise(answer_ratio=1.3), [GOOD], KEPT, seen)
    assert (held.answer_p95_ratio, held.broken) == (1.3, ())
    assert judge("x", Promise(answer_ratio=1.2), [GOOD], KEPT, seen).broken == ("answer_p95_ratio",)
    assert judge("x", Promise().without("stuck"), [GOOD], KEPT, seen).broken == ()
    assert judge("x", Promise(answer_ratio=1.2), [GOOD], KEPT, Seen(1, [1.0])).answer_p95_ratio is None


def test_few_answers_are_not_compared() -> None:
    assert p95_ratio([20.0] * 19, [40.0] * 40) is None
    assert p95_ratio([20.0] * 20, [40.0] * 20) == 2.0


def test_a_promise_may_leave_out_what_the_fault_makes_impossible() -> None:
    cut = replace(GOOD, ended_by="caller")
    judged = judge("x", Promise().without("calls_cut"), [cut], KEPT, Seen(1, [1.0]))
    assert (judged.calls_cut, judged.broken) == (1, ())


def test_the_table_marks_what_is_broken_and_says_why() -> None:
    heading, line = table([row([GOOD], [])])
    assert heading.split()[:3] == ["fault", "rounds", "calls"]
    assert line.split() == ["x", "1", "1", "0", "0", "1!", "0", "0", "0", "1.0", "-"]
    assert evidence([row([GOOD], [])]) == ["x: broken: cdrs_lost", f"  cdrs_lost: {ADA}: 1 calls, 0 records"]
    assert set(row([GOOD], []).as_json()) >= {
        *("rounds", "calls_cut", "double_dials", "cdrs_lost", "cdrs_doubled", "stuck", "silent_answers"),
        "recovery_p95_s",
    }


def test_faults_are_chosen_by_name() -> None:
    assert [fault.name for fault in chosen(["engine-freeze", "engine-kill"])] == [
        "engine-freeze",
        "engine-kill",
    ]
    assert {fault.name for fault in chosen([])} == set(catalogue())
    with pytest.raises(LabError, match="no fault 'fire'"):
        chosen(["fire"])
