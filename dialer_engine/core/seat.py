"""Life of an agent's seat: one person's presence, from dialing the duty extension to hanging up.

The life
--------
The agent's phone dials the duty extension and its leg stays up all shift (*ready*). When a person answers,
the dispatcher *reserves* the seat in memory, at the moment of the claim, so that no two answers can win the
same agent. The customer joins (*in_call*), leaves, and the seat is in *wrap* until the agent presses a
disposition digit or the wrap time ends; then it is ready again, or *paused* when the agent asked for it.
Hanging up the leg ends the shift (*off*) in every state; presence comes from the leg and from nothing else.
A second phone of the same agent takes the seat over as it is: a conversation goes on there. That holds on one node;
a leg on another cannot have the conversation, so there the first leg goes down before the second comes up.
A pause belongs to the leg: who dials in anew is ready, but a leg that an engine finds still up, after its own restart
or after a node was lost, is as paused as it was. Its agent may have walked away, and must not get a customer.
Whose phone has the leg on hold hears nobody: who is ready then, or would become it, is in a pause that ends with the
hold. The key `0` ends that one, too: the word of a hold's end may have been lost with a link.

The races this forbids
----------------------
* A seat is reserved for one attempt only; freeing it names the attempt, so a late "free" of an earlier
  attempt cannot release a later one.
* A disposition is given exactly once per conversation: by the digit, by the wrap time, or by the leg's end.
* A do-not-call of after the wrap-up goes to the talk that ended last, or to none: not to one that begins just then.
* A wrap timer that fires late names its attempt and is ignored when the seat has moved on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

MEANT_FOR_LAST = timedelta(seconds=1)
"""A key that ends a call means none so soon after its talk began when another one had ended that soon before."""
DO_NOT_CALL_WITHIN = timedelta(seconds=120)
"""So long after a talk's end its agent may still give a person's do-not-call. The request must not be lost to a wrap-up
that was too short or to a wrong digit before; minutes later a key was more likely pressed by mistake."""


class SeatState(StrEnum):
    """What the agent is doing."""

    OFF = "off"
    READY = "ready"
    RESERVED = "reserved"
    IN_CALL = "in_call"
    WRAP = "wrap"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Seat:
    """A seat's whole state; `since` is the UTC moment the state began, `node` the Asterisk of its last leg.

    `on_hold`: the agent's phone has the leg on hold; `for_hold`: that alone is why the seat is paused.
    `at_once`: the last talk began right after the one before it had ended.
    `talked` is the attempt of the last talk and `talk_over` its end (UTC); both are None until one has ended and from
    the beginning of the next one on. They outlive the leg: whose phone was lost may come back with a request.
    """

    agent: str
    state: SeatState = SeatState.OFF
    since: datetime | None = None
    attempt: str | None = None
    pause_wanted: bool = False
    on_hold: bool = False
    for_hold: bool = False
    node: str = ""
    talked: str | None = None
    talk_over: datetime | None = None
    at_once: bool = False

    @property
    def resting(self) -> bool:
        """Whether the agent is in a pause, or will be after what goes on now."""
        return self.state is SeatState.PAUSED or self.pause_wanted or self.on_hold

    @property
    def pause_follows(self) -> bool:
        """Whether a pause is to follow what goes on: it was asked for, or the phone has the leg on hold."""
        busy = self.state in (SeatState.RESERVED, SeatState.IN_CALL, SeatState.WRAP)
        return self.pause_wanted or (self.on_hold and busy)


@dataclass(frozen=True, slots=True)
class SeatEvent:
    """Something that happened to the seat at a moment (UTC)."""

    at: datetime


@dataclass(frozen=True, slots=True)
class LegUp(SeatEvent):
    """The agent's leg is in its bridge on a node; `paused`: it was there before, and its agent is in a pause."""

    node: str
    paused: bool = False
    on_hold: bool = False


@dataclass(frozen=True, slots=True)
class LegDown(SeatEvent):
    """The agent's leg is gone; `vanished` when nobody hung it up: the phone or its network died."""

    vanished: bool = False


@dataclass(frozen=True, slots=True)
class Held(SeatEvent):
    """The agent's phone has put the leg on hold."""


