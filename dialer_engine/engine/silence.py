"""Which phones a node reaches, and whether one that it does not reach is gone or only the front before it.

A node asks every phone with OPTIONS, and the front itself every second. When the front is away no phone answers, but
all of them may be talking: their audio goes past the front. So silence counts against a phone only while the front is
there. What was silent meanwhile has some seconds to answer once the front is back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

UNREACHABLE = "Unreachable"
"""A phone that no longer answers OPTIONS; its leg would stay up for minutes without anybody at it."""
REACHABLE = "Reachable"

GRACE_S = 15.0
"""A phone is asked every 5 s and has 2.5 s to answer: after so long one that lives has answered."""


@dataclass(slots=True)
class Silence:
    """What one node's OPTIONS tell; `front` is the name of the front's endpoint."""

    front: str
    front_away: bool = False
    _silent: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def said(self, endpoint: str, status: str, channel_ids: Sequence[str]) -> tuple[str, ...]:
        """Take the new status of an endpoint's contact; return the legs that nobody is at any more."""
        if endpoint == self.front:
            self.front_away = status == UNREACHABLE
        elif status == REACHABLE:
            self._silent.pop(endpoint, None)
        elif status == UNREACHABLE and self.front_away:
            self._silent[endpoint] = tuple(channel_ids)
        elif status == UNREACHABLE:
            return tuple(channel_ids)
        return ()

    @property
    def waiting(self) -> bool:
        """Whether phones have GRACE_S to answer from now on, because the front is back."""
        return bool(self._silent) and not self.front_away

    def overdue(self) -> tuple[str, ...]:
        """Return the legs of phones that have not answered since the front is back; none when it is away again."""
        if self.front_away:
            return ()
        gone = tuple(channel for channels in self._silent.values() for channel in channels)
        self._silent.clear()
        return gone
