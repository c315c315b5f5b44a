"""What the pools of one campaign know together: their calls go to the same people, whichever node they leave from.

Every pool (the campaign's agents and lines on one node) tells it what happens there, so nothing is told twice, and
decides by itself from what all of them have seen.
"""

from __future__ import annotations

from dialer_engine.core.pacing.doubt import Doubt
from dialer_engine.core.pacing.learning import Learning
from dialer_engine.core.pacing.model import PacingEvent


class Lessons:
    """How phones ring, talks and wrap-ups last, and what became of the list's newest calls."""

    def __init__(self) -> None:
        self.learning = Learning()
        self.doubt = Doubt()

    def join(self) -> None:
        """One pool more decides from this and tells what happens to it."""
        self.doubt.pools += 1

    def observe(self, event: PacingEvent) -> None:
        """Learn from something that happened in one of the pools."""
        self.learning.observe(event)
        self.doubt.observe(event)
