"""What a call leaves behind that takes far too long, or that nobody will ever come back to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dialer_engine.lab.chaos.ground import Ground
from dialer_engine.lab.chaos.records import Record
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.people import Oracle
from dialer_engine.store.sql import sql

LATEST_S = 30.0
JUST_BEFORE_S = 2.0
"""What ended so shortly before a fault may be taken in after it only."""

Spans = Iterable[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A contact who is not waiting any more and was never tried: in which state of the queue, and why."""

    number: str
    state: str
    why: str


async def left_behind(ground: Ground, before: int, records: Sequence[Record], spans: Spans) -> list[str]:
    """What is stuck in the end: attempts that outlived their calls, and contacts who were lost in the queue.

    `before` is how many calls the carrier had seen when the first round began, `spans` is the time of each fault until
    dialing went on.
    """
    rows = [PassedOver(**row) for row in await ground.ask(sql("chaos_passed_over"))]
    return [*outlived(ground.calls[before:], records, spans), *lost(rows, ground.oracle, ground.calls)]


def outlived(calls: Iterable[CarrierCall], records: Iterable[Record], spans: Spans) -> list[str]:
    """Calls whose first record says that they ended much later than the carrier says, and than dialing went on."""
    ends = _ends(records)
    found = []
    for call in calls:
        ended = min((at for at in ends.get(call.number, ()) if at >= call.came_at), default=None)
        if call.ended_at is None or ended is None:
            continue
        if ended > _noticed(call.ended_at, spans) + LATEST_S:
            found.append(f"{call.number}: ended {ended - call.ended_at:.1f} s after the call by its record")
    return found


def _ends(records: Iterable[Record]) -> Mapping[str, Sequence[float]]:
    ends: dict[str, list[float]] = {}
    for record in records:
        ends.setdefault(record.number, []).append(record.ended_at)
    return ends


def _noticed(ended_at: float, spans: Spans) -> float:
    """From when on it can be seen that a call has ended: during a fault perhaps only when dialing went on."""
    return max((over for began, over in spans if began - JUST_BEFORE_S <= ended_at <= over), default=ended_at)


def lost(rows: Iterable[PassedOver], oracle: Oracle, calls: Iterable[CarrierCall]) -> list[str]:
    """Contacts who may be called, never were, and will not be."""
    called = {call.number for call in calls}
    return [
        f"{row.number}: {row.state} in the queue ({row.why}), and was never called"
        for row in rows
        if row.number in oracle.known and row.number not in oracle.held and row.number not in called
    ]
