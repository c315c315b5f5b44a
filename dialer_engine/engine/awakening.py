"""What Asterisk said while this process did not run is kept until it is known who owns the calls now.

A frozen engine wakes up with its socket full of old news. Acted upon at once, they would let it hang up or move calls
that another engine may have adopted meanwhile. When too many gather they are forgotten and the link is dropped: the
comparison after the reconnect finds what they would have told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from dialer_engine.engine.ownership import Ownership
from dialer_engine.engine.tasks import Tasks

log = structlog.get_logger(__name__)

MOST_KEPT = 20_000
"""Events kept at most; beyond that, more than a minute of the busiest floor, a comparison tells more."""


@dataclass(slots=True)
class Awakening:
    """Passes events on; after a freeze not before the database had its chance to say who owns the calls, or never."""

    ownership: Ownership
    tasks: Tasks
    deliver: Callable[[str, object], None]
    displaced: Callable[[], bool]
    resynchronise: Callable[[str], None] = lambda why: None  # of all links
    _kept: list[tuple[str, object]] = field(default_factory=list)

    def on_event(self, node: str, event: object) -> None:
        """Take one event of a node's link, in order."""
        if not self._kept and not self.ownership.woken:
            self.deliver(node, event)
            return
        if not self._kept:
            log.warning("this process did not run for a while; looking whether another engine has taken over")
            self.tasks.spawn(self._look(), "events after a freeze")
        self._kept.append((node, event))
        if len(self._kept) >= MOST_KEPT:
            # The first one stays, as the mark that somebody looks; it is as old as the others and harmless.
            del self._kept[1:]
            self.resynchronise(f"{MOST_KEPT} events waited for the lease")

    async def _look(self) -> None:
        while self.ownership.woken:
            await self.ownership.looked()
        kept, self._kept = self._kept, []
        for node, event in kept:
            if not self.displaced():
                self.deliver(node, event)
