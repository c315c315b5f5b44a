"""Brings the engine's view and Asterisk's into agreement, on start and after every lost link.

Both sides are read and compared, and what was missed is fed through the ordinary transitions: a channel that
is gone ends its attempt, one that is up is adopted where it stands, a leg in its bridge takes its seat again,
an answered person who is with nobody is sent to the drop message, and a ringing channel nobody owns is hung up.

Without the lease another engine may own what is there. Then this engine sees to its own calls only, ends nobody
else's, and leaves the node alone (`NotOurs`) once it sees that another engine has given people to agents.

A look takes several round trips, while calls leave and channels end. So what it does not show counts as gone only if
it was there before, and what ended meanwhile is taken out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog

from dialer_engine.core import attempt as life
from dialer_engine.core.attempt import Attempt, Phase
from dialer_engine.core.outcome import began_by
from dialer_engine.engine.agents import Legs, whisper_of
from dialer_engine.engine.call import Call
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.dispatcher import Dispatcher
from dialer_engine.engine.places import Place
from dialer_engine.pbx.ari.commands import Commands
from dialer_engine.pbx.ari.models import Bridge, Channel

log = structlog.get_logger(__name__)

LEG_APP = "Stasis"
TRUNK_CHANNEL = "PJSIP/trunk-"
MESSAGE_CONTEXT = "drop-message"
JOIN_TAKES_S = 1.0
"""A join that is younger may still be on its way; the next comparison looks at it again."""
KEEP_S = 3.0
"""A call that was joined longer ago is past the dialplan's time-out for claimed calls."""


class NotOurs(Exception):
    """Another engine has conversations on the node, and this one does not hold the lease; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What Asterisk has at one moment, and when it was started; nothing of one that does not `answer`."""

    channels: Mapping[str, Channel]
    bridge_of: Mapping[str, str]
    bridges: frozenset[str]
    started_at: datetime | None = None
    answers: bool = True

    @classmethod
    async def look(cls, commands: Commands) -> Seen:
        """Read channels and bridges. Raises AriError."""
        channels = {channel.id: channel for channel in await commands.channels()}
        bridges = await commands.bridges()
        ids = frozenset(bridge.id for bridge in bridges)
        return cls(channels, members_of(bridges), ids, await commands.started_at())

    @classmethod
    def nothing(cls) -> Seen:
        """What is known of a node that is lost, dead or cut off: that nobody can ask it any more."""
        return cls({}, {}, frozenset(), answers=False)

    def without(self, ended: Set[str]) -> Seen:
        """Return the same without channels that have ended since."""
        return replace(self, channels={id: one for id, one in self.channels.items() if id not in ended})

    def agent_with(self, channel_id: str) -> str | None:
        """Return the agent in whose bridge the channel is."""
        bridge = self.bridge_of.get(channel_id, "")
        return bridge.removeprefix("agent-") if bridge.startswith("agent-") else None


@dataclass(frozen=True, slots=True)
class Before:
    """What the floor had on a node at the moment (UTC) when a look began: only that can be missed there.

    The `quiet` of its legs had their side channel by then, or nobody tried to open it any more.
    """

    at: datetime
    legs: Set[str]
    phases: Mapping[str, Phase]
    quiet: Set[str] = frozenset()

    @classmethod
    def now(cls, dispatcher: Dispatcher, legs: Legs, node: str) -> Before:
        """Return what the floor has there at this moment."""
        phases = {call.id: call.phase for call in dispatcher.calls.values() if call.node == node}
        return cls(utc_now(), legs.on(node), phases, legs.quiet_on(node))


def end_of(attempt: Attempt, seen: Seen, now: datetime) -> life.Event:
    """Return what it means that a call's channel is gone: did Asterisk start after the call had left?

    Of one that does not answer nobody knows that it died: what it carries may go on there, and nobody saw the end.
    """
    left = attempt.originated_at
    died = left is not None and seen.started_at is not None and left < seen.started_at
    return life.NodeLost(now) if died else life.Vanished(now)


def message_of(call: Call, at: datetime) -> life.MessageStarted:
    """Return the beginning of a message that was seen at a moment (UTC) and whose start was missed.

    In the place of a talk it came by the time-out for claimed calls; else it began by then.
    """
    joined = call.attempt.joined_at if call.phase is Phase.BRIDGED else None
    return life.MessageStarted(began_by(joined, at))


