"""What AMI tells: which phones are registered, which trunks are registered and reachable.

Nothing that a call needs depends on it; while AMI is away the last words stand and status says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from dialer_engine.engine.node_link import Access
from dialer_engine.engine.trunks import Trunks
from dialer_engine.pbx.ami import AmiAdapter, AmiError, AmiEvent, Resync
from dialer_engine.pbx.render import FRONT_ENDPOINT, WATCH_PREFIX, trunk_endpoint, watch_endpoint

log = structlog.get_logger(__name__)

REFRESH_S = 10.0
RETRY_S = 2.0
SETTLE_S = 0.2
ANSWERS = {"Reachable": True, "Unreachable": False}
"""Whether a contact answers OPTIONS, by its status; all others say that nobody knows."""
AT_HAND = ("reachable", "nonqualified")
"""Words of `devices` for a phone that can be called."""
NOT_THERE = ("unavailable", "invalid", "unknown")
"""Device states of an endpoint whose phone does not answer."""
DEVICE = "PJSIP/"
TOLD_ANEW = ("Reload", "FullyBooted")
"""Events after which Asterisk may have trunks that it did not have before."""
TRUNK_NEWS = ("Registry", *TOLD_ANEW)
"""Events after which trunks are looked at; each takes Asterisk 7 ms, and phones have news with every call."""
REGISTERED = {"Registered": True, "Unregistered": False, "Rejected": False, "Stopped": False}


@dataclass(slots=True)
class PhoneWatch:
    """Keeps `devices` (agent -> contact status) and the trunks' registration and reachability fresh."""

    access: Access
    trunks: Trunks
    devices: dict[str, str] = field(default_factory=dict)
    ami: AmiAdapter | None = None
    _front: bool | None = None
    _trunks_at: float | None = None

    @property
    def connected(self) -> bool:
        """Whether AMI is connected and logged in."""
        return self.ami is not None and self.ami.connected

    async def start(self) -> None:
        """Log in. Raises AmiError with the remedy."""
        access = self.access
        self.ami = AmiAdapter(access.ami_host, access.ami_port, access.ami_user, access.ami_password)
        await self.ami.start()

    async def close(self) -> None:
        """End the connection."""
        if self.ami is not None:
            await self.ami.close()

    async def run(self) -> None:
        """Look at once, when a phone comes or goes, on every event of a trunk, and every ten seconds."""
        while True:
            try:
                await self.look()
            except AmiError as error:
                self._forget()
                log.debug("phones and trunks could not be looked at", why=str(error))
                await asyncio.sleep(RETRY_S)
            await self._something()

    def _forget(self) -> None:
        """Without AMI this node knows nothing of the trunks. Perhaps Asterisk is another now."""
        self._front = self._trunks_at = None
        for line in self.trunks.lines.values():
            line.not_seen(self.access.name)

    async def _something(self) -> None:
        """Wait for news; what comes within a moment of it is one piece of news."""
        if self.ami is None:
            await asyncio.sleep(RETRY_S)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REFRESH_S):
                while not self._note(await self.ami.events.get()):
                    pass
        await asyncio.sleep(SETTLE_S)
        while not self.ami.events.empty():
            self._note(self.ami.events.get_nowait())

    def _note(self, event: AmiEvent | Resync) -> bool:
        """Take an event; returns whether it is a reason to look."""
        if _of_trunks(event):
            self._trunks_at = None
        if isinstance(event, Resync) or event.name in TOLD_ANEW:
            for line in self.trunks.lines.values():
                line.told_anew(self.access.name)
        return is_news(event, self.devices)

    async def look(self) -> None:
        """Read the state of all phones and trunks. Raises AmiError."""
        if self.ami is None:
            return
        contacts = await self.ami.contacts()
        contacts |= await self._behind_front()
        self.devices = {name: status.lower() for name, status in contacts.items()}
        now = time.monotonic()
        if self._trunks_at is None or now - self._trunks_at >= REFRESH_S:
            self._trunks_at = now
            await self._look_at_trunks(self.ami)

    async def _look_at_trunks(self, ami: AmiAdapter) -> None:
        registrations = await ami.registrations()
        for name, line in list(self.trunks.lines.items()):
            asked = await ami.contact_status(watch_endpoint(name)) if line.settings.options_every_s else ""
            registered = REGISTERED.get(registrations.get(trunk_endpoint(name), ""))
            line.saw(self.access.name, ANSWERS.get(asked), registered)

    async def _behind_front(self) -> dict[str, str]:
        """Return the phones behind a front, nothing without one; a node has no list of their contacts."""
        if self.ami is None or self._front is False:
            return {}
        states = await self.ami.endpoints()
        self._front = FRONT_ENDPOINT in states
        if not self._front:
            return {}
        ours = {of(name) for name in self.trunks.lines for of in (trunk_endpoint, watch_endpoint)}
        phones = {name: state for name, state in states.items() if name not in ours | {FRONT_ENDPOINT}}
        return {
            name: "Unreachable" if state.lower() in NOT_THERE else "Reachable"
            for name, state in phones.items()
        }


def is_news(event: AmiEvent | Resync, devices: Mapping[str, str]) -> bool:
    """Whether an event may have changed what `devices` (agent -> contact status) says.

    Every call changes the states of devices, and all contacts would be read several times a second: only a device
    that is there or away against what is known is news.
    """
    if isinstance(event, Resync) or event.name != "DeviceStateChange":
        return True
    known = devices.get(event.fields.get("device", "").removeprefix(DEVICE))
    there = event.fields.get("state", "").lower() not in NOT_THERE
    return known is not None and there != (known in AT_HAND)


def _of_trunks(event: AmiEvent | Resync) -> bool:
    if isinstance(event, Resync) or event.name in TRUNK_NEWS:
        return True
    return event.fields.get("endpointname", "").startswith(WATCH_PREFIX)
