"""One call, its talk and its record, and the row that a fault's judge makes of them."""

from dataclasses import replace

from dialer_engine.lab.behaviours import Kind, pitch_hz
from dialer_engine.lab.chaos.catalogue import catalogue
from dialer_engine.lab.chaos.records import Kept, Record
from dialer_engine.lab.chaos.verdict import Promise, Row, Seen, Witness, row_of, tally
from dialer_engine.lab.ears import Heard
from dialer_engine.lab.ledger import CarrierCall

ADA, BOB = "+12125550100", "+12125550101"
CALL = CarrierCall(
    "1", ADA, "+12125550198", 100.0, Kind.HUMAN, 100.0, 101.0, 101.1, None, 105.0, 16, "callee"
)
UNANSWERED = replace(CALL, answered_at=None, heard_at=None)
TALK = Heard("ann", 101.02, 104.98, float(pitch_hz(ADA)))
BRIDGED = Record(ADA, "bridged", 105.0, "ann", 100.0, joined_at=101.05)
SPAN = (99.0, 110.0)
KILLED = catalogue()["engine-kill"].promise
PHONES = catalogue()["phone-vanish"].promise
ASTERISK = catalogue()["asterisk-kill"].promise


LEAVING = {
    "unknown": {
        "engine-kill",
        "engine-kill-boundary",
        "ari-cut",
        "ari-half-open",
        "ari-deaf",
        "engines-split",
        "engine-freeze-replaced",
    },
    "node_lost": {
        "asterisk-kill",
        "asterisk-kill-early",
        "asterisk-kill-unseen",
        "node-lost",
        "node-lost-front",
    },
}
"""The faults whose time leaves calls of which nobody knows the end, by what their records say."""


def judge(
    call: CarrierCall = CALL,
    *records: Record,
    heard: tuple[Heard, ...] = (TALK,),
    promise: Promise | None = None,
    seen: Seen | None = None,
    kept: Kept | None = None,
) -> Row:
    """The row of one call with these records, in a fault that lasted for SPAN."""
    world = Witness([call], heard, kept or Kept(records))
    return row_of("x", promise or Promise(), [tally(world, seen or Seen(1, [1.0], spans=[SPAN]))])