def members_of(bridges: Iterable[Bridge]) -> dict[str, str]:
    """Return channel id -> bridge id."""
    return {channel: bridge.id for bridge in bridges for channel in bridge.channels}


def leg_agent(channel: Channel) -> str | None:
    """Return the agent whose leg this channel is, None for any other channel."""
    plan = channel.dialplan
    words = (plan.app_data or "").split(",")
    is_leg = plan.app_name == LEG_APP and len(words) == 3 and words[1] == "agent"
    return words[2] if is_leg else None


async def reconcile(
    dispatcher: Dispatcher, legs: Legs, place: Place, owned: Callable[[], bool], *, hang_up_orphans: bool
) -> Seen:
    """Compare with one node: legs and attempts, then, once all are known, what nobody owns. Raises AriError.

    Without `hang_up_orphans` all that is there is to be adopted. Else raises NotOurs when it is another engine's and
    the lease is not `owned`.
    """
    before, ours = Before.now(dispatcher, legs, place.name), frozenset(dispatcher.calls)
    with legs.noting_ends() as ended:
        seen = (await Seen.look(place.commands)).without(ended)
        if hang_up_orphans and not owned() and (talk := others_talk(dispatcher, seen, ours)):
            raise NotOurs(f"another engine has conversations on {place.name}, of {talk}")
        agree(dispatcher, legs, place.name, seen, before)
    if hang_up_orphans:
        await _orphans(dispatcher, seen, place.commands, owned)
    return seen


def others_talk(dispatcher: Dispatcher, seen: Seen, ours: frozenset[str]) -> str | None:
    """Return a channel that another engine gave to an agent: one not among `ours`, or ours with another agent."""
    legs = {channel.id: leg_agent(channel) for channel in seen.channels.values()}
    present = {agent for leg, agent in legs.items() if agent is not None and seen.agent_with(leg) == agent}
    for channel in seen.channels.values():
        agent = seen.agent_with(channel.id)
        if not channel.name.startswith(TRUNK_CHANNEL) or agent not in present:
            continue
        call = dispatcher.calls.get(channel.id)
        if channel.id not in ours if call is None else call.attempt.agent != agent:
            return channel.id
    return None


def agree(dispatcher: Dispatcher, legs: Legs, node: str, seen: Seen, before: Before) -> None:
    """Feed what a node has, or has no more, through the ordinary transitions; `before` is of when the look began.

    Talks that are over come before the legs: whose agent is gone as well nobody else is to go on with. Whoever was
    just being joined comes after them, as it frees its agent for others, who may be gone.
    """
    legs.know_bridges(node, seen.bridges)
    calls = [call for call in dispatcher.calls.values() if call.node == node]
    over = {call.id for call in calls if call.phase is Phase.BRIDGED and call.id not in seen.channels}
    for call in [call for call in calls if call.id in over]:
        _attempt(dispatcher, call, seen, before)
    _legs(legs, node, seen, before)
    for call in [call for call in dispatcher.calls.values() if call.node == node and call.id not in over]:
        _attempt(dispatcher, call, seen, before)


def _legs(legs: Legs, node: str, seen: Seen, before: Before) -> None:
    legs.see_off(seen.channels.keys())
    for channel_id in [each for each in before.legs & legs.by_channel.keys() if each not in seen.channels]:
        legs.gone(channel_id, vanished=True)
    if seen.answers:
        legs.still_there(node, seen.channels.keys())
    for channel in seen.channels.values():
        agent = leg_agent(channel)
        if agent is None or channel.id in legs.by_channel:
            continue
        if seen.agent_with(channel.id) == agent:
            legs.adopt(node, channel.id, agent, whispering=whisper_of(channel.id) in seen.channels)
        else:
            legs.arrived(node, channel.id, agent)
    for channel_id in before.quiet & seen.channels.keys():
        if whisper_of(channel_id) not in seen.channels:
            legs.whisper_again(channel_id)


def _attempt(dispatcher: Dispatcher, call: Call, seen: Seen, before: Before) -> None:
    channel, now = seen.channels.get(call.id), utc_now()
    if channel is None:
        _absent(dispatcher, call, seen, before, now)
    elif call.attempt.hanging_up is not None and _still_meant(call, channel):
        dispatcher.hang_up_again(call)
    elif channel.state == "Up":
        _answered(dispatcher, call, channel, seen, before, now)
    elif call.attempt.early and channel.state == "Ringing":
        dispatcher.feed(call.id, life.Ringing(now))
    else:
        dispatcher.feed(call.id, life.Missed(now))


