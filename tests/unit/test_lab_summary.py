"""The summary and the comparison: every way in which engine, carrier and phones can disagree is named."""

from dataclasses import replace
from pathlib import Path

import pytest

from dialer_engine.lab.behaviours import Kind, pitch_hz
from dialer_engine.lab.compare import EngineCall, differences
from dialer_engine.lab.ears import Heard
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.pairing import pair
from dialer_engine.lab.people import Held, Person, oracle_for
from dialer_engine.lab.report import report
from dialer_engine.lab.summary import Summary, summarize

pytestmark = pytest.mark.unit

ANN = Person("Ann", "A", "212", "0100", "NY")
BOB = Person("Bob", "B", "305", "0105", "FL")
ORACLE = oracle_for([ANN, BOB])
TALK = CarrierCall("1", ANN.number, "", 100, Kind.HUMAN, 100.1, 101.0, 101.05, None, 106.0, 16, "callee")
BUSY = CarrierCall("2", BOB.number, "", 100, Kind.BUSY, None, None, None, None, 100.1, 17, "callee")
VOICE = Heard("agent001", 101.02, 106.0, float(pitch_hz(ANN.number)))
TALKED = EngineCall(ANN.number, "bridged", 99.99, 101.01, 106.0)
WAS_BUSY = EngineCall(BOB.number, "busy", 99.99, None, 100.1)


def told(
    calls: list[CarrierCall] | None = None,
    heard: list[Heard] | None = None,
    records: list[EngineCall] | None = None,
) -> Summary:
    """The summary of a talk and a busy line, with what is given in place of it."""
    return summarize(
        [TALK, BUSY] if calls is None else calls,
        [VOICE] if heard is None else heard,
        [TALKED, WAS_BUSY] if records is None else records,
        ORACLE,
        started_at=90.0,
    )


def test_a_clean_run() -> None:
    summary = told()
    assert summary.clean
    assert (summary.attempts, summary.cdrs, summary.answered_humans) == (2, 2, 1)
    assert (summary.bridged, summary.abandoned, summary.first_bridge_s) == (1, 0, 11.0)
    assert summary.answer_to_agent_ms.p50 == pytest.approx(20)
    assert summary.engine == {"bridged": 1, "busy": 1}


def test_json_has_the_names_that_checks_expect() -> None:
    figures = told().as_json()
    assert figures["answer_to_agent_ms"] == {"p50": 20.0, "p99": 20.0, "max": 20.0}
    wanted = "attempts answered_humans bridged abandoned double_dials outside_gate cdrs first_bridge_s"
    assert set(wanted.split()) <= set(figures)


def test_an_empty_run_is_clean() -> None:
    summary = told([], [], [])
    assert summary.clean
    assert summary.first_bridge_s is None


def test_a_person_nobody_heard_is_abandoned() -> None:
    dropped = replace(TALK, heard_at=102.8)
    summary = told([dropped, BUSY], [], [replace(TALKED, result="abandoned"), WAS_BUSY])
    assert (summary.bridged, summary.abandoned, summary.clean) == (0, 1, True)


def test_silence_of_over_two_seconds_is_counted() -> None:
    summary = told([replace(TALK, heard_at=103.5), BUSY], [], [replace(TALKED, result="abandoned"), WAS_BUSY])
    assert summary.silent_over_2s == 1
    assert not summary.clean


def test_missing_record_is_found() -> None:
    summary = told(records=[TALKED])
    assert summary.differences == [f"{BOB.number}: the carrier saw 1 calls, the engine recorded 0 (none)"]
    assert not summary.clean


def test_record_without_a_call_is_found() -> None:
    summary = told(calls=[TALK])
    assert "the carrier saw 0 calls, the engine recorded 1 (busy)" in summary.differences[0]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (replace(TALKED, result="abandoned"), "human recorded as abandoned, expected bridged"),
        (replace(TALKED, answered_at=None), "answered at the carrier: 101.0, at the engine: None"),
        (replace(TALKED, answered_at=103.0), "answered 2.000 s apart"),
        (replace(TALKED, ended_at=104.0), "ended -2.000 s apart"),
    ],
)
def test_record_that_disagrees_is_found(record: EngineCall, words: str) -> None:
    found = differences([TALK], pair([TALK], [VOICE]), [record])
    assert any(words in each for each in found)


@pytest.mark.parametrize(
    ("kind", "result", "fine"),
    [
        (Kind.BUSY, "busy", True),
        (Kind.BUSY, "congestion", False),
        (Kind.CONGESTION, "congestion", True),
        (Kind.NOT_IN_SERVICE, "not_in_service", True),
        (Kind.NOT_IN_SERVICE, "failed", False),
        (Kind.NO_ANSWER, "no_answer", True),
        (Kind.NO_ANSWER, "cancelled", True),
        (Kind.EARLY_MEDIA, "no_answer", True),
        (Kind.HUMAN, "cancelled", True),
        (Kind.HUMAN, "busy", False),
    ],
)
def test_results_of_unanswered_calls(kind: Kind, result: str, fine: bool) -> None:
    found = differences([replace(BUSY, kind=kind)], [], [replace(WAS_BUSY, result=result)])
    assert (found == []) == fine


def test_two_calls_to_a_number_are_compared_in_order() -> None:
    later = replace(BUSY, id="3", came_at=200.0, ended_at=200.1)
    records = [replace(WAS_BUSY, originated_at=199.9, ended_at=200.1), WAS_BUSY]
    assert differences([BUSY, later], [], records) == []


def test_two_calls_at_once_are_counted() -> None:
    twice = replace(BUSY, id="3", came_at=100.05, ended_at=101.0)
    assert told(calls=[TALK, BUSY, twice]).double_dials == 1


def test_call_outside_the_gate_is_counted() -> None:
    oracle = oracle_for([ANN, replace(BOB, held=Held.SUPPRESSED)])
    summary = summarize([TALK, BUSY], [VOICE], [TALKED, WAS_BUSY], oracle, 90.0)
    assert summary.outside_gate == 1
    assert not summary.clean


def test_call_after_somebody_pressed_nine_is_outside_the_gate() -> None:
    asked = replace(TALK, kind=Kind.OPT_OUT, heard_at=102.8, nine_at=105.8, ended_at=107.0)
    again = replace(BUSY, id="9", number=ANN.number, came_at=300.0, ended_at=300.1)
    records = [
        replace(TALKED, result="abandoned", ended_at=107.0),
        replace(WAS_BUSY, number=ANN.number, originated_at=300.0, ended_at=300.1),
    ]
    summary = told([asked, again], [], records)
    assert summary.objections == [f"{ANN.number}: asked not to be called"]


def test_nine_in_a_talk_with_an_agent_means_nothing() -> None:
    talked = replace(TALK, kind=Kind.OPT_OUT, nine_at=104.0)
    again = replace(BUSY, id="9", number=ANN.number, came_at=300.0, ended_at=300.1)
    assert told([talked, again]).outside_gate == 0


def test_report_says_who_agrees() -> None:
    text = report(told(), Path("results"), None)
    assert "agree with the carrier's ledger and the phones, call by call" in text
    assert "p50 20 ms" in text
    assert "DIALER_HOME" not in text


def test_report_shows_what_does_not_agree_and_where_it_is_kept() -> None:
    text = report(told(records=[TALKED]), Path("results"), Path("kept"))
    assert "NOT in agreement" in text
    assert "the engine recorded 0" in text
    assert "DIALER_HOME=kept ./dialer run --config kept/config" in text
