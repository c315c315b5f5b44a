"""A do-not-call that an agent presses after a talk counts in the end, unless nobody was there to take it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
import yaml

from dialer_engine.lab.agents import DO_NOT_CALL, Manners, Pressed, SimAgent
from dialer_engine.lab.behaviours import Kind, pitch_hz
from dialer_engine.lab.chaos.catalogue import catalogue
from dialer_engine.lab.chaos.ground import MANNERS
from dialer_engine.lab.chaos.records import Kept, Record
from dialer_engine.lab.chaos.table import evidence, table
from dialer_engine.lab.chaos.verdict import Promise, Row, Seen, Witness, row_of, tally
from dialer_engine.lab.dice import Dice
from dialer_engine.lab.ears import SILENCE_S, Heard
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.scenario import CAMPAIGN_YAML
from dialer_engine.lab.tones import tone_frame

pytestmark = pytest.mark.unit

ADA = "+12125550100"
CALL = CarrierCall(
    "1", ADA, "+12125550198", 100.0, Kind.HUMAN, 100.0, 101.0, 101.1, None, 105.0, 16, "callee"
)
TALK = Heard("ann", 101.02, 104.98, float(pitch_hz(ADA)))
NEXT = Heard("ann", 106.0, 109.0, float(pitch_hz("+12125550101")))
KEY = Pressed("ann", DO_NOT_CALL, 105.5, TALK)
BRIDGED = Record(ADA, "bridged", 105.0, "ann", 100.0, joined_at=101.05)


def judge(
    pressed: Sequence[Pressed],
    *,
    suppressed: bool = False,
    call: CarrierCall = CALL,
    heard: Sequence[Heard] = (TALK,),
    promise: Promise | None = None,
    spans: Sequence[tuple[float, float]] = (),
) -> Row:
    kept = Kept([BRIDGED], suppressed=frozenset({ADA} if suppressed else ()))
    witness = Witness([call], heard, kept, message_s=26.0, pressed=pressed)
    return row_of("x", promise or Promise(), [tally(witness, Seen(1, [1.0], spans=list(spans)))])


def test_a_do_not_call_of_an_agent_is_lost_when_the_number_is_not_suppressed() -> None:
    lost = judge([KEY])
    assert (lost.broken, lost.opt_outs_lost, lost.opt_outs) == (("opt_outs_lost",), 1, 1)
    assert lost.evidence == (
        f"opt_outs_lost: {ADA}: ann pressed 3 0.5 s after the talk, and it is not suppressed",
    )
    kept = judge([KEY], suppressed=True)
    assert (kept.broken, kept.opt_outs_lost, kept.opt_outs) == ((), 0, 1)


@pytest.mark.parametrize(
    ("key", "call", "heard"),
    [
        (replace(KEY, digit="0"), CALL, (TALK,)),
        (KEY, replace(CALL, ended_at=110.0), (TALK, replace(TALK, first=105.6, last=109.98))),
        (KEY, replace(CALL, ended_at=105.6), (TALK,)),
        (KEY, replace(CALL, ended_at=107.0), (TALK,)),
        (replace(KEY, at=105.9), CALL, (TALK, NEXT)),
        (replace(KEY, at=105.3), CALL, (TALK, replace(NEXT, first=106.9))),
    ],
    ids=[
        "another-key",
        "the-talk-went-on",
        "the-talk-was-not-over",
        "who-was-moved",
        "the-next-one-was-there",
        "the-next-one-by-a-slow-link",
    ],
)
def test_a_key_that_was_not_meant_for_a_talk_that_is_over_promises_nothing(
    key: Pressed, call: CarrierCall, heard: Sequence[Heard]
) -> None:
    assert judge([key], call=call, heard=heard).opt_outs_lost is None


@pytest.mark.parametrize(
    ("fault", "span", "broken"),
    [
        ("engine-kill", (106.4, 110.0), False),
        ("engine-kill", (106.6, 110.0), True),
        ("engine-kill", (100.0, 105.0), False),
        ("engine-kill", (100.0, 104.0), True),
        ("engine-freeze", (105.0, 110.0), True),
        ("postgres-stop", (105.0, 110.0), True),
        ("disk-full", (105.0, 110.0), True),
        *(
            (name, (105.0, 110.0), False)
            for name in (
                "engine-freeze-replaced",
                "engines-split",
                "asterisk-kill",
                "node-lost",
                "ari-cut",
                "phones-gone",
                "trunk-silent",
            )
        ),
    ],
)
def test_only_what_keeps_the_engine_from_hearing_the_key_excuses(
    fault: str, span: tuple[float, float], broken: bool
) -> None:
    judged = judge([KEY], promise=catalogue()[fault].promise, spans=[span])
    assert judged.opt_outs_lost == 1, "it is counted all the same"
    assert judged.broken == (("opt_outs_lost",) if broken else ())


def test_who_hangs_up_while_no_signalling_passes_is_still_in_the_talk_for_the_engine() -> None:
    """The BYE is lost, the agent hears the end and presses the key; a repeated BYE comes 8 s later."""
    call = replace(CALL, came_at=90.0, answered_at=91.0, heard_at=91.1, ended_at=105.0, still_at=104.1)
    talk = replace(TALK, first=91.05, last=105.0)
    kept = Kept([replace(BRIDGED, originated_at=90.0, ended_at=113.0, joined_at=91.05)])
    witness = Witness([call], [talk], kept, pressed=[replace(KEY, about=talk)])
    silent = catalogue()["trunk-silent"].promise
    row = row_of("x", silent, [tally(witness, Seen(1, [1.0], spans=[(100.0, 114.0)]))])
    assert (row.opt_outs_lost, row.broken) == (1, ())


def test_where_nobody_could_opt_out_nothing_is_said_of_it() -> None:
    row = judge([])
    assert (row.opt_outs_lost, row.broken) == (None, ())
    assert evidence([row]) == []
    assert "-" in table([row])[2].split()


async def test_so_large_a_share_of_the_agents_press_it_after_a_talk() -> None:
    assert 0 < MANNERS.forbids_share < 1
    pressed: list[str] = []
    for share, keys in ((0.0, []), (1.0, [DO_NOT_CALL])):
        manners = Manners(ends_share=0.0, digits="", forbids_share=share, forbids_after_s=(0.0, 0.01))
        ann = SimAgent("ann", manners, Dice(1), lambda leg, digit: pressed.append(digit))
        for n in range(5):
            ann.heard(100.0 + 0.02 * n, tone_frame(2000))
        assert ann.talked_with is None, "the talk goes on"
        ann.next_frame()  # long after 100.08
        assert ann.talked_with == ann.heard_calls[-1]
        await asyncio.sleep(0.05)
        assert pressed == keys
    assert SILENCE_S + max(MANNERS.forbids_after_s) < 1.0 - 0.2, (
        "within the wrap-up, with the key's own length"
    )


def test_the_key_is_the_one_that_the_labs_campaign_has_for_it() -> None:
    text = CAMPAIGN_YAML.partition("dispositions:\n")[2].partition("attempts:")[0]
    meant = yaml.safe_load(text.replace("{{", "{").replace("}}", "}"))
    assert [key for key, each in meant.items() if each.get("suppress")] == [DO_NOT_CALL]
