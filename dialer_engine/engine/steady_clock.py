"""Notices when the clock by which hours are judged is stepped: nobody can know then which of the two times is right.

The machine's time since its boot never jumps and goes on while it sleeps. As long as the gate's clock goes on with it,
all is well. Once the two have come apart, by a step of the wall clock, nothing is dialed (P8) until a person has
looked and said `dialer reload`, or the clock is where it was. This is asked at each departure, so that no call leaves
between a step and its discovery.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog

from dialer_engine.engine.ownership import now as since_boot

log = structlog.get_logger(__name__)

STEP_S = 30.0
"""What time servers correct in a running system is far less; the gate itself looks 60 s ahead."""
LOOK_S = 1.0


class SteadyClock:
    """The gate's clock (`now`, aware) beside the machine's seconds since boot.

    `on_change` is called when they have come apart and when they agree again.
    """

    def __init__(self, now: Callable[[], datetime], machine: Callable[[], float] = since_boot) -> None:
        self.on_change: Callable[[], None] = lambda: None
        self._now = now
        self._machine = machine
        self._told = True
        self._began = self._difference()

    def _difference(self) -> float:
        return self._now().timestamp() - self._machine()

    @property
    def off_s(self) -> float:
        """By how many seconds the clock was stepped; positive: forward."""
        return self._difference() - self._began

    @property
    def steady(self) -> bool:
        """Whether the clock has gone on as the machine's time does."""
        return abs(self.off_s) < STEP_S

    def confirm(self) -> None:
        """A person says that the clock is right as it is."""
        if not self.steady:
            log.warning("the stepped clock is taken for right", by_s=round(self.off_s))
        self._began = self._difference()
        self.look()

    def look(self) -> None:
        """Tell when something changed since the last look."""
        if self.steady == self._told:
            return
        self._told = self.steady
        if self.steady:
            log.info("the clock goes on as it should; dialing may go on")
        else:
            log.critical(
                "the clock was stepped; no new calls, because their hours cannot be judged",
                by_s=round(self.off_s),
                reads=self._now().isoformat(),
                remedy="check the machine's date, and say `dialer reload` when it is right",
            )
        self.on_change()

    async def run(self) -> None:
        """Look once a second."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_S)
