"""Brings the engine's view and Asterisk's into agreement, on start and after every lost link.

Both sides are read and compared, and what was missed is fed through the ordinary transitions: a channel that
is gone ends its attempt as `unknown`, one that is up is adopted where it stands, a leg in its bridge takes
its seat again, and a channel nobody owns is hung up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import structlog

from dialer_engine.core import attempt as life
from dialer_engine.core.attempt import Attempt, Phase
from dialer_engine.engine.actions import CONTEXT
from dialer_engine.engine.agents import Legs
from dialer_engine.engine.call import Call
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.dispatcher import Dispatcher
from dialer_engine.pbx.ari.commands import Commands
from dialer_engine.pbx.ari.models import Bridge, Channel

log = structlog.get_logger(__name__)

LEG_APP = "Stasis"


@dataclass(frozen=True, slots=True)
class Seen:
    """What Asterisk has at one moment."""

    channels: Mapping[str, Channel]
    bridge_of: Mapping[str, str]

    @classmethod
    async def look(cls, commands: Commands) -> Seen:
        """Read channels and bridges. Raises AriError."""
        channels = {channel.id: channel for channel in await commands.channels()}
        bridges = await commands.bridges()
        return cls(channels, members_of(bridges))

    def agent_with(self, channel_id: str) -> str | None:
        """Return the agent in whose bridge the channel is."""
        bridge = self.bridge_of.get(channel_id, "")
        return bridge.removeprefix("agent-") if bridge.startswith("agent-") else None


def members_of(bridges: Iterable[Bridge]) -> dict[str, str]:
    """Return channel id -> bridge id."""
    return {channel: bridge.id for bridge in bridges for channel in bridge.channels}


def leg_agent(channel: Channel) -> str | None:
    """Return the agent whose leg this channel is, None for any other channel."""
    plan = channel.dialplan
    words = (plan.app_data or "").split(",")
    is_leg = plan.app_name == LEG_APP and len(words) == 3 and words[1] == "agent"
    return words[2] if is_leg else None


def is_customer(channel: Channel) -> bool:
    """Return whether the channel was originated by an engine of ours."""
    return channel.dialplan.context == CONTEXT and leg_agent(channel) is None


async def reconcile(dispatcher: Dispatcher, legs: Legs, commands: Commands) -> Seen:
    """Compare after a lost link: legs first, then attempts, then what nobody owns. Raises AriError."""
    seen = await Seen.look(commands)
    _legs(legs, seen)
    for call in list(dispatcher.calls.values()):
        _attempt(dispatcher, call, seen)
    await _orphans(dispatcher, seen, commands)
    return seen


def _legs(legs: Legs, seen: Seen) -> None:
    for channel_id in [known for known in legs.by_channel if known not in seen.channels]:
        legs.gone(channel_id)
    for channel in seen.channels.values():
        agent = leg_agent(channel)
        if agent is None or channel.id in legs.by_channel:
            continue
        if seen.agent_with(channel.id) == agent:
            legs.adopt(channel.id, agent)
        else:
            legs.arrived(channel.id, agent)


def _attempt(dispatcher: Dispatcher, call: Call, seen: Seen) -> None:
    channel, now = seen.channels.get(call.id), utc_now()
    if channel is None:
        if call.phase is not Phase.RESERVED:
            dispatcher.feed(call.id, life.Vanished(now))
        return
    if seen.agent_with(call.id) and call.phase is Phase.JOINING:
        dispatcher.feed(call.id, life.Joined(now))
    elif channel.state == "Up" and call.phase in (Phase.DIALING, Phase.RINGING):
        dispatcher.feed(call.id, life.Answered(now))


async def _orphans(dispatcher: Dispatcher, seen: Seen, commands: Commands) -> None:
    for channel in seen.channels.values():
        if is_customer(channel) and channel.id not in dispatcher.calls and channel.state != "Up":
            log.warning("channel without an attempt hung up", channel=channel.id)
            await commands.hangup(channel.id)


def resume(call: Call, seen: Seen) -> Attempt | None:
    """Return where an attempt of an earlier engine stands now, None when its channel is gone.

    An answered channel outside any agent's bridge is in the hands of the dialplan: the drop message.
    """
    channel = seen.channels.get(call.id)
    if channel is None:
        return None
    now, attempt = utc_now(), call.attempt
    agent = seen.agent_with(call.id)
    if agent is not None:
        joined = attempt.joined_at or now
        return replace(attempt, phase=Phase.BRIDGED, agent=agent, joined_at=joined)
    if channel.state == "Up":
        return replace(attempt, phase=Phase.UNCLAIMED, answered_at=attempt.answered_at or now)
    return replace(attempt, phase=Phase.RINGING if channel.state == "Ringing" else Phase.DIALING)
