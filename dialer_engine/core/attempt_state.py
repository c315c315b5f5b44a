"""What an attempt is at a moment: its phase, its times and how it ended; `core.attempt` says how it moves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dialer_engine.core.attempt_commands import Command
from dialer_engine.core.audio import Audio
from dialer_engine.core.outcome import CHALLENGED_S, CHALLENGES, EndedBy, Result


class Phase(StrEnum):
    """Where an attempt is in its life."""

    RESERVED = "reserved"
    DIALING = "dialing"
    RINGING = "ringing"
    WAITING = "waiting"
    JOINING = "joining"
    BRIDGED = "bridged"
    UNCLAIMED = "unclaimed"
    MESSAGE = "message"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt's whole state; times are aware UTC datetimes.

    `agent` has the person, or is chosen to; `talker` is the agent who was joined last, whatever came after it. `early`
    says that `ringing_at` is that of a 183: the 180 may still come.
    """

    id: str
    phase: Phase = Phase.RESERVED
    originated_at: datetime | None = None
    ringing_at: datetime | None = None
    early: bool = False
    answered_at: datetime | None = None
    message_at: datetime | None = None
    joined_at: datetime | None = None
    ended_at: datetime | None = None
    ring_seconds: int | None = None
    agent: str | None = None
    talker: str | None = None
    cancel_reason: str | None = None
    hanging_up: EndedBy | None = None
    result: Result | None = None
    ended_by: EndedBy | None = None
    cause: int | None = None
    sip_code: int | None = None
    said: str | None = None
    blind: bool = False
    no_trunk: bool = False
    audio: Audio = Audio.UNKNOWN

    @property
    def silent(self) -> bool:
        """Whether it ended without a single word of the carrier, or without any after a challenge for our password."""
        if self.said is None or self.ringing_at is not None or self.answered_at is not None:
            return False
        return self.said == "" or (self.said.startswith(CHALLENGES) and self._lasted_s >= CHALLENGED_S)

    @property
    def _lasted_s(self) -> float:
        if self.originated_at is None or self.ended_at is None:
            return 0.0
        return (self.ended_at - self.originated_at).total_seconds()


Step = tuple[Attempt, tuple[Command, ...]]
