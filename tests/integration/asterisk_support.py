"""Real Asterisk instances for tests: an engine node, a small carrier, a client that remembers its events."""

import asyncio
import os
import shutil
import tempfile
import time
import uuid
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from dialer_engine.lab.ports import free_ports
from dialer_engine.pbx.ari.client import AriClient
from dialer_engine.pbx.ari.commands import Commands
from dialer_engine.pbx.ari.wire import Incoming
from dialer_engine.pbx.bundle import Bundle, find_bundle, install_bundle
from dialer_engine.pbx.front_bundle import find_front_bundle, install_front_bundle
from dialer_engine.pbx.node import Node, NodeConfig
from dialer_engine.pbx.render import (
    AgentAccount,
    Prompts,
    base_files,
    instance_values,
    pjsip_base,
    render_engine_node,
    trunk_endpoint,
)
from dialer_engine.pbx.template import fill_file
from dialer_engine.settings.home import home, service_user
from dialer_engine.settings.trunk import Trunk

T = TypeVar("T")
CARRIER_TEMPLATES = Path(__file__).with_name("carrier")
CARRIER_MODULES = ("app_playtones", "app_senddtmf")
AGENT = AgentAccount("anna", "correct-horse-1")
NUMBER = "+121055501"


def node_config(directory: Path, name: str) -> NodeConfig:
    """An instance on free ports below `directory`."""
    sip, http, ami = free_ports(3)
    rtp = 30000 + (os.getpid() * 97 + len(name) * 400) % 8000 * 2
    return NodeConfig(
        name=name,
        directory=directory / name,
        user=service_user(),
        sip_port=sip,
        http_port=http,
        ami_port=ami,
        rtp_start=rtp,
        rtp_end=rtp + 398,
    )


@dataclass
class Watcher:
    """Keeps every event of a client with the time it came, and waits for those to come."""

    events: list[tuple[float, Incoming]] = field(default_factory=list)
    links: list[bool] = field(default_factory=list)

    def on_event(self, event: Incoming) -> None:
        """Remember one event."""
        self.events.append((time.monotonic(), event))

    def of(self, kind: type[T], channel_id: str | None = None) -> list[T]:
        """All events of one type, of one channel when it is given."""
        return [e for _, e in self.events if isinstance(e, kind) and channel_id in (None, channel_of(e))]

    async def wait(self, kind: type[T], channel_id: str | None = None, seconds: float = 20.0) -> T:
        """The first event of that type, or a failure after `seconds`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := self.of(kind, channel_id):
                return found[0]
            await asyncio.sleep(0.005)
        seen = sorted({type(e).__name__ for _, e in self.events})
        raise AssertionError(f"no {kind.__name__} of {channel_id} within {seconds} s; seen: {seen}")


def channel_of(event: object) -> str | None:
    """The id of the channel an event is about."""
    channel = getattr(event, "channel", None)
    return None if channel is None else str(channel.id)


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until the condition holds, or fail."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not so within {seconds} s")
        await asyncio.sleep(0.01)


def silence(path: Path, seconds: float) -> None:
    """Write a silent prompt."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\0\0" * int(8000 * seconds))
    path.chmod(0o644)


def make_prompts(directory: Path) -> Prompts:
    """Prompts of known lengths: the drop message takes 2 s."""
    directory.mkdir(mode=0o755, exist_ok=True)
    for name, seconds in (("drop", 2.0), ("removed", 0.2), ("away", 0.3), ("wrong", 0.3)):
        silence(directory / f"{name}.wav", seconds)
    return Prompts(directory / "drop", directory / "removed", directory / "away", directory / "wrong")


@dataclass
class Pair:
    """An engine's node and the carrier it calls; `first_words` are the lines the engine's node logged as it started."""

    engine: Node
    carrier: Node
    prompts: Prompts
    trunks: dict[str, Trunk]
    first_words: tuple[str, ...] = ()

    def files(self, agents: tuple[AgentAccount, ...] = (AGENT,)) -> dict[str, str]:
        """The engine node's files, with these agents."""
        engine = self.engine
        return render_engine_node(
            engine.bundle, engine.config, engine.secrets, self.trunks, agents, self.prompts
        )

    def client(self, watcher: Watcher, **options: Any) -> AriClient:
        """A client of the engine's node, not started."""
        return client_of(self.engine, watcher, **options)

    @property
    def records(self) -> Path:
        """Where opt-outs are written."""
        return self.engine.config.optout_journal