@dataclass(frozen=True, slots=True)
class Unheld(SeatEvent):
    """The agent's phone has taken the leg back."""


@dataclass(frozen=True, slots=True)
class Reserved(SeatEvent):
    """The dispatcher chose this agent for an answered person."""

    attempt: str


@dataclass(frozen=True, slots=True)
class Recalled(SeatEvent):
    """A conversation that an earlier engine left is still there; a pause waits until it is over."""

    attempt: str


@dataclass(frozen=True, slots=True)
class Freed(SeatEvent):
    """The person did not come: somebody else, the message or the hang-up was faster."""

    attempt: str


@dataclass(frozen=True, slots=True)
class CustomerIn(SeatEvent):
    """The customer is in the agent's bridge."""

    attempt: str


@dataclass(frozen=True, slots=True)
class CustomerOut(SeatEvent):
    """The customer's channel is gone."""

    attempt: str


@dataclass(frozen=True, slots=True)
class HangupKey(SeatEvent):
    """The agent pressed `*`."""


@dataclass(frozen=True, slots=True)
class PauseKey(SeatEvent):
    """The agent pressed `0`."""


@dataclass(frozen=True, slots=True)
class DispositionKey(SeatEvent):
    """The agent pressed a digit of the campaign's table; `suppress`: it is a person's do-not-call."""

    code: str
    suppress: bool = False


@dataclass(frozen=True, slots=True)
class WrapOver(SeatEvent):
    """The wrap time of this conversation ended."""

    attempt: str


@dataclass(frozen=True, slots=True)
class EndCall:
    """Hang up the customer of this attempt: the agent asked for it."""

    attempt: str


@dataclass(frozen=True, slots=True)
class CustomerAlone:
    """The agent's leg is gone while this customer is there or on the way; see LegDown for `vanished`."""

    attempt: str
    vanished: bool = False


@dataclass(frozen=True, slots=True)
class StartWrap:
    """Start the wrap timer of this attempt."""

    attempt: str


@dataclass(frozen=True, slots=True)
class Dispose:
    """Write the disposition; `code` None means the campaign's default."""

    attempt: str
    code: str | None


@dataclass(frozen=True, slots=True)
class Correct:
    """Write a further disposition of a talk that was disposed of already."""

    attempt: str
    code: str


@dataclass(frozen=True, slots=True)
class BecameReady:
    """The agent can take a call: the longest waiting person, or new calls."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Let the agent hear something: `paused`, `ready`, `noted`, `cancelled`, `refused`, `arrived`."""

    what: str


SeatCommand = EndCall | CustomerAlone | StartWrap | Dispose | Correct | BecameReady | Tell
SeatStep = tuple[Seat, tuple[SeatCommand, ...]]


class IllegalSeatEvent(Exception):
    """An event that cannot happen in this state; nothing was changed."""

    def __init__(self, state: SeatState, event: SeatEvent) -> None:
        super().__init__(f"{type(event).__name__} is illegal for a seat that is {state.value}")


def _to(seat: Seat, state: SeatState, e: SeatEvent, attempt: str | None = None) -> Seat:
    return replace(seat, state=state, since=e.at, attempt=attempt, for_hold=False)


def _leg_up(s: Seat, e: LegUp) -> SeatStep:
    present = replace(_to(s, SeatState.PAUSED, e), pause_wanted=False, node=e.node, on_hold=e.on_hold)
    return (present, ()) if e.paused else _resume(present, e)


def _another_leg(s: Seat, e: LegUp) -> SeatStep:
    """The agent moved to another phone in the middle of something: it goes on there."""
    return replace(s, on_hold=e.on_hold), ()


def _off(s: Seat, e: LegDown) -> SeatStep:
    return _absent(s, e), ()


def _off_with_customer(s: Seat, e: LegDown) -> SeatStep:
    alone: tuple[SeatCommand, ...] = (CustomerAlone(s.attempt, e.vanished),) if s.attempt else ()
    if s.state is not SeatState.IN_CALL:
        return _absent(s, e), alone
    return _talk_over(_absent(s, e), s.attempt, e), (*alone, *_default(s))


def _off_in_wrap(s: Seat, e: LegDown) -> SeatStep:
    return _absent(s, e), _default(s)


