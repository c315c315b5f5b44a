"""One Asterisk as the engine works with it: its link, its phones, its process when that is ours, its opt-outs.

A station is `up` while its link is connected and both views agree; only then calls leave there. The floor sees of it
what `places.Place` says.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.measures import Lateness, Told
from dialer_engine.engine.node_link import Access, ManagedNode, ari_link, detour, external_access
from dialer_engine.engine.phones import PhoneWatch
from dialer_engine.engine.tasks import Tasks
from dialer_engine.engine.trunks import Trunks
from dialer_engine.pbx.ami import AmiError, AmiLoginRefused
from dialer_engine.pbx.ari.client import AriClient
from dialer_engine.pbx.ari.commands import Commands
from dialer_engine.pbx.ari.errors import AriError
from dialer_engine.pbx.instance import NodeError
from dialer_engine.pbx.reach import DEPTH
from dialer_engine.settings.load import Config

log = structlog.get_logger(__name__)

RETRY_S = 2.0
TELL_EVERY = 30


@dataclass(slots=True, eq=False)
class Station:
    """One node of the engine; made closed, `open` connects it."""

    access: Access
    sounds: Path
    managed: ManagedNode | None
    trunks: Trunks
    on_event: Callable[[str, object], None]
    on_link: Callable[[str, bool], None]
    may_return: Callable[[], bool]
    up: bool = False
    recovered: bool = False
    settling: asyncio.Lock = field(default_factory=asyncio.Lock)
    _phones_kept: bool = False
    client: AriClient = field(init=False)
    commands: Commands = field(init=False)
    phones: PhoneWatch = field(init=False)
    lateness: Lateness = field(init=False)
    _told: Told = field(default_factory=Told)

    def __post_init__(self) -> None:
        self.lateness = Lateness(ahead_s=None if self.managed is None else 0.0)
        self.client, self.commands = ari_link(
            self.access, self._on_event, lambda up: self.on_link(self.name, up), self.may_return
        )
        self.phones = PhoneWatch(self.access, self.trunks)

    @property
    def name(self) -> str:
        """The node's name, as in call records."""
        return self.access.name

    @property
    def beat(self) -> float:
        """When its reader last moved (monotonic seconds); one that was never connected stands still rightly."""
        return self.client.beat if self.client.started else time.monotonic()

    def _on_event(self, event: object) -> None:
        self.lateness.note(event)
        self.on_event(self.name, event)

    # --- connecting -------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect. Raises AriError or AmiError with the remedy; see `serves_without`."""
        await self.client.start()
        await self.phones.start()

    @staticmethod
    def serves_without(missing: Exception) -> bool:
        """Whether a station that could not be opened for this reason takes calls all the same.

        Its ARI is there then and only AMI is not, which no call needs; a refused login is a wrong setting.
        """
        return isinstance(missing, AmiError) and not isinstance(missing, AmiLoginRefused)

    async def open_at_last(self, tasks: Tasks) -> None:
        """Connect as soon as it can be reached; the others work meanwhile."""
        tries = 0
        while True:
            try:
                await self._open_what_is_closed()
            except (AriError, AmiError) as error:
                if tries % TELL_EVERY == 0:
                    missing = "AMI" if self.serves_without(error) else "node"
                    log.warning(f"{missing} cannot be reached", node=self.name, why=str(error))
                tries += 1
                await asyncio.sleep(RETRY_S)
            else:
                self.keep_phones(tasks)
                return

    async def _open_what_is_closed(self) -> None:
        if not self.client.started:
            await self.client.start()
        await self.phones.start()

    async def close(self) -> None:
        """End the connections; its Asterisk stays up."""
        await self.phones.close()
        await self.client.close()

    def keep_phones(self, tasks: Tasks) -> None:
        """Look after phones and trunks from now on, once AMI was asked for; again it does nothing."""
        if not self._phones_kept:
            self._phones_kept = True
            tasks.keep(self.phones.run, f"phone watch of {self.name}")

    def keep_process(self, tasks: Tasks) -> None:
        """Look after its Asterisk when that is ours, whether it can be reached just now or not."""
        if self.managed is not None:
            tasks.keep(self.managed.watch, "asterisk watch")
            tasks.keep(self.managed.keep_house, "asterisk housekeeping")
            tasks.keep(self.managed.keep_addresses, "carriers' addresses")
            tasks.keep(self.managed.strangers.run, "strangers")

    # --- looking ----------------------------------------------------------------------------------

    async def ping(self, within_s: float) -> None:
        """Let its Asterisk answer something, on another machine with the time there. Raises AriError."""
        asked_at, began = utc_now(), time.monotonic()
        there = await self.commands.ping(within_s)
        if self.managed is None:
            self.lateness.compare(asked_at, time.monotonic() - began, there)

    async def depth(self) -> float | None:
        """Return how full its fullest task processor is, None where that cannot be seen.

        Of a further node as `dialer node run` there tells.
        """
        try:
            if self.managed is not None:
                return await self.managed.depth()
            return self._told.take(await self.commands.variable(DEPTH), time.monotonic())
        except (NodeError, AriError):
            return None

    def status(self, calls: int, legs: int, journal: Path) -> dict[str, Any]:
        """Return the station's part of the status document."""
        return {
            "name": self.name,
            "up": self.up,
            "ari": self.client.connected,
            "ami": self.phones.connected,
            "channels": calls + legs,
            "calls": calls,
            "agents": legs,
            "journal": str(journal),
        }


def make_stations(
    config: Config,
    managed: ManagedNode | None,
    sounds: Path,
    trunks: Trunks,
    on_event: Callable[[str, object], None],
    on_link: Callable[[str, bool], None],
    may_return: Callable[[], bool],
) -> dict[str, Station]:
    """Return the nodes by name, the managed one first; none of them is connected yet.

    A lab's proxy stands before the first one.
    """
    ways: list[tuple[Access, Path, ManagedNode | None]]
    ways = [] if managed is None else [(managed.access, sounds, managed)]
    for node in config.settings.asterisk.nodes:
        ways.append((external_access(node), Path(node.sounds) if node.sounds else sounds, None))
    access, there, process = ways[0]
    ways[0] = (detour(access, config.settings.lab), there, process)
    stations = (Station(*way, trunks, on_event, on_link, may_return) for way in ways)
    return {station.name: station for station in stations}
