"""A front with real nodes behind it: Kamailio, Asterisks as an engine drives them, and phones of the test's own."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from asterisk_support import Watcher, client_of, make_prompts, node_config
from front_phone import FrontPhone

from dialer_engine.lab.ports import free_ports
from dialer_engine.pbx.ari.client import AriClient
from dialer_engine.pbx.ari.commands import Commands
from dialer_engine.pbx.ari.models import StasisStart
from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.front import Front
from dialer_engine.pbx.front_config import BackNode, FrontConfig, front_address
from dialer_engine.pbx.node import Node
from dialer_engine.pbx.render import AgentAccount, Prompts, render_engine_node
from dialer_engine.settings.front import FrontSettings
from dialer_engine.settings.home import service_user


def account(number: int) -> AgentAccount:
    """An agent with a password of its own."""
    return AgentAccount(f"agent-{number}", f"secret-{number}-horse")


@dataclass
class Behind:
    """One node, and what its engine would see."""

    node: Node
    watcher: Watcher
    client: AriClient

    @property
    def agents(self) -> list[str]:
        """Who has come on duty here, in order."""
        return [event.args[1] for event in self.watcher.of(StasisStart) if event.args[:1] == ["agent"]]

    @property
    def commands(self) -> Commands:
        """Commands to it."""
        return Commands(self.client)


@dataclass
class FrontStage:
    """Everything together; `agents` are those that front and nodes know."""

    front: Front
    behind: list[Behind]
    prompts: Prompts
    agents: list[AgentAccount]
    phones: list[FrontPhone] = field(default_factory=list)

    @property
    def port(self) -> int:
        """The front's port for phones."""
        return self.front.config.settings.sip_port

    async def phone(self, number: int, *, host: str = "127.0.0.1", name: str = "") -> FrontPhone:
        """A phone of an agent, not registered."""
        who = account(number)
        phone = await FrontPhone(name or who.name, who.password, ("127.0.0.1", self.port), host).open()
        self.phones.append(phone)
        return phone

    async def registered(self, number: int, *, host: str = "127.0.0.1") -> FrontPhone:
        """A phone that has registered."""
        phone = await self.phone(number, host=host)
        code = await phone.register()
        assert code == 200, f"{phone.name} was answered {code}"
        return phone

    def where(self, agent: str) -> list[int]:
        """On which nodes an agent has come on duty, in order of nodes."""
        return [index for index, each in enumerate(self.behind) for name in each.agents if name == agent]

    def know(self, node: Node) -> set[str]:
        """Let a node know the agents of now; returns what changed."""
        return node.render(
            render_engine_node(node.bundle, node.config, node.secrets, {}, self.agents, self.prompts)
        )

    async def add(self, number: int) -> None:
        """A new agent, as `dialer agent add` makes one known to both sides."""
        self.agents.append(account(number))
        for each in self.behind:
            await each.node.reload(self.know(each.node))
        await asyncio.to_thread(self.front.apply, self.agents)


async def until(what: Callable[[], bool | Awaitable[bool]], words: str, seconds: float = 20.0) -> float:
    """Wait until something is so; return how many seconds it took."""
    began = time.monotonic()
    while True:
        found = what()
        if found if isinstance(found, bool) else await found:
            return time.monotonic() - began
        assert time.monotonic() < began + seconds, f"not so within {seconds:g} s: {words}"
        await asyncio.sleep(0.05)


def front_settings(**more: object) -> FrontSettings:
    """A front on free ports."""
    sip, inner = free_ports(2)
    return FrontSettings.model_validate({"sip_port": sip, "node_port": inner, "workers": 2, **more})


@asynccontextmanager
async def front_stage(
    asterisk: Bundle, kamailio: Bundle, home: Path, agents: int = 6, nodes: int = 2, **more: object
) -> AsyncIterator[FrontStage]:
    """A running stage; everything in it ends with it."""
    settings, user = front_settings(**more), service_user()
    home.mkdir(mode=0o755, exist_ok=True)
    prompts = make_prompts(home / "prompts")
    configs = [replace(node_config(home, f"n{i}"), front=front_address(settings)) for i in range(nodes)]
    back = tuple(BackNode(each.name, each.bind, each.sip_port) for each in configs)
    front = Front(kamailio, FrontConfig(home / "front", user, settings, back))
    stage = FrontStage(front, [], prompts, [account(number) for number in range(agents)])
    made = [Node(asterisk, config) for config in configs]
    try:
        for node in made:
            stage.know(node)
        front.render(stage.agents)
        await asyncio.gather(
            *(node.ensure_running() for node in made), asyncio.to_thread(front.ensure_running)
        )
        for node in made:
            watcher = Watcher()
            client = client_of(node, watcher)
            stage.behind.append(Behind(node, watcher, client))
            await client.start()
        await until(lambda: all(front.nodes().values()), "the nodes answer the front")
        yield stage
    finally:
        for phone in stage.phones:
            phone.close()
        for each in stage.behind:
            await each.client.close()
        await asyncio.to_thread(front.stop, 2.0)
        for node in made:
            await node.stop(2.0)
