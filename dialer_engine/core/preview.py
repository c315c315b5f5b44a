"""Life of a preview: one contact on show for one agent, from the showing to a call or to nothing.

The life
--------
The gate lets one contact through for one agent, and it is *shown*: held in the database, nothing is dialed. The
agent dials (*dialing*: the gate is asked again, in the transaction that reserves the call), and the preview ends
as *dialed* when that brought an attempt, or as *refused* with the gate's reason. Or the agent skips it
(*skipped*), lets its time run out (*expired*), or it is taken away (*withdrawn*): its number was suppressed, the
campaign was halted, the agent paused, left or got somebody else's customer.

The races this forbids
----------------------
* Two presses are one call: a second one finds the preview *dialing* or over, and changes nothing.
* A press that crosses the end of the time: whichever of the two is stepped first wins, and the other one finds
  a preview that is dialing or over. No contact is dialed after it was given back.
* A press that was meant for the contact before: a desk names the contact it dials, and a key of the phone, which
  cannot, has no meaning within `SETTLE` after the showing.
* A suppression (or a halt, or an agent's leaving) while the gate is being asked: the preview is *dialing* and
  remembers it, and an attempt that comes back is ended before it leaves (P5).
* An answer of the gate that comes twice, or after the end, starts no second call.

Time comes in with the event. The machine is a table: `(state, event type) -> function`; a pair in `IGNORED`
changes nothing on purpose, every other pair raises `IllegalPreviewEvent` and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

SETTLE = timedelta(seconds=1)
"""A phone's key so soon after the showing was pressed for the contact before."""


class PreviewState(StrEnum):
    """Where a preview is in its life; all but the first two are its end."""

    SHOWN = "shown"
    DIALING = "dialing"
    DIALED = "dialed"
    REFUSED = "refused"
    SKIPPED = "skipped"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"

    @property
    def over(self) -> bool:
        """Whether the contact is no longer on show."""
        return self not in (PreviewState.SHOWN, PreviewState.DIALING)


@dataclass(frozen=True, slots=True)
class Preview:
    """A preview's whole state; `shown_at` is an aware UTC datetime, `reason` a word or sentence about the end.

    `unwanted` is why the call must not leave when the gate is asked already.
    """

    id: str
    shown_at: datetime
    dials_at_end: bool = False
    state: PreviewState = PreviewState.SHOWN
    reason: str | None = None
    attempt: str | None = None
    unwanted: str | None = None


@dataclass(frozen=True, slots=True)
class PreviewEvent:
    """Something that happened to the preview at a moment (UTC)."""

    at: datetime


@dataclass(frozen=True, slots=True)
class DialPressed(PreviewEvent):
    """The agent starts the call; `by_key` on the phone, which cannot say which contact is meant."""

    by_key: bool = False


@dataclass(frozen=True, slots=True)
class SkipPressed(PreviewEvent):
    """The agent skips the contact, for a reason of the campaign's list."""

    reason: str
    by_key: bool = False


@dataclass(frozen=True, slots=True)
class TimeOver(PreviewEvent):
    """The time to look is over."""


@dataclass(frozen=True, slots=True)
class Withdrawn(PreviewEvent):
    """The contact must not be on show any longer."""

    why: str


@dataclass(frozen=True, slots=True)
class CallReserved(PreviewEvent):
    """The gate allowed the call and its attempt is committed."""

    attempt: str


@dataclass(frozen=True, slots=True)
class CallRefused(PreviewEvent):
    """The gate, or something around it, did not allow the call."""

    why: str


@dataclass(frozen=True, slots=True)
class AskGate:
    """Reserve a call to this contact, through the gate."""


@dataclass(frozen=True, slots=True)
class StopCall:
    """The reserved attempt must end before it leaves."""

    attempt: str
    why: str


@dataclass(frozen=True, slots=True)
class GiveBack:
    """End the hold; `later`: the contact comes back only after the campaign's `skip_retry`, else at once."""

    later: bool


@dataclass(frozen=True, slots=True)
class TellAgent:
    """Let the agent hear something: `noted` or `refused`."""

    what: str


PreviewCommand = AskGate | StopCall | GiveBack | TellAgent
PreviewStep = tuple[Preview, tuple[PreviewCommand, ...]]


