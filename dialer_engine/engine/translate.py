"""Asterisk's events into the dispatcher's: the only module that knows ARI's event names."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import structlog

from dialer_engine.core import attempt as life
from dialer_engine.core.attempt import Phase
from dialer_engine.core.outcome import Result
from dialer_engine.engine.agents import Legs
from dialer_engine.engine.call import Call
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.dispatcher import Dispatcher
from dialer_engine.engine.early_ends import EarlyEnds
from dialer_engine.engine.empty_chairs import EmptyChairs
from dialer_engine.engine.recovery import MESSAGE_CONTEXT, TRUNK_CHANNEL, message_of
from dialer_engine.pbx.ari import models as ari

log = structlog.get_logger(__name__)

EVENT_TYPES = (
    "StasisStart",
    "ChannelStateChange",
    "ChannelEnteredBridge",
    "ChannelDestroyed",
    "ChannelDtmfReceived",
    "ChannelHold",
    "ChannelUnhold",
    "ChannelUserevent",
    "CallBroadcast",
    "Dial",
    "ContactStatusChange",
)
"""The only event types the engine asks Asterisk for."""

UNANSWERED = frozenset({Phase.DIALING, Phase.RINGING})
HUNG_UP = (0, 16)
"""Q.850 causes of a leg that a person hung up; a phone that stops sending or answering gives others."""

MOST_SAID = 10_000
"""Channels whose carrier's words are kept until they end; the end of some is missed with a lost link."""


class Watch(Protocol):
    """What the trunks want to hear of a call."""

    def dialed(self, attempt_id: str) -> None: ...
    def rang(self, attempt_id: str) -> None: ...
    def meaning(self, attempt_id: str, code: int | None, said: str | None) -> Result | None: ...


def moment(timestamp: str | datetime | None) -> datetime:
    """Return Asterisk's own time of an event (ISO with offset, ms) as UTC, the wall clock without one."""
    if timestamp is None:
        return utc_now()
    parsed = timestamp if isinstance(timestamp, datetime) else datetime.fromisoformat(timestamp)
    return parsed.astimezone(UTC)


class Audio(Protocol):
    """What wants to know that a talk began."""

    def joined(self, attempt_id: str) -> None: ...


