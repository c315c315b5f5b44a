"""The engine's hold on one Asterisk: process, configuration, ARI and AMI together."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from dialer_engine.engine.strangers import Strangers
from dialer_engine.engine.translate import EVENT_TYPES
from dialer_engine.pbx.ari.client import AriClient
from dialer_engine.pbx.ari.commands import Commands
from dialer_engine.pbx.ari.wire import Incoming
from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.carrier_addresses import LOOK_S, LOOKS_S, CarrierAddresses, pinned
from dialer_engine.pbx.front_config import front_address
from dialer_engine.pbx.node import Node, NodeConfig, NodeError, silent_contacts
from dialer_engine.pbx.notices import Notices
from dialer_engine.pbx.reach import DEPTH, fact_lines
from dialer_engine.pbx.render import AgentAccount, Prompts, render_engine_node, unusable, watch_endpoint
from dialer_engine.pbx.template import RenderError
from dialer_engine.settings.home import ServiceUser
from dialer_engine.settings.models import ExternalNode, FrontSettings, LabSettings, NodeSettings, Trunk

log = structlog.get_logger(__name__)

APP = "dialer"
LOOPBACK = "127.0.0.1"
WATCH_S = 2.0
HOUSEKEEPING_S = 2.0
"""What strangers make Asterisk log comes at megabytes a second."""
GROWTH = 100_000_000
"""Bytes that Asterisk may hold more than after the last trim: 20,000 calls made it hold 1.36 GB that were free, and
little by little is cheaper than all at once."""
TRIM_AT_LEAST_S = 600.0
"""Without growth there is a trim after so long all the same."""


@dataclass(slots=True)
class Trim:
    """When Asterisk's freed memory is due to go back: times in monotonic seconds, sizes in bytes."""

    least: int | None = None
    at: float | None = None

    def due(self, size: int, now: float) -> bool:
        """Whether to trim now, by the present size; the first look only notes it."""
        if self.least is None or self.at is None or size < self.least:
            self.least, self.at = size, now if self.at is None else self.at
        return size - self.least >= GROWTH or now - self.at >= TRIM_AT_LEAST_S

    def done(self, size: int, now: float) -> None:
        """A trim left this size."""
        self.least, self.at = size, now


def node_config(
    settings: NodeSettings, home: Path, user: ServiceUser, front: FrontSettings | None = None
) -> NodeConfig:
    """Return where the bundled Asterisk lives and listens, and by which front phones reach it."""
    return NodeConfig(
        name=settings.name,
        directory=settings.directory or home / "nodes" / settings.name,
        user=user,
        bind=settings.bind,
        sip_port=settings.sip_port,
        tls_port=settings.tls_port,
        http_port=settings.http_port,
        ami_port=settings.ami_port,
        rtp_start=settings.rtp.start,
        rtp_end=settings.rtp.end,
        external_address=settings.external_address,
        local_networks=tuple(str(net) for net in settings.local_networks),
        control_bind=settings.control_bind,
        control_permit=tuple(str(net) for net in settings.control_permit),
        app=APP,
        front=front_address(front),
    )


@dataclass(frozen=True, slots=True)
class Access:
    """How to log in to one Asterisk."""

    name: str
    ari_url: str
    ari_user: str
    ari_password: str
    ami_host: str
    ami_port: int
    ami_user: str
    ami_password: str