def _absent(s: Seat, e: LegDown) -> Seat:
    return replace(_to(s, SeatState.OFF, e), pause_wanted=False, on_hold=False)


def _talk_over(s: Seat, attempt: str | None, e: SeatEvent) -> Seat:
    return replace(s, talked=attempt, talk_over=e.at)


def _default(s: Seat) -> tuple[SeatCommand, ...]:
    return (Dispose(s.attempt, None),) if s.attempt else ()


def _reserve(s: Seat, e: Reserved) -> SeatStep:
    return _to(s, SeatState.RESERVED, e, e.attempt), ()


def _recall(s: Seat, e: Recalled) -> SeatStep:
    wanted = s.state is SeatState.PAUSED and not s.for_hold
    return replace(_to(s, SeatState.RESERVED, e, e.attempt), pause_wanted=wanted), ()


def _free(s: Seat, e: Freed) -> SeatStep:
    return _resume(s, e) if s.attempt == e.attempt else (s, ())


def _resume(s: Seat, e: SeatEvent) -> SeatStep:
    if s.pause_wanted:
        return replace(_to(s, SeatState.PAUSED, e), pause_wanted=False), (Tell("paused"),)
    if s.on_hold:
        return replace(_to(s, SeatState.PAUSED, e), for_hold=True), (Tell("paused"),)
    return _to(s, SeatState.READY, e), (BecameReady(),)


def _customer_in(s: Seat, e: CustomerIn) -> SeatStep:
    if s.attempt != e.attempt:
        return s, ()
    at_once = s.talk_over is not None and e.at - s.talk_over < MEANT_FOR_LAST
    talking = _to(s, SeatState.IN_CALL, e, e.attempt)
    talking = replace(talking, talked=None, talk_over=None, at_once=at_once)
    return talking, (Tell("arrived"),)


def _customer_out(s: Seat, e: CustomerOut) -> SeatStep:
    if s.attempt != e.attempt:
        return s, ()
    return _talk_over(_to(s, SeatState.WRAP, e, e.attempt), e.attempt, e), (StartWrap(e.attempt),)


def _hangup_key(s: Seat, e: HangupKey) -> SeatStep:
    """A key in the first moment was meant for a talk right before; a node whose clock is ahead loses none."""
    if s.at_once and s.since is not None and timedelta(0) <= e.at - s.since < MEANT_FOR_LAST:
        return s, (Tell("refused"),)
    return s, (EndCall(s.attempt),) if s.attempt else ()


def _pause(s: Seat, e: PauseKey) -> SeatStep:
    return _to(s, SeatState.PAUSED, e), (Tell("paused"),)


def _unpause(s: Seat, e: PauseKey) -> SeatStep:
    return replace(_to(s, SeatState.READY, e), on_hold=False), (Tell("ready"), BecameReady())


def _hold(s: Seat, e: Held) -> SeatStep:
    """What goes on goes on; who is ready is so no more."""
    held = replace(s, on_hold=True)
    return _resume(held, e) if s.state is SeatState.READY else (held, ())


def _unhold(s: Seat, e: Unheld) -> SeatStep:
    back = replace(s, on_hold=False)
    if s.state is not SeatState.PAUSED:
        return back, ()
    return (
        (_to(back, SeatState.READY, e), (Tell("ready"), BecameReady()))
        if s.for_hold
        else (back, (Tell("paused"),))
    )


def _pause_later(s: Seat, e: PauseKey) -> SeatStep:
    return replace(s, pause_wanted=not s.pause_wanted), (Tell("cancelled" if s.pause_wanted else "noted"),)


def _dispose(s: Seat, e: DispositionKey) -> SeatStep:
    resumed, commands = _resume(s, e)
    given: tuple[SeatCommand, ...] = (Dispose(s.attempt, e.code),) if s.attempt else ()
    return resumed, (*given, Tell("noted"), *commands)


def _dispose_late(s: Seat, e: DispositionKey) -> SeatStep:
    """Only a do-not-call still counts; the disposition that was given before stands beside it."""
    if s.talked is None or not _counts_late(s, e):
        return s, (Tell("refused"),)
    return s, (Correct(s.talked, e.code), Tell("noted"))


