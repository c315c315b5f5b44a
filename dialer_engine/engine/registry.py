"""What the engine knows of the configuration and the database together: ids, plans, agents' accounts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dialer_engine.engine.plan import CampaignPlan, limits_of
from dialer_engine.engine.prompts import Prompt, drop_prompt
from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.render import AgentAccount
from dialer_engine.settings.load import Config
from dialer_engine.store import directory
from dialer_engine.store.pool import Connection, Pool


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent as the database knows them; `member_id` None works for every Member."""

    id: int
    name: str
    password: str
    member_id: int | None

    @property
    def account(self) -> AgentAccount:
        """The agent's SIP account."""
        return AgentAccount(self.name, self.password)


@dataclass(frozen=True, slots=True)
class Registry:
    """One consistent reading of configuration and database; a reload makes a new one."""

    config: Config
    plans: Mapping[str, CampaignPlan]
    agents: Mapping[str, Agent]
    states: Mapping[str, str]

    @property
    def accounts(self) -> list[AgentAccount]:
        """All agents' SIP accounts."""
        return [agent.account for agent in self.agents.values()]

    @property
    def members_of_agents(self) -> dict[str, int | None]:
        """Agent name -> Member id, None for an agent of all Members."""
        return {name: agent.member_id for name, agent in self.agents.items()}


async def read_registry(config: Config, pool: Pool, bundle: Bundle, sounds: Path) -> Registry:
    """Bring Members and campaigns into the database, read the agents, make the recordings.

    Raises StoreError or PromptError; nothing in use is changed before all of it has succeeded.
    """
    prompts = await asyncio.to_thread(_prompts, config, bundle, sounds)
    async with pool.acquire() as conn:
        members = await directory.sync_members(conn, config.settings.members)
        ids = await directory.sync_campaigns(conn, config.campaigns)
        states = await directory.campaign_states(conn)
        agents = await read_agents(conn)
    plans = {
        name: CampaignPlan(campaign, ids[name], members[campaign.member], prompts[name], limits_of(campaign))
        for name, campaign in config.campaigns.items()
    }
    return Registry(config, plans, agents, states)


async def read_agents(conn: Connection) -> dict[str, Agent]:
    """Return the agents by name."""
    rows = await directory.list_agents(conn)
    return {row.name: Agent(row.id, row.name, row.password, row.member_id) for row in rows}


def _prompts(config: Config, bundle: Bundle, sounds: Path) -> dict[str, Prompt]:
    members = config.settings.members
    return {
        name: drop_prompt(bundle, sounds, campaign, members[campaign.member])
        for name, campaign in config.campaigns.items()
    }
