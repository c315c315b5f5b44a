"""Whether people still heard somebody at the end of their talk, by the carrier's notes."""

from dataclasses import replace

import pytest

from dialer_engine.lab.behaviours import Kind, pitch_hz
from dialer_engine.lab.chaos.catalogue import catalogue
from dialer_engine.lab.chaos.records import Kept, Record
from dialer_engine.lab.chaos.stillness import silent_since
from dialer_engine.lab.chaos.talks import Talk
from dialer_engine.lab.chaos.verdict import Promise, Seen, Witness, row_of, tally
from dialer_engine.lab.ears import Heard
from dialer_engine.lab.ledger import CarrierCall

pytestmark = pytest.mark.unit

ADA = "+12125550100"
MESSAGE_S = 26.0
CALL = CarrierCall(
    "1", ADA, "+12125550198", 100.0, Kind.HUMAN, 100.0, 101.0, 101.1, None, 113.1, 16, "callee", 111.5
)
AGENT = Heard("agent001", 101.02, 113.08, float(pitch_hz(ADA)))


def silent(call: CarrierCall, heard: tuple[Heard, ...] = (AGENT,)) -> float | None:
    return silent_since(Talk(call, heard), MESSAGE_S)


@pytest.mark.parametrize(
    ("call", "since"),
    [
        (CALL, None),
        (replace(CALL, still_at=108.7), None),
        (replace(CALL, still_at=104.0), 104.0),
        (replace(CALL, still_at=None), 101.1),
        (replace(CALL, still_at=None, ended_at=105.0), None),
        (replace(CALL, still_at=None, nine_at=104.1), 104.1),
        (replace(CALL, still_at=104.0, ended_by="caller"), None),
        (replace(CALL, still_at=None, heard_at=None), None),
    ],
    ids=[
        "heard-to-the-end",
        "within-what-is-allowed",
        "nothing-more-in-the-middle",
        "nothing-after-the-first-sound",
        "too-short-to-tell",
        "nothing-after-the-nine",
        "ended-by-us",
        "never-heard-anybody",
    ],
)
def test_who_hears_nobody_any_more_is_found(call: CarrierCall, since: float | None) -> None:
    assert silent(call) == since


def test_a_message_that_breaks_off_is_found_and_the_wait_behind_it_is_not() -> None:
    broken_off = replace(CALL, still_at=105.0)
    assert silent(broken_off, ()) == 105.0
    told = replace(CALL, still_at=101.1 + 20.9, ended_at=101.1 + 25.8)
    assert silent(told, ()) is None
    assert silent(told) is not None, "an agent speaks to the end"


def test_whom_the_agent_hears_and_who_hears_no_agent_was_left_alone() -> None:
    one_way = Witness([replace(CALL, still_at=104.0)], (AGENT,))
    row = row_of("x", Promise(), [tally(one_way, Seen(1, [1.0]))])
    assert (row.left_alone, row.broken) == (1, ("left_alone",))
    assert row.evidence == (
        f"left_alone: {ADA}: nobody heard since +4.000; came 100.000, answered +1.000, heard +1.100, ended +13.100",
    )
    both_ways = Witness([CALL], (AGENT,))
    assert row_of("x", Promise(), [tally(both_ways, Seen(1, [1.0]))]).broken == ()


@pytest.mark.parametrize(
    ("call", "again", "broken"),
    [
        (replace(CALL, still_at=111.5), 107.0, False),
        (replace(CALL, still_at=103.0), 107.0, True),
        (replace(CALL, still_at=103.0), None, True),
        (replace(CALL, still_at=103.0, ended_at=112.1), None, False),
    ],
    ids=["goes-on", "is-heard-and-hears-nobody", "is-left-to-the-end", "leaves-before-it-is-due"],
)
@pytest.mark.parametrize("fault", ["phone-vanish", "phones-gone"])
def test_phones_that_die_excuse_nobody_who_hears_nothing_to_the_end(
    call: CarrierCall, again: float | None, broken: bool, fault: str
) -> None:
    """They die at 102.5, and by 110.7 somebody is heard again, or the message."""
    pieces = (replace(AGENT, last=102.5),)
    if again is not None:
        pieces += (Heard("agent002", again, call.until, AGENT.pitch),)
    seen = Seen(1, [1.0], excused=[(100.3, 110.7)])
    row = row_of("x", catalogue()[fault].promise, [tally(Witness([call], pieces), seen)])
    assert (row.left_alone, row.broken) == (1, ("left_alone",) if broken else ())


