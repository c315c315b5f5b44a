"""Two plain ways of other dialers: a fixed number of lines per free agent, and Issabel's Erlang rule."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import exp, floor

from dialer_engine.core.pacing import Decision, PacingEvent
from dialer_engine.lab.pacing.floor import Floor
from dialer_engine.lab.pacing.policy import Deaf


@dataclass(slots=True)
class Ratio(Deaf):
    """So many lines in flight per free agent; nothing guards the law's limit."""

    lines: float = 2.0

    def decide(self, floor_: Floor) -> Decision:
        """Place what is missing, halves rounded up."""
        wanted = floor(self.lines * len(floor_.ready) + 0.5)
        return Decision(max(0, wanted - floor_.in_flight), (), ())


@dataclass(slots=True)
class Issabel(Deaf):
    """Every 3 s: free agents and those about to be free, less people waiting and unanswered calls.

    An agent is about to be free when a call with exponential length would be over by now plus the mean time
    to an answer with probability `quality`; before `FIRST_CALLS` calls nobody is. With `overcommit` the
    number is divided by the answer ratio of the last half hour, at least 20 %.
    """

    quality: float = 0.97
    overcommit: bool = False
    eager: bool = False
    hears: bool = True
    interval: float = 3.0
    _begun: dict[str, float] = field(default_factory=dict)
    _talks: list[float] = field(default_factory=lambda: [0.0, 0.0])
    _answers: list[float] = field(default_factory=lambda: [0.0, 0.0])
    _recent: deque[tuple[float, bool]] = field(default_factory=deque)

    FIRST_CALLS = 10

    def observe(self, event: PacingEvent) -> None:
        """Keep the mean time to an answer, the mean length of calls, and the recent answers."""
        name = event.call or ""
        if event.kind in ("placed", "bridged"):
            self._begun[name] = event.at
        elif event.kind == "answered":
            _add(self._answers, event.at - self._begun[name])
            self._recent.append((event.at, True))
        elif event.kind == "ended":
            begun = self._begun.pop(name)
            if event.result == "bridged":
                _add(self._talks, event.at - begun)
            elif event.result != "abandoned":
                self._recent.append((event.at, False))

    def decide(self, floor: Floor) -> Decision:
        """Place the calls of this review."""
        wanted: float = len(floor.ready) + self._soon_free(floor) - len(floor.waiting)
        if self.overcommit:
            wanted /= self._ratio(floor.now)
        unanswered = floor.in_flight - len(floor.waiting)
        return Decision(max(0, int(wanted) - unanswered), (), ())

    def _soon_free(self, floor: Floor) -> int:
        count, total = self._talks
        if count < self.FIRST_CALLS:
            return 0
        mean, answer = total / count, self._answers[1] / self._answers[0]
        talking = (agent for agent in floor.agents if agent.state == "in_call")
        return sum(1 - exp(-(floor.now - a.since + answer) / mean) >= self.quality for a in talking)

    def _ratio(self, now: float) -> float:
        while self._recent and self._recent[0][0] < now - 1800:
            self._recent.popleft()
        if len(self._recent) < self.FIRST_CALLS:
            return 1.0
        return max(0.2, sum(answered for _, answered in self._recent) / len(self._recent))


def _add(mean: list[float], value: float) -> None:
    mean[0] += 1
    mean[1] += value
