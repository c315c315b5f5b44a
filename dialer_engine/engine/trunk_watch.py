"""What Asterisk tells about calls, as the trunks need it: on the wire, ringing, refused, ended.

From here the trunks learn who is at fault: a breaker opens and closes, departures wait for word of earlier ones,
and a contact whom a trunk refuses learns when it is due again.

That a carrier handles a call counts once, when its first sign comes. What becomes of the call, up to hours later, says
nothing of the carrier as it is by then: talks go on and phones ring on at a trunk that refuses every new call.

A node that does not know a trunk says nothing of the carrier: the trunk is left alone on that node only.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from dialer_engine.core.attempt import Attempt, EndedBy
from dialer_engine.core.carrier_codes import CarrierCodes
from dialer_engine.core.gate.rules.live_call import RINGS_ON
from dialer_engine.core.outcome import Result
from dialer_engine.engine.call import Call, FinishedCall
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.dispatcher import Dispatcher
from dialer_engine.engine.trunks import TrunkLine, Trunks

log = structlog.get_logger(__name__)

RELEASE_S = 0.5
"""How long an ended call still counts against the channel limit: the carrier may not have our BYE yet."""
SILENT_FOR_S = 3.0
"""Seconds without any word after which a call that we ended ourselves tells of a fault."""
FIRST_PAUSE_S, TRY_AGAIN_S = 2.0, 60.0
"""Seconds after which a node that made no channel to a trunk may try it again, if it was not told anew before: each
time twice as many, up to the second of these. Passing trouble of Asterisk is over soon."""
LACKED_DELAY = timedelta(seconds=10)
"""After how long a contact is due again for whom a node made no channel; were the contact the reason, no call a second
would come of it."""
SILENT = "no response"
OUR_RING_TIME = "ring time over"
HANDLED = frozenset(
    {
        *(Result.BRIDGED, Result.ABANDONED, Result.HUNG_UP, Result.NO_ANSWER, Result.BUSY),
        *(Result.NOT_IN_SERVICE, Result.REJECTED, Result.BLOCKED),
    }
)
"""Results that show that the carrier handles calls."""


@dataclass(slots=True)
class TrunkWatch:
    """Passes the news on; `codes` is replaced by a reload."""

    dispatcher: Dispatcher
    trunks: Trunks
    codes: CarrierCodes
    wake: Callable[[], None] = lambda: None
    _tries: dict[tuple[str, str], asyncio.TimerHandle] = field(default_factory=dict)

    # --- while a call is under way ----------------------------------------------------------------

    def dialed(self, attempt_id: str) -> None:
        """Asterisk says that the call is on its way to the carrier: its node has the trunk."""
        self.there(attempt_id)
        call = self.dispatcher.calls.get(attempt_id)
        line = self._line(call.reservation.trunk) if call else None
        if call is not None and line is not None:
            line.had(call.node)

    def there(self, attempt_id: str) -> None:
        """The call has a channel, which may be of long ago."""
        call = self.dispatcher.calls.get(attempt_id)
        if call is not None:
            self.trunks.on_wire(call.reservation.trunk, attempt_id, time.monotonic())

    def link_lost(self, node: str) -> None:
        """No word comes from a node any more: its calls must not hold up those of other nodes on the same trunk."""
        now = time.monotonic()
        for call in list(self.dispatcher.calls.values()):
            if call.node == node:
                self.trunks.no_word(call.reservation.trunk, call.id, now)

    def rang(self, attempt_id: str) -> None:
        """The carrier handles the call: a phone rings, or somebody answered, which after ringing is no news."""
        call = self.dispatcher.calls.get(attempt_id)
        line = self._line(call.reservation.trunk) if call else None
        if call is not None and line is not None:
            self.dialed(attempt_id)
            if call.attempt.ringing_at is None or call.attempt.answered_at is None:
                self._handled(line, call.attempt, call.reservation.contact_id)

    def meaning(self, attempt_id: str, code: int | None, said: str | None) -> Result | None:
        """Return what a code means for this call at its carrier."""
        call = self.dispatcher.calls.get(attempt_id)
        line = self._line(call.reservation.trunk) if call else None
        if call is None or line is None or code is None:
            return None
        trunk = line.settings
        meaning = self.codes.meaning(trunk.provider, trunk.own_codes, code, said or "")
        if meaning is Result.TRUNK_FAULT and line.refused.is_number(call.reservation.contact_id):
            return Result.FAILED
        return meaning

    def delay_after_fault(self, call: Call) -> timedelta:
        """Note a trunk fault and return after how long its contact is due again.

        A call without any word of the carrier may ring all the same: the gate would not let another one out before.
        That a node has no channel for it is no refusal of this contact by the carrier.
        """
        if call.attempt.no_trunk:
            return LACKED_DELAY
        line = self._line(call.reservation.trunk)
        if call.attempt.silent or line is None:
            return RINGS_ON
        return timedelta(seconds=line.refused.refused(call.reservation.contact_id))

    # --- when it has ended ------------------------------------------------------------------------

    def finished(self, call: FinishedCall) -> None:
        """Count an ended call and let its trunk learn from it."""
        line = self._line(call.trunk)
        if line is None:
            return
        line.active = max(0, line.active - 1)
        line.results[str(call.attempt.result)] += 1
        if call.attempt.originated_at is not None:
            self._cool(line)
            if call.attempt.no_trunk:
                self._lacked(line, call)
            else:
                self._learn(line, call.attempt, call.contact_id)
        self.trunks.on_wire(call.trunk, call.attempt_id, time.monotonic())

    def _learn(self, line: TrunkLine, a: Attempt, contact: int) -> None:
        now = time.monotonic()
        code = code_of(a)
        line.health.add(now, code, _seconds(a.originated_at, a.ringing_at or a.answered_at), _up(a))
        if is_fault(a):
            if line.breaker.fault(now, _sent(a, now), code):
                log.error("trunk is at fault; calls go elsewhere until it works", trunk=line.name, last=code)
        elif a.result in HANDLED and a.ringing_at is None and a.answered_at is None and not a.blind:
            self._handled(line, a, contact)

    def _lacked(self, line: TrunkLine, call: FinishedCall) -> None:
        """A node made no channel: soon it leaves the trunk alone for a while. A probe that it took is given back."""
        now, breaker = time.monotonic(), line.breaker
        if breaker.opened_at is not None and _sent(call.attempt, now) >= breaker.opened_at:
            breaker.no_probe(now)
        times = line.lacked(call.node, call.attempt.said or "")
        if not times:
            return
        if waits := self._tries.pop((line.name, call.node), None):
            waits.cancel()
        pause = min(TRY_AGAIN_S, FIRST_PAUSE_S * 2.0 ** (times - 1))
        self._tries[line.name, call.node] = asyncio.get_running_loop().call_later(
            pause, self._try_again, line, call.node
        )

    def _try_again(self, line: TrunkLine, node: str) -> None:
        del self._tries[line.name, node]
        line.try_again(node)
        self.wake()

    def _handled(self, line: TrunkLine, a: Attempt, contact: int) -> None:
        now = time.monotonic()
        line.refused.handled(contact)
        if line.breaker.success(now, _sent(a, now)):
            log.info("trunk works again", trunk=line.name)
            self.wake()

    def _cool(self, line: TrunkLine) -> None:
        line.cooling += 1
        asyncio.get_running_loop().call_later(RELEASE_S, self._released, line)

    def _released(self, line: TrunkLine) -> None:
        line.cooling -= 1
        self.wake()

    def _line(self, trunk: str) -> TrunkLine | None:
        return self.trunks.lines.get(trunk)


def is_fault(a: Attempt) -> bool:
    """Whether an ended attempt tells of a fault of its trunk, whatever it means for the contact."""
    if a.no_trunk:
        return False
    if a.result is Result.TRUNK_FAULT:
        return True
    if a.ringing_at is not None or a.answered_at is not None or a.originated_at is None:
        return False
    out = _seconds(a.originated_at, a.ended_at) or 0.0
    if a.silent:
        return out >= SILENT_FOR_S
    # The carrier took the call and never said anything more until our own ring time was over.
    return (
        a.said is not None
        and a.said.startswith("SIP 100")
        and a.ended_by is EndedBy.ENGINE
        and not a.cancel_reason
    )


def code_of(a: Attempt) -> str:
    """Return an ended attempt's code for the mix: what the carrier said last, or that it said nothing."""
    if a.answered_at is not None:
        return "200"
    if a.cancel_reason is not None:
        return "cancelled"
    if a.silent:
        return SILENT
    if a.sip_code is not None:
        return str(a.sip_code)
    return OUR_RING_TIME if a.ended_by is EndedBy.ENGINE and a.result is Result.NO_ANSWER else "none"


def _up(a: Attempt) -> float | None:
    return _seconds(a.answered_at, a.ended_at)


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else (end - start).total_seconds()


def _sent(a: Attempt, now: float) -> float:
    """Return when the call left, on the monotonic scale; a clock set back meanwhile makes no call one of the future."""
    return now - (max(0.0, (utc_now() - a.originated_at).total_seconds()) if a.originated_at else 0.0)
