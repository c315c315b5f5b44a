"""How long agents wait between two customers: a running average, for campaigns that ask for a wait instead."""

from __future__ import annotations

from dialer_engine.core.pacing.model import PacingEvent

FORGET = 0.05
"""The weight of the latest wait in the average."""
ENOUGH = 5


class Waits:
    """The average wait of agents who got a customer, in seconds."""

    def __init__(self) -> None:
        self.average = 0.0
        self.seen = 0
        self._ready: dict[str, float] = {}

    def observe(self, event: PacingEvent) -> None:
        """Take note of an agent who became ready, or got a customer, or left."""
        if event.kind != "agent" or event.agent is None:
            return
        if event.result == "ready":
            self._ready.setdefault(event.agent, event.at)
        elif event.result in ("in_call", "reserved"):
            since = self._ready.pop(event.agent, None)
            if since is not None:
                self._add(event.at - since)
        else:
            self._ready.pop(event.agent, None)

    def _add(self, wait: float) -> None:
        self.seen += 1
        weight = max(FORGET, 1.0 / self.seen)
        self.average += weight * (wait - self.average)

    def content(self, goal: float | None) -> str | None:
        """Return, in words, that agents wait as briefly as was asked for; None when they wait longer."""
        if goal is None or self.seen < ENOUGH or self.average > goal:
            return None
        return f"agents wait {self.average:.1f} s, {goal:g} s is the goal: one line per free agent"
