"""Whom a carrier refuses is none of its calls: every INVITE at the wire has one record, however it ended."""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import replace

import pytest

from dialer_engine.lab.behaviours import Kind
from dialer_engine.lab.chaos.records import Kept, Record
from dialer_engine.lab.chaos.refusals import unaccounted
from dialer_engine.lab.chaos.verdict import Promise, Row, Seen, Witness, row_of, tally
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.ports import BIND
from dialer_engine.lab.wire import Invite, Wire

pytestmark = pytest.mark.unit

ADA, BOB = "+12125550104", "+12125550105"
BUSY = "503 Service Unavailable"
CALL = CarrierCall(
    "1", ADA, "+12125550198", 100.0, Kind.NO_ANSWER, 100.0, None, None, None, 120.0, 19, "callee"
)
RANG = Record(ADA, "no_answer", 120.0, originated_at=100.0)


def invite(number: str, at: float, refused: str | None = BUSY) -> Invite:
    return Invite(f"{number}-{at}", at, refused, number)


def turned_away(number: str, at: float) -> Record:
    return Record(number, "trunk_fault", at, originated_at=at, sip_code=503)


def judge(
    invites: Sequence[Invite] | None,
    *records: Record,
    calls: Sequence[CarrierCall] = (),
    earlier: frozenset[str] = frozenset(),
    unrecorded: Sequence[str] = (),
) -> Row:
    kept = Kept(records, unrecorded=unrecorded).of_calls(calls, earlier)
    witness = Witness(calls, kept=kept, invites=invites)
    return row_of("x", Promise(), [tally(witness, Seen(1, [1.0]))])


def test_a_refused_call_has_its_record_and_may_be_refused_again() -> None:
    assert judge([invite(BOB, 90.0)], turned_away(BOB, 90.0)).broken == ()
    twice = [invite(BOB, 90.0), invite(BOB, 92.0)]
    assert judge(twice, turned_away(BOB, 90.0), turned_away(BOB, 92.0)).broken == ()
    later = [invite(ADA, 90.0), invite(ADA, 100.0, None)]
    assert judge(later, turned_away(ADA, 90.0), RANG, calls=[CALL]).broken == ()


def test_a_refused_call_without_a_record_is_lost() -> None:
    lost = judge([invite(BOB, 90.0)])
    assert (lost.broken, lost.cdrs_lost) == (("cdrs_lost",), 1)
    assert lost.evidence == (f"cdrs_lost: {BOB}: 1 INVITEs at the wire, 0 records",)
    twice = [invite(BOB, 90.0), invite(BOB, 92.0)]
    assert judge(twice, turned_away(BOB, 90.0)).broken == ("cdrs_lost",)
    later = [invite(ADA, 90.0), invite(ADA, 100.0, None)]
    assert judge(later, RANG, calls=[CALL]).broken == ("cdrs_lost",)


def test_a_second_record_of_a_refused_call_is_one_too_many() -> None:
    twice = judge([invite(BOB, 90.0)], turned_away(BOB, 90.0), turned_away(BOB, 90.0))
    assert (twice.broken, twice.cdrs_doubled) == (("cdrs_doubled",), 1)
    assert twice.evidence == (f"cdrs_doubled: {BOB}: 2 records of trunk faults, 1 INVITEs that failed",)
    assert judge([], turned_away(BOB, 90.0)).broken == ("cdrs_doubled",), "nobody was called"
    rang = [invite(ADA, 100.0, None)]
    assert judge(rang, turned_away(ADA, 90.0), RANG, calls=[CALL]).broken == ("cdrs_doubled",)


def test_what_asterisk_turned_down_never_left_and_is_no_refusal_of_the_wire() -> None:
    """The engine calls that a trunk's fault too: it is nobody's attempt."""
    unsent = replace(turned_away(BOB, 90.0), sip_code=None, cause_text="no channel was made")
    assert unaccounted([], [], Kept(at_trunk=[unsent])) == {"cdrs_lost": [], "cdrs_doubled": []}
    assert judge([invite(BOB, 92.0)], unsent, turned_away(BOB, 92.0)).broken == ()
    assert judge([invite(BOB, 92.0)], unsent).broken == ("cdrs_lost",), "it is not that INVITE's record"
    for silent in ("no response", "no response after SIP 100 Trying"):
        unheard = replace(unsent, cause_text=silent)
        assert judge([], unheard).broken == ("cdrs_doubled",)
        assert judge([invite(BOB, 90.0, "cut")], unheard).broken == ()


def test_what_the_carrier_saw_is_compared_with_it_and_not_twice() -> None:
    rang = [invite(ADA, 100.0, None)]
    assert judge(rang, RANG, calls=[CALL]).broken == ()
    assert judge(rang, calls=[CALL]).cdrs_lost == 1
    assert judge(rang, RANG, RANG, calls=[CALL]).cdrs_doubled == 1


def test_a_call_that_met_a_silent_wire_may_end_in_any_way() -> None:
    """Repeated when the wire is well again it reaches the carrier, and else it is cancelled or the trunk's fault."""
    silent = [invite(ADA, 100.0, "cut")]
    assert judge(silent, RANG, calls=[CALL]).broken == ()
    assert judge(silent, turned_away(ADA, 110.0)).broken == ()
    assert judge(silent, Record(ADA, "cancelled", 110.0, originated_at=100.0)).broken == ()
    assert judge(silent).broken == ("cdrs_lost",)


def test_without_a_wire_and_of_earlier_faults_nothing_is_compared() -> None:
    assert judge(None, turned_away(BOB, 90.0)).broken == ()
    assert judge([], turned_away(BOB, 90.0), earlier=frozenset({BOB})).broken == ()


def test_an_attempt_that_ended_without_a_record_is_lost() -> None:
    lost = judge(None, unrecorded=[BOB])
    assert (lost.broken, lost.evidence) == (
        ("cdrs_lost",),
        (f"cdrs_lost: {BOB}: an attempt ended without a record",),
    )
    assert judge(None, unrecorded=[BOB], earlier=frozenset({BOB})).broken == ()
    assert judge([invite(BOB, 90.0)], unrecorded=[BOB]).cdrs_lost == 1, "it is one record that lacks"
    assert judge([invite(ADA, 100.0, None)], unrecorded=[ADA], calls=[CALL]).cdrs_lost == 1


async def test_the_wire_keeps_whom_an_invite_is_for() -> None:
    head = (
        f"INVITE sip:{BOB[2:]}@carrier.example:5060 SIP/2.0",
        "Via: SIP/2.0/UDP 127.0.0.1;branch=z9",
        f'To: "Bob" <sip:{BOB}@carrier.example>',
        "From: <sip:+12125550198@engine.example>;tag=1",
        "Call-ID: one",
        "CSeq: 1 INVITE",
    )
    async with Wire(refuses=BUSY) as wire:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as engine:
            engine.setblocking(False)
            engine.bind((BIND, 0))
            loop = asyncio.get_running_loop()
            for _ in range(2):  # the second is a repetition
                await loop.sock_sendto(engine, "\r\n".join([*head, "", ""]).encode(), (BIND, wire.port))
                async with asyncio.timeout(5.0):
                    answer = await loop.sock_recv(engine, 65_535)
                assert answer.startswith(f"SIP/2.0 {BUSY}".encode())
    (only,) = wire.invites
    assert (only.call, only.number, only.refused) == ("one", BOB, BUSY)
