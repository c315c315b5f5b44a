"""What the fault suite makes of phones that only ring: given up too early, or not given up."""

from dataclasses import replace

import pytest

from dialer_engine.lab.behaviours import Kind
from dialer_engine.lab.chaos.catalogue import catalogue
from dialer_engine.lab.chaos.records import Kept, Record
from dialer_engine.lab.chaos.ringing import RING_OUT_S, too_long_of
from dialer_engine.lab.chaos.table import COLUMNS, table
from dialer_engine.lab.chaos.verdict import Promise, Row, Seen, Witness, row_of, tally
from dialer_engine.lab.ledger import CarrierCall

pytestmark = pytest.mark.unit

ADA = "+12125550104"
RINGING = CarrierCall("1", ADA, "+12125550198", 99.9, Kind.NO_ANSWER, 100.0, cause=16, ended_by="caller")


def rang(seconds: float, **changed: object) -> CarrierCall:
    return replace(RINGING, ended_at=100.0 + seconds, **changed)  # type: ignore[arg-type]


def judge(
    call: CarrierCall, promise: Promise | None = None, seen: Seen | None = None, left_at: float = 99.9
) -> Row:
    record = Record(call.number, "no_answer", call.ended_at or 0.0, originated_at=left_at)
    world = Witness([call], (), Kept((record,)))
    return row_of("x", promise or Promise(), [tally(world, seen or Seen(1, [1.0]))])


@pytest.mark.parametrize(
    ("call", "broken"),
    [
        (rang(14.9), True),
        (rang(0.3, kind=Kind.HUMAN), True),
        (rang(15.0), False),
        (rang(20.1), False),
        (rang(21.4), False),
        (rang(21.6), True),
        (rang(30.0, ended_by="callee"), True),
        (rang(5.0, ended_by="callee"), False),
        (rang(5.0, kind=Kind.HUMAN, answered_at=101.0, heard_at=101.1), False),
        (rang(5.0, rang_at=None), False),
    ],
    ids=[
        *(
            "short",
            "short-of-who-would-answer",
            "as-long-as-the-law-says",
            "given-up-in-time",
            "a-little-late",
        ),
        *("long", "until-the-carrier-ends-it", "the-carrier-ends-it-early", "answered", "never-rang"),
    ],
)
def test_a_phone_that_nobody_answers_rings_neither_too_short_nor_too_long(
    call: CarrierCall, broken: bool
) -> None:
    judged = judge(call)
    assert ("rung" in judged.broken, judged.rung) == (broken, int(broken))


def test_the_table_says_who_rang_for_how_long() -> None:
    judged = judge(rang(3.0))
    assert judged.evidence == (f"rung: {ADA}: given up after ringing for 3.0 s from 100.000",)
    line = table([judged])[2].split()
    assert line[1 + list(COLUMNS).index("rung")] == "1!"
    assert judged.as_json()["rung"] == 1
    long = judge(rang(30.0, ended_by="callee"))
    words = f"rang for 30.0 s from 100.000, and the campaign gives up after {RING_OUT_S}"
    assert long.evidence == (f"rung: {ADA}: {words}",)


def test_a_dead_asterisk_lets_only_the_phones_ring_on_that_it_called() -> None:
    promise, on = catalogue()["asterisk-kill"].promise, rang(30.0, ended_by="callee")
    live = replace(RINGING, rang_at=None)

    def seen(since: float, *numbers: str) -> Seen:
        return Seen(
            1, [1.0], excused_only=[(*each, frozenset(numbers)) for each in too_long_of([live], since)]
        )

    assert judge(on, promise, seen(100.1, ADA)).broken == ()
    assert judge(on, promise, seen(100.1)).broken == ("rung",), "it was not in that Asterisk"
    assert judge(on, promise, seen(99.0, ADA)).broken == ("rung",), "it came later"
    assert too_long_of([on], 131.0) == (), "it had ended"
    assert judge(rang(3.0), promise, seen(100.1, ADA)).broken == ("rung",), (
        "nobody gives up what a dead one called"
    )


EXCUSED = {
    *("asterisk-kill", "asterisk-kill-early", "asterisk-kill-unseen", "node-lost", "node-lost-front"),
    *("phone-vanish", "phones-gone", "trunk-silent"),
}


def test_only_lost_nodes_phones_and_signalling_excuse_how_long_it_rings() -> None:
    """An engine that ends what rings when it starts again, or when its link returns, breaks the promise."""
    short, then = rang(3.0), Seen(1, [1.0], excused=[(102.9, 103.1)])
    for name, fault in catalogue().items():
        assert judge(short, fault.promise, then).broken == (() if name in EXCUSED else ("rung",)), name
        assert judge(short, fault.promise).broken == ("rung",), name


def test_a_trunk_that_was_silent_has_phones_ring_a_little_longer_and_no_other_has() -> None:
    """The engine gives a call the time that others of its trunk took to ring, up to 10 s beside the law's 15."""
    then = Seen(1, [1.0], spans=[(90.0, 99.0)])
    for name, fault in catalogue().items():
        late = judge(rang(13.0), fault.promise, then, left_at=92.9)
        assert late.rung == 1, name
        assert ("rung" in late.broken) == (name != "trunk-silent"), "what left is late by 7 s where it rings"
        assert "rung" in judge(rang(12.0), fault.promise, then, left_at=92.9).broken, name
        assert judge(rang(26.4), fault.promise).broken == (() if name == "trunk-silent" else ("rung",)), name
        assert judge(rang(26.6), fault.promise).broken == ("rung",), name
