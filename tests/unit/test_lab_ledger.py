"""The carrier's ledger as it grows, and two calls at once."""

from pathlib import Path

import pytest

from dialer_engine.lab.behaviours import Kind
from dialer_engine.lab.ledger import CarrierCall, Ledger, overlapping, parse_line, user_of

pytestmark = pytest.mark.unit

BEGIN = "B|c.1|+12125550100|100.000001|<sip:+12125550198@127.0.0.1>"
END = "E|c.1|+12125550100|100.000001|<sip:+12125550198@127.0.0.1>|human|100.1|101.25|101.3||105.5|16|callee|104.5"


def test_first_line_of_a_call() -> None:
    call = parse_line(BEGIN)
    assert call is not None
    assert (call.id, call.number, call.came_at, call.caller) == (
        "c.1",
        "+12125550100",
        100.000001,
        "+12125550198",
    )
    assert call.live
    assert not call.answered_human


def test_last_line_of_a_call() -> None:
    call = parse_line(END)
    assert call is not None
    assert (call.kind, call.rang_at, call.answered_at, call.heard_at) == (Kind.HUMAN, 100.1, 101.25, 101.3)
    assert (call.nine_at, call.ended_at, call.cause, call.ended_by) == (None, 105.5, 16, "callee")
    assert call.still_at == 104.5
    assert not call.live
    assert call.answered_human


def test_a_call_given_up_before_its_coming_was_noted() -> None:
    call = parse_line("E|c.1|+12125550100||||||||105.5|127|caller|")
    assert call is not None
    assert (call.number, call.came_at, call.ended_at, call.kind) == ("+12125550100", 105.5, 105.5, None)
    assert not call.live


@pytest.mark.parametrize("line", ["", "B|c.1", END[:40], "X|" + BEGIN[2:]])
def test_other_lines_are_no_calls(line: str) -> None:
    assert parse_line(line) is None


@pytest.mark.parametrize(
    "uri", ["<sip:+12125550198@127.0.0.1>", '"Sun" <sip:+12125550198@h:5060>', "sip:+12125550198@h"]
)
def test_user_of_a_sip_address(uri: str) -> None:
    assert user_of(uri) == "+12125550198"


def test_ledger_follows_the_file_and_waits_for_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    ledger = Ledger(path)
    assert ledger.read() == []
    path.write_text(BEGIN + "\n" + END[:30])
    ledger.read()
    assert (ledger.count, ledger.live, ledger.ended) == (1, 1, 0)
    with path.open("a") as file:
        file.write(END[30:] + "\n")
    ledger.read()
    assert (ledger.count, ledger.live, ledger.ended) == (1, 0, 1)
    assert ledger.calls[0].ended_at == 105.5
    assert ledger.read() == []


def test_calls_come_in_the_order_of_their_beginning(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_text(BEGIN.replace("c.1", "c.2").replace("100.0", "200.0") + "\n" + BEGIN + "\n")
    ledger = Ledger(path)
    ledger.read()
    assert [call.id for call in ledger.calls] == ["c.1", "c.2"]


def one(id: str, number: str, came: float, ended: float | None) -> CarrierCall:
    return CarrierCall(id, number, "", came, ended_at=ended)


def test_second_call_during_the_first_is_found() -> None:
    calls = [one("a", "+1", 10, 20), one("b", "+1", 19, 30)]
    assert [(x.id, y.id) for x, y in overlapping(calls)] == [("a", "b")]


def test_second_call_to_a_live_number_is_found() -> None:
    assert len(overlapping([one("a", "+1", 10, None), one("b", "+1", 1000, 1001)])) == 1


def test_calls_one_after_another_or_to_others_are_fine() -> None:
    assert overlapping([one("a", "+1", 10, 20), one("b", "+1", 20, 30), one("c", "+2", 15, 25)]) == []
