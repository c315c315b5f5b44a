"""The ARI commands that the engine uses, by name and typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from dialer_engine.pbx.ari.client import AriClient
from dialer_engine.pbx.ari.errors import AriError, AriRefused
from dialer_engine.pbx.ari.models import (
    AsteriskInfo,
    AsteriskPing,
    Bridge,
    Channel,
    Endpoint,
    RTPstat,
    Variable,
)

_T = TypeVar("_T")


def _part(text: str) -> str:
    return quote(text, safe="")


def _decode(body: bytes, kind: type[_T]) -> _T:
    return msgspec.json.decode(body, type=kind, strict=False)


class Commands:
    """Everything the engine asks of one Asterisk; every method sends one command and waits for its reply.

    All raise AriRefused, AriTimeout or AriLinkLost; after the latter two the outcome is not known.
    """

    def __init__(self, client: AriClient) -> None:
        """Send through `client`."""
        self.client = client

    async def originate(
        self,
        channel_id: str,
        endpoint: str,
        *,
        context: str,
        extension: str,
        caller_id: str,
        timeout_s: int,
        variables: Mapping[str, str],
    ) -> Channel:
        """Call `endpoint`; the answered leg enters the dialplan. A live id gets 409, an unknown trunk 500: no call."""
        body: dict[str, Any] = {
            "endpoint": endpoint,
            "context": context,
            "extension": extension,
            "priority": 1,
            "callerId": caller_id,
            "timeout": timeout_s,
            "variables": dict(variables),
        }
        return _decode(await self._send("POST", f"/channels/{_part(channel_id)}", body=body), Channel)

    async def ping(self, timeout_s: float) -> datetime:
        """Ask for a sign of life, which the reader of the event connection must read; return the time there (aware)."""
        body = await self.client.request("GET", "/asterisk/ping", timeout=timeout_s)
        return datetime.fromisoformat(_decode(body, AsteriskPing).timestamp)

    async def variable(self, name: str) -> str:
        """Return a global variable of the dialplan, '' when there is none."""
        return _decode(
            await self._send("GET", "/asterisk/variable", query={"variable": name}), Variable
        ).value

    async def claim(self, channel_id: str) -> None:
        """Claim a channel that StasisBroadcast offers; 409 when it is taken, 404 when no longer offered."""
        query = {"channelId": channel_id, "application": self.client.app}
        await self._send("POST", "/events/claim", query=query)

    async def hangup(self, channel_id: str, reason: str = "normal") -> None:
        """Hang up; a channel that is already gone is no error."""
        try:
            await self._send("DELETE", f"/channels/{_part(channel_id)}", query={"reason": reason})
        except AriRefused as refusal:
            if refusal.status != 404:
                raise

    async def continue_at(
        self, channel_id: str, context: str, extension: str = "s", priority: int = 1
    ) -> None:
        """Send a channel from the application back to the dialplan."""
        query = {"context": context, "extension": extension, "priority": str(priority)}
        await self._send("POST", f"/channels/{_part(channel_id)}/continue", query=query)

    async def set_variable(self, channel_id: str, variable: str, value: str) -> None:
        """Set a channel variable."""
        query = {"variable": variable, "value": value}
        await self._send("POST", f"/channels/{_part(channel_id)}/variable", query=query)

    async def keep(self, channel_id: str) -> None:
        """Switch off the time-out by which the dialplan takes a claimed channel back."""
        await self.set_variable(channel_id, "TIMEOUT(absolute)", "0")

    async def put_off(self, channel_id: str, seconds: float) -> None:
        """Let the time-out by which the dialplan takes a claimed channel back run out so many seconds from now."""
        await self.set_variable(channel_id, "TIMEOUT(absolute)", f"{seconds:g}")

    async def ask_within(self, channel_id: str) -> None:
        """Ask a phone within its call, by a re-INVITE, whether it is there; Asterisk ends a call that it does not know.

        Without any answer the call ends after 12.8 s. What is agreed on stays as it is.
        """
        await self.set_variable(channel_id, "PJSIP_SEND_SESSION_REFRESH()", "invite")

    async def started_at(self) -> datetime:
        """Return when this Asterisk was started (aware, whole seconds)."""
        info = _decode(await self._send("GET", "/asterisk/info", query={"only": "status"}), AsteriskInfo)
        if info.status is None:
            raise AriError("Asterisk does not say when it was started")
        return datetime.fromisoformat(info.status.startup_time)

    async def channel(self, channel_id: str) -> Channel | None:
        """Return a live channel, or None when it is gone."""
        try:
            return _decode(await self._send("GET", f"/channels/{_part(channel_id)}"), Channel)
        except AriRefused as refusal:
            if refusal.status == 404:
                return None
            raise

    async def rtp_statistics(self, channel_id: str) -> RTPstat:
        """Return how many audio packets a SIP channel has sent and received so far; 404 when it is gone."""
        return _decode(await self._send("GET", f"/channels/{_part(channel_id)}/rtp_statistics"), RTPstat)

    async def channels(self) -> list[Channel]:
        """Return all live channels."""
        return _decode(await self.client.fetch("/channels"), list[Channel])

    async def bridges(self) -> list[Bridge]:
        """Return all bridges."""
        return _decode(await self.client.fetch("/bridges"), list[Bridge])

    async def endpoints(self) -> list[Endpoint]:
        """Return all PJSIP endpoints with their state and channels."""
        return _decode(await self.client.fetch("/endpoints/PJSIP"), list[Endpoint])

    async def bridge_create(self, bridge_id: str, type: str = "mixing,dtmf_events", name: str = "") -> Bridge:
        """Create the bridge, or return the one that already has this id."""
        query = {"type": type, "name": name or bridge_id}
        path = f"/bridges/{_part(bridge_id)}"
        try:
            return _decode(await self._send("POST", path, query=query), Bridge)
        except AriRefused as refusal:
            if refusal.status != 409:
                raise
        return _decode(await self._send("GET", path), Bridge)

    async def bridge_add(self, bridge_id: str, *channel_ids: str) -> None:
        """Add channels, which must be in the application, to the bridge."""
        query = {"channel": ",".join(channel_ids)}
        await self._send("POST", f"/bridges/{_part(bridge_id)}/addChannel", query=query)

    async def play(self, channel_id: str, media: str | Sequence[str], playback_id: str) -> None:
        """Play `sound:/path/without/extension` or an endless `tone:...`; a talk pauses for it."""
        listed = [media] if isinstance(media, str) else list(media)
        path = f"/channels/{_part(channel_id)}/play/{_part(playback_id)}"
        await self._send("POST", path, body={"media": listed})

    async def whisper(self, channel_id: str, whisper_id: str, args: str = "whisper") -> Channel:
        """Open a side channel whose playbacks only the phone of `channel_id` hears, mixed into the talk.

        It enters the application with StasisStart and `args`, and ends with the channel it belongs to.
        """
        path = f"/channels/{_part(channel_id)}/snoop/{_part(whisper_id)}"
        query = {"spy": "none", "whisper": "out", "app": self.client.app, "appArgs": args}
        return _decode(await self._send("POST", path, query=query), Channel)

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> bytes:
        return await self.client.request(method, path, query=query, body=body)
