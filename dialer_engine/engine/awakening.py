"""What Asterisk said while this process did not run is kept until it is known who owns the calls now.

A frozen engine wakes up with its socket full of old news. Acted upon at once, they would let it hang up or move calls
that another engine may have adopted meanwhile; nor may it end lines by what it knew before (`behind`). When too many
gather they are forgotten and the link is dropped: the comparison after the reconnect finds what they would have told.
So it does whenever a link comes back: what was said on the one before is older than that comparison, and would undo it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from dialer_engine.engine.ownership import Ownership
from dialer_engine.engine.tasks import Tasks

log = structlog.get_logger(__name__)

MOST_KEPT = 20_000
"""Events kept at most; beyond that, more than a minute of the busiest floor, a comparison tells more."""
TOLD_WITHIN_S = 10.0
"""So long a look at Asterisk waits for what was kept: a lease that another engine may have lasts five seconds, and the
database may be asked for it twice in vain, two seconds each."""
TOLD_LOOK_S = 0.05


async def until_told(behind: Callable[[], bool]) -> None:
    """Wait, before a channel that is not there counts as an end that nobody saw: its end may be among what was kept."""
    for _ in range(round(TOLD_WITHIN_S / TOLD_LOOK_S)):
        if not behind():
            return
        await asyncio.sleep(TOLD_LOOK_S)


@dataclass(slots=True)
class Awakening:
    """Passes events on; after a freeze not before the database had its chance to say who owns the calls, or never."""

    ownership: Ownership
    tasks: Tasks
    deliver: Callable[[str, object], None]
    displaced: Callable[[], bool]
    resynchronise: Callable[[str], None] = lambda why: None  # of all links
    _kept: list[tuple[str, object]] = field(default_factory=list)
    _looking: bool = False

    @property
    def behind(self) -> bool:
        """Whether what is known here may be old, or the calls another engine's: events wait, or will, or are for it."""
        return self._looking or self.ownership.woken or self.displaced()

    def on_event(self, node: str, event: object) -> None:
        """Take one event of a node's link, in order."""
        if not self._looking and not self.ownership.woken:
            self.deliver(node, event)
            return
        if not self._looking:
            log.warning("this process did not run for a while; looking whether another engine has taken over")
            self._looking = True
            self.tasks.spawn(self._look(), "events after a freeze")
        self._kept.append((node, event))
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
            self.resynchronise(f"{MOST_KEPT} events waited for the lease")

    def link_up(self, node: str) -> None:
        """A node's link came back, and everything is compared there: forget what was said on the one before."""
        self._kept = [kept for kept in self._kept if kept[0] != node]

    async def _look(self) -> None:
        try:
            while self.ownership.woken:
                await self.ownership.looked()
        finally:
            self._looking = False
            kept, self._kept = self._kept, []
        for node, event in kept:
            if not self.displaced():
                self._deliver(node, event)

    def _deliver(self, node: str, event: object) -> None:
        try:
            self.deliver(node, event)
        except Exception:
            log.exception("an event that was kept could not be handled", node=node, what=type(event).__name__)
