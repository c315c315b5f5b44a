"""What the brake looks at, measured at the edge: Asterisk's queues and answers, late events, the loop, the CPUs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.translate import moment

STAT = Path("/proc/stat")
PING_S = 5.0
"""How long one ping may take; Asterisk is asked again after that, and the time goes on counting."""
PROMPT_S = 0.5
"""An answer that took less tells a clock to a quarter of a second; events are late from 0.75 s."""
OLD_S = 5.0
"""After so many seconds without a new word nobody knows any more how it is."""


@dataclass(slots=True)
class Lateness:
    """The latest event since the last reading, in seconds from Asterisk's time-stamp to our handling.

    `ahead_s` is how far Asterisk's clock is ahead of ours, None while nobody knows: then nothing is said. It counts as
    it is at the reading: with a question a second, a clock that was set meanwhile makes one reading wrong, and not two.
    """

    ahead_s: float | None = 0.0
    _latest: float | None = None

    def note(self, event: object) -> None:
        """Note one event of Asterisk; those without a time-stamp say nothing."""
        stamp = getattr(event, "timestamp", None)
        if not stamp:
            return
        late = (utc_now() - moment(stamp)).total_seconds()
        self._latest = late if self._latest is None else max(self._latest, late)

    def compare(self, asked_at: datetime, took_s: float, there: datetime) -> None:
        """Learn from an answer what its clock said (aware), by when it was asked (UTC) and how long that took (s).

        It may be wrong by half of that time, so a slow answer changes nothing.
        """
        if took_s < PROMPT_S:
            self.ahead_s = (there - asked_at).total_seconds() - took_s / 2

    def take(self) -> float | None:
        """Return the latest since the last time, None when nothing came or the clock there is not known."""
        latest, self._latest = self._latest, None
        return None if latest is None or self.ahead_s is None else max(0.0, latest + self.ahead_s)


@dataclass(slots=True)
class Told:
    """What the keeper of a further node leaves there every second; when it has ended the last counts for `OLD_S`."""

    _word: str = ""
    _since: float = 0.0

    def take(self, word: str, now: float) -> float | None:
        """Return the number after the colon, None without one or when it is old; `now` in monotonic seconds."""
        if word != self._word:
            self._word, self._since = word, now
        _, colon, number = word.partition(":")
        return float(number) if colon and now - self._since <= OLD_S else None


@dataclass(slots=True)
class Asked:
    """One question that is asked again and again, never twice at once: the newest answer, and how long it took.

    `ask` raises one of `failures` when there is no answer, `gone` when nobody could be asked.
    """

    ask: Callable[[], Awaitable[float | None]]
    failures: tuple[type[Exception], ...] = ()
    gone: tuple[type[Exception], ...] = ()
    answer: float | None = None
    _took: float | None = None
    _since: float | None = None
    _task: asyncio.Task[None] | None = None

    def again(self) -> None:
        """Ask, unless the last question still waits for its answer."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="measure")

    async def _run(self) -> None:
        if self._since is None:
            self._since = time.monotonic()
        try:
            self.answer = await self.ask()
        except self.gone:
            self.answer = self._took = self._since = None
        except self.failures:
            self.answer = None
        else:
            self._took, self._since = time.monotonic() - self._since, None

    def took(self, now: float) -> float | None:
        """Return how long the last answer took, or for how long the present one is missing, in seconds."""
        return self._took if self._since is None else now - self._since

    async def close(self) -> None:
        """Ask no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])


@dataclass(slots=True)
class Cpus:
    """The share of all CPUs of this machine that was busy since the last reading."""

    path: Path = STAT
    _before: tuple[int, int] | None = field(default=None)

    def take(self) -> float | None:
        """Return the share, None the first time and where the machine does not tell."""
        try:
            words = self.path.read_text("ascii").split("\n", 1)[0].split()[1:9]
        except OSError:
            return None
        ticks = [int(word) for word in words]
        total, idle = sum(ticks), sum(ticks[3:5])
        before, self._before = self._before, (total, idle)
        if before is None or total <= before[0]:
            return None
        return 1.0 - (idle - before[1]) / (total - before[0])
