"""Agents' legs: which channel is whose and on which node, their bridges, their keys, their wrap timers.

An agent has one leg at a time, on one node. A second phone on the same node takes the seat over as it is; one on
another node cannot, because the conversation is not there: for that the seat goes down and comes up again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import structlog

from dialer_engine.core import seat as chair
from dialer_engine.core.seat import SeatState
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.dispatcher import Dispatcher
from dialer_engine.engine.places import Places
from dialer_engine.engine.prompts import STANDARD
from dialer_engine.engine.tasks import Tasks
from dialer_engine.pbx.ari.commands import Commands
from dialer_engine.pbx.ari.errors import AriError, AriRefused
from dialer_engine.settings.models import Campaign

log = structlog.get_logger(__name__)

SOUNDS: Mapping[str, str] = {
    "on_duty": "on-duty",
    "ready": "ready",
    "paused": "paused",
    "arrived": "tone-arrived",
    "noted": "tone-noted",
    "cancelled": "tone-cancelled",
    "refused": "tone-refused",
    "shown": "tone-shown",
}
"""What the agent alone hears, as names of standard recordings."""


EMPTY_EVERY_S = 0.01
"""Legs of dead phones are hung up so far apart: when a whole office loses its network there are calls to cancel, and
Asterisk must not be late with them or with their answers."""
DISPOSING = frozenset("12345678")
"""Digits that say how a talk ended."""
DISPOSES = (SeatState.WRAP, SeatState.READY, SeatState.PAUSED)
"""In which a digit may be a disposition."""
WHISPER_PAUSES_S = (0.2, 0.5, 1.0, 2.0)
"""Pauses between tries to open the side channel: a busy Asterisk refuses it now and then."""


def bridge_of(agent: str) -> str:
    """Return the id of the agent's own mixing bridge."""
    return f"agent-{agent}"


def whisper_of(channel_id: str) -> str:
    """Return the id of the side channel whose sounds only this leg hears.

    None begins with another one: Asterisk 22.10 refuses a new id that is the beginning of one in use, so the leg
    `main-7.1` would get no side channel while `main-7.12` has one.
    """
    return f"{channel_id}-whisper"