def client_of(node: Node, watcher: Watcher, **options: Any) -> AriClient:
    """A client of one node, not started."""
    config, secrets = node.config, node.secrets
    app = options.pop("app", config.app)
    return AriClient(
        config.ari_url,
        secrets.ari_user,
        secrets.ari_password,
        app,
        on_event=watcher.on_event,
        on_link=watcher.links.append,
        **options,
    )


async def originate(commands: Commands, prompts: Prompts, ending: str, **variables: str) -> str:
    """Call the carrier's number with this ending; return the channel's id."""
    channel_id, number = f"attempt-{uuid.uuid4()}", f"{NUMBER}{ending}"
    await commands.originate(
        channel_id,
        f"PJSIP/{number}@{trunk_endpoint('lab')}",
        context="outbound",
        extension="answered",
        caller_id="Acme <+12105550199>",
        timeout_s=int(variables.pop("timeout_s", "20")),
        variables={
            "MAX_WAIT_MS": "500",
            "DROP_PROMPT": str(prompts.drop),
            "DIALED_NUMBER": number,
            "MEMBER_ID": "7",
            **variables,
        },
    )
    return channel_id


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    """The bundled Asterisk, installed first when it is missing."""
    return find_bundle(home()) or install_bundle(home())


@pytest.fixture(scope="session")
def node_home() -> Iterator[Path]:
    """A short directory that the service user can enter; removed at the end."""
    directory = Path(tempfile.mkdtemp(prefix="dlr-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def build_pair(bundle: Bundle, directory: Path) -> Pair:
    """Render an engine's node and a carrier that know each other; nothing is started."""
    engine = Node(bundle, node_config(directory, "engine"))
    carrier = Node(bundle, replace(node_config(directory, "carrier"), app="carrier"))
    trunks = {"lab": Trunk(host="127.0.0.1", port=carrier.config.sip_port)}
    pair = Pair(engine, carrier, make_prompts(directory / "prompts"), trunks)
    engine.render(pair.files())
    values = instance_values(bundle, carrier.config, carrier.secrets)
    values |= {"engine_port": engine.config.sip_port, "agent_password": AGENT.password}
    values["base"] = pjsip_base(values)
    files = base_files(values, CARRIER_MODULES)
    for name in ("pjsip.conf", "extensions.conf"):
        files[name] = fill_file(CARRIER_TEMPLATES / name, values)
    carrier.render(files)
    return pair


@pytest.fixture(scope="session")
def pair(bundle: Bundle, node_home: Path) -> Iterator[Pair]:
    """Both nodes, running for the whole session; stopped by their pids at the end."""
    both = build_pair(bundle, node_home)
    try:
        for node in (both.engine, both.carrier):
            asyncio.run(node.ensure_running())
        log = both.engine.config.path("log", "messages.log")
        both.first_words = tuple(log.read_text().splitlines())
        yield both
    finally:
        for node in (both.engine, both.carrier):
            asyncio.run(node.stop(2.0))


@pytest.fixture
def watcher() -> Watcher:
    """An empty memory of events."""
    return Watcher()


@pytest.fixture
async def commands(pair: Pair, watcher: Watcher) -> AsyncIterator[Commands]:
    """Commands to the engine's node; at the end every call is hung up and every bridge destroyed."""
    client = pair.client(watcher)
    await client.start()
    sender = Commands(client)
    try:
        yield sender
        await clean_up(sender)
    finally:
        await client.close()


async def destroy_bridge(commands: Commands, bridge_id: str) -> None:
    """Destroy a bridge; the engine itself keeps those of its agents."""
    await commands.client.request("DELETE", f"/bridges/{bridge_id}")


async def clean_up(commands: Commands) -> None:
    """Leave an idle Asterisk to the next test."""
    for bridge in await commands.bridges():
        await destroy_bridge(commands, bridge.id)
    for channel in await commands.channels():
        await commands.hangup(channel.id)
    for _ in range(1000):
        if not await commands.channels():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("channels stay up")


@pytest.fixture(scope="session")
def kamailio() -> Bundle:
    """The bundled Kamailio, installed first when it is missing."""
    return find_front_bundle(home()) or install_front_bundle(home())