class ManagedNode:
    """The bundled Asterisk: configured, started, watched and adopted by the engine, never its child."""

    def __init__(self, bundle: Bundle, config: NodeConfig, sounds: Path) -> None:
        self.bundle = bundle
        self.config = config
        self.node = Node(bundle, config)
        self.facts: Mapping[str, str] = {}
        self.addresses = CarrierAddresses(config)
        self._wanted: tuple[Mapping[str, Trunk], Sequence[AgentAccount]] = ({}, ())
        self._writing = threading.Lock()
        self.changing = asyncio.Lock()
        """Held from the writing of files until Asterisk has read them, and while it is started."""
        self._left_out: dict[str, str] = {}
        self.strangers = Strangers(Notices(config.path("log", "notices.log")))
        self._prompts = Prompts(
            drop=sounds / "default-drop",
            removed=sounds / "removed",
            engine_away=sounds / "not-running",
            wrong_extension=sounds / "not-dialable",
        )

    @property
    def access(self) -> Access:
        """The generated accounts of this instance."""
        secrets, config = self.node.secrets, self.config
        return Access(
            config.name,
            config.ari_url,
            secrets.ari_user,
            secrets.ari_password,
            config.control_host,
            config.ami_port,
            secrets.ami_user,
            secrets.ami_password,
        )

    def render(self, trunks: Mapping[str, Trunk], agents: Sequence[AgentAccount]) -> set[str]:
        """Write the configuration; returns the files that changed. Raises RenderError, NodeError.

        An agent's account that cannot stand there is left out and told once: the others go on working.
        """
        with self._writing:
            changed = self._render(trunks, agents)
            self._wanted = trunks, agents
        return changed

    def _render(self, trunks: Mapping[str, Trunk], agents: Sequence[AgentAccount]) -> set[str]:
        left_out = {each.name: why for each in agents if (why := unusable(each)) is not None}
        for name in [each for each in left_out if each not in self._left_out]:
            log.error("an agent's account cannot be used", agent=name, why=left_out[name])
        self._left_out = left_out
        usable = [each for each in agents if each.name not in left_out]
        secrets, addresses = self.node.secrets, self.addresses.in_use
        files = render_engine_node(
            self.bundle, self.config, secrets, trunks, usable, self._prompts, addresses
        )
        files["extensions.conf"] += fact_lines(self.facts)
        return self.node.render(files)

    def _render_again(self) -> set[str]:
        """Write what is wanted now once more: the address of a carrier's name has changed."""
        with self._writing:
            return self._render(*self._wanted)

    async def apply(self, trunks: Mapping[str, Trunk], agents: Sequence[AgentAccount]) -> set[str]:
        """Write and reload without dropping calls; returns files that only a restart would apply."""
        await self.addresses.find(trunks.values())
        async with self.changing:
            return await self.node.reload(await asyncio.to_thread(self.render, trunks, agents))

    async def take_up(self, changed: set[str], remedy: str) -> None:
        """Let an Asterisk that ran on read what was written; one that is busy is asked again later: it has calls.

        `remedy` restarts it, for changes that need that.
        """
        try:
            tell_late(await self.node.reload(changed), remedy)
        except NodeError as error:
            log.error(
                "asterisk did not read its settings; it is asked again", node=self.config.name, why=str(error)
            )

    async def keep_addresses(self) -> None:
        """Let every carrier's name be called at an address that it has, and at another when one does not answer.

        What Asterisk did not take at a reload is said again here, too.
        """
        looked_at, changed = -math.inf, False
        while True:
            await asyncio.sleep(LOOKS_S)
            trunks = self._wanted[0]
            try:
                await self._reload_what_is_owed()
                changed = changed or await self._turned(trunks)
                if time.monotonic() - looked_at >= LOOK_S:
                    looked_at = time.monotonic()
                    changed |= await self.addresses.look(trunks.values())
                if changed:
                    await self._call_elsewhere()
                    changed = False
            except (NodeError, RenderError) as error:
                log.warning("carriers' addresses could not be looked after", why=str(error))

    async def _call_elsewhere(self) -> None:
        log.info("carriers are called at other addresses", addresses=dict(self.addresses.in_use))
        async with self.changing:
            await self.node.reload(await asyncio.to_thread(self._render_again))
        self.addresses.applied()

    async def _reload_what_is_owed(self) -> None:
        if self.node.owes():
            async with self.changing:
                if self.node.alive():
                    await self.node.reload(())

    async def _turned(self, trunks: Mapping[str, Trunk]) -> bool:
        """Go over to another address of each carrier that answers no OPTIONS; whether there was any."""
        asked = {name: each for name, each in trunks.items() if each.options_every_s and pinned(each)}
        if not asked or not self.node.alive():
            return False
        silent = silent_contacts(await self.node.ask("pjsip show contacts"))
        hosts: dict[str, tuple[bool, float]] = {}
        for name, each in asked.items():
            answers, every_s = hosts.get(each.host, (False, 0.0))
            answers |= watch_endpoint(name) not in silent
            hosts[each.host] = (answers, max(every_s, each.options_every_s))
        return self.addresses.heard(hosts)

    async def depth(self) -> float:
        """Return how full Asterisk's fullest task processor is, as a share of its high-water mark. Raises NodeError."""
        found = (await self.node.task_processors()).values()
        return max((each.depth for each in found), default=0.0)

    async def tell_depth(self) -> None:
        """Leave the same with Asterisk for an engine that has no console here. Raises NodeError."""
        await self.node.ask(f"dialplan set global {DEPTH} {time.time():.1f}:{await self.depth():.3f}")

    async def keep_house(self) -> None:
        """Rotate a log as soon as it is long, and give back freed memory whenever enough has gathered."""
        trim = Trim()
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            try:
                await self.node.rotate_logs()
                await self._trim(trim, time.monotonic())
            except (NodeError, OSError) as error:
                log.warning("asterisk's housekeeping failed", why=str(error))

    async def _trim(self, trim: Trim, now: float) -> None:
        before = self.node.memory()
        if not trim.due(before, now):
            return
        await self.node.trim_memory()
        took, after = time.monotonic() - now, self.node.memory()
        trim.done(after, now)
        log.info(
            "asterisk gave memory back",
            before_mb=before // 1_000_000,
            after_mb=after // 1_000_000,
            took_ms=round(took * 1000, 1),
        )

    async def watch(self) -> None:
        """Start Asterisk again whenever it has ended; its calls are gone, the reconnect tells the engine."""
        while True:
            await asyncio.sleep(WATCH_S)
            await self.revive()

    async def revive(self) -> bool:
        """Start Asterisk again when it has ended; returns whether that was tried, and logs what prevents it."""
        if self.node.alive():
            return False
        log.error("asterisk has ended; starting it again", node=self.config.name)
        try:
            async with self.changing:
                await self.node.ensure_running()
        except (NodeError, RenderError, OSError) as error:
            log.error("asterisk could not be started again", node=self.config.name, why=str(error))
        return True


