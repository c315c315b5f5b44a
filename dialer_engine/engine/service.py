"""What the service manager is told: ready, reloading, stopping, a line of status, and signs of life.

systemd names a datagram socket in NOTIFY_SOCKET and, with WatchdogSec=, the longest silence in WATCHDOG_USEC. A
sign of life is given only while all parts have moved within that time: this loop by being here, and each
watched part by its own `beat`. A part that waits for a lost database or Asterisk and tries again does move.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field

import structlog

from dialer_engine.core.text import shown

log = structlog.get_logger(__name__)

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
STATUS_S = 5.0


@dataclass(slots=True)
class Service:
    """The way to the service manager; without one nothing is said."""

    address: str | None = None
    watchdog_s: float | None = None
    beats: dict[str, Callable[[], float]] = field(default_factory=dict)
    probe: Callable[[float], Awaitable[None]] | None = None
    status: Callable[[], str] = field(default=lambda: "starting")
    _told: str = ""
    _silent: bool = False
    _ready: bool = False

    @classmethod
    def from_environment(cls, variables: MutableMapping[str, str]) -> Service:
        """Take the variables out, so that Asterisk and Postgres do not speak in the engine's name."""
        address, usec, pid = (variables.pop(name, "") for name in VARIABLES)
        ours = not pid or pid == str(os.getpid())
        seconds = int(usec) / 1e6 if usec.isdigit() and int(usec) > 0 and ours else None
        return cls(address or None, seconds)

    # --- moments ----------------------------------------------------------------------------------

    def ready(self) -> None:
        """The engine works, or works again after a reload."""
        self._told, self._ready = self.status(), True
        self._say("READY=1", f"STATUS={self._told}")

    def reloading(self) -> None:
        """The configuration is being read again; `ready` must follow."""
        self._say("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def nothing_to_reload(self) -> None:
        """Answer a reload that changes nothing, so that nobody waits for it; not before the first `ready`."""
        if self._ready:
            self.reloading()
            self.ready()

    def reloading_in_start(self) -> None:
        """The same before the engine works; said only to a manager whom a standby has told that it is ready."""
        if self._ready:
            self.reloading()

    def stopping(self) -> None:
        """The engine is about to end."""
        self._say("STOPPING=1")

    # --- signs of life ----------------------------------------------------------------------------

    async def run(self) -> None:
        """Tell changes of the status, and give signs of life while everything moves, until cancelled."""
        while self.address:
            await self._look()
            await asyncio.sleep(min(STATUS_S, self.watchdog_s / 3 if self.watchdog_s else STATUS_S))

    async def _look(self) -> None:
        if (status := self.status()) != self._told:
            self._told = status
            self._say(f"STATUS={status}")
        if self.watchdog_s is None:
            return
        if self.probe is not None:
            await self.probe(self.watchdog_s / 4)
        stuck = self.stuck(time.monotonic(), self.watchdog_s)
        if not stuck:
            self._say("WATCHDOG=1")
        elif not self._silent:
            log.critical("no sign of life to the service manager: a part does not move", parts=stuck)
        self._silent = bool(stuck)

    def stuck(self, now: float, within_s: float) -> list[str]:
        """Return the watched parts that have not moved for `within_s` seconds."""
        return [name for name, beat in self.beats.items() if now - beat() >= within_s]

    def _say(self, *lines: str) -> None:
        if not self.address:
            return
        where = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        try:
            with socket.socket(socket.AF_UNIX, kind) as way:
                way.sendto("\n".join(map(shown, lines)).encode(), where)
        except OSError as error:
            log.warning("the service manager cannot be told", lines=lines, why=str(error))
