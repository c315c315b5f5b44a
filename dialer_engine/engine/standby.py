"""Waiting until another engine's time is over: `dialer run --standby`.

Two things are waited for, in this order: the lock on the own DIALER_HOME, and the lease of the Asterisk. An engine of
the same home holds both; when it dies the kernel gives the lock back at once, and the lease is then ours because the
lock proves its owner's death. An engine of another home holds the lease only, which expires by itself.

One that is frozen keeps its lock though its lease expires. A standby that saw it alive, and then saw the lease
run out, ends it before it takes over: two engines never work on one home. After a time without a view of the database
nothing is concluded from an expired lease until the owner has had the time to renew it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import structlog

import dialer_engine
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.control import Refused
from dialer_engine.engine.lock import EngineLock, EngineRuns
from dialer_engine.engine.ownership import LEASE_TTL, Ownership
from dialer_engine.settings.changes import restart_needed
from dialer_engine.settings.load import Config, SettingsError, load_config
from dialer_engine.store.errors import LeaseHeld
from dialer_engine.store.line import AWAY

log = structlog.get_logger(__name__)

LOOK_S = 1.0
LOOKS_EXPIRED = 2
FREED_S = 0.1


class Standby:
    """One engine that waits; `tell` gets every new reason for waiting."""

    def __init__(self, lock: EngineLock, tell: Callable[[str], None]) -> None:
        self.reason = "looking for the owner"
        self._lock = lock
        self._tell = tell
        self._seen_alive: tuple[int, int] | None = None
        self._expired = 0

    def _waits(self, reason: str) -> None:
        if reason != self.reason:
            self.reason = reason
            log.info("standby", waiting=reason)
            self._tell(reason)

    # --- for the home -----------------------------------------------------------------------------

    async def take_lock(self, ownership: Callable[[], Ownership]) -> None:
        """Wait for the lock of this home; `ownership` may raise one of AWAY while there is no database."""
        made: Ownership | None = None
        while True:
            try:
                self._lock.take()
            except EngineRuns as held:
                if held.kind == "node":  # it never hands its Asterisk over
                    raise
                self._waits(f"the engine with pid {held.pid} owns this DIALER_HOME")
                made = made or _or_none(ownership)
                freed = await self._watch(held.pid, made)
                await asyncio.sleep(FREED_S if freed else LOOK_S)
            else:
                break
        if made is not None:
            made.close()

    async def _watch(self, pid: int | None, ownership: Ownership | None) -> bool:
        """End the holder of the lock once it has let its lease run out before our eyes; True when it was ended."""
        if pid is None or ownership is None:
            return False
        try:
            await ownership.wait_in_line()
            holder = await ownership.holder()
        except AWAY:
            self._seen_alive, self._expired = None, 0
            return False
        if holder is None or holder.owner != ownership.owner:
            return False
        if not holder.expired:
            self._seen_alive, self._expired = (pid, holder.epoch), 0
        elif self._seen_alive == (pid, holder.epoch):
            self._expired += 1
            if self._expired >= LOOKS_EXPIRED and self._lock.end_holder(pid):
                log.error("the owner is frozen and its lease has run out; it was ended", pid=pid)
                return True
        return False

    # --- for the lease ----------------------------------------------------------------------------

    async def take_lease(self, ownership: Ownership, migrate: Callable[[], Awaitable[Any]]) -> None:
        """Wait for the lease and take it; `migrate` makes its table in an empty database."""
        while True:
            pause = LOOK_S
            try:
                await ownership.wait_in_line()
                await ownership.take()
            except asyncpg.UndefinedTableError:
                await migrate()
                continue
            except LeaseHeld as held:
                self._waits(f"the engine {held.owner} owns the lease")
            except AWAY as error:
                self._waits(f"the database is away ({str(error) or type(error).__name__})")
                pause = LEASE_TTL.total_seconds()
            else:
                return
            await asyncio.sleep(pause)


def config_now(directory: Path, before: Config) -> Config:
    """Read the configuration again after the wait; one with errors, or for another engine, changes nothing."""
    try:
        config = load_config(directory)
    except SettingsError as error:
        log.error("the configuration has errors now; the one from the start is used", why=str(error))
        return before
    if needed := restart_needed(before, config):
        log.error("changes that need a restart; the configuration from the start is used", what=needed)
        return before
    return config


def _or_none(ownership: Callable[[], Ownership]) -> Ownership | None:
    try:
        return ownership()
    except AWAY:
        return None


class StandbyControls:
    """What a waiting engine answers to commands: that it waits, and for whom."""

    def __init__(self, standby: Standby, stop: Callable[[], None]) -> None:
        self._standby = standby
        self._stop = stop
        self._started = time.monotonic()

    def status(self) -> dict[str, Any]:
        """Return a status document in which nothing goes on."""
        return {
            "engine": {
                "pid": os.getpid(),
                "version": dialer_engine.__version__,
                "state": "standby",
                "clock": utc_now().isoformat(),
                "uptime_s": round(time.monotonic() - self._started, 1),
                "dialing": False,
                "why_not": self._why_not,
                "waits_for": None,
                "lease": None,
                "tasks": len(asyncio.all_tasks()),
                "unwritten": 0,
                "held": 0,
                "overload": None,
                "refused_events": {},
            },
            **{part: [] for part in ("nodes", "trunks", "campaigns", "agents", "recent")},
        }

    @property
    def _why_not(self) -> str:
        return f"this engine is a standby: {self._standby.reason}"

    def _refuse(self) -> dict[str, Any]:
        raise Refused(f"{self._why_not}; give the command there")

    async def set_campaign(self, name: str, action: str) -> dict[str, Any]:
        """Refuse."""
        return self._refuse()

    async def reload(self) -> dict[str, Any]:
        """Refuse: the configuration is read when this engine takes over."""
        raise Refused(f"{self._why_not}; it reads its configuration again when it takes over")

    async def reload_agents(self) -> dict[str, Any]:
        """Do nothing: the agents are read when this engine takes over."""
        return {"agents": []}

    def log_out_agent(self, name: str) -> dict[str, Any]:
        """Refuse."""
        return self._refuse()

    async def look_at_desk(self, name: str, known: str | None) -> dict[str, Any]:
        """Refuse."""
        return self._refuse()

    def act_at_desk(self, name: str, action: str, wish: dict[str, Any]) -> dict[str, Any]:
        """Refuse."""
        return self._refuse()

    def number_suppressed(self, number: str, member_id: int | None) -> dict[str, Any]:
        """Do nothing: this engine has no calls, and the owner learns of it from the database."""
        return {}

    def drain(self, wait_s: float) -> dict[str, Any]:
        """End: there is nothing to hand over."""
        return self.shut_down()

    def shut_down(self) -> dict[str, Any]:
        """End."""
        self._stop()
        return {"pid": os.getpid()}