def _still_meant(call: Call, channel: Channel) -> bool:
    """Whether a hang-up is to be repeated: of a line that is not answered, or of a talk whose agent ended it.

    Who has answered since a line was cancelled hears the message to its end; nobody is joined to them.
    """
    return channel.state != "Up" or call.phase is Phase.BRIDGED


def _absent(dispatcher: Dispatcher, call: Call, seen: Seen, before: Before, now: datetime) -> None:
    """A call that the list lacks has ended, unless the list is older than its channel.

    The list overtakes originates, which wait on the websocket. Of a call that left after the look began it says
    nothing. One of which Asterisk had not said a word by then is looked up, in the originate's own way and behind it,
    if there is anybody to ask.
    """
    earlier = before.phases.get(call.id, Phase.RESERVED)
    if earlier is Phase.RESERVED:
        return
    end = end_of(call.attempt, seen, now)
    young = seen.answers and earlier is Phase.DIALING and isinstance(end, life.Vanished)
    dispatcher.feed(call.id, life.ReplyLost(now) if young else end)


def _answered(
    dispatcher: Dispatcher, call: Call, channel: Channel, seen: Seen, before: Before, now: datetime
) -> None:
    """Nobody who has answered may be with nobody: into the bridge, or to the message."""
    if channel.dialplan.context == MESSAGE_CONTEXT:
        dispatcher.feed(call.id, message_of(call, now))
        return
    inside = seen.agent_with(call.id)
    bridged = inside is not None and call.attempt.agent in (inside, None)
    if call.phase in (Phase.DIALING, Phase.RINGING):
        dispatcher.feed(call.id, life.Answered(now))
        dispatcher.rescue(call)
    elif call.phase is Phase.JOINING and bridged:
        dispatcher.feed(call.id, life.Joined(now))
        dispatcher.keep(call)
    elif call.phase is Phase.BRIDGED and (now - call.phase_since).total_seconds() < KEEP_S:
        dispatcher.keep(call)
    elif call.phase is Phase.JOINING and (before.at - call.phase_since).total_seconds() > JOIN_TAKES_S:
        dispatcher.feed(call.id, life.JoinFailed(now))
    elif call.phase in (Phase.WAITING, Phase.UNCLAIMED):
        dispatcher.rescue(call)


async def _orphans(dispatcher: Dispatcher, seen: Seen, commands: Commands, owned: Callable[[], bool]) -> None:
    """Hang up what rings for nobody, and whoever talks on in an agent's bridge when the node had counted as lost."""
    for channel in seen.channels.values():
        if not channel.name.startswith(TRUNK_CHANNEL) or channel.id in dispatcher.calls:
            continue
        if not owned():
            return
        if channel.state != "Up" or seen.agent_with(channel.id) is not None:
            log.warning("channel without an attempt hung up", channel=channel.id)
            await commands.hangup(channel.id)


def resume(call: Call, seen: Seen) -> Attempt | None:
    """Return where an attempt of an earlier engine stands now, None when its channel is gone."""
    channel = seen.channels.get(call.id)
    if channel is None:
        return None
    now = utc_now()
    attempt = replace(call.attempt, originated_at=call.attempt.originated_at or _left_at(channel, now))
    agent = seen.agent_with(call.id)
    if agent is not None:
        joined = attempt.joined_at or now
        answered = attempt.answered_at or joined
        talk = replace(attempt, phase=Phase.BRIDGED, agent=agent, talker=agent)
        return replace(talk, answered_at=answered, joined_at=joined)
    if channel.state != "Up":
        if channel.state != "Ringing":
            return replace(attempt, phase=Phase.DIALING, blind=True)
        since = now if attempt.early else attempt.ringing_at
        return replace(attempt, phase=Phase.RINGING, ringing_at=since, early=False, blind=True)
    answered = attempt.answered_at or now
    if channel.dialplan.context == MESSAGE_CONTEXT:
        started = attempt.message_at or now
        return replace(attempt, phase=Phase.MESSAGE, answered_at=answered, message_at=started, agent=None)
    return replace(attempt, phase=Phase.UNCLAIMED, answered_at=answered, agent=None)


def _left_at(channel: Channel, now: datetime) -> datetime:
    """Return when a call left whose engine died before that was on record: a phone that may ring was called."""
    try:
        return min(datetime.fromisoformat(channel.creationtime).astimezone(UTC), now)
    except ValueError:
        return now
