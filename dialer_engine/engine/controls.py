"""What the commands ask of a running engine, over the control socket."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from typing import Any

import structlog

import dialer_engine
from dialer_engine.engine.campaigns import UnknownCampaign
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.control import Refused
from dialer_engine.engine.registry import Prepared, Registry, look_again, prepare, read_agents, write_registry
from dialer_engine.engine.status import agents_status, campaigns_status, devices, nodes_status, trunks_status
from dialer_engine.engine.works import Works
from dialer_engine.pbx.instance import NodeError
from dialer_engine.pbx.prompts import PromptError
from dialer_engine.pbx.render import AgentAccount
from dialer_engine.pbx.template import RenderError
from dialer_engine.settings.changes import changed, restart_needed
from dialer_engine.settings.load import Config, SettingsError, load_config
from dialer_engine.store import directory
from dialer_engine.store.errors import StoreError
from dialer_engine.store.line import AWAY
from dialer_engine.store.pool import Connection
from dialer_engine.store.suppress import Forbidden

log = structlog.get_logger(__name__)

OPERATOR = "operator"
STATES: dict[str, directory.CampaignState] = {"start": "running", "pause": "paused", "stop": "stopped"}


class Controls:
    """The commands' view of one engine."""

    def __init__(self, engine: Works) -> None:
        self._engine = engine

    # --- looking ----------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """Return the whole status document."""
        engine, floor, now = self._engine, self._engine.floor, utc_now()
        why_not = engine.life.blockers.why_not()
        away = {station.name for station in engine.stations.values() if not station.up}
        return {
            "engine": {
                "pid": os.getpid(),
                "version": dialer_engine.__version__,
                "state": "draining" if engine.life.blockers.draining else "running",
                "clock": engine.clock.now().isoformat(),
                "uptime_s": round(time.monotonic() - engine.life.started, 1),
                "dialing": why_not is None,
                "why_not": why_not,
                "waits_for": engine.life.blockers.waits_for or None,
                "lease": {"owner": engine.tenure.ownership.owner, "epoch": engine.tenure.ownership.epoch},
                "tasks": len(asyncio.all_tasks()),
                "unwritten": len(engine.writer),
                "held": engine.writer.held,
                "overload": engine.overload.status(),
                "refused_events": dict(floor.dispatcher.illegal),
            },
            "nodes": nodes_status(engine.stations.values(), floor, engine.journals),
            "strangers": engine.node.strangers.status() if engine.node is not None else None,
            "trunks": trunks_status(floor.trunks),
            "campaigns": campaigns_status(
                floor.campaigns, floor.dispatcher, floor.board, engine.queues.counts, floor.ledgers, away
            ),
            "agents": agents_status(
                *(floor.campaigns, floor.dispatcher, floor.legs, devices(engine.stations.values()), now),
                floor.previews.showings,
                away,
            ),
            "recent": list(floor.board.recent),
        }

    # --- campaigns --------------------------------------------------------------------------------

    async def set_campaign(self, name: str, action: str) -> dict[str, Any]:
        """Start, pause or stop a campaign; the state is kept in the database. Raises Refused."""
        campaigns, state = self._engine.floor.campaigns, STATES[action]
        try:
            plan = campaigns.plan(name)
            async with self._engine.tenure.pool.acquire() as conn:
                await directory.set_campaign_state(conn, plan.campaign_id, state, utc_now(), who=OPERATOR)
        except (UnknownCampaign, StoreError) as error:
            raise Refused(str(error)) from error
        except AWAY as error:
            raise Refused(
                f"campaign {name} is as it was ({_in_words(error)}); say it again once that is mended"
            ) from error
        if action == "start":
            campaigns.start(name)
        else:
            campaigns.halt(name, state)
        return {"campaign": name, "state": state}

    # --- configuration ----------------------------------------------------------------------------

    async def reload(self) -> dict[str, Any]:
        """Read the configuration again: all of it or nothing. Raises Refused with every error."""
        async with self._engine.reloading:
            return await self._reload()

    async def _reload(self) -> dict[str, Any]:
        engine = self._engine
        try:
            config = await asyncio.to_thread(load_config, engine.life.directory)
        except SettingsError as error:
            raise Refused(f"nothing was changed:\n{error}") from error
        self._refuse_restart(engine.config, config)
        try:
            prepared = await prepare(config, engine.tenure.pool, engine.tenure.bundle, engine.tenure.sounds)
            await self._apply(config, prepared.accounts)
            registry = await self._write(config, prepared)
        except (StoreError, PromptError, RenderError, NodeError) as error:
            raise Refused(f"nothing was changed: {error}") from error
        except AWAY as error:
            raise Refused(
                f"not reloaded ({_in_words(error)}); say dialer reload again once that is mended"
            ) from error
        changes = changed(engine.config, config)
        self._set_clock(engine.config, config)
        engine.config = config
        self._take(registry)
        warnings = await self._look_again(registry)
        log.info("configuration reloaded", changes=len(changes))
        return {"changes": changes, "warnings": warnings}

    async def _look_again(self, registry: Registry) -> list[str]:
        try:
            async with self._engine.tenure.pool.acquire() as conn:
                return await look_again(conn, registry, self._engine.clock.now())
        except AWAY as error:
            log.warning("held contacts are looked at again once the database is back", why=str(error))
        return []

    def _set_clock(self, old: Config, new: Config) -> None:
        """A reload says that the clock is right as it is; a lab's new moment is a step of its clock instead."""
        before, lab = old.settings.lab, new.settings.lab
        if lab is not None and before is not None and lab.clock != before.clock:
            self._engine.clock.step_to(lab.clock)
            self._engine.steady.look()
        else:
            self._engine.steady.confirm()

    async def _write(self, config: Config, prepared: Prepared) -> Registry:
        """Bring a configuration into the database in one transaction; when that fails Asterisk goes back too.

        The ledgers are put together by it once it is committed.
        """
        engine = self._engine
        old, ledgers = engine.floor.registry, engine.floor.ledgers
        try:
            async with engine.tenure.pool.acquire() as conn, conn.transaction():
                registry = await write_registry(conn, config, prepared)
                await self._stop_removed(conn, old, registry)
                grouping = await ledgers.load(conn, registry.plans)
        except BaseException:
            await self._put_back(old)
            raise
        ledgers.begin(*grouping)
        return registry

    async def _stop_removed(self, conn: Connection, old: Registry, new: Registry) -> None:
        """A campaign that is gone must not start by itself when its file comes back."""
        for name in old.plans.keys() - new.plans.keys():
            campaign_id = old.plans[name].campaign_id
            await directory.set_campaign_state(conn, campaign_id, "stopped", utc_now(), who=OPERATOR)

    def _refuse_restart(self, old: Config, new: Config) -> None:
        needed = restart_needed(old, new)
        if needed:
            listed = "; ".join(needed)
            also = " and of its Asterisk ('dialer stop --all', then run)"
            what = "the engine" + (also if any(line.startswith("asterisk.node.") for line in needed) else "")
            raise Refused(f"nothing was changed: this needs a restart of {what}: {listed}")

    async def reload_agents(self) -> dict[str, Any]:
        """Read the agents from the database and let their phones register. Raises Refused."""
        async with self._engine.reloading:
            return await self._reload_agents()

    async def _reload_agents(self) -> dict[str, Any]:
        engine, old = self._engine, self._engine.floor.registry
        try:
            async with engine.tenure.pool.acquire() as conn:
                agents = await read_agents(conn)
            registry = Registry(old.config, old.plans, agents, old.states)
            await self._apply(registry.config, registry.accounts)
        except (StoreError, RenderError, NodeError) as error:
            raise Refused(str(error)) from error
        except AWAY as error:
            raise Refused(
                f"the engine has its agents as they were ({_in_words(error)}); say dialer reload once that is mended"
            ) from error
        self._take(registry)
        return {"agents": sorted(agents)}

    def _take(self, registry: Registry) -> None:
        """Work by a new registry from now on, and log out the agents who are in it no more."""
        floor = self._engine.floor
        removed = floor.registry.agents.keys() - registry.agents.keys()
        floor.take(registry)
        for name in removed:
            floor.legs.log_out(name)

    async def _apply(self, config: Config, accounts: Sequence[AgentAccount]) -> None:
        """Let Asterisk know trunks and agents; without effect on an Asterisk that somebody else runs.

        Raises RenderError, NodeError or OSError; Asterisk has then been given what it had before.
        """
        if self._engine.node is None:
            return
        try:
            await self._engine.node.apply(config.settings.trunks, accounts)
        except (NodeError, OSError):
            await self._put_back(self._engine.floor.registry)
            raise

    async def _put_back(self, registry: Registry) -> None:
        """Give Asterisk the trunks and agents back that are in use; one that does not take them is logged."""
        if self._engine.node is None:
            return
        try:
            await self._engine.node.apply(registry.config.settings.trunks, registry.accounts)
        except (RenderError, NodeError, OSError) as error:
            log.error(
                "asterisk could not be given its trunks and agents back",
                why=str(error),
                remedy="dialer reload, once the settings are right",
            )

    # --- agents, numbers, end ---------------------------------------------------------------------

    def log_out_agent(self, name: str) -> dict[str, Any]:
        """Hang up an agent's leg. Raises Refused when the agent is not on duty."""
        if not self._engine.floor.legs.log_out(name):
            raise Refused(f"agent '{name}' is not on duty")
        return {"agent": name}

    async def look_at_desk(self, name: str, known: str | None) -> dict[str, Any]:
        """Return what is on an agent's desk, when it is not the known version or after a while. Raises Refused."""
        return await self._engine.floor.desks.look(name, known)

    def act_at_desk(self, name: str, action: str, wish: dict[str, Any]) -> dict[str, Any]:
        """Carry out `dial`, `skip` or `key` for an agent. Raises Refused."""
        return self._engine.floor.desks.act(name, action, wish)

    def number_suppressed(self, number: str, member_id: int | None) -> dict[str, Any]:
        """Cancel what a Member, or (None) anybody, has queued or ringing for a number just suppressed (P5)."""
        self._engine.floor.suppressed(Forbidden(number, member_id))
        return {}

    def drain(self, wait_s: float) -> dict[str, Any]:
        """Hand over to a standby, or wait so many seconds for calls to end; then end."""
        self._engine.life.hand_over(wait_s)
        return {"pid": os.getpid()}

    def shut_down(self) -> dict[str, Any]:
        """Drain and end."""
        self._engine.life.stopping.set()
        return {"pid": os.getpid()}


def _in_words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")
