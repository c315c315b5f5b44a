"""The floor of `bench answer`: the same Asterisk driven by bare ARI, without queue, gate or records.

An identical node, the same carrier and the same phones. Agents' legs sit in mixing bridges; a call is
originated straight into the application, and its StasisStart adds it to the bridge of a free agent.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import deque
from collections.abc import Coroutine, Sequence

from dialer_engine.lab.phones import Phone
from dialer_engine.pbx.ari.client import AriClient
from dialer_engine.pbx.ari.commands import Commands
from dialer_engine.pbx.ari.errors import AriError
from dialer_engine.pbx.ari.models import ChannelDestroyed, StasisStart
from dialer_engine.pbx.ari.wire import Incoming
from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.node import Node, NodeConfig
from dialer_engine.pbx.render import AgentAccount, Prompts, render_engine_node, trunk_endpoint
from dialer_engine.settings.trunk import Trunk

TRUNK = "carrier"
CALLER = "+12125550111"
EVENTS = ("StasisStart", "ChannelDestroyed")


class Floor:
    """A bare dialer: free agents in a queue, calls at a steady rate."""

    def __init__(self, bundle: Bundle, config: NodeConfig) -> None:
        self.node = Node(bundle, config)
        self.refused = 0
        self._bundle = bundle
        self._free: deque[str] = deque()
        self._bridge_of: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        secrets = self.node.secrets
        self._client = AriClient(
            config.ari_url,
            secrets.ari_user,
            secrets.ari_password,
            config.app,
            on_event=self._on_event,
            on_link=lambda up: None,
            event_types=EVENTS,
        )
        self._commands = Commands(self._client)

    @property
    def ready(self) -> int:
        """How many agents are free."""
        return len(self._free)

    async def start(self, phones: Sequence[Phone], carrier_port: int, sounds: str) -> None:
        """Render the node as the engine would, start it, and listen."""
        trunk = Trunk.model_validate({"host": "127.0.0.1", "port": carrier_port})
        accounts = [AgentAccount(phone.user, phone.password) for phone in phones]
        directory = self.node.config.path("sounds")
        prompts = Prompts(directory / sounds, directory / sounds, directory / sounds, directory / sounds)
        config, secrets = self.node.config, self.node.secrets
        self.node.render(render_engine_node(self._bundle, config, secrets, {TRUNK: trunk}, accounts, prompts))
        await self.node.ensure_running()
        await self._client.start()

    async def dial(self, numbers: Sequence[str], per_second: float) -> None:
        """Call the numbers one after another at a steady rate."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        for index, number in enumerate(numbers):
            await asyncio.sleep(max(0.0, begin + index / per_second - loop.time()))
            self._later(self._originate(number))

    async def close(self) -> None:
        """End the link and the node."""
        for task in self._tasks:
            task.cancel()
        with contextlib.suppress(AriError):
            await self._client.close()
        await self.node.stop(2.0)

    async def _originate(self, number: str) -> None:
        body = {
            "endpoint": f"PJSIP/{number}@{trunk_endpoint(TRUNK)}",
            "app": self._client.app,
            "appArgs": "customer",
            "callerId": CALLER,
            "timeout": 20,
        }
        await self._client.request("POST", f"/channels/{uuid.uuid4()}", body=body)

    def _on_event(self, event: Incoming) -> None:
        if isinstance(event, ChannelDestroyed):
            bridge = self._bridge_of.pop(event.channel.id, None)
            if bridge is not None:
                self._free.append(bridge)
        elif isinstance(event, StasisStart) and event.args[:1] == ["agent"]:
            self._later(self._seat(event.channel.id))
        elif isinstance(event, StasisStart):
            self._later(self._connect(event.channel.id))

    async def _seat(self, leg: str) -> None:
        bridge = f"floor-{leg}"
        await self._commands.bridge_create(bridge)
        await self._commands.bridge_add(bridge, leg)
        self._free.append(bridge)

    async def _connect(self, customer: str) -> None:
        if not self._free:
            await self._commands.hangup(customer)
            return
        bridge = self._bridge_of[customer] = self._free.popleft()
        await self._commands.bridge_add(bridge, customer)

    def _later(self, doing: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.refused += 1
