"""Measures once a second and brakes new calls by the verdict of `core.overload`; calls in progress go on.

Stopping is one of the reasons why nothing may be dialed (`Blockers`); slowing is a limit of calls a second over all
trunks together (`Trunks.slow_to`), a share of what left in the seconds before.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import structlog

from dialer_engine.core.overload import Brake, Sample, Verdict
from dialer_engine.engine.measures import PING_S, Asked, Cpus, Lateness
from dialer_engine.engine.surroundings import Blockers
from dialer_engine.engine.trunks import Trunks
from dialer_engine.pbx.ari.errors import AriError, AriLinkLost

log = structlog.get_logger(__name__)

SAMPLE_S = 1.0
RATE_OVER = 10
"""The present calls a second are the mean of so many samples."""
SLOWEST = 0.25
"""Calls a second that leave at least while they are slowed and not stopped."""


class Watched(Protocol):
    """What the brake asks of a node."""

    @property
    def lateness(self) -> Lateness:
        """How late its events come."""
        ...

    async def ping(self, within_s: float) -> None:
        """Let it answer something. Raises AriError."""

    async def depth(self) -> float | None:
        """Return how full its fullest task processor is, None where that cannot be seen."""


def _worst(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


@dataclass(slots=True)
class Overload:
    """One engine's brake with its measures; of several nodes the worst counts for all."""

    trunks: Trunks
    blockers: Blockers
    nodes: Sequence[Watched]
    sample: Sample = field(default_factory=Sample)
    began_at: float | None = None
    times: int = 0
    _brake: Brake = field(default_factory=Brake)
    _cpus: Cpus = field(default_factory=Cpus)
    _left: deque[int] = field(default_factory=lambda: deque(maxlen=RATE_OVER + 1))
    _base: float = 1.0
    _stopped: bool = False

    @property
    def verdict(self) -> Verdict:
        """What holds now."""
        return self._brake.verdict

    async def run(self) -> None:
        """Measure and decide until cancelled."""
        pings = Asked(self._answer, (AriError,), (AriLinkLost,))
        depths = Asked(self._depth)
        try:
            while True:
                pings.again()
                depths.again()
                due = time.monotonic() + SAMPLE_S
                await asyncio.sleep(SAMPLE_S)
                now = time.monotonic()
                self.take(
                    now,
                    Sample(
                        depth=depths.answer,
                        event_late_s=_worst(node.lateness.take() for node in self.nodes),
                        answer_s=pings.took(now),
                        loop_late_s=now - due,
                        cpu=self._cpus.take(),
                    ),
                )
        finally:
            await pings.close()
            await depths.close()

    async def _answer(self) -> None:
        """Wait for the slowest node that is there. Raises AriLinkLost when none is."""
        answers = await asyncio.gather(*(node.ping(PING_S) for node in self.nodes), return_exceptions=True)
        failed = [each for each in answers if each is not None]
        slow = [each for each in failed if not isinstance(each, AriLinkLost)]
        if slow or len(failed) == len(self.nodes):
            raise (slow or failed)[0]

    async def _depth(self) -> float | None:
        return _worst(await asyncio.gather(*(node.depth() for node in self.nodes)))

    def take(self, now: float, sample: Sample) -> None:
        """Decide by one second's sample (`now` in monotonic seconds) and act when the verdict is another."""
        self.sample = sample
        self._left.append(self.trunks.pace.left)
        before = self._brake.verdict
        verdict = self._brake.decide(now, sample)
        if before.share >= 1.0 and verdict.share < 1.0:
            self._base = self._rate()
        if verdict != before:
            self._act(verdict)
            self._tell(now, verdict)

    def _rate(self) -> float:
        """Return the calls a second that left of late, at least one."""
        return max(1.0, (self._left[-1] - self._left[0]) / max(1, len(self._left) - 1) / SAMPLE_S)

    @property
    def calls_per_second(self) -> float | None:
        """How many calls may leave a second over all trunks, None without a brake."""
        share = self.verdict.share
        return None if share >= 1.0 else max(SLOWEST, share * self._base) if share > 0 else 0.0

    def _act(self, verdict: Verdict) -> None:
        rate = self.calls_per_second
        stopped = verdict.reason if rate == 0.0 else None
        words = f"overload: {verdict.reason}: {rate:.3g} calls a second at most" if rate else None
        self.trunks.slow_to(rate or None, words)
        if self.blockers.overload != stopped or stopped is None:
            self.blockers.set(overload=stopped)

    def _tell(self, now: float, verdict: Verdict) -> None:
        """Say once that an overload begins, that it stops everything, and that it is over."""
        if verdict.share >= 1.0:
            lasted = now - (self.began_at or now)
            log.info("overload is over; new calls leave as always", lasted_s=round(lasted, 1))
            self.began_at, self._stopped = None, False
            return
        if self.began_at is None:
            self.began_at, self.times = now, self.times + 1
            log.warning(
                f"overload: new calls are {verdict.level}",
                why=verdict.reason,
                calls_per_second=self.calls_per_second,
                **self.measured(),
            )
        elif verdict.share == 0.0 and not self._stopped:
            log.error("overload: new calls are stopped now", why=verdict.reason, **self.measured())
        self._stopped = self._stopped or verdict.share == 0.0

    def measured(self) -> dict[str, float | None]:
        """Return the newest sample, rounded."""
        return {
            name: None if value is None else round(value, 3) for name, value in asdict(self.sample).items()
        }

    def status(self) -> dict[str, Any]:
        """Return the brake's part of the status document."""
        return {
            "level": self.verdict.level,
            "reason": self.verdict.reason,
            "share": self.verdict.share,
            "calls_per_second": self.calls_per_second,
            "since_s": None if self.began_at is None else round(time.monotonic() - self.began_at, 1),
            "times": self.times,
            "measured": self.measured(),
        }
