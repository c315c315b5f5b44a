"""The simulated carrier and the phones against each other: the lab must be right first."""

import asyncio
import statistics
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from lab_support import lab_place

from dialer_engine.lab.agents import Manners
from dialer_engine.lab.behaviours import Behaviour, Kind, Pace, Table, behaviour, life_like, pitch_hz
from dialer_engine.lab.carrier import ledger_path, start_carrier
from dialer_engine.lab.ledger import CarrierCall, Ledger
from dialer_engine.lab.pairing import Answer, pair
from dialer_engine.lab.phone_bank import PhoneBank
from dialer_engine.lab.phones import Phone
from dialer_engine.lab.place import empty
from dialer_engine.lab.tones import SILENCE
from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.node import Node

pytestmark = [pytest.mark.asterisk, pytest.mark.slow]

LISTENS, MUTED = "31", "32"
LISTENING = Behaviour(Kind.HUMAN, 0.3, 5.0, listens=True)
MUTED_AFTER_S = 2.0
TABLE: Table = tuple(
    LISTENING if f"{digits:02d}" in (LISTENS, MUTED) else does
    for digits, does in enumerate(life_like(Pace(ring=0.1, talk=0.1)))
)
RING_FOR_EVER = ("14", "18")
# One number of every kind, and several people.
DIGITS = ("00", "11", "22", "43", "05", "16", "07", "17", "08", "28", "29", *RING_FOR_EVER, LISTENS, MUTED)
NUMBERS = {digits: f"+121055501{digits}" for digits in DIGITS}


@dataclass
class Seen:
    """What carrier and phones saw of one call to each number."""

    calls: dict[str, CarrierCall]
    answers: dict[str, Answer]
    log: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seen(bundle: Bundle) -> AsyncIterator[Seen]:
    """Every number called once, each from a phone of its own; one phone falls silent in its talk."""
    with lab_place() as place:
        empty(place)
        carrier = Node(bundle, place.node("carrier", 1))
        phones = [
            Phone(f"p{digits}", f"p{digits}", "x", "127.0.0.1", carrier.config.sip_port, registers=False)
            for digits in DIGITS
        ]
        bank = PhoneBank(Node(bundle, place.node("phones", 2)), phones, Manners(ends_share=0, digits=""), 1)
        try:
            await start_carrier(carrier, TABLE, place.directory / "sounds")
            await bank.start()
            for digits, number in NUMBERS.items():
                agent = bank.agents[f"p{digits}"]
                await bank.call(agent.name, number, agent.new_leg())
            await asyncio.sleep(MUTED_AFTER_S)
            setattr(bank.agents[f"p{MUTED}"], "next_frame", lambda: SILENCE)  # noqa: B010
            # The longest is the fax, seven seconds; phones stop ringing after ten.
            await asyncio.sleep(13)
            ledger = Ledger(ledger_path(carrier))
            ledger.read()
            answers = pair(ledger.calls, bank.heard)
            log = carrier.config.path("log", "messages.log").read_text()
            yield Seen(
                {call.number[-2:]: call for call in ledger.calls},
                {answer.call.number[-2:]: answer for answer in answers},
                log,
            )
        finally:
            await bank.close()
            await carrier.stop(2.0)
        assert not carrier.alive()
        assert bank.pid is None


def expected(digits: str) -> Behaviour:
    return behaviour(TABLE, NUMBERS[digits])


@pytest.mark.asyncio(loop_scope="module")
async def test_every_call_is_in_the_ledger_once_and_has_ended(seen: Seen) -> None:
    assert sorted(seen.calls) == sorted(DIGITS)
    assert not [call for call in seen.calls.values() if call.live]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("digits", DIGITS)
