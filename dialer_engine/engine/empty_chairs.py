"""Legs whose phone is gone are found and end: nobody may be connected to an empty chair.

A phone that stops to answer OPTIONS is an event, and its legs are hung up at once. But an event can be missed, while
the engine or its link is away, and none comes again. And a phone that starts anew answers OPTIONS well, yet knows
nothing of its call any more; all that can be seen is that it has another address than before.

So whoever sends no audio is asked within the call, by a re-INVITE: everybody on a node where events may have been
missed or whose front was away, a leg whose phone has left its address, and, at a look every REFRESH_S, once, legs whose
phone does not answer OPTIONS. A phone that is there answers, also one that is muted or ignores OPTIONS, and nothing
changes. When none answers, or one that knows no such call, Asterisk itself ends the leg, within 13 s.
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
        self.legs.unreachable(silence.said(name, status, channel_ids, self._young))
        if silence.waiting and (name == FRONT_ENDPOINT or status == UNREACHABLE):
            loop = asyncio.get_running_loop()
            loop.call_later(GRACE_S, lambda: self.legs.unreachable(silence.overdue(name)))
        if status == REMOVED:
            self._ask_soon(node, channel_ids)
        elif name == FRONT_ENDPOINT and status == REACHABLE:
            self._ask_soon(node, self.legs.on(node))

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
        self._ask_soon(node, legs if missed else offline - asked)

    # --- asking -----------------------------------------------------------------------------------

    def _ask_soon(self, node: str, channel_ids: Iterable[str]) -> None:
        ours = [channel for channel in channel_ids if channel in self.legs.by_channel]
        if ours:
            self.legs.tasks.spawn(self._ask(node, ours), f"ask phones of {node}")

    async def _ask(self, node: str, channel_ids: list[str]) -> None:
        """Ask those of whom nothing is heard; while the front is away nobody behind it could answer."""
        asked = self._asked.setdefault(node, set())
        asked.update(channel_ids)
        try:
            before = await self._heard(node, channel_ids)
            await asyncio.sleep(LISTEN_S)
            after = await self._heard(node, channel_ids)
            if self._silence(node).front_away:
                asked.difference_update(channel_ids)
                return
            for channel_id in [each for each, count in after.items() if count == before.get(each)]:
                await self._ask_within(node, channel_id)
        except AriError as error:
            log.info("phones could not be asked", node=node, why=str(error))
            asked.difference_update(channel_ids)

    async def _ask_within(self, node: str, channel_id: str) -> None:
        agent = self.legs.by_channel.get(channel_id)
        log.info("phone sends no audio; it is asked whether it is there", agent=agent, node=node)
        try:
            await self.legs.places[node].commands.ask_within(channel_id)
        except AriRefused as refusal:
            log.debug("leg ended meanwhile", channel=channel_id, why=str(refusal))

    async def _heard(self, node: str, channel_ids: list[str]) -> dict[str, int]:
        """Return how many packets of audio came from each leg that is still there. Raises AriError."""
        commands, heard = self.legs.places[node].commands, dict[str, int]()
        for channel_id in channel_ids:
            try:
                heard[channel_id] = (await commands.rtp_statistics(channel_id)).rxcount
            except AriRefused as refusal:
                log.debug("leg ended meanwhile", channel=channel_id, why=str(refusal))
        return heard
