"""Looks once into every talk, whether audio flows in both directions, and says within five seconds when it does not.

Asterisk counts the audio packets of every leg. Two looks at one leg, at the join and a little later, tell whether the
carrier sends and whether there is anything to send to it. Packets are counted, not loudness: a person who says nothing
is no fault, and carriers go on sending packets. Whether what is sent arrives at the carrier cannot be seen from here.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import structlog

from dialer_engine.core.attempt import Phase
from dialer_engine.engine.dispatcher import Dispatcher
from dialer_engine.engine.places import Places
from dialer_engine.engine.tasks import Tasks
from dialer_engine.engine.trunks import Trunks
from dialer_engine.pbx.ari.errors import AriError

log = structlog.get_logger(__name__)

LISTEN_S = 4.0
"""Seconds from the join to the verdict; it must be out within 5 s."""
FEW = 10
"""Fewer packets than this in LISTEN_S are stragglers: audio has 50 a second."""


@dataclass(slots=True)
class AudioCheck:
    """One look per talk; the trunk of the call counts what is found."""

    places: Places
    dispatcher: Dispatcher
    trunks: Trunks
    tasks: Tasks
    listen_s: float = LISTEN_S

    def joined(self, attempt_id: str) -> None:
        """A customer came into an agent's bridge: look at the audio of both in a moment."""
        self.tasks.spawn(self.look(attempt_id), "audio check")

    async def look(self, attempt_id: str) -> None:
        """Watch one talk for `listen_s` seconds, and say and count which direction was without audio."""
        call = self.dispatcher.calls.get(attempt_id)
        if call is None:
            return
        commands = self.places[call.node].commands
        try:
            before = await commands.rtp_statistics(attempt_id)
            await asyncio.sleep(self.listen_s)
            after = await commands.rtp_statistics(attempt_id)
        except AriError as error:
            log.debug("audio could not be checked; the call is over", attempt=attempt_id, why=str(error))
            return
        call = self.dispatcher.calls.get(attempt_id)
        if call is None or call.phase is not Phase.BRIDGED:
            return
        deaf = after.rxcount - before.rxcount < FEW
        mute = after.txcount - before.txcount < FEW
        line = self.trunks.lines.get(call.reservation.trunk)
        if not (deaf or mute) or line is None:
            return
        line.health.without_audio(time.monotonic(), from_carrier=deaf, to_carrier=mute)
        log.warning(
            "no audio in a talk",
            attempt=attempt_id,
            trunk=line.name,
            agent=call.attempt.agent,
            from_carrier=not deaf,
            to_carrier=not mute,
        )
