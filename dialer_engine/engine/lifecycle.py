"""One engine's process: what it has from its first moment to its end, and what brings that end about.

It ends when it is told to stop, when it hands over, or when another engine owns its lease: all three set `stopping`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from dialer_engine.engine.drain import HandOver
from dialer_engine.engine.ownership import Displaced
from dialer_engine.engine.service import Service
from dialer_engine.engine.surroundings import Blockers
from dialer_engine.engine.tasks import Tasks
from dialer_engine.settings.home import ServiceUser
from dialer_engine.settings.models import Settings

log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class Lifecycle:
    """Where one engine lives, what it has opened, and how it ends; the same for a standby and an owner.

    `directory` is that of the configuration, `opened` closes what was opened, the last first, `started` is in monotonic
    seconds, `config_read` tells that the configuration is not read again by itself, `lost` names the lease that another
    engine has taken over.
    """

    directory: Path
    home: Path
    user: ServiceUser
    service: Service
    tasks: Tasks = field(default_factory=Tasks)
    blockers: Blockers = field(default_factory=Blockers)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    opened: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    started: float = field(default_factory=time.monotonic)
    handing_over: HandOver | None = None
    config_read: bool = False
    closing: bool = False
    lost: str | None = None

    def control_socket(self, settings: Settings) -> Path:
        """Where the commands reach this engine."""
        return settings.control.socket or self.home / "run" / "control.sock"

    def hand_over(self, wait_s: float) -> None:
        """Drain; leave to a standby as soon as no call needs this engine, else after `wait_s` at most."""
        self.handing_over = HandOver(time.monotonic() + wait_s)
        if not self.blockers.draining:
            self.stopping.set()

    def lease_lost(self, lease: str) -> None:
        """Another engine owns the lease: no new calls, and this one ends."""
        if self.closing or self.displaced:
            return
        log.critical("another engine has taken over; this one ends", lease=lease)
        self.lost = lease
        self.blockers.set(draining=True)
        self.stopping.set()

    @property
    def displaced(self) -> bool:
        """Whether another engine has taken over."""
        return self.lost is not None

    def displacement(self) -> Displaced:
        """Return the error with which an engine ends that was displaced."""
        return Displaced(f"another engine has taken over {self.lost}; this one has ended")