def tell_late(files: set[str], remedy: str) -> None:
    """Log what only another start of Asterisk would apply."""
    if files:
        log.warning("asterisk needs a restart for some changes", files=sorted(files), remedy=remedy)


def external_access(node: ExternalNode) -> Access:
    """Return the accounts of an Asterisk that this engine does not start."""
    return Access(
        node.name,
        node.ari_url,
        node.ari_user,
        node.ari_password,
        str(node.ami_host),
        node.ami_port,
        node.ami_user,
        node.ami_password,
    )


def detour(access: Access, lab: LabSettings | None) -> Access:
    """Return the way to Asterisk through the lab's proxy, which breaks it on purpose; without one the way as it is."""
    if lab is not None and lab.ari_port is not None:
        access = replace(access, ari_url=f"http://{LOOPBACK}:{lab.ari_port}")
    if lab is not None and lab.ami_port is not None:
        access = replace(access, ami_host=LOOPBACK, ami_port=lab.ami_port)
    return access


def ari_link(
    access: Access,
    on_event: Callable[[Incoming], None],
    on_link: Callable[[bool], None],
    may_return: Callable[[], bool],
) -> tuple[AriClient, Commands]:
    """Return the ARI connection to one Asterisk, not yet started; `may_return`: whether the calls are ours."""
    client = AriClient(
        access.ari_url,
        access.ari_user,
        access.ari_password,
        APP,
        on_event=on_event,
        on_link=on_link,
        may_return=may_return,
        event_types=EVENT_TYPES,
    )
    return client, Commands(client)