@dataclass(slots=True)
class Translator:
    """Routes each event of a node to the attempt or the leg it belongs to."""

    dispatcher: Dispatcher
    legs: Legs
    watch: Watch
    audio: Audio
    chairs: EmptyChairs = field(init=False)
    early: EarlyEnds = field(default_factory=EarlyEnds)
    _said: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chairs = EmptyChairs(self.legs)

    def on_event(self, node: str, event: object) -> None:
        """Feed one ARI event of a node; synchronous and in order, called from the socket's reader."""
        match event:
            case ari.ChannelStateChange(channel=channel):
                self._state(channel, moment(event.timestamp))
            case ari.CallBroadcast(channel=channel):
                self.dispatcher.feed(channel.id, life.Offered(moment(event.timestamp)))
            case ari.StasisStart(channel=channel, args=args):
                self._start(node, channel.id, list(args), moment(event.timestamp))
            case ari.ChannelEnteredBridge(channel=channel) if channel is not None:
                self._joined(channel.id, moment(event.timestamp))
            case ari.Dial(peer=peer, dialstatus="PROGRESS"):
                self._rings(peer.id, moment(event.timestamp), alerting=False)
            case ari.Dial(peer=peer, dialstatus=""):
                self.watch.dialed(peer.id)
            case ari.ChannelDestroyed(channel=channel):
                self._destroyed(node, event)
            case ari.ChannelDtmfReceived(channel=channel, digit=digit):
                self.legs.key(channel.id, digit)
            case ari.ChannelHold(channel=channel) | ari.ChannelUnhold(channel=channel):
                self.legs.hold(channel.id, on=isinstance(event, ari.ChannelHold))
            case ari.ContactStatusChange(contact_info=info, endpoint=endpoint):
                status = info.contact_status
                self.chairs.contact(node, endpoint.resource, status, endpoint.channel_ids)
            case ari.ChannelUserevent(eventname=name, channel=channel) if channel is not None:
                self._user(name, channel.id, event.userevent, moment(event.timestamp))
            case _:
                pass

    def _state(self, channel: ari.Channel, at: datetime) -> None:
        if channel.state == "Ringing":
            self._rings(channel.id, at, alerting=True)
        elif channel.state == "Up":
            self.dispatcher.feed(channel.id, life.Answered(at))
            self.watch.rang(channel.id)

    def _joined(self, channel_id: str, at: datetime) -> None:
        if channel_id in self.dispatcher.calls:
            self.dispatcher.feed(channel_id, life.Joined(at))
            self.audio.joined(channel_id)

    def _rings(self, channel_id: str, at: datetime, *, alerting: bool) -> None:
        self.dispatcher.feed(channel_id, life.Ringing(at, alerting))
        self.watch.rang(channel_id)

    def _start(self, node: str, channel_id: str, args: list[str], at: datetime) -> None:
        if args[:1] == ["agent"] and len(args) == 2:
            self.chairs.came(channel_id)
            self.legs.arrived(node, channel_id, args[1])
        elif args[:1] == ["customer"]:
            self.dispatcher.feed(channel_id, life.Entered(at))

    def _destroyed(self, node: str, event: ari.ChannelDestroyed) -> None:
        channel = event.channel
        if self.legs.gone(channel.id, vanished=event.cause not in HUNG_UP):
            return
        unheld = channel.name.startswith(TRUNK_CHANNEL) and channel.id not in self.dispatcher.calls
        # Of an answered one the end does not tell whether there was a talk that is not on record.
        if not (unheld and channel.state != "Up" and self.early.keep(node, event)):
            self._ended(event)

    def told_early(self, call: Call) -> bool:
        """End a call, just taken over, whose end was told before; False when none was, or it is not on record as sent.

        Nobody had answered it. Whether it rang was not heard by this engine.
        """
        event = self.early.take(call.node, call.id)
        if event is None or call.phase not in UNANSWERED:
            return False
        self.dispatcher.feed(call.id, life.Missed(moment(event.timestamp)))
        self._ended(event)
        return True

    def _ended(self, event: ari.ChannelDestroyed) -> None:
        said = self._said.pop(event.channel.id, None)
        sip = event.tech_cause if event.tech_cause and event.tech_cause >= 100 else None
        meaning = self.watch.meaning(event.channel.id, sip, said)
        self._unseen(event.channel, moment(event.timestamp))
        gone = life.Gone(moment(event.timestamp), event.cause, sip, said, meaning)
        self.dispatcher.feed(event.channel.id, gone)

    def _unseen(self, channel: ari.Channel, at: datetime) -> None:
        """A call that ends was answered, or heard the message, while no link was there to tell of it: its end does.

        It may come before a comparison has found it: people hang up, and an opt-out of the script's file ends a call.
        """
        call = self.dispatcher.calls.get(channel.id)
        if call is None or channel.state != "Up":
            return
        if call.phase in UNANSWERED:
            self.dispatcher.feed(call.id, life.Answered(at))
        if channel.dialplan.context == MESSAGE_CONTEXT and (call.phase, life.MessageStarted) in life.TABLE:
            self.dispatcher.feed(call.id, message_of(call, at))

    def _user(self, name: str, channel_id: str, words: object, at: datetime) -> None:
        if name == "CarrierSaid" and isinstance(words, dict):
            self._said[channel_id] = str(words.get("Text", ""))
            if len(self._said) > MOST_SAID:
                del self._said[next(iter(self._said))]
        elif name == "DropMessageStarted":
            self.dispatcher.feed(channel_id, life.MessageStarted(at))
        elif name == "MessageOver":
            self.dispatcher.feed(channel_id, life.MessageOver(at))
        elif name == "OptOut":
            self._opted_out(channel_id, words if isinstance(words, dict) else {}, at)

    def _opted_out(self, channel_id: str, words: dict[str, object], at: datetime) -> None:
        if words.get("Saved") != "1":
            log.error(
                "Asterisk's script could not save an opt-out; the engine records it: look at the disk of the "
                "opt-out journal",
                attempt=channel_id,
            )
        number, member = str(words.get("Number", "")), str(words.get("Member", ""))
        self.dispatcher.opted_out(channel_id, number, member, life.OptedOut(at))
