"""Proof that a new event connection hears: an open socket alone does not mean that events come.

A connection made in the moment in which Asterisk 22.10 cleans up the one before can stay deaf: its
application was switched off again by that clean-up, so no event and often no reply reaches it. Therefore each
new connection sets its event filter, asks for an event of its own, and is used only when that has arrived.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp
import msgspec

from dialer_engine.pbx.ari.errors import AriRefused, AriTimeout
from dialer_engine.pbx.ari.models import ChannelUserevent
from dialer_engine.pbx.ari.wire import Incoming, Reply, decode, encode_command, failure_text

PROOF_SECONDS = 2.0
# Asterisk's event filter holds back the replies to commands too, unless they are named.
ALWAYS = ("ApplicationReplaced", "ChannelUserevent", "RESTResponse")
_NAME = "dialer-link"
_FILTER, _PROOF = "filter", "proof"


@dataclass
class _Awaited:
    app: str
    missing: set[str] = field(default_factory=set)
    early: list[Incoming] = field(default_factory=list)

    def take(self, message: Incoming | Reply) -> None:
        if isinstance(message, Reply):
            self._reply(message)
        elif isinstance(message, ChannelUserevent) and message.eventname == _NAME:
            self.missing.discard("event")
        else:
            self.early.append(message)

    def _reply(self, reply: Reply) -> None:
        if reply.status_code >= 400:
            words = failure_text(reply.message_body) or reply.reason_phrase
            raise AriRefused(reply.status_code, words, f"the {reply.request_id} of application {self.app}")
        self.missing.discard(reply.request_id)


async def prove(
    socket: aiohttp.ClientWebSocketResponse, app: str, event_types: Sequence[str] | None
) -> list[Incoming]:
    """Set the filter, wait until events come; return those that came early.

    Raises AriTimeout when deaf, or when something came that cannot be read.
    """
    awaited = _Awaited(app, {"event", _PROOF})
    try:
        async with asyncio.timeout(PROOF_SECONDS):
            if event_types is not None:
                awaited.missing.add(_FILTER)
                await socket.send_str(filter_command(app, event_types))
            await socket.send_str(
                encode_command(_PROOF, "POST", f"/events/user/{_NAME}", {"application": app}, None)
            )
            while awaited.missing:
                awaited.take(decode(await socket.receive_str()))
    except msgspec.DecodeError as error:
        raise AriTimeout(f"the connection for {app!r} sent what cannot be read: {error}") from error
    except (TimeoutError, TypeError, aiohttp.ClientError, ConnectionError) as error:
        # receive_str raises TypeError when the socket was closed instead.
        missing = ", ".join(sorted(awaited.missing))
        raise AriTimeout(f"the connection for {app!r} is open but deaf, missing: {missing}") from error
    return awaited.early


def filter_command(app: str, event_types: Sequence[str]) -> str:
    """Build the command by which only these events, and what the client itself needs, are sent."""
    body = {"allowed": [{"type": each} for each in sorted({*event_types, *ALWAYS})]}
    return encode_command(_FILTER, "PUT", f"/applications/{app}/eventFilter", None, body)
