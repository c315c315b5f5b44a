"""How long phones ring by the carrier's ledger, and whose goes on ringing when the Asterisk that called dies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from dialer_engine.engine.runner import LONGEST_SETUP_S
from dialer_engine.lab.behaviours import Table, behaviour
from dialer_engine.lab.chaos.records import Finding
from dialer_engine.lab.ledger import CarrierCall

EARLY_S, LATE_S = 0.1, 0.5
"""The carrier lets it ring for as long as the table says, and does other things too."""
LEAST_RING_S = 15.0
"""A phone rings for so long or four times before the caller gives up: 16 CFR 310.4(b)(4)(ii)."""
RING_OUT_S = 20
"""A call is given up after so long: the law's least, and the carrier's time before it."""
LATELY_S = 1.5
GIVEN_UP_S = RING_OUT_S + LATELY_S
"""A call that nobody answers is over by then, on a machine that does other things too: its Asterisk ends it."""
SLOW_S = LEAST_RING_S + LONGEST_SETUP_S + LATELY_S
SLOW_TRUNK = "other ringing on a trunk that was slow"
"""The kind of what rings for no longer than `SLOW_S`, to which the engine adds what the trunk's calls took until they
rang, and of what was called for long enough and began to ring late."""


def rung(calls: Iterable[CarrierCall], left_at: Mapping[str, float]) -> Iterator[Finding]:
    """What is wrong with how long phones rang that nobody answered: we gave up too early, or did not give up.

    Of a call that ended before its phone rang nothing is said, and of one that the carrier ended only that it was late.
    `left_at` is when each number's call left by its record, if known: from then on the engine counts.
    """
    for call in calls:
        if call.answered_at is not None or call.rang_at is None or call.ended_at is None:
            continue
        seconds = call.ended_at - call.rang_at
        since = f"{seconds:.1f} s from {call.rang_at:.3f}"
        if seconds < LEAST_RING_S and call.ended_by == "caller":
            called_s = call.ended_at - left_at.get(call.number, call.rang_at)
            kind = SLOW_TRUNK if called_s >= RING_OUT_S - LATE_S else None
            yield Finding(
                call.ended_at, f"{call.number}: given up after ringing for {since}", kind, call.number
            )
        elif seconds > GIVEN_UP_S:
            words = f"{call.number}: rang for {since}, and the campaign gives up after {RING_OUT_S}"
            kind = SLOW_TRUNK if seconds <= SLOW_S else None
            yield Finding(call.rang_at + GIVEN_UP_S, words, kind, call.number)


def too_long_of(calls: Iterable[CarrierCall], moment: float) -> tuple[tuple[float, float], ...]:
    """The times in which phones have rung for too long that were being called at a moment (seconds since 1970)."""
    due = (call.came_at + GIVEN_UP_S for call in calls if call.came_at <= moment < call.until)
    return tuple((at, at + LATE_S) for at in due)


def answers_of(calls: Iterable[CarrierCall], table: Table, moment: float) -> tuple[tuple[float, float], ...]:
    """The times in which those people answer who were being called at a moment (seconds since 1970)."""
    due = (
        call.came_at + person.ring_s
        for call in calls
        if call.came_at <= moment < call.until
        for person in (behaviour(table, call.number),)
        if person.human
    )
    return tuple((at - EARLY_S, at + LATE_S) for at in due if at > moment)
