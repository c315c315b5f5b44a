"""Looks once into every talk, whether audio flows in both directions, and says within five seconds when it does not.

That is at the join, or when a talk is found whose look was missed. Nobody looks again later: a phone that is muted or
on hold sends nothing, which cannot be told from a fault. When nothing comes from the carrier any more, Asterisk ends
the call after `audio_lost_s` of the trunk.

Asterisk counts the audio packets of every leg. Two looks at one leg, at the join and a little later, tell whether the
carrier sends and whether there is anything to send to it. Packets are counted, not loudness: a person who says nothing
is no fault, and carriers go on sending packets. Whether what is sent arrives at the carrier cannot be seen from here.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import structlog

from dialer_engine.core.attempt import AudioChecked, Phase
from dialer_engine.core.audio import Audio
from dialer_engine.engine.call import Call
from dialer_engine.engine.clock import utc_now
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
    """One look per join, or instead of one that was missed; the finding goes into the call's record, and its trunk
    counts what is missing.
    """

    places: Places
    dispatcher: Dispatcher
    trunks: Trunks
    tasks: Tasks
    listen_s: float = LISTEN_S
    _looking: set[str] = field(default_factory=set)

    def joined(self, attempt_id: str) -> None:
        """A customer came into an agent's bridge: look at the audio of both in a moment."""
        self._looking.add(attempt_id)
        looking = self.tasks.spawn(self.look(attempt_id), "audio check")
        looking.add_done_callback(lambda task: self._looking.discard(attempt_id))

    def make_up(self, node: str) -> None:
        """Look into the talks of a node that were not looked into: an earlier engine began them, or a link was lost."""
        for call in self.dispatcher.calls.values():
            unseen = call.phase is Phase.BRIDGED and call.attempt.audio is Audio.UNKNOWN
            if unseen and call.node == node and call.id not in self._looking:
                self.joined(call.id)

    async def look(self, attempt_id: str) -> None:
        """Watch one talk for `listen_s` seconds, record who was heard, and say which direction was without audio."""
        call = self.dispatcher.calls.get(attempt_id)
        if call is None:
            return
        commands = self.places[call.node].commands
        try:
            before = await commands.rtp_statistics(attempt_id)
            await asyncio.sleep(self.listen_s)
            after = await commands.rtp_statistics(attempt_id)
        except AriError as error:
            log.debug(
                "audio could not be checked; the call or the link is gone", attempt=attempt_id, why=str(error)
            )
            return
        call = self.dispatcher.calls.get(attempt_id)
        if call is None or call.phase is not Phase.BRIDGED:
            return
        deaf = after.rxcount - before.rxcount < FEW
        mute = after.txcount - before.txcount < FEW
        found = Audio.heard(customer=not deaf, agent=not mute)
        self.dispatcher.feed(attempt_id, AudioChecked(utc_now(), found))
        if found is not Audio.OK:
            self._tell(call, from_carrier=not deaf, to_carrier=not mute)

    def _tell(self, call: Call, *, from_carrier: bool, to_carrier: bool) -> None:
        line = self.trunks.lines.get(call.reservation.trunk)
        if line is None:
            return
        line.health.without_audio(time.monotonic(), from_carrier=not from_carrier, to_carrier=not to_carrier)
        log.warning(
            "no audio in a talk",
            attempt=call.id,
            trunk=line.name,
            agent=call.attempt.agent,
            from_carrier=from_carrier,
            to_carrier=to_carrier,
        )
