"""Which phones a node reaches, and whether one that it does not reach is gone or only the front before it.

A node asks every phone with OPTIONS, and the front itself every second. When the front is away no phone answers, but
all of them may be talking: their audio goes past the front. So silence counts against a phone only while the front is
there. What was silent meanwhile has some seconds to answer once the front is back.

A question that ran out just after an agent dialed in was asked before, perhaps of a phone that had not registered yet.
It says nothing of the new leg: that phone, too, has some seconds to answer.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

UNREACHABLE = "Unreachable"
"""A phone that no longer answers OPTIONS; its leg would stay up for minutes without anybody at it."""
REACHABLE = "Reachable"

GRACE_S = 15.0
"""A phone is asked every 5 s and has 2.5 s to answer: after so long one that lives has answered."""
ASKED_S = 5.0
"""A question that ran out was asked no longer ago: twice `qualify_timeout` of agents, for events that come late."""


@dataclass(slots=True)
class Silence:
    """What one node's OPTIONS tell; `front` is the name of the front's endpoint."""

    front: str
    front_away: bool = False
    _silent: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def said(
        self, endpoint: str, status: str, channel_ids: Sequence[str], young: Collection[str] = ()
    ) -> tuple[str, ...]:
        """Take the new status of an endpoint's contact; return the legs that nobody is at any more.

        Legs that came within ASKED_S are `young`.
        """
        if endpoint == self.front:
            self.front_away = status == UNREACHABLE
        elif status == REACHABLE:
            self._silent.pop(endpoint, None)
        elif status == UNREACHABLE and self.front_away:
            self._silent[endpoint] = tuple(channel_ids)
        elif status == UNREACHABLE:
            if untold := tuple(channel for channel in channel_ids if channel in young):
                self._silent[endpoint] = untold
            return tuple(channel for channel in channel_ids if channel not in young)
        return ()

    @property
    def waiting(self) -> bool:
        """Whether phones have GRACE_S to answer: their own silence has told nothing of them yet."""
        return bool(self._silent) and not self.front_away

    def overdue(self, endpoint: str) -> tuple[str, ...]:
        """Return the legs of a phone (of all phones, for the front) that did not answer in GRACE_S.

        No leg while the front is away again: they have more time once it is back.
        """
        if self.front_away:
            return ()
        names = list(self._silent) if endpoint == self.front else [endpoint]
        return tuple(channel for name in names for channel in self._silent.pop(name, ()))
