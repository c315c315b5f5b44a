"""The front of a lab: a real Kamailio between the agents' phones and the nodes, on loopback."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from pathlib import Path

from dialer_engine.lab.place import LabError
from dialer_engine.lab.ports import free_ports
from dialer_engine.pbx.front import Front
from dialer_engine.pbx.front_bundle import install_front_bundle
from dialer_engine.pbx.front_config import front_config
from dialer_engine.pbx.node import Node
from dialer_engine.pbx.render import AgentAccount
from dialer_engine.settings.home import ServiceUser, home
from dialer_engine.settings.models import FrontSettings, Settings

WORKERS = 2
ANSWER_S, STEP_S = 30.0, 0.25
_AVAILABLE = re.compile(r"^ *Contact: +([^/\s]+)/\S+ +\S+ +Avail", re.MULTILINE)


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

    async def phones_answer(self, nodes: Sequence[Node], agents: Sequence[str]) -> None:
        """Wait until every node has had an answer of every agent's phone.

        A node asks phones before they have registered. If that question runs out just after an agent has dialed in, the
        engine takes the phone for a dead one and hangs up. Raises LabError.
        """
        end = time.monotonic() + ANSWER_S
        for node in nodes:
            while missing := set(agents) - _answering(await node.ask("pjsip show contacts")):
                if time.monotonic() > end:
                    raise LabError(f"{node.config.name} had no answer of {sorted(missing)} in {ANSWER_S:g} s")
                await asyncio.sleep(STEP_S)

    async def stop(self) -> None:
        """End it."""
        if self._front is not None:
            await asyncio.to_thread(self._front.stop, 1.0)


def _answering(contacts: str) -> set[str]:
    """The endpoints whose contact has answered, by what Asterisk's console says."""
    return set(_AVAILABLE.findall(contacts))