async def test_each_number_does_what_the_table_says(seen: Seen, digits: str) -> None:
    call, does = seen.calls[digits], expected(digits)
    assert call.kind is does.kind
    assert (call.answered_at is not None) == does.answers
    assert call.answered_human == does.human


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("digits", ["00", "11", "22", "43", "29", LISTENS, MUTED])
async def test_people_ring_talk_and_hang_up_in_time(seen: Seen, digits: str) -> None:
    call, does = seen.calls[digits], expected(digits)
    assert call.answered_at is not None
    assert call.heard_at is not None
    assert call.ended_at is not None
    assert call.rang_at is not None
    extra = 3.3 if does.kind is Kind.OPT_OUT else 0.0
    assert -0.05 < call.answered_at - call.rang_at - does.ring_s < 0.45
    assert call.ended_at - call.heard_at == pytest.approx(does.talk_s + extra, abs=0.4)
    assert call.ended_by == "callee"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("digits", ["00", "11", "22", "43", "29"])
async def test_phone_hears_the_right_person_at_once(seen: Seen, digits: str) -> None:
    answer = seen.answers[digits]
    assert answer.heard is not None
    assert answer.heard.agent == f"p{digits}"
    assert answer.heard.pitch == pytest.approx(pitch_hz(answer.call.number), abs=3)
    assert answer.delay_ms is not None
    assert 0 < answer.delay_ms < 300


@pytest.mark.asyncio(loop_scope="module")
async def test_most_are_heard_within_100_ms(seen: Seen) -> None:
    assert statistics.median(a.delay_ms for a in seen.answers.values() if a.delay_ms is not None) < 100


@pytest.mark.asyncio(loop_scope="module")
async def test_who_hears_nobody_for_long_is_not_in_this_run(seen: Seen) -> None:
    assert all(answer.silent_s is not None and answer.silent_s < 1 for answer in seen.answers.values())


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("digits", "cause"), [("05", 17), ("07", 34), ("17", 1)])
async def test_refusals_have_their_cause_and_are_the_callees(seen: Seen, digits: str, cause: int) -> None:
    assert seen.calls[digits].cause == cause
    assert seen.calls[digits].ended_by == "callee"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("digits", RING_FOR_EVER)
async def test_unanswered_ring_until_the_caller_gives_up(seen: Seen, digits: str) -> None:
    call = seen.calls[digits]
    assert call.ended_by == "caller"
    assert call.ended_at is not None
    assert call.ended_at - call.came_at == pytest.approx(10, abs=1)


@pytest.mark.asyncio(loop_scope="module")
async def test_who_listens_notes_about_once_a_second_that_somebody_is_heard(seen: Seen) -> None:
    call, muted = seen.calls[LISTENS], seen.calls[MUTED]
    for each in (call, muted):
        assert each.heard_at is not None
        assert each.ended_at is not None
        assert each.ended_at - each.heard_at == pytest.approx(LISTENING.talk_s, abs=0.4), "notes take no time"
    assert call.still_at is not None
    assert call.ended_at is not None
    assert call.ended_at - call.still_at < 2.2
    assert muted.still_at is not None
    assert muted.heard_at is not None
    assert muted.heard_at < muted.still_at < muted.heard_at + MUTED_AFTER_S + 0.2
    assert seen.calls["22"].still_at is None


@pytest.mark.asyncio(loop_scope="module")
async def test_nine_is_pressed_three_seconds_after_hearing_something(seen: Seen) -> None:
    call = seen.calls["29"]
    assert call.nine_at is not None
    assert call.heard_at is not None
    assert call.nine_at - call.heard_at == pytest.approx(3, abs=0.3)
    assert not [other for other in seen.calls.values() if other.nine_at and other is not call]


@pytest.mark.asyncio(loop_scope="module")
async def test_machine_speaks_longer_than_a_greeting_of_two_seconds(seen: Seen) -> None:
    call = seen.calls["16"]
    assert call.answered_at is not None
    assert call.ended_at is not None
    assert call.ended_at - call.answered_at > 3


@pytest.mark.asyncio(loop_scope="module")
async def test_caller_id_is_noted(seen: Seen) -> None:
    assert {call.caller for call in seen.calls.values()} == {f"p{digits}" for digits in DIGITS}


@pytest.mark.asyncio(loop_scope="module")
async def test_carrier_has_nothing_to_complain_of(seen: Seen) -> None:
    assert "ERROR" not in seen.log
    assert "WARNING" not in seen.log
