"""Who heard whom: pitch first, then time; and the delays that follow from it."""

from dataclasses import replace

import pytest

from dialer_engine.lab.behaviours import Kind, pitch_hz
from dialer_engine.lab.ears import Heard
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.pairing import delays, pair, quantile

pytestmark = pytest.mark.unit

ONE, TWIN, OTHER = "+12125550100", "+13325550100", "+12125550101"


def call(number: str, answered: float, *, heard: float | None, ended: float, id: str = "") -> CarrierCall:
    """A call that a person answered."""
    return CarrierCall(
        id or number,
        number,
        "+12125550198",
        answered - 1,
        Kind.HUMAN,
        rang_at=answered - 1,
        answered_at=answered,
        heard_at=heard,
        ended_at=ended,
        cause=16,
        ended_by="callee",
    )


def voice(number: str, first: float, last: float, agent: str = "anna") -> Heard:
    """The voice of a number as a phone heard it."""
    return Heard(agent, first, last, float(pitch_hz(number)) + 1)


def test_these_two_numbers_share_a_voice() -> None:
    assert pitch_hz(ONE) == pitch_hz(TWIN) != pitch_hz(OTHER)


def test_the_voice_of_the_number_is_paired() -> None:
    answers = pair([call(ONE, 100, heard=100.06, ended=105)], [voice(ONE, 100.02, 105)])
    assert answers[0].heard is not None
    assert answers[0].delay_ms == pytest.approx(20)
    assert answers[0].silent_s == pytest.approx(0.06)


def test_another_voice_is_not() -> None:
    assert pair([call(ONE, 100, heard=100.06, ended=105)], [voice(OTHER, 100.02, 105)])[0].heard is None


def test_a_voice_before_the_answer_is_not() -> None:
    assert pair([call(ONE, 100, heard=100.06, ended=105)], [voice(ONE, 99.9, 105)])[0].heard is None


def test_a_voice_after_the_end_is_not() -> None:
    assert pair([call(ONE, 100, heard=None, ended=102)], [voice(ONE, 102.2, 105)])[0].heard is None


def test_twins_are_told_apart_by_when_they_heard_the_agent() -> None:
    bridged = call(ONE, 100.0, heard=101.03, ended=103, id="bridged")
    dropped = call(TWIN, 100.4, heard=102.2, ended=105, id="dropped")
    answers = {a.call.id: a.heard for a in pair([bridged, dropped], [voice(ONE, 101.0, 103)])}
    assert answers["bridged"] is not None
    assert answers["dropped"] is None


def test_no_voice_is_used_twice() -> None:
    calls = [call(ONE, 100, heard=100.1, ended=105, id="a"), call(TWIN, 100, heard=100.1, ended=105, id="b")]
    assert sum(a.heard is not None for a in pair(calls, [voice(ONE, 100.05, 105)])) == 1


def test_somebody_who_heard_nothing_but_was_heard_is_paired() -> None:
    assert pair([call(ONE, 100, heard=None, ended=105)], [voice(ONE, 100.02, 105)])[0].heard is not None


def test_who_heard_a_message_and_was_not_heard_counts_the_silence_before_it() -> None:
    answer = pair([call(ONE, 100, heard=101.8, ended=110)], [])[0]
    assert answer.delay_ms is None
    assert answer.silent_s == pytest.approx(1.8)


def test_machines_are_not_paired() -> None:
    machine = CarrierCall("m", ONE, "", 99, Kind.MACHINE, answered_at=100, ended_at=105)
    assert pair([machine], [voice(ONE, 100.02, 105)]) == []


def test_delays_are_quantiles_by_nearest_rank() -> None:
    found = delays([float(n) for n in range(1, 101)])
    assert (found.count, found.p50, found.p99, found.max, found.over_2s) == (100, 50, 99, 100, 0)


def test_delays_over_two_seconds_are_counted() -> None:
    assert delays([20, 2000, 2000.1, 5000]).over_2s == 2


def test_no_delays_are_not_zero() -> None:
    assert delays([]).as_json() == {"p50": None, "p99": None, "max": None}


@pytest.mark.parametrize(("share", "value"), [(0.01, 7.0), (0.5, 7.0), (0.99, 7.0), (1.0, 7.0)])
def test_quantile_of_one_value_is_that_value(share: float, value: float) -> None:
    assert quantile([7.0], share) == value


def test_of_voices_that_begin_together_the_one_that_ends_with_the_call_is_its_own() -> None:
    short = CarrierCall("1", "+12125550100", "", 0.0, Kind.HUMAN, 0.0, 1.0, 1.10, None, 4.0, 16, "callee")
    long = replace(short, id="2", answered_at=1.02, heard_at=1.05, ended_at=20.0)
    pitch = float(pitch_hz(short.number))
    brief, lasting = Heard("ana", 1.06, 3.98, pitch), Heard("ben", 1.09, 19.98, pitch)
    assert {each.call.id: each.heard for each in pair([short, long], [brief, lasting])} == {
        "1": brief,
        "2": lasting,
    }
