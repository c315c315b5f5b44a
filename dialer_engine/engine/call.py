"""A live call: the pure attempt plus what the engine must remember to carry it out and record it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dialer_engine.core.attempt import Attempt, Phase
from dialer_engine.core.law import SHORTEST_RING_S
from dialer_engine.engine.plan import CampaignPlan
from dialer_engine.store.reserve import Reservation


@dataclass(slots=True)
class Call:
    """One attempt in the dispatcher's hands; only the dispatcher changes it, but for what Asterisk said.

    `agent` is who dialed it by hand, and is meant to get it. `conflict` is in words that its originate got a 409.
    """

    reservation: Reservation
    campaign: str
    attempt: Attempt
    phase_since: datetime
    plan: CampaignPlan | None = None
    events: int = 0
    agent: str | None = None
    conflict: str | None = None

    @property
    def id(self) -> str:
        """The attempt id, which is also the Asterisk channel id."""
        return self.attempt.id

    @property
    def node(self) -> str:
        """The Asterisk that makes the call."""
        return self.reservation.node

    @property
    def phase(self) -> Phase:
        """Where the attempt is in its life."""
        return self.attempt.phase

    @property
    def ring_min_s(self) -> int:
        """The seconds it must ring by the rules of its place before it may be ended, the law's where none is known."""
        window = self.reservation.ring_window
        return window[0] if window else SHORTEST_RING_S

    def rang_for(self, now: datetime) -> float:
        """Return the seconds since ringing began, 0 before it."""
        ringing = self.attempt.ringing_at
        return (now - ringing).total_seconds() if ringing else 0.0


@dataclass(frozen=True, slots=True)
class FinishedCall:
    """What the board and the pacing keep of an ended call; `dialed_by` is the agent who dialed it by hand."""

    attempt_id: str
    campaign: str
    trunk: str
    attempt: Attempt
    contact_id: int = 0
    dialed_by: str | None = None
    node: str = ""

    @property
    def answer_to_agent_ms(self) -> float | None:
        """Milliseconds from the carrier's answer until the agent's bridge, None when never joined."""
        a = self.attempt
        if a.joined_at is None or a.answered_at is None:
            return None
        return (a.joined_at - a.answered_at).total_seconds() * 1000.0

    @property
    def talk_s(self) -> float:
        """Seconds that customer and agent were connected."""
        a = self.attempt
        return (a.ended_at - a.joined_at).total_seconds() if a.joined_at and a.ended_at else 0.0
