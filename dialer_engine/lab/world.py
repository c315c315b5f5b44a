"""A whole world on one machine: the engine, its database and its Asterisk, a carrier, and agents with phones.

Everything lives in one private directory and on loopback. Every process is known by its pid, and none is left
when the world ends; what an earlier, killed world left is ended before a new one begins in its place.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from dialer_engine.engine.prompts import standard_prompts
from dialer_engine.lab.agents import Manners
from dialer_engine.lab.behaviours import Table
from dialer_engine.lab.carrier import ledger_path, start_carrier
from dialer_engine.lab.cluster import lay_cluster
from dialer_engine.lab.engine_process import EngineProcess, environment, kill_left_over
from dialer_engine.lab.front import LabFront
from dialer_engine.lab.further_nodes import MOST, FurtherNode, node_name
from dialer_engine.lab.ledger import Ledger
from dialer_engine.lab.people import Held, Person, write_contacts, write_suppressed
from dialer_engine.lab.phone_bank import PhoneBank
from dialer_engine.lab.phones import Phone
from dialer_engine.lab.place import LabError, Place, empty
from dialer_engine.lab.ports import BIND
from dialer_engine.lab.proxy import Proxy
from dialer_engine.lab.scenario import CAMPAIGN, LIST, MEMBER, Scenario, write_config
from dialer_engine.lab.second_engine import HOME as SECOND_HOME
from dialer_engine.lab.second_engine import Ways, second_engine
from dialer_engine.lab.small_disk import SmallDisk, release
from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.node import Node, NodeConfig, NodeError
from dialer_engine.pbx.render import AgentAccount
from dialer_engine.settings.home import public_directory
from dialer_engine.settings.load import load_config
from dialer_engine.store.directory import add_agent, member_id_of
from dialer_engine.store.embedded import EmbeddedPostgres
from dialer_engine.store.errors import StoreError
from dialer_engine.store.pool import connect

Tell = Callable[[str], None]
DRAIN_S = 10.0
HURRY_S = 1.5
OLD_NODES = ("nodes/main", *(f"nodes/{node_name(n)}" for n in range(MOST)), "carrier", "phones", "floor")


@dataclass(frozen=True, slots=True)
class Setting:
    """What a world is made of.

    `proxied` puts a proxy between engine and Asterisk, and one before ARI of each further node; `split` also one before
    the database, and a second engine with ways of its own waits. `small_disk` is a directory below the home that is a
    disk of so many bytes. `server` are the settings of a database elsewhere: its `url`, and perhaps the `engine_url`.
    With several `nodes` every agent has a phone at each, and begins at one of them in turn; behind a `front` there is
    one phone for each agent, and the front deals them out.
    """

    scenario: Scenario
    table: Table
    people: list[Person]
    manners: Manners
    seed: int = 1
    more_phones: tuple[Phone, ...] = ()
    deaf: bool = False
    proxied: bool = False
    split: bool = False
    small_disk: tuple[str, int] | None = None
    nodes: int = 1
    front: bool = False
    server: Mapping[str, str] = field(default_factory=dict)


class World:
    """The parts of one lab run."""

    def __init__(self, bundle: Bundle, place: Place, setting: Setting, tell: Tell) -> None:
        self.place = place
        self.setting = setting
        self.tell = tell
        self.home = place.directory
        self.config = place.directory / "config"
        self.main = place.node("main", 0, self.home / "nodes" / "main")
        self.front_settings = LabFront.settings() if setting.front else None
        self.further = [
            FurtherNode(bundle, place, number, self.front_settings) for number in range(setting.nodes - 1)
        ]
        self.front: LabFront | None = None
        self.carrier = Node(bundle, place.node("carrier", 1))
        self.accounts = self._accounts()
        self.phones = PhoneBank(
            Node(bundle, place.node("phones", 2)),
            [*self.accounts, *setting.more_phones],
            setting.manners,
            setting.seed,
            deaf=setting.deaf,
        )
        self.engine = EngineProcess(
            self.home, self.config, place.log / "engine.log", environment(self.home, bundle)
        )
        self.postgres = EmbeddedPostgres(self.home / "postgres", place.user)
        self.ledger = Ledger(ledger_path(self.carrier))
        self.proxies: dict[str, Proxy] = {}
        self.engines: list[EngineProcess] = [self.engine]
        self.ways: list[Ways] = []
        self.disk: SmallDisk | None = None
        self._bundle = bundle
        self._started = 0.0

    @property
    def main_node(self) -> Node:
        """A handle on the engine's Asterisk."""
        return Node(self._bundle, self.main)

    @property
    def sip_address(self) -> tuple[str, int]:
        """Where agents' phones and strangers find the SIP port: at the front when there is one."""
        front = self.front_settings
        return (front.bind, front.sip_port) if front is not None else (self.main.bind, self.main.sip_port)

    @property
    def named_pids(self) -> dict[str, int | None]:
        """The processes of this world by name, and this program itself."""
        return {
            "engine": self.engine.pid,
            "Postgres": self._postmaster(),
            "Asterisk": self.main_node.pid,
            **{each.name: each.node.pid for each in self.further},
            **({"front": self.front.pid} if self.front else {}),
            "carrier": self.carrier.pid,
            "phones": self.phones.pid,
            "lab": os.getpid(),
        }

    @property
    def pids(self) -> list[int]:
        """Every process that this world started and that lives now."""
        return [pid for name, pid in self.named_pids.items() if pid is not None and name != "lab"]

    async def start(self, on_duty: bool = True) -> None:
        """Start everything up to agents on duty, or up to their phones; the campaign does not run yet."""
        scenario = self.setting.scenario
        self._started = time.time()
        self.tell("starting Postgres, Asterisk and the engine, and a simulated carrier")
        if self.setting.small_disk is not None:
            name, size = self.setting.small_disk
            self.disk = SmallDisk(self.home / name, size)
            self.disk.mount()
        if self.setting.proxied:
            await self._open_proxies()
        if not self.setting.server:
            await asyncio.to_thread(lay_cluster, self.place.shared, self.postgres.directory, self.place.user)
        if self.setting.split:
            await asyncio.to_thread(self.postgres.start)
            self.ways = [await Ways.open(self), await Ways.open(self)]
        self._write_config(scenario)
        self._share_sounds()
        await self._start_further()
        await self._start_front()
        await self.engine.start()
        await asyncio.gather(
            self.engine.ready(), start_carrier(self.carrier, self.setting.table, self.home / "sounds")
        )
        await asyncio.gather(self._import(), self._staff(on_duty))

    async def _staff(self, on_duty: bool) -> None:
        # The accounts first: a phone that is turned away does not try again for seconds.
        await self._add_agents()
        self.tell(f"{self.setting.scenario.agents} agents register their phones and go on duty")
        await self.phones.start()
        if on_duty:
            await self.phones.go_on_duty()

    async def begin(self) -> None:
        """Start the campaign."""
        self.tell("the campaign starts")
        await self.engine.control.post(f"/campaigns/{CAMPAIGN}/start")

    @property
    def clock_now(self) -> datetime:
        """What the gate's clock should read now."""
        clock = datetime.fromisoformat(self.setting.scenario.clock)
        return clock + timedelta(seconds=time.time() - self._started)

    async def start_engine_again(self) -> None:
        """Start an engine that was killed, at once; its gate's clock goes on and does not jump back."""
        self._write_config(replace(self.setting.scenario, clock=self.clock_now.isoformat()))
        await self.engine.start()

    async def add_standby(self) -> None:
        """Start the second engine, which waits."""
        second = second_engine(self, self.ways[1])
        self.engines.append(second)
        await second.start("--standby")

    async def stop(self, drain_s: float) -> None:
        """End every process; calls still in progress have `drain_s` seconds."""
        for engine in self._all_engines():
            await self._ended("engine", engine.stop(drain_s))
        await asyncio.gather(
            self._ended("phones", self.phones.close()),
            *(self._ended(name, proxy.close()) for name, proxy in self.proxies.items()),
            *(self._ended("ways", ways.close()) for ways in self.ways),
            self._ended("carrier", self.carrier.stop(2.0)),
            *(self._ended(each.name, each.stop()) for each in self.further),
            *([self._ended("front", self.front.stop())] if self.front else []),
            self._ended("Asterisk", self.main_node.stop(3.0)),
        )
        await self._ended("Postgres", asyncio.to_thread(self.postgres.stop))
        if self.disk is not None:
            self.disk.unmount()

    async def _ended(self, name: str, ending: Awaitable[object]) -> None:
        try:
            await ending
        except (NodeError, StoreError, LabError, OSError) as error:
            self.tell(f"{name} did not end as it should: {error}")

    def _all_engines(self) -> list[EngineProcess]:
        """Every engine that was started; a test may have put one of its own in the first one's place."""
        known = [engine for engine in self.engines if engine is not self.engine]
        return [self.engine, *known]

    def _write_config(self, scenario: Scenario) -> None:
        further = [each.name for each in self.further]
        detour = {name: proxy.port for name, proxy in self.proxies.items() if name not in further}
        database = self.setting.server
        if self.ways:
            detour, database = self.ways[0].detour, {"url": self.ways[0].url(self)}
        nodes = [each.block | self._detour_to(each) for each in self.further]
        front = LabFront.block(self.front_settings) if self.front_settings else {}
        carrier = self.carrier.config.sip_port
        write_config(scenario, self.config, self.main, carrier, detour, database, nodes, front)

    def _detour_to(self, further: FurtherNode) -> dict[str, str]:
        """What the engine's settings of a further node say instead when a proxy stands before it."""
        proxy = self.proxies.get(further.name)
        return {"ari_url": f"http://{BIND}:{proxy.port}"} if proxy is not None else {}

    async def _start_front(self) -> None:
        if self.front_settings is None:
            return
        accounts = [AgentAccount(phone.user, phone.password) for phone in self.accounts]
        self.front = LabFront(load_config(self.config).settings, self.home, self.place.user)
        await self.front.start(accounts)

    async def _start_further(self) -> None:
        if not self.further:
            return
        sounds = self.home / "sounds"
        await asyncio.to_thread(standard_prompts, self._bundle, sounds)
        trunks = load_config(self.config).settings.trunks
        accounts = {phone.user: AgentAccount(phone.user, phone.password) for phone in self.accounts}
        await asyncio.gather(*(each.start(trunks, list(accounts.values())) for each in self.further))

    async def _open_proxies(self) -> None:
        self.proxies["ari_port"] = Proxy(self.main.control_bind, self.main.http_port)
        self.proxies["ami_port"] = Proxy(self.main.control_bind, self.main.ami_port)
        for each in self.further:
            self.proxies[each.name] = Proxy(each.config.control_bind, each.config.http_port)
        for proxy in self.proxies.values():
            await proxy.start()

    async def _import(self) -> None:
        people = self.setting.people
        self.tell(f"importing {len(people)} contacts")
        contacts, suppressed = self.home / "contacts.csv", self.home / "do-not-call.csv"
        write_contacts(people, contacts, self.setting.seed)
        write_suppressed(people, suppressed)
        where = ("--config", str(self.config))
        commands: list[tuple[str, ...]] = [
            ("list", "import", str(contacts), "--member", MEMBER, "--list", LIST)
        ]
        if any(person.held is Held.SUPPRESSED for person in people):
            commands.append(("dnc", "import", str(suppressed), "--member", MEMBER))
        await asyncio.gather(*(self.engine.run(*words, *where) for words in commands))

    def _share_sounds(self) -> None:
        # Prompts are the same in every world and take seconds to speak, so they are made once for all.
        shared = self.place.shared / "sounds"
        public_directory(shared)
        (self.home / "sounds").symlink_to(shared)

    def _accounts(self) -> list[Phone]:
        """Every agent's phones, one at each node, the one to begin with first; or one at the front."""
        if self.front_settings is not None:
            names = self.setting.scenario.agent_names
            return [Phone(name, name, secrets.token_hex(8), *self.sip_address) for name in names]
        servers = [self.main, *(each.config for each in self.further)]
        return [
            phone
            for number, name in enumerate(self.setting.scenario.agent_names)
            for phone in _phones(name, servers[number % len(servers) :] + servers[: number % len(servers)])
        ]

    async def _add_agents(self) -> None:
        conn = await connect(self.setting.server.get("url") or self.postgres.url())
        try:
            member = await member_id_of(conn, MEMBER)
            for user, password in {phone.user: phone.password for phone in self.accounts}.items():
                await add_agent(conn, member, user, password)
        finally:
            await conn.close()
        await self.engine.control.post("/agents/reload")

    def _postmaster(self) -> int | None:
        try:
            return int((self.postgres.data / "postmaster.pid").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None


def _phones(name: str, servers: Sequence[NodeConfig]) -> list[Phone]:
    password = secrets.token_hex(8)
    names = [name] if len(servers) == 1 else [f"{name}-{server.name}" for server in servers]
    return [
        Phone(phone, name, password, server.bind, server.sip_port)
        for phone, server in zip(names, servers, strict=True)
    ]


@asynccontextmanager
async def world(
    bundle: Bundle,
    place: Place,
    setting: Setting,
    tell: Tell,
    *,
    on_duty: bool = True,
    drain_s: float = DRAIN_S,
) -> AsyncIterator[World]:
    """A running world, which is gone when the block is left, however it is left.

    When all went well, calls and wraps that are still up then have `drain_s` seconds to end.
    """
    await clean_up(bundle, place)
    empty(place)
    made = World(bundle, place, setting, tell)
    patience_s = HURRY_S
    try:
        await made.start(on_duty)
        yield made
        patience_s = drain_s
    finally:
        await asyncio.shield(made.stop(patience_s))


async def clean_up(bundle: Bundle, place: Place) -> None:
    """End what an earlier world that was killed left running in this place."""
    for home in (place.directory, place.directory / SECOND_HOME):
        kill_left_over(home / "engine.pid", home / "config")
    for directory in (place.directory / name for name in OLD_NODES):
        if directory.exists():
            await Node(bundle, NodeConfig(directory.name, directory, place.user)).stop(2.0)
    if (place.directory / "postgres").exists():
        await asyncio.to_thread(EmbeddedPostgres(place.directory / "postgres", place.user).stop)
    release(place.directory)