def _counts_late(s: Seat, e: DispositionKey) -> bool:
    in_time = s.talk_over is not None and e.at - s.talk_over <= DO_NOT_CALL_WITHIN
    return s.talked is not None and in_time and e.suppress


def takes(s: Seat, e: DispositionKey) -> bool:
    """Return whether a digit says how a talk ended: each in the wrap-up, later a do-not-call that is in time."""
    if s.state in (SeatState.READY, SeatState.PAUSED):
        return _counts_late(s, e)
    return s.state is SeatState.WRAP


def _wrap_over(s: Seat, e: WrapOver) -> SeatStep:
    if s.attempt != e.attempt:
        return s, ()
    resumed, commands = _resume(s, e)
    return resumed, (*_default(s), *commands)


SEAT_TABLE: dict[tuple[SeatState, type[SeatEvent]], Callable[[Seat, Any], SeatStep]] = {
    (SeatState.OFF, LegUp): _leg_up,
    (SeatState.READY, LegUp): _leg_up,
    (SeatState.PAUSED, LegUp): _leg_up,
    (SeatState.RESERVED, LegUp): _another_leg,
    (SeatState.IN_CALL, LegUp): _another_leg,
    (SeatState.WRAP, LegUp): _another_leg,
    (SeatState.READY, LegDown): _off,
    (SeatState.READY, Held): _hold,
    (SeatState.READY, Reserved): _reserve,
    (SeatState.READY, Recalled): _recall,
    (SeatState.READY, PauseKey): _pause,
    (SeatState.READY, DispositionKey): _dispose_late,
    (SeatState.RESERVED, LegDown): _off_with_customer,
    (SeatState.RESERVED, Held): _hold,
    (SeatState.RESERVED, Unheld): _unhold,
    (SeatState.RESERVED, Freed): _free,
    (SeatState.RESERVED, CustomerIn): _customer_in,
    (SeatState.RESERVED, PauseKey): _pause_later,
    (SeatState.IN_CALL, LegDown): _off_with_customer,
    (SeatState.IN_CALL, Held): _hold,
    (SeatState.IN_CALL, Unheld): _unhold,
    (SeatState.IN_CALL, CustomerOut): _customer_out,
    (SeatState.IN_CALL, HangupKey): _hangup_key,
    (SeatState.IN_CALL, PauseKey): _pause_later,
    (SeatState.WRAP, LegDown): _off_in_wrap,
    (SeatState.WRAP, Held): _hold,
    (SeatState.WRAP, Unheld): _unhold,
    (SeatState.WRAP, DispositionKey): _dispose,
    (SeatState.WRAP, WrapOver): _wrap_over,
    (SeatState.WRAP, PauseKey): _pause_later,
    (SeatState.PAUSED, LegDown): _off,
    (SeatState.PAUSED, Held): _hold,
    (SeatState.PAUSED, Unheld): _unhold,
    (SeatState.PAUSED, Recalled): _recall,
    (SeatState.PAUSED, PauseKey): _unpause,
    (SeatState.PAUSED, DispositionKey): _dispose_late,
}
"""What each event does in each state."""

_KEYS = (HangupKey, PauseKey, DispositionKey)
_LATE_NEWS = (Freed, CustomerIn, CustomerOut, WrapOver, Held, Unheld)
SEAT_IGNORED: frozenset[tuple[SeatState, type[SeatEvent]]] = frozenset(
    (state, event)
    for state in SeatState
    for event in (*_KEYS, *_LATE_NEWS, LegDown)
    if (state, event) not in SEAT_TABLE
)
"""Keys without a meaning in a state, and late news about an attempt or a hold that the seat has left behind."""


def step(seat: Seat, event: SeatEvent) -> SeatStep:
    """Return the seat after the event and the commands to carry out.

    Raises IllegalSeatEvent, with nothing changed, for a pair that is neither in SEAT_TABLE nor SEAT_IGNORED.
    """
    handler = SEAT_TABLE.get((seat.state, type(event)))
    if handler is not None:
        stepped: SeatStep = handler(seat, event)
        return stepped
    if (seat.state, type(event)) in SEAT_IGNORED:
        return seat, ()
    raise IllegalSeatEvent(seat.state, event)
