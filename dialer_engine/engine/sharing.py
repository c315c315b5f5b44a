"""Which idle agents leave a campaign that has nothing to dial for another one that has.

An agent stays with a campaign while it runs, so that nobody is taken from calls that may be answered. But a campaign
runs on when its list is done, its calling hours are over or all its contacts are held, and its agents would sit idle
though others want them too. They come back by the same rule, when the other campaign runs dry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from dialer_engine.core.seat import SeatState
from dialer_engine.engine.campaigns import Campaigns

log = structlog.get_logger(__name__)

DRY_S = 30.0
"""So long a campaign has had nothing to dial before agents leave it, and so long one who moved stays at least. Retries
that come due one by one leave gaps of seconds, for which nobody should go to and fro."""


@dataclass(slots=True)
class Sharing:
    """Moves idle agents among the running campaigns; `_moved` tells when (monotonic seconds) an agent last was."""

    campaigns: Campaigns
    _moved: dict[str, float] = field(default_factory=dict)

    def look(self, now: float, queues: Mapping[str, Mapping[str, Any]]) -> None:
        """Move who may be moved (monotonic seconds; the newest counts of the queues by campaign)."""
        self._moved = {agent: at for agent, at in self._moved.items() if now - at < DRY_S}
        runners = self.campaigns.runners
        dry = {name for name, runner in runners.items() if runner.dry_for(now) >= DRY_S}
        due = [name for name in runners if name not in dry and _due(queues.get(name, {}))]
        moves = self._moves(dry, due) if dry and due else {}
        if moves:
            self._moved |= dict.fromkeys(moves, now)
            log.info("agents without anybody to dial work for another campaign", agents=moves)
            self.campaigns.move(moves)

    def _moves(self, dry: Collection[str], due: Collection[str]) -> dict[str, str]:
        """Return agent -> campaign: each goes where fewest agents are, the first by name of equals."""
        seats, of = self.campaigns.dispatcher.seats.values(), self.campaigns.dispatcher.campaign_of
        staff = Counter(of(seat.agent) for seat in seats if seat.state is not SeatState.OFF)
        moves: dict[str, str] = {}
        for seat in sorted(seats, key=lambda seat: seat.agent):
            if seat.state is SeatState.READY and of(seat.agent) in dry and seat.agent not in self._moved:
                wanted = self.campaigns.wanted(seat.agent)
                open_ = [n for n in due if n in wanted and self.campaigns.runners[n].may_dial(seat.node)]
                if open_:
                    moves[seat.agent] = to = min(open_, key=lambda name: (staff[name], name))
                    staff[to] += 1
        return moves


def _due(queue: Mapping[str, Any]) -> bool:
    """Whether a queue has contacts to dial, as far as the gate was asked; `unfilled` are not in it yet."""
    return bool(queue.get("due") or queue.get("unfilled"))