@dataclass(slots=True)
class Legs:
    """The agents' legs on all nodes; feeds the dispatcher with presence and keys."""

    places: Places
    tasks: Tasks
    known: Callable[[str], bool]
    campaigns: Mapping[str, Campaign] = field(default_factory=dict)
    preview_key: Callable[[str, str], bool] = lambda agent, digit: False
    looks: Callable[[str], bool] = lambda agent: False  # at a contact on show
    dispatcher: Dispatcher | None = None
    by_agent: dict[str, str] = field(default_factory=dict)
    by_channel: dict[str, str] = field(default_factory=dict)
    node_of: dict[str, str] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)
    """Agents who are in a pause if a leg that was there before is found: see `adopt`."""
    _on_hold: set[str] = field(default_factory=set)
    """Legs that their phones have on hold, as far as a link was there to tell of it: nobody can ask."""
    _found: set[str] = field(default_factory=set)
    _bridges: dict[str, set[str]] = field(default_factory=dict)
    _dead: dict[str, str] = field(default_factory=dict)
    """Legs of dead phones that have not ended yet, with their nodes."""
    _leaving: dict[str, str] = field(default_factory=dict)
    """Legs whose agents were logged out and that have not ended yet, with their nodes: the link may lose a hang-up."""
    _next_empty: float = 0.0
    _opening: set[str] = field(default_factory=set)
    """Legs whose side channel is tried for, or will be once they are seated."""
    _wraps: dict[str, asyncio.TimerHandle] = field(default_factory=dict)
    _looks: int = 0
    _ended: set[str] = field(default_factory=set)

    # --- coming and going -------------------------------------------------------------------------

    def arrived(self, node: str, channel_id: str, agent: str) -> None:
        """A leg entered the engine's control on a node: bridge it; it takes the place of an earlier one."""
        if self._is_over(channel_id, agent):
            self._hang_up(node, channel_id, "refuse an unknown agent, a dead phone or one logged out")
            return
        earlier = self.by_agent.get(agent)
        if earlier is not None and earlier != channel_id:
            there = self.node_of[earlier]
            self._hang_up(there, earlier, "replace a leg")
            if there != node:
                self.gone(earlier, vanished=True)
        self.paused.discard(agent)
        self._know(node, channel_id, agent)
        self._until_open(channel_id, self._seat(node, channel_id, agent), "seat an agent")

    def adopt(self, node: str, channel_id: str, agent: str, *, whispering: bool) -> None:
        """Take over a leg that is already in its bridge: after a restart of the engine, or a lost link.

        An agent who went on elsewhere meanwhile stays there, and one who was in a pause is still in it.
        """
        elsewhere = self.node_of.get(self.by_agent.get(agent, ""), node) != node
        if elsewhere or self._is_over(channel_id, agent):
            self._hang_up(node, channel_id, "refuse a leg that nobody needs")
            return
        self._know(node, channel_id, agent)
        if not whispering:
            self.whisper_again(channel_id)
        self._bridges_on(node).add(bridge_of(agent))
        self._found.add(agent)
        self._feed(agent, chair.LegUp(utc_now(), node, paused=agent in self.paused))

    def remind_paused(self) -> None:
        """Tell those whose legs were found that they are paused, once it is known who of them talks."""
        found, self._found = self._found, set()
        for agent in found:
            if (seat := self._seat_of(agent)) is not None and seat.state is SeatState.PAUSED:
                self.tell(agent, "paused")

    def see_off(self, channel_ids: Iterable[str]) -> None:
        """Hang up again which of these legs are over: the word of it may have been lost with the link.

        An agent who has nobody is off duty at once, so that nobody is given to a leg that ends; the leg is refused then
        like one that is found.
        """
        for channel_id in channel_ids:
            agent = self.by_channel.get(channel_id)
            if agent is None or not self._is_over(channel_id, agent):
                continue
            seat = self._seat_of(agent)
            if seat is not None and seat.state in (SeatState.READY, SeatState.PAUSED):
                self.gone(channel_id, vanished=True)
            else:
                self._hang_up(self.node_of[channel_id], channel_id, "hang up a leg again")

    def _is_over(self, channel_id: str, agent: str) -> bool:
        """Whether a leg was given up: its agent is known no more or was logged out, or its phone is dead."""
        return not self.known(agent) or channel_id in self._dead or channel_id in self._leaving

    def _seat_of(self, agent: str) -> chair.Seat | None:
        return self.dispatcher.seats.get(agent) if self.dispatcher else None

    def _know(self, node: str, channel_id: str, agent: str) -> None:
        self.by_agent[agent] = channel_id
        self.by_channel[channel_id] = agent
        self.node_of[channel_id] = node

    def _commands(self, channel_id: str) -> Commands:
        """Return the commands of the leg's node."""
        return self.places[self.node_of[channel_id]].commands

    def _hang_up(self, node: str, channel_id: str, why: str) -> None:
        self.tasks.spawn(self._quietly(self.places[node].commands.hangup(channel_id)), why)

    def _bridges_on(self, node: str) -> set[str]:
        return self._bridges.setdefault(node, set())

    async def _seat(self, node: str, channel_id: str, agent: str) -> None:
        commands = self.places[node].commands
        try:
            await self._into_bridge(node, channel_id, agent)
        except AriError as error:
            log.warning("agent's leg could not be seated", agent=agent, node=node, why=str(error))
            self.gone(channel_id, vanished=True)
            await self._quietly(commands.hangup(channel_id))
            return
        if self.by_agent.get(agent) == channel_id:
            self._feed(agent, chair.LegUp(utc_now(), node, on_hold=channel_id in self._on_hold))
            await self._open_whisper(channel_id)
            self.tell(agent, "on_duty")

    def quiet_on(self, node: str) -> set[str]:
        """Return those legs on a node whose side channel nobody tries to open just now: it is there, or was in vain."""
        return self.on(node) - self._opening

    def whisper_again(self, channel_id: str) -> None:
        """Open the side channel of a leg that has none, unless that is under way or the leg is gone."""
        if channel_id in self.by_channel and channel_id not in self._opening:
            self._until_open(channel_id, self._open_whisper(channel_id), "open a side channel")

    def _until_open(self, channel_id: str, doing: Coroutine[Any, Any, None], what: str) -> None:
        self._opening.add(channel_id)
        self.tasks.spawn(doing, what).add_done_callback(lambda task: self._opening.discard(channel_id))

    async def _open_whisper(self, channel_id: str) -> None:
        """Open the side channel for the agent's tones; without it the agent works on, unwarned by tones.

        When all tries are in vain, the next comparison with Asterisk tries again.
        """
        why = ""
        for pause in WHISPER_PAUSES_S:
            if channel_id not in self.by_channel:
                return
            try:
                await self._commands(channel_id).whisper(channel_id, whisper_of(channel_id))
            except AriError as error:
                why = str(error)
                log.info("side channel for tones could not be opened yet", why=why)
                await asyncio.sleep(pause)
            else:
                return
        if (agent := self.by_channel.get(channel_id)) is not None:
            log.warning(
                "agent hears no tones: the side channel could not be opened; the next comparison tries again",
                agent=agent,
                why=why,
            )

    async def _into_bridge(self, node: str, channel_id: str, agent: str) -> None:
        """Put a leg into the agent's bridge. Raises AriError.

        A leg may come from an Asterisk that was just started anew, before anybody looked which bridges it has.
        """
        await self._ensure_bridge(node, agent)
        commands = self.places[node].commands
        try:
            await commands.bridge_add(bridge_of(agent), channel_id)
        except AriRefused as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            self._bridges_on(node).discard(bridge_of(agent))
            await self._ensure_bridge(node, agent)
            await commands.bridge_add(bridge_of(agent), channel_id)

    async def _ensure_bridge(self, node: str, agent: str) -> None:
        if bridge_of(agent) not in self._bridges_on(node):
            await self.places[node].commands.bridge_create(bridge_of(agent), name=bridge_of(agent))
            self._bridges_on(node).add(bridge_of(agent))

    def gone(self, channel_id: str, *, vanished: bool = False) -> bool:
        """A channel was destroyed, or has `vanished` without a hang-up; returns True for an agent's leg."""
        if self._looks:
            self._ended.add(channel_id)
        self._dead.pop(channel_id, None)
        if not vanished:
            self._leaving.pop(channel_id, None)
        self._on_hold.discard(channel_id)
        agent = self.by_channel.pop(channel_id, None)
        self.node_of.pop(channel_id, None)
        if agent is None:
            return False
        if self.by_agent.get(agent) == channel_id:
            del self.by_agent[agent]
            self._cancel_wrap(agent)
            self._remember_pause(agent, vanished)
            self._feed(agent, chair.LegDown(utc_now(), vanished))
        return True

    def hold(self, channel_id: str, *, on: bool) -> None:
        """A phone put a channel on hold, or took it back; of an agent's leg that counts for the seat."""
        agent = self.by_channel.get(channel_id)
        if agent is None:
            return
        (self._on_hold.add if on else self._on_hold.discard)(channel_id)
        if self.by_agent.get(agent) == channel_id:
            log.info("phone has its leg on hold" if on else "phone took its leg back", agent=agent)
            self._feed(agent, chair.Held(utc_now()) if on else chair.Unheld(utc_now()))

    @contextmanager
    def noting_ends(self) -> Iterator[Set[str]]:
        """Give the channels, of legs and calls, that end inside: a look at Asterisk that is under way may show them."""
        self._looks += 1
        try:
            yield self._ended
        finally:
            self._looks -= 1
            if not self._looks:
                self._ended = set()

    def _remember_pause(self, agent: str, vanished: bool) -> None:
        """A leg that has vanished with its node may be found again, and then its agent is as paused as now."""
        seat = self._seat_of(agent)
        if vanished and seat is not None and seat.resting:
            self.paused.add(agent)
        else:
            self.paused.discard(agent)

    def on(self, node: str) -> set[str]:
        """Return the channels of the legs on a node."""
        return {channel for channel, place in self.node_of.items() if place == node}

    def know_bridges(self, node: str, ids: Iterable[str]) -> None:
        """Take a node's word for which bridges exist: after its restart none of the old ones do."""
        self._bridges[node] = set(ids)

    def unreachable(self, channel_ids: Sequence[str]) -> None:
        """A phone stopped to answer: its agent is gone, so that nobody is connected to an empty chair.

        That counts at once, and the legs are hung up one after the other.
        """
        loop = asyncio.get_running_loop()
        for channel_id in channel_ids:
            if channel_id not in self.by_channel:
                continue
            log.warning("phone is unreachable; its leg is hung up", agent=self.by_channel[channel_id])
            node, now = self.node_of[channel_id], loop.time()
            self.gone(channel_id, vanished=True)
            self._dead[channel_id] = node
            at = max(now, self._next_empty)
            self._next_empty = at + EMPTY_EVERY_S
            self.tasks.spawn(self._hang_up_after(at - now, node, channel_id), "hang up an empty leg")

    async def _hang_up_after(self, seconds: float, node: str, channel_id: str) -> None:
        await asyncio.sleep(seconds)
        await self._quietly(self.places[node].commands.hangup(channel_id))

    def still_there(self, node: str, channel_ids: Set[str]) -> None:
        """Take a node's word for which channels it has: legs that were given up have ended if they are not among them.

        It leaves out those that were given up during the look.
        """
        for given_up in (self._dead, self._leaving):
            for channel_id, place in list(given_up.items()):
                if place == node and channel_id not in channel_ids and channel_id not in self._ended:
                    del given_up[channel_id]

    def talks(self, channel_id: str) -> bool:
        """Whether the agent of a leg has a customer at this moment."""
        seat = self._seat_of(self.by_channel.get(channel_id, ""))
        return seat is not None and seat.state is SeatState.IN_CALL

    def log_out(self, agent: str) -> bool:
        """Hang up the agent's leg, once its node can be reached; returns False when the agent is not on duty."""
        channel = self.by_agent.get(agent)
        if channel is not None:
            node = self._leaving[channel] = self.node_of[channel]
            self._hang_up(node, channel, "log an agent out")
        return channel is not None

    # --- keys -------------------------------------------------------------------------------------

    def key(self, channel_id: str, digit: str) -> None:
        """A DTMF digit from an agent's leg."""
        agent = self.by_channel.get(channel_id)
        if agent is not None:
            self.pressed(agent, digit)

    def pressed(self, agent: str, digit: str) -> bool:
        """A key of an agent: `*` ends the call, `0` pauses, `#` and `9` decide on a preview, others dispose in wrap.

        Returns False for a digit that was to say how a talk ended, and of which nothing was noted.
        """
        if self.preview_key(agent, digit):
            return True
        if digit == "*":
            self._feed(agent, chair.HangupKey(utc_now()))
        elif digit == "0":
            self._feed(agent, chair.PauseKey(utc_now()))
        elif digit in DISPOSING:
            return self._dispose(agent, digit)
        return True

    def _dispose(self, agent: str, digit: str) -> bool:
        """A digit after a talk, in the wrap-up or later; by its meaning in that campaign the seat decides.

        Returns whether it was taken.
        """
        seat = self._seat_of(agent)
        if seat is None or seat.state is SeatState.OFF:
            return False
        campaign = self._talks_campaign(agent)
        meaning = {str(key): d for key, d in campaign.dispositions.items()}.get(digit) if campaign else None
        if seat.state not in DISPOSES:
            # Digits in a talk are for menus at the other end; but nobody may take a do-not-call for noted.
            if meaning is not None and meaning.suppress:
                self.tell(agent, "refused")
            return False
        # Who looks at the next contact may mean that one.
        if meaning is None or (seat.state is not SeatState.WRAP and self.looks(agent)):
            self.tell(agent, "refused")
            return False
        self._cancel_wrap(agent)
        key = chair.DispositionKey(utc_now(), meaning.code, meaning.suppress)
        taken = chair.takes(seat, key)
        self._feed(agent, key)
        return taken

    def _talks_campaign(self, agent: str) -> Campaign | None:
        """Return the settings of an agent's present or last talk: those it began with once a reload took them away."""
        call = self.dispatcher.talk_of(agent) if self.dispatcher else None
        if call is None:
            return None
        return self.campaigns.get(call.campaign) or (call.plan.settings if call.plan else None)

    # --- what the dispatcher asks for -------------------------------------------------------------

    def tell(self, agent: str, what: str) -> None:
        """Let the agent alone hear a short sound, see SOUNDS; it is mixed into a conversation."""
        channel = self.by_agent.get(agent)
        if channel is not None:
            place = self.places[self.node_of[channel]]
            media = f"sound:{place.sounds / STANDARD / SOUNDS[what]}"
            playing = place.commands.play(whisper_of(channel), media, playback_id=uuid4().hex)
            self.tasks.spawn(self._quietly(playing), "play a sound to an agent")

    def end_wraps(self) -> None:
        """Give every agent in wrap the default disposition now: the engine is about to end."""
        for agent, timer in list(self._wraps.items()):
            seat = self._seat_of(agent)
            timer.cancel()
            if seat is not None and seat.attempt is not None:
                self._wrap_over(agent, seat.attempt)

    @property
    def wraps(self) -> int:
        """How many agents are in wrap."""
        return len(self._wraps)

    def start_wrap(self, agent: str, attempt_id: str) -> None:
        """Start the wrap time of the talk's campaign; its end gives the default disposition."""
        settings = self._talks_campaign(agent)
        seconds = settings.wrap_seconds if settings else 0
        loop = asyncio.get_running_loop()
        self._cancel_wrap(agent)
        self._wraps[agent] = loop.call_later(seconds, self._wrap_over, agent, attempt_id)

    def _wrap_over(self, agent: str, attempt_id: str) -> None:
        self._wraps.pop(agent, None)
        self._feed(agent, chair.WrapOver(utc_now(), attempt_id))

    def _cancel_wrap(self, agent: str) -> None:
        timer = self._wraps.pop(agent, None)
        if timer is not None:
            timer.cancel()

    def _feed(self, agent: str, event: chair.SeatEvent) -> None:
        if self.dispatcher is not None:
            self.dispatcher.feed_seat(agent, event)

    async def _quietly(self, doing: Awaitable[Any]) -> None:
        """Await a command whose failure changes nothing: the channel may be gone already."""
        try:
            await doing
        except AriError as error:
            log.debug("command without effect", why=str(error))
