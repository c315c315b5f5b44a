"""Legs whose phone is gone are found and end: nobody may be connected to an empty chair.

A phone that stops to answer OPTIONS is an event, and its legs are hung up at once. But one lost packet is enough for
it: a leg in a talk whose audio still comes is not cut off, but asked. And an event can be missed, while the engine or
its link is away, and none comes again. And a phone that starts anew answers OPTIONS well, yet knows nothing of its
call any more; all that can be seen is that it has another address than before.

So whoever sends no audio is asked within the call, by a re-INVITE: everybody on a node where events may have been
missed or whose front was away, a leg whose phone has left its address, and, at a look every REFRESH_S, legs whose
phone does not answer OPTIONS: those once, and again when there was audio since. A phone that is there answers, also one
that is muted or ignores OPTIONS, and nothing changes. When none answers, or one that knows no such call, Asterisk
itself ends the leg, within 13 s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import structlog

from dialer_engine.engine.agents import Legs
from dialer_engine.engine.silence import ASKED_S, GRACE_S, REACHABLE, UNREACHABLE, Silence
from dialer_engine.pbx.ari.errors import AriError, AriRefused
from dialer_engine.pbx.render import FRONT_ENDPOINT

log = structlog.get_logger(__name__)

REMOVED = "Removed"
"""A contact that is no more: it ran out, was taken back, or the phone has registered from another address."""
OFFLINE = "offline"
"""An endpoint none of whose contacts answers OPTIONS."""
REFRESH_S = 10.0
TALK_S = 0.5
"""How long a leg in a talk is listened to before it is hung up: 25 packets of audio."""
LISTEN_S = 3.0
"""A leg has no audio for so long before it is asked; a phone that moves to another network tells its call meanwhile."""


@dataclass(slots=True)
class EmptyChairs:
    """What the nodes tell of agents' phones, and the questions to those of whom too little is known."""

    legs: Legs
    _silences: dict[str, Silence] = field(default_factory=dict)
    _young: set[str] = field(default_factory=set)
    _asked: dict[str, set[str]] = field(default_factory=dict)

    # --- what a node tells ------------------------------------------------------------------------

    def came(self, channel_id: str) -> None:
        """A leg came: a question that ran out just after was asked before, see `silence`."""
        self._young.add(channel_id)
        asyncio.get_running_loop().call_later(ASKED_S, self._young.discard, channel_id)

    def contact(self, node: str, name: str, status: str, channel_ids: Sequence[str]) -> None:
        """A contact of an endpoint of a node, which has these channels, has a new status."""
        silence = self._silence(node)
        self._unreachable(node, silence.said(name, status, channel_ids, self._young))
        if silence.waiting and (name == FRONT_ENDPOINT or status == UNREACHABLE):
            loop = asyncio.get_running_loop()
            loop.call_later(GRACE_S, lambda: self._unreachable(node, silence.overdue(name)))
        if status == REMOVED:
            self._ask_soon(node, channel_ids)
        elif name == FRONT_ENDPOINT and status == REACHABLE:
            self._ask_soon(node, self.legs.on(node))

    def _unreachable(self, node: str, channel_ids: Sequence[str]) -> None:
        """Hang up legs whose phone does not answer OPTIONS; one in a talk only when nothing is heard of it either."""
        talking = [channel for channel in channel_ids if self.legs.talks(channel)]
        self.legs.unreachable([channel for channel in channel_ids if channel not in talking])
        if talking:
            self.legs.tasks.spawn(self._hear(node, talking), f"listen to phones of {node}")

    async def _hear(self, node: str, channel_ids: list[str]) -> None:
        heard = set[str]()
        try:
            heard = await self._moved(node, channel_ids, TALK_S)
            for channel_id in heard & self.legs.by_channel.keys():
                await self._ask_within(node, channel_id, "it answers no OPTIONS, but its audio comes")
        except AriError as error:
            log.info("phones could not be listened to", node=node, why=str(error))
        self.legs.unreachable([channel for channel in channel_ids if channel not in heard])

    def _silence(self, node: str) -> Silence:
        return self._silences.setdefault(node, Silence(FRONT_ENDPOINT))

    # --- looking ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look at all nodes, for ever: the safety net."""
        while True:
            await asyncio.sleep(REFRESH_S)
            for node, place in self.legs.places.items():
                if place.up and self.legs.on(node):
                    self._look_soon(node, missed=False)

    def missed(self, node: str) -> None:
        """Events of a node may have been missed: ask everybody there who sends no audio."""
        self._look_soon(node, missed=True)

    def _look_soon(self, node: str, *, missed: bool) -> None:
        self.legs.tasks.spawn(self._look(node, missed=missed), f"look at the phones of {node}")

    async def _look(self, node: str, *, missed: bool) -> None:
        silence = self._silence(node)
        away = silence.front_away
        try:
            endpoints = await self.legs.places[node].commands.endpoints()
        except AriError as error:
            log.info("phones could not be looked at", node=node, why=str(error))
            return
        states = {endpoint.resource: endpoint.state for endpoint in endpoints}
        now_away = states.get(FRONT_ENDPOINT) == OFFLINE
        if silence.front_away == away != now_away:  # else an event of meanwhile knows better
            self.contact(node, FRONT_ENDPOINT, UNREACHABLE if now_away else REACHABLE, ())
        legs = self.legs.on(node)
        offline = {channel for channel in legs if states.get(self.legs.by_channel[channel]) == OFFLINE}
        asked = self._asked.setdefault(node, set())
        asked &= offline
        self._ask_soon(node, legs if missed else offline, again=missed)

    # --- asking -----------------------------------------------------------------------------------

    def _ask_soon(self, node: str, channel_ids: Iterable[str], *, again: bool = True) -> None:
        ours = [channel for channel in channel_ids if channel in self.legs.by_channel]
        if ours:
            self.legs.tasks.spawn(self._ask(node, ours, again=again), f"ask phones of {node}")

    async def _ask(self, node: str, channel_ids: list[str], *, again: bool) -> None:
        """Ask those of whom nothing is heard, or not `again`; nobody behind a front that is away could answer."""
        asked = self._asked.setdefault(node, set())
        try:
            heard = await self._moved(node, channel_ids, LISTEN_S)
            asked -= heard
            for channel_id in channel_ids:
                if self._silence(node).front_away:
                    return
                if channel_id not in heard and (again or channel_id not in asked):
                    asked.add(channel_id)
                    await self._ask_within(node, channel_id, "it sends no audio")
        except AriError as error:
            log.info("phones could not be asked", node=node, why=str(error))

    async def _ask_within(self, node: str, channel_id: str, why: str) -> None:
        agent = self.legs.by_channel.get(channel_id)
        log.info("phone is asked within its call whether it is there", agent=agent, node=node, why=why)
        try:
            await self.legs.places[node].commands.ask_within(channel_id)
        except AriRefused as refusal:
            log.debug("leg ended meanwhile", channel=channel_id, why=str(refusal))
        except AriError:
            self._asked.setdefault(node, set()).discard(channel_id)
            raise

    async def _moved(self, node: str, channel_ids: list[str], seconds: float) -> set[str]:
        """Return the legs from which audio came within some seconds, or that are gone. Raises AriError."""
        before = await self._heard(node, channel_ids)
        await asyncio.sleep(seconds)
        after = await self._heard(node, channel_ids)
        return {each for each in channel_ids if each not in after or after[each] != before.get(each)}

    async def _heard(self, node: str, channel_ids: list[str]) -> dict[str, int]:
        """Return how many packets of audio came from each leg that is still there. Raises AriError."""
        commands, heard = self.legs.places[node].commands, dict[str, int]()
        for channel_id in channel_ids:
            try:
                heard[channel_id] = (await commands.rtp_statistics(channel_id)).rxcount
            except AriRefused as refusal:
                log.debug("leg ended meanwhile", channel=channel_id, why=str(refusal))
        return heard
