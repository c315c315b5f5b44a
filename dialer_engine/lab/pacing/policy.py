"""The shape of everything that can dial on the simulated floor, and the engine's own modes in that shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dialer_engine.core.pacing import Decision, Goals, Pacer, PacingEvent, Snapshot, make_pacer
from dialer_engine.lab.pacing.floor import Floor

NOTHING = Decision(0, (), ())


class Policy(Protocol):
    """A way to dial.

    `guarded` puts it under the engine's guard of the law's budget; `eager` has it asked after everything
    that happens, and in any case it is asked `interval` seconds after the last time; `hears` has it told of
    what happens; `looks`: its contacts are shown to agents, who dial.
    """

    guarded: bool
    eager: bool
    hears: bool
    interval: float
    looks: bool

    def observe(self, event: PacingEvent) -> None:
        """Take note of something that happened."""

    def decide(self, floor: Floor) -> Decision:
        """Say how many calls to place and which to cancel at this moment."""


@dataclass(slots=True)
class Deaf:
    """What is common to policies that only look at the floor."""

    guarded: bool = False
    eager: bool = True
    hears: bool = False
    interval: float = 1.0
    looks: bool = False

    def observe(self, event: PacingEvent) -> None:
        """Nothing is learned from single events."""


class ModePolicy:
    """A mode of the engine: sees the snapshot the engine would show it, under the engine's guard."""

    guarded = True
    eager = True
    hears = True
    interval = 1.0

    def __init__(self, mode: str, lines_per_agent: float, goals: Goals, cancel_early: bool) -> None:
        self._pacer: Pacer = make_pacer(mode)
        self.looks = mode == "preview"
        self._lines, self._goals, self._early = lines_per_agent, goals, cancel_early

    def observe(self, event: PacingEvent) -> None:
        """Pass it on to the mode."""
        self._pacer.observe(event)

    def decide(self, floor: Floor) -> Decision:
        """Let the pacer decide on the present moment."""
        return self._pacer.decide(self.snapshot(floor))

    def snapshot(self, floor: Floor) -> Snapshot:
        """Return what the engine would show the mode now; its call views are good for this moment only."""
        now = floor.now
        # The views belong to the floor and a new one per ringing call and second would double the cost.
        for call in floor.ringing:
            object.__setattr__(call.view, "rang", now - call.view.since)
        return Snapshot(
            now=now,
            agents=floor.agent_views(),
            calls=tuple(floor.views.values()),
            lines_per_agent=self._lines,
            channels_free=floor.work.channels - len(floor.calls),
            rate_tokens=floor.work.channels,
            queue_due=None,
            cancel_before_15s=self._early,
            open=floor.open,
            budget=floor.ledger.left,
            ledger=floor.ledger.view,
            goals=self._goals,
            segments=floor.people.peek().segments,
        )
