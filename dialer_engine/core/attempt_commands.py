"""What an attempt's step asks the world to do; carried out afterwards by the adapters."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LookUp:
    """Ask Asterisk whether the channel exists."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Find a free agent, or let the person wait for one."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Claim the channel for the chosen agent."""

    agent: str


@dataclass(frozen=True, slots=True)
class Join:
    """Move the channel into the agent's bridge."""

    agent: str


@dataclass(frozen=True, slots=True)
class FreeAgent:
    """The chosen agent did not get this person: ready again."""

    agent: str


@dataclass(frozen=True, slots=True)
class CustomerJoined:
    """Tell the agent's seat that the customer is there."""

    agent: str


@dataclass(frozen=True, slots=True)
class CustomerLeft:
    """Tell the agent's seat that the conversation is over."""

    agent: str


@dataclass(frozen=True, slots=True)
class PlayDropMessage:
    """Send the channel to the drop message."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """Hang the channel up."""


@dataclass(frozen=True, slots=True)
class Suppress:
    """Take the opt-out journal in now, so that its file does not lie about."""


@dataclass(frozen=True, slots=True)
class Finish:
    """Write the end and the CDR; forget the attempt."""


Command = (
    LookUp
    | Offer
    | Claim
    | Join
    | FreeAgent
    | CustomerJoined
    | CustomerLeft
    | PlayDropMessage
    | HangUp
    | Suppress
    | Finish
)
