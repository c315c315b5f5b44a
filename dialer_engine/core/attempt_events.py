"""What can happen to an attempt; time is a field of every event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dialer_engine.core.audio import Audio
from dialer_engine.core.outcome import Result


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to the attempt at a moment (UTC)."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Sent(Event):
    """The originate is about to leave for Asterisk, which ends it itself after `ring_seconds`."""

    ring_seconds: int


@dataclass(frozen=True, slots=True)
class Refused(Event):
    """Asterisk refused the originate: no channel was made and no INVITE left. `no_trunk`: perhaps it has none such."""

    why: str
    no_trunk: bool = False


@dataclass(frozen=True, slots=True)
class ReplyLost(Event):
    """No reply to the originate came: it may or may not have been carried out."""


@dataclass(frozen=True, slots=True)
class Ringing(Event):
    """The carrier reported ringing: `alerting` by a 180, else by a 183, which may come before any phone rings."""

    alerting: bool = True


@dataclass(frozen=True, slots=True)
class Answered(Event):
    """The carrier answered (200 OK)."""


@dataclass(frozen=True, slots=True)
class Offered(Event):
    """The dialplan offers the answered channel for a claim."""


@dataclass(frozen=True, slots=True)
class AgentChosen(Event):
    """A free agent was picked for this person."""

    agent: str


@dataclass(frozen=True, slots=True)
class ClaimLost(Event):
    """The claim was refused: the dialplan had already gone on, or the channel is gone."""


@dataclass(frozen=True, slots=True)
class Entered(Event):
    """The claimed channel is under the engine's control."""


@dataclass(frozen=True, slots=True)
class JoinFailed(Event):
    """The channel could not be moved into the agent's bridge."""


@dataclass(frozen=True, slots=True)
class Joined(Event):
    """The channel is in the agent's bridge: both hear each other."""


@dataclass(frozen=True, slots=True)
class AudioChecked(Event):
    """Somebody looked whether audio came from both sides of the talk."""

    audio: Audio


@dataclass(frozen=True, slots=True)
class MessageStarted(Event):
    """The dialplan began to play the drop message."""


@dataclass(frozen=True, slots=True)
class MessageOver(Event):
    """The dialplan is about to hang up: the message and the wait behind it are over, or the thanks for an opt-out."""


@dataclass(frozen=True, slots=True)
class OptedOut(Event):
    """The person pressed the opt-out key."""


@dataclass(frozen=True, slots=True)
class Cancel(Event):
    """Nobody needs this call any more, or its number was suppressed."""

    reason: str


@dataclass(frozen=True, slots=True)
class AgentHangup(Event):
    """The agent ended the conversation with the hang-up key."""


@dataclass(frozen=True, slots=True)
class AgentLost(Event):
    """The agent's leg is gone while the customer is still there."""


@dataclass(frozen=True, slots=True)
class AgentVanished(Event):
    """The agent's phone died in the conversation; `instead` is the free agent who goes on, None without one."""

    instead: str | None = None


@dataclass(frozen=True, slots=True)
class Gone(Event):
    """The channel was destroyed.

    `said` are the carrier's last words; "" when it never said anything, None when that is not known. `meaning`
    is what its code means at this carrier.
    """

    cause: int | None = None
    sip_code: int | None = None
    said: str | None = None
    meaning: Result | None = None


@dataclass(frozen=True, slots=True)
class Missed(Event):
    """News of this call may have been lost: that it rang, for one."""


@dataclass(frozen=True, slots=True)
class Vanished(Event):
    """A look at Asterisk showed that the channel no longer exists; how it ended is not known."""


@dataclass(frozen=True, slots=True)
class NodeLost(Event):
    """The Asterisk that carried the channel has died: it was started again after the call had left."""
