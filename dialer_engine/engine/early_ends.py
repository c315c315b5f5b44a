"""Ends of calls that Asterisk tells before the calls of an earlier engine are taken over.

Between the look at a node and the adoption the database is asked, and before the look what is held on the disk is
written. A call that ends meanwhile is not known yet, and how it ended is told once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dialer_engine.pbx.ari.models import ChannelDestroyed

MOST_KEPT = 10_000
"""Ends kept of a node; when there are more all are forgotten, and those calls end as unknown."""


@dataclass(slots=True)
class EarlyEnds:
    """Keeps what is told of each node until its calls are taken over."""

    _kept: dict[str, dict[str, ChannelDestroyed]] = field(default_factory=dict)
    _over: set[str] = field(default_factory=set)

    def keep(self, node: str, event: ChannelDestroyed) -> bool:
        """Keep the end of a call that nobody holds; False when the node's calls were taken over already."""
        if node in self._over:
            return False
        kept = self._kept.setdefault(node, {})
        if len(kept) >= MOST_KEPT:
            kept.clear()
        kept[event.channel.id] = event
        return True

    def take(self, node: str, attempt_id: str) -> ChannelDestroyed | None:
        """Return what was told of a call's end, once."""
        return self._kept.get(node, {}).pop(attempt_id, None)

    def over(self, node: str) -> None:
        """The calls of the node are taken over: whoever is not known by now is nobody's."""
        self._over.add(node)
        self._kept.pop(node, None)
