"""Watches who is refused over SIP: guesses at passwords, probes, calls from addresses that are no trunk's."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import structlog

from dialer_engine.pbx.notices import MOST_SOURCES, OTHERS, Notices

log = structlog.get_logger(__name__)

PERIOD_S = 2.0
SPAN_S = 60.0
LOUD = 60
"""Refused requests within a minute from which the log tells of them; a phone with a wrong password makes fewer."""
QUIET_S = 600.0
"""The log tells of them once in so many seconds at most."""
SHOWN = 5


class Strangers:
    """Counts refused requests by source; `status` is what the status document shows."""

    def __init__(self, notices: Notices, clock: Callable[[], float] = time.monotonic) -> None:
        self._notices = notices
        self._clock = clock
        self._looks: deque[tuple[float, Counter[str]]] = deque()
        self._total = 0
        self._told_at: float | None = None
        self._failed = False

    async def run(self) -> None:
        """Look every two seconds, for ever."""
        while True:
            await asyncio.sleep(PERIOD_S)
            try:
                self.take(await asyncio.to_thread(self._look))
                self._failed = False
            except OSError as error:
                if not self._failed:
                    log.warning("asterisk's notices cannot be read", why=str(error))
                self._failed = True

    def _look(self) -> Counter[str]:
        found = self._notices.refused()
        self._notices.keep_short()
        return found

    def take(self, found: Counter[str]) -> None:
        """Count what one look has found, and say it when it is much."""
        now = self._clock()
        self._total += found.total()
        if found:
            self._looks.append((now, found))
        while self._looks and now - self._looks[0][0] > SPAN_S:
            self._looks.popleft()
        sources = self._sources()
        due = self._told_at is None or now - self._told_at >= QUIET_S
        if due and sources.total() >= LOUD:
            self._told_at = now
            log.warning(
                "strangers try to get in over SIP",
                refused_last_minute=sources.total(),
                sources=len(sources),
                most_from=_most(sources, 1)[0]["address"],
                remedy="dialer firewall",
            )

    def status(self) -> dict[str, Any]:
        """Return refused requests: of the last minute, since the start, and the addresses with the most."""
        sources = self._sources()
        return {
            "refused_last_minute": sources.total(),
            "refused": self._total,
            "sources": len(sources),
            "most": _most(sources, SHOWN),
        }

    def _sources(self) -> Counter[str]:
        """The last minute's refusals by source; beyond the most frequent thousand they are not told apart."""
        found: Counter[str] = Counter()
        for _, look in self._looks:
            for source, count in look.items():
                found[source if source in found or len(found) < MOST_SOURCES else OTHERS] += count
        return found


def _most(sources: Counter[str], count: int) -> list[dict[str, Any]]:
    return [{"address": address, "count": n} for address, n in sources.most_common(count)]