class IllegalPreviewEvent(Exception):
    """An event that cannot happen in this state; nothing was changed."""

    def __init__(self, state: PreviewState, event: PreviewEvent) -> None:
        super().__init__(f"{type(event).__name__} is illegal for a preview that is {state.value}")


def _too_soon(p: Preview, e: DialPressed | SkipPressed) -> bool:
    return e.by_key and e.at - p.shown_at < SETTLE


def _dial(p: Preview, e: DialPressed) -> PreviewStep:
    if _too_soon(p, e):
        return p, (TellAgent("refused"),)
    return replace(p, state=PreviewState.DIALING), (AskGate(),)


def _skip(p: Preview, e: SkipPressed) -> PreviewStep:
    if _too_soon(p, e):
        return p, (TellAgent("refused"),)
    skipped = replace(p, state=PreviewState.SKIPPED, reason=e.reason)
    return skipped, (TellAgent("noted"), GiveBack(later=True))


def _time_over(p: Preview, e: TimeOver) -> PreviewStep:
    if p.dials_at_end:
        return replace(p, state=PreviewState.DIALING), (AskGate(),)
    expired = replace(p, state=PreviewState.EXPIRED, reason="the time to look was over")
    return expired, (GiveBack(later=True),)


def _withdraw(p: Preview, e: Withdrawn) -> PreviewStep:
    return replace(p, state=PreviewState.WITHDRAWN, reason=e.why), (GiveBack(later=False),)


def _unwanted(p: Preview, e: Withdrawn) -> PreviewStep:
    """The gate is being asked: its answer must not become a call."""
    return (p if p.unwanted else replace(p, unwanted=e.why)), ()


def _reserved(p: Preview, e: CallReserved) -> PreviewStep:
    """The attempt stands in the database either way, so the hold is over."""
    if p.unwanted is not None:
        stopped = replace(p, state=PreviewState.WITHDRAWN, reason=p.unwanted, attempt=e.attempt)
        return stopped, (StopCall(e.attempt, p.unwanted),)
    return replace(p, state=PreviewState.DIALED, attempt=e.attempt), ()


def _refused(p: Preview, e: CallRefused) -> PreviewStep:
    if p.unwanted is not None:
        return replace(p, state=PreviewState.WITHDRAWN, reason=p.unwanted), (GiveBack(later=False),)
    refused = replace(p, state=PreviewState.REFUSED, reason=e.why)
    return refused, (TellAgent("refused"), GiveBack(later=False))


PREVIEW_TABLE: dict[tuple[PreviewState, type[PreviewEvent]], Callable[[Preview, Any], PreviewStep]] = {
    (PreviewState.SHOWN, DialPressed): _dial,
    (PreviewState.SHOWN, SkipPressed): _skip,
    (PreviewState.SHOWN, TimeOver): _time_over,
    (PreviewState.SHOWN, Withdrawn): _withdraw,
    (PreviewState.DIALING, Withdrawn): _unwanted,
    (PreviewState.DIALING, CallReserved): _reserved,
    (PreviewState.DIALING, CallRefused): _refused,
}
"""What each event does in each state."""

_PRESSES = (DialPressed, SkipPressed, TimeOver)
_LATE = (*_PRESSES, Withdrawn, CallRefused)
PREVIEW_IGNORED: frozenset[tuple[PreviewState, type[PreviewEvent]]] = frozenset(
    (
        *((PreviewState.DIALING, event) for event in _PRESSES),
        *((state, event) for state in PreviewState if state.over for event in _LATE),
    )
)
"""Second presses, and whatever comes after the end; only a second attempt is a fault of the program."""


def step(preview: Preview, event: PreviewEvent) -> PreviewStep:
    """Return the preview after the event and the commands to carry out.

    Raises IllegalPreviewEvent, with nothing changed, for a pair that is in neither table.
    """
    handler = PREVIEW_TABLE.get((preview.state, type(event)))
    if handler is not None:
        stepped: PreviewStep = handler(preview, event)
        return stepped
    if (preview.state, type(event)) in PREVIEW_IGNORED:
        return preview, ()
    raise IllegalPreviewEvent(preview.state, event)
