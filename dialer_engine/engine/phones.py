"""What AMI tells: which phones are registered, which trunks are registered and reachable.

Nothing that a call needs depends on it; while AMI is away the last words stand and status says so.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

import structlog

from dialer_engine.engine.node_link import Access
from dialer_engine.engine.trunks import UNKNOWN, Reach, Trunks
from dialer_engine.pbx.ami import AmiAdapter, AmiError
from dialer_engine.pbx.render import FRONT_ENDPOINT, trunk_endpoint

log = structlog.get_logger(__name__)

REFRESH_S = 10.0
RETRY_S = 2.0
SETTLE_S = 0.2
REACHABLE = {"Reachable": True, "Unreachable": False, "NonQualified": None, "Unknown": None}
AWAY = ("Unavailable", "Invalid", "Unknown")
"""Device states of an endpoint whose phone does not answer."""
REGISTERED = {"Registered": True, "Unregistered": False, "Rejected": False, "Stopped": False}


@dataclass(slots=True)
class PhoneWatch:
    """Keeps `devices` (agent -> contact status) and the trunks' registration and reachability fresh."""

    access: Access
    trunks: Trunks
    devices: dict[str, str] = field(default_factory=dict)
    ami: AmiAdapter | None = None
    _front: bool | None = None

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
        """Look at once, on every event of a phone or a registration, and every ten seconds."""
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
        self._front = None
        for line in self.trunks.lines.values():
            line.reach[self.access.name] = UNKNOWN

    async def _something(self) -> None:
        """Wait for news; what comes within a moment of it is one piece of news."""
        if self.ami is None:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.ami.events.get(), REFRESH_S)
        await asyncio.sleep(SETTLE_S)
        while not self.ami.events.empty():
            self.ami.events.get_nowait()

    async def look(self) -> None:
        """Read the state of all phones and trunks. Raises AmiError."""
        if self.ami is None:
            return
        contacts = await self.ami.contacts()
        contacts |= await self._behind_front()
        registrations = await self.ami.registrations()
        endpoints = {trunk_endpoint(name): line for name, line in self.trunks.lines.items()}
        self.devices = {name: status.lower() for name, status in contacts.items() if name not in endpoints}
        for endpoint, line in endpoints.items():
            line.reach[self.access.name] = Reach(
                REACHABLE.get(contacts.get(endpoint, "Unknown")),
                REGISTERED.get(registrations.get(endpoint, "")),
            )

    async def _behind_front(self) -> dict[str, str]:
        """Return the phones behind a front, nothing without one; a node has no list of their contacts."""
        if self.ami is None or self._front is False:
            return {}
        states = await self.ami.endpoints()
        self._front = FRONT_ENDPOINT in states
        if not self._front:
            return {}
        known = {trunk_endpoint(name) for name in self.trunks.lines} | {FRONT_ENDPOINT}
        phones = {name: state for name, state in states.items() if name not in known}
        return {name: "Unreachable" if state in AWAY else "Reachable" for name, state in phones.items()}
