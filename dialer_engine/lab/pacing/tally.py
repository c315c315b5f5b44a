"""What one simulated run counts: per day, and the waits of the whole run."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from fractions import Fraction

from dialer_engine.core.ledger import AbandonLimit, allowed
from dialer_engine.core.pacing import LedgerView

SLOT_S = 1800.0
"""Answers, abandoned calls and talk are also counted per half an hour of the day."""


@dataclass(slots=True)
class Slot:
    """Half an hour of a day: people who answered, how many of them were abandoned, and agent seconds."""

    answers: int = 0
    abandoned: int = 0
    staffed_s: float = 0.0
    talk_s: float = 0.0


@dataclass(slots=True)
class Day:
    """One day's counts; times are agent seconds within the shift.

    `skipped` are contacts that agents looked at and did not dial, `cancelled` attempts that were ended by us,
    `rung_short` those of them that rang less than the law's 15 s, `refused` cancels that were not carried out
    because of it.
    """

    attempts: int = 0
    answers: int = 0
    abandoned: int = 0
    machines: int = 0
    bridged: int = 0
    skipped: int = 0
    cancelled: int = 0
    rung_short: int = 0
    refused: int = 0
    talk_s: float = 0.0
    machine_s: float = 0.0
    wrap_s: float = 0.0
    ready_s: float = 0.0
    slots: list[Slot] = field(default_factory=list)

    @property
    def staffed_s(self) -> float:
        """Agent seconds on duty and not on a break."""
        return self.talk_s + self.machine_s + self.wrap_s + self.ready_s

    def slot(self, second: float) -> Slot:
        """Return the half hour that holds a second of the day."""
        index = int(second // SLOT_S)
        while len(self.slots) <= index:
            self.slots.append(Slot())
        return self.slots[index]


@dataclass(slots=True)
class Tally:
    """A whole run; waits in seconds: of agents between calls, of people from answer to agent.

    `over` is by how many abandoned calls the law's limit was passed at the worst moment (0: never, as P9
    promises). `events` are what happened on the floor; `decisions`, `deciding_s` and `longest_s` (CPU seconds) are not
    part of the result and differ from run to run.
    """

    days: list[Day] = field(default_factory=list)
    agent_waits: array[float] = field(default_factory=lambda: array("f"))
    people_waits: array[float] = field(default_factory=lambda: array("f"))
    events: int = 0
    over: int = 0
    decisions: int = field(default=0, compare=False)
    deciding_s: float = field(default=0.0, compare=False)
    longest_s: float = field(default=0.0, compare=False)
    cpu_s: float = field(default=0.0, compare=False)


class PeriodLedger:
    """The legal period's ledger of one run, as the engine counts it.

    An abandoned call counts at once; a connected one counts as a live answer with its disposition, that is
    at the end of wrap-up, and not at all when a machine was there.
    """

    def __init__(self, share: Fraction) -> None:
        self._limit = AbandonLimit(share, "days")
        self._share = float(share)
        self.over = 0
        self.live = 0
        self.abandoned = 0
        self._refresh()

    def connected(self) -> None:
        """Count a person who talked to an agent."""
        self.live += 1
        self._refresh()

    def lost(self) -> None:
        """Count a call that was abandoned: a live answer too."""
        self.live += 1
        self.abandoned += 1
        self._refresh()

    def _refresh(self) -> None:
        self.left = allowed(self._limit, self.live) - self.abandoned
        self.over = max(self.over, -self.left)
        self.view = LedgerView(self.live, self.abandoned, self._share)
