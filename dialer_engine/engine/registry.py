"""What the engine knows of the configuration and the database together: ids, plans, agents' accounts."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import structlog

from dialer_engine.engine.clock import GateClock, utc_now
from dialer_engine.engine.plan import CampaignPlan, held_under, limits_of
from dialer_engine.engine.prompts import Prompt, drop_prompts
from dialer_engine.engine.renames import renames
from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.prompts import PromptError
from dialer_engine.pbx.render import AgentAccount
from dialer_engine.settings.load import Config
from dialer_engine.settings.models import Campaign
from dialer_engine.store import directory, rule_sets
from dialer_engine.store.kept_text import (
    KeptText,
    RecordFields,
    keep_record_fields,
    keep_text,
    set_record_fields,
)
from dialer_engine.store.line import AWAY
from dialer_engine.store.pool import Connection, Pool
from dialer_engine.store.queue import settle_held

log = structlog.get_logger(__name__)


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


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a registry needs from the disk, made and read before anything is written; by campaign, and the agents."""

    prompts: Mapping[str, Prompt]
    scripts: Mapping[str, KeptText | None]
    agents: Mapping[str, Agent]

    @property
    def accounts(self) -> list[AgentAccount]:
        """All agents' SIP accounts."""
        return [agent.account for agent in self.agents.values()]


async def read_registry(config: Config, pool: Pool, bundle: Bundle, sounds: Path) -> Registry:
    """Make the recordings, bring Members and campaigns into the database: all of it or nothing.

    Raises StoreError or PromptError.
    """
    prepared = await prepare(config, pool, bundle, sounds)
    lab = config.settings.lab
    async with pool.acquire() as conn:
        async with conn.transaction():
            registry = await write_registry(conn, config, prepared)
        await look_again(conn, registry, GateClock.starting_at(lab.clock if lab else None).now())
        return registry


async def prepare(config: Config, pool: Pool, bundle: Bundle, sounds: Path) -> Prepared:
    """Make the recordings, read the scripts and the agents; writes nothing into the database. Raises PromptError."""
    prompts = await asyncio.to_thread(drop_prompts, config, bundle, sounds)
    scripts = await asyncio.to_thread(_scripts, config)
    async with pool.acquire() as conn:
        return Prepared(prompts, scripts, await read_agents(conn))


async def write_registry(conn: Connection, config: Config, prepared: Prepared) -> Registry:
    """Inside a transaction: bring Members, campaigns, recordings, scripts and rules into the database.

    Raises StoreError; the transaction must then be rolled back.
    """
    members = await directory.sync_members(conn, config.settings.members)
    ids = await directory.sync_campaigns(conn, config.campaigns)
    states = await directory.campaign_states(conn)
    plans = {}
    for name, campaign in config.campaigns.items():
        prompt, script = prepared.prompts[name], prepared.scripts[name]
        await _remember(conn, ids[name], campaign, prompt, script)
        said = _record_fields(config, campaign, members[campaign.member], prompt, script)
        text = script.content if script is not None else None
        verdicts_by = partial(held_under, config, campaign)
        plans[name] = CampaignPlan(
            *(campaign, ids[name], said.member_id, prompt, limits_of(campaign), text, verdicts_by),
            record_version=await keep_record_fields(conn, said, utc_now()),
        )
    rules = config.rules
    run = [plan.campaign_id for plan in plans.values()]
    await rule_sets.remember(conn, rules.version, config.rule_texts, rules.loosened, utc_now(), run)
    return Registry(config, plans, prepared.agents, states)


async def look_again(conn: Connection, registry: Registry, now: datetime) -> list[str]:
    """Make contacts due again as `settle` does, and return, and log, which names left the settings with what they know.

    What is not done, because the database went away, is done at the next reload or start, or by `HeldWatch`.
    """
    config = registry.config
    await settle(conn, registry, now)
    try:
        warnings = await renames(conn, config.settings.members, config.campaigns)
    except AWAY as error:
        # It warns of something that may have been so for months: no start and no reload fails for it.
        log.warning(
            "names that left the settings could not be looked for", why=str(error) or type(error).__name__
        )
        return []
    for words in warnings:
        log.error("a name left the settings with what it knows", what=words)
    return warnings


async def settle(conn: Connection, registry: Registry, now: datetime) -> int:
    """Make contacts due again that campaigns held under other settings or rules than those of `now`; return how many.

    `now` is on the gate's clock. Piece by piece, so outside of a transaction.
    """
    return sum(
        [
            await settle_held(conn, plan.campaign_id, plan.held_under(now))
            for plan in registry.plans.values()
            if plan.held_under is not None
        ]
    )


async def read_agents(conn: Connection) -> dict[str, Agent]:
    """Return the agents by name."""
    rows = await directory.list_agents(conn)
    return {row.name: Agent(row.id, row.name, row.password, row.member_id) for row in rows}


async def _remember(
    conn: Connection, campaign_id: int, campaign: Campaign, prompt: Prompt, script: KeptText | None
) -> None:
    """Keep the campaign's recording and script by their versions, for its call records."""
    now = utc_now()
    recording = KeptText(prompt.version, "drop_message", prompt.content, f"{Path(prompt.path).name}.wav")
    await keep_text(conn, recording, now)
    if script is not None:
        await keep_text(conn, script, now)
    version = script.version if script is not None else None
    await set_record_fields(conn, campaign_id, campaign.telemarketer, version, campaign.caller_id_proof)


def _record_fields(
    config: Config, campaign: Campaign, member_id: int, prompt: Prompt, script: KeptText | None
) -> RecordFields:
    """Return what the records of the campaign's calls say from now on."""
    member = config.settings.members[campaign.member].name
    return RecordFields(
        member_id=member_id,
        member=member,
        seller=campaign.drop_message.seller or member,
        offer=campaign.offer,
        telemarketer=campaign.telemarketer or member,
        script_version=script.version if script is not None else None,
        caller_id_proof=campaign.caller_id_proof,
        prompt_version=prompt.version,
        caller_id_name=campaign.caller_id_name,
        called_party="business" if campaign.audience == "businesses" else "consumer",
    )


def _scripts(config: Config) -> dict[str, KeptText | None]:
    return {name: _script(campaign) for name, campaign in config.campaigns.items()}


def _script(campaign: Campaign) -> KeptText | None:
    if campaign.script is None:
        return None
    try:
        content = campaign.script.read_bytes()
    except OSError as error:
        raise PromptError(f"{campaign.script}: the script cannot be read ({error.strerror})") from error
    version = hashlib.sha256(content).hexdigest()[:12]
    return KeptText(version, "script", content.decode("utf-8", "replace"), campaign.script.name)
