"""The front of a lab: a real Kamailio between the agents' phones and the nodes, on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from dialer_engine.lab.ports import free_ports
from dialer_engine.pbx.front import Front
from dialer_engine.pbx.front_bundle import install_front_bundle
from dialer_engine.pbx.front_config import front_config
from dialer_engine.pbx.render import AgentAccount
from dialer_engine.settings.home import ServiceUser, home
from dialer_engine.settings.models import FrontSettings, Settings

WORKERS = 2


class LabFront:
    """One front, started for a world and ended with it."""

    def __init__(self, settings: Settings, directory: Path, user: ServiceUser) -> None:
        self._settings, self._directory, self._user = settings, directory, user
        self._front: Front | None = None

    @staticmethod
    def settings() -> FrontSettings:
        """Return a front's settings on ports that are free now."""
        sip, inner = free_ports(2)
        return FrontSettings(sip_port=sip, node_port=inner, workers=WORKERS)

    @staticmethod
    def block(settings: FrontSettings) -> dict[str, int]:
        """Return what the engine's `front` says of it."""
        return {"sip_port": settings.sip_port, "node_port": settings.node_port, "workers": settings.workers}

    async def start(self, accounts: Sequence[AgentAccount]) -> None:
        """Install Kamailio when it is missing, and start it for these agents."""
        bundle = await asyncio.to_thread(install_front_bundle, home())
        self._front = Front(bundle, front_config(self._settings, self._directory, self._user))
        self._front.render(accounts)
        await asyncio.to_thread(self._front.ensure_running)

    @property
    def pid(self) -> int | None:
        """The pid of its main process, or None."""
        return self._front.pid if self._front is not None else None

    async def stop(self) -> None:
        """End it."""
        if self._front is not None:
            await asyncio.to_thread(self._front.stop, 1.0)
