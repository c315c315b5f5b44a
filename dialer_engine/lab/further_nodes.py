"""Further Asterisk nodes of a lab: what other machines would run, each a bundled Asterisk that its keeper starts again.

The engine reaches them as it reaches any node that it does not start: by address and account.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dialer_engine.engine.node_link import ManagedNode
from dialer_engine.engine.prompts import STANDARD
from dialer_engine.lab.place import LabError, Place
from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.front_config import front_address
from dialer_engine.pbx.node import Node
from dialer_engine.pbx.render import AgentAccount
from dialer_engine.settings.models import FrontSettings, Trunk

INDEX = 3
MOST = 2


def node_name(number: int) -> str:
    """Return the name of a lab's further node: the first is node2."""
    return f"node{number + 2}"


class FurtherNode:
    """One node beside the engine's own; its keeper is here and not in the engine."""

    def __init__(self, bundle: Bundle, place: Place, number: int, front: FrontSettings | None = None) -> None:
        name = node_name(number)
        config = place.node(name, INDEX, place.directory / "nodes" / name, part=(number, MOST))
        self.config = replace(config, front=front_address(front))
        self._sounds = place.directory / "sounds"
        self._managed = ManagedNode(bundle, self.config, self._sounds / STANDARD)
        self._keeper: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """The node's name, as in call records."""
        return self.config.name

    @property
    def node(self) -> Node:
        """A handle on its Asterisk."""
        return self._managed.node

    @property
    def block(self) -> dict[str, Any]:
        """What the engine's `asterisk.nodes` says of it."""
        access = self._managed.access
        return {
            "name": access.name,
            "ari_url": access.ari_url,
            "ari_user": access.ari_user,
            "ari_password": access.ari_password,
            "ami_host": access.ami_host,
            "ami_port": access.ami_port,
            "ami_user": access.ami_user,
            "ami_password": access.ami_password,
            "sip_port": self.config.sip_port,
            "sounds": str(self._sounds),
        }

    async def start(self, trunks: Mapping[str, Trunk], accounts: Sequence[AgentAccount]) -> None:
        """Configure and start it, and keep it up."""
        self._managed.render(trunks, accounts)
        await self.node.ensure_running()
        self.keep()

    def keep(self) -> None:
        """Start it again whenever it has ended, as the machine's service manager would."""
        self._keeper = asyncio.create_task(self._managed.watch(), name=f"keeper of {self.name}")

    def let_go(self) -> None:
        """Keep it no more: what ends now stays away."""
        if self._keeper is not None:
            self._keeper.cancel()
            self._keeper = None

    def die(self) -> None:
        """Kill it with everything in it, for good until `keep`. Raises LabError when it does not run."""
        self.let_go()
        pid = self.node.pid
        if pid is None:
            raise LabError(f"the Asterisk of {self.name} does not run")
        os.kill(pid, signal.SIGKILL)

    async def stop(self) -> None:
        """End it."""
        self.let_go()
        await self.node.stop(3.0)
