"""Notices that this process did not run for some seconds: what Asterisk said meanwhile waits to be read.

Who has answered by then still counts as ringing here, and by the clock has rung long enough to be given up. So nobody
is hung up on before a node gave a sign of life: its reply comes behind all that was said before. A stall for which the
lease was long enough is meant; after a longer one `awakening` has the word.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import structlog

from dialer_engine.engine.ownership import now
from dialer_engine.engine.places import Places
from dialer_engine.pbx.ari.errors import AriError

log = structlog.get_logger(__name__)

STALL_S = 2.0
"""Twice as long as a runner sleeps between two passes at most."""
SIGN_OF_LIFE_S = 1.0
"""A node that takes longer to reply is left alone until the next pass: others have calls to place meanwhile."""


@dataclass(slots=True)
class Stalls:
    """What one runner knows of its nodes; `awake` is when a look at one was last known to be up to date (seconds)."""

    places: Places
    awake: dict[str, float] = field(default_factory=dict)

    def since_last(self, node: str) -> bool:
        """Return whether the process stalled since the last look at a node, and that has not caught up yet."""
        moment = now()
        if moment - self.awake.get(node, moment) > STALL_S:
            return True
        self.awake[node] = moment
        return False

    async def caught_up(self, node: str) -> bool:
        """Let everything be read that a node said before; returns whether it did, after `SIGN_OF_LIFE_S` at most."""
        asked = now()
        try:
            await self.places[node].commands.ping(SIGN_OF_LIFE_S)
        except AriError as error:
            log.warning(
                "no line is ended: what was said during a stall may not be read", node=node, why=str(error)
            )
            return False
        self.awake[node] = asked
        return True