@pytest.mark.parametrize(
    ("again", "told", "broken"),
    [
        (110.6, None, False),
        (110.8, None, True),
        (None, 110.6, False),
        (None, 120.0, True),
        (None, None, True),
        (126.0, 110.6, False),
    ],
    ids=[
        "an-agent-in-time",
        "an-agent-too-late",
        "the-message-in-time",
        "the-message-too-late",
        "nobody-by-any-word-of-ours",
        "the-message-and-then-an-agent",
    ],
)
@pytest.mark.parametrize("fault", ["phone-vanish", "phones-gone"])
def test_phones_that_die_excuse_nobody_who_gets_somebody_too_late(
    again: float | None, told: float | None, broken: bool, fault: str
) -> None:
    """The person notes to hear somebody to the end: that alone does not tell since when."""
    call = replace(CALL, ended_at=130.0, still_at=129.0)
    pieces = (replace(AGENT, last=102.5),)
    if again is not None:
        pieces += (Heard("agent001", again, 129.98, AGENT.pitch),)
    kept = Kept([Record(ADA, "bridged", 130.0, "agent001", 100.0, joined_at=101.02, message_at=told)])
    seen = Seen(1, [1.0], excused=[(100.3, 110.7)])
    row = row_of("x", catalogue()[fault].promise, [tally(Witness([call], pieces, kept), seen)])
    assert (row.left_alone, row.broken) == (1, ("left_alone",) if broken else ())
    early = row_of("x", catalogue()[fault].promise, [tally(Witness([call], pieces), seen)])
    assert early.broken == (), "records were not read, which tell of the message"


@pytest.mark.parametrize(
    ("heard_at", "ended_at", "broken"),
    [(110.6, 130.0, False), (110.8, 130.0, True), (None, 110.6, False), (None, 110.8, True)],
)
def test_who_answers_when_phones_die_hears_somebody_in_time_or_leaves_before(
    heard_at: float | None, ended_at: float, broken: bool
) -> None:
    silent = replace(CALL, answered_at=103.0, heard_at=heard_at, ended_at=ended_at, still_at=ended_at - 1.2)
    seen = Seen(1, [1.0], excused=[(100.3, 110.7)])
    row = row_of("x", catalogue()["phones-gone"].promise, [tally(Witness([silent]), seen)])
    assert (row.silent_answers, row.broken) == (1, ("silent_answers",) if broken else ())
    lost = row_of("x", catalogue()["node-lost"].promise, [tally(Witness([silent]), seen)])
    assert lost.broken == (), "a dead node gives nobody back"


def test_who_is_heard_and_hears_nobody_counts_once_and_when_it_began() -> None:
    lost = Witness([replace(CALL, still_at=104.0)], (replace(AGENT, last=104.5),))
    row = row_of("x", Promise(), [tally(lost, Seen(1, [1.0]))])
    assert row.left_alone == 1
    excusing = Promise().excusing("left_alone")
    one_way = Witness([replace(CALL, still_at=104.0)], (AGENT,))
    assert row_of("x", excusing, [tally(one_way, Seen(1, [1.0], excused=[(103.9, 105.0)]))]).broken == ()
    assert row_of("x", excusing, [tally(one_way, Seen(1, [1.0], excused=[(105.0, 120.0)]))]).broken != ()
