"""Members, lists and campaigns: from the names in the YAML to the rows that everything else points to."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

import asyncpg

from dialer_engine.store.errors import StoreError, UnknownName
from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql

CampaignState = Literal["draft", "running", "paused", "stopped"]


class MemberLike(Protocol):
    """What a Member's settings must tell."""

    @property
    def name(self) -> str:
        """The company's name."""

    @property
    def callback_number(self) -> str:
        """Its number for do-not-call requests, E.164."""

    @property
    def address(self) -> str | None:
        """Its postal address."""


class DropMessageLike(Protocol):
    """What the drop message must tell."""

    @property
    def seller(self) -> str | None:
        """On whose behalf the call is; None means the Member's."""


class CampaignLike(Protocol):
    """What a campaign's settings must tell."""

    @property
    def member(self) -> str:
        """The Member's short name."""

    @property
    def lists(self) -> Sequence[str]:
        """The names of its lists, in order of calling."""

    @property
    def offer(self) -> str | None:
        """The good or service."""

    @property
    def drop_message(self) -> DropMessageLike:
        """What is said when nobody is free."""


async def sync_members(conn: Connection, members: Mapping[str, MemberLike]) -> dict[str, int]:
    """Bring the Members of the settings into the database; return short name -> id."""
    async with conn.transaction():
        return {
            key: await conn.fetchval(
                sql("member_put"), key, member.name, member.callback_number, member.address
            )
            for key, member in sorted(members.items())
        }


async def sync_campaigns(conn: Connection, campaigns: Mapping[str, CampaignLike]) -> dict[str, int]:
    """Bring the campaigns and their lists into the database; return name -> id. Sync the Members first.

    A list that does not exist yet is made, empty. A list that was taken away keeps its contacts' history; its
    contacts are held until it comes back, those that wait for a moment (a callback) from that moment on.
    """
    async with conn.transaction():
        return {
            name: await _sync_campaign(conn, name, campaign) for name, campaign in sorted(campaigns.items())
        }


async def _sync_campaign(conn: Connection, name: str, campaign: CampaignLike) -> int:
    member_id = await member_id_of(conn, campaign.member)
    campaign_id: int = await conn.fetchval(
        sql("campaign_put"), member_id, name, campaign.drop_message.seller, campaign.offer
    )
    lists = [await list_id_of(conn, member_id, one) for one in campaign.lists]
    for position, list_id in enumerate(lists):
        await conn.execute(sql("campaign_list_put"), campaign_id, list_id, position)
    await conn.execute(sql("campaign_lists_drop"), campaign_id, lists)
    return campaign_id


async def member_id_of(conn: Connection, key: str) -> int:
    """Return the id of a Member; UnknownName lists the Members there are."""
    found: int | None = await conn.fetchval(sql("member_id"), key)
    if found is None:
        known = ", ".join(row["key"] for row in await conn.fetch(sql("member_keys"))) or "none yet"
        raise UnknownName(f"no Member is called {key!r} (known: {known}); Members stand in dialer.yaml")
    return found


async def list_id_of(conn: Connection, member_id: int, name: str) -> int:
    """Return the id of a Member's list; the list is made when it is new."""
    found: int | None = await conn.fetchval(sql("list_put"), member_id, name)
    if found is None:  # another session made it after this statement began
        return await list_id_of(conn, member_id, name)
    return found


@dataclass(frozen=True, slots=True)
class MissedList:
    """A campaign's list without a contact; `others` of its Member have some, and no campaign calls them."""

    campaign: str
    member: str
    list: str
    others: Sequence[str]


def columns_of_lists(campaigns: Mapping[str, CampaignLike]) -> Sequence[Sequence[str]]:
    """Return three columns of equal length: campaign, Member and list, a row for each list of each campaign."""
    given = [(name, one.member, each) for name, one in campaigns.items() for each in one.lists]
    return [list(column) for column in zip(*given, strict=True)] or [[], [], []]


async def missed_lists(conn: Connection, campaigns: Mapping[str, CampaignLike]) -> list[MissedList]:
    """Return the campaigns' lists that are perhaps other ones under a misspelt name."""
    rows = await conn.fetch(sql("lists_missed"), *columns_of_lists(campaigns))
    return [MissedList(**dict(row)) for row in rows]


@dataclass(frozen=True, slots=True)
class KnownIds:
    """The ids under which the database knows a campaign of the settings; 0, or no list, for what it does not know."""

    campaign_id: int
    member_id: int
    list_ids: Sequence[int]


async def known_ids(conn: Connection, name: str, campaign: CampaignLike) -> KnownIds:
    """Look up a campaign, its Member and the lists that its settings name; nothing is made or changed."""
    [row] = await conn.fetch(sql("campaign_known"), name, campaign.member, campaign.lists)
    return KnownIds(row["campaign_id"], row["member_id"], row["list_ids"])


async def check_list(conn: Connection, member: str, name: str) -> None:
    """Make sure that a Member has a list of this name; UnknownName tells the Members or lists there are."""
    names = [row["name"] for row in await conn.fetch(sql("list_names"), await member_id_of(conn, member))]
    if name not in names:
        known = ", ".join(names) or "none yet"
        raise UnknownName(f"no list of {member!r} is called {name!r} (known: {known})")


async def campaign_states(conn: Connection) -> dict[str, CampaignState]:
    """Return the state of every campaign in the database by its name."""
    return {row["name"]: row["state"] for row in await conn.fetch(sql("campaign_states"))}


async def campaign_id_of(conn: Connection, name: str) -> int:
    """Return the id of a campaign; UnknownName lists the campaigns there are."""
    ids: dict[str, int] = {row["name"]: row["id"] for row in await conn.fetch(sql("campaign_states"))}
    if name not in ids:
        known = ", ".join(ids) or "none yet"
        raise UnknownName(f"no campaign is called {name!r} in the database (known: {known})")
    return ids[name]


async def set_campaign_state(
    conn: Connection, campaign_id: int, state: CampaignState, at: datetime, *, who: str
) -> None:
    """Set a campaign's state and remember who did it."""
    async with conn.transaction():
        if await conn.fetchval(sql("campaign_set_state"), campaign_id, state, at) is None:
            raise UnknownName(f"campaign {campaign_id} is not in the database")
        await audit(conn, at, who, "campaign state", str(campaign_id), {"state": state})


@dataclass(frozen=True, slots=True)
class AgentRow:
    """An agent's account; `member_id` None serves every Member."""

    id: int
    name: str
    password: str = field(repr=False)
    member_id: int | None


def new_password() -> str:
    """Return a random password; 24 letters and digits that also fit a softphone's settings."""
    return secrets.token_urlsafe(18)


async def add_agent(conn: Connection, member_id: int | None, name: str, password: str) -> int:
    """Add an agent and return the id; StoreError when the name is taken or cannot be used."""
    try:
        added: int = await conn.fetchval(sql("agent_add"), member_id, name, password)
    except asyncpg.UniqueViolationError as error:
        raise StoreError(
            f"an agent called {name!r} exists already; remove it first, or choose another name"
        ) from error
    except asyncpg.CheckViolationError as error:
        raise StoreError(
            f"{name!r} cannot be an agent's name: letters, digits, '-' and '_', at most 32, starting with a "
            "letter or digit"
        ) from error
    return added


async def list_agents(conn: Connection) -> list[AgentRow]:
    """Return the agents that were not removed, by name."""
    return [AgentRow(**dict(row)) for row in await conn.fetch(sql("agents_all"))]


async def set_agent_password(conn: Connection, name: str, password: str) -> None:
    """Give an agent another SIP password; it counts from the phone's next registration after a reload."""
    if await conn.fetchval(sql("agent_password"), name, password) is None:
        raise UnknownName(f"no agent is called {name!r}")


async def remove_agent(conn: Connection, name: str, at: datetime) -> None:
    """Remove an agent's account; the records of their calls stay."""
    if await conn.fetchval(sql("agent_remove"), name, at) is None:
        raise UnknownName(f"no agent is called {name!r}")


async def audit(
    conn: Connection, at: datetime, who: str, action: str, object_: str, detail: Mapping[str, object]
) -> None:
    """Remember who did what to which object; a value of `detail` that JSON has no form for stands there as its text."""
    await conn.execute(sql("audit_add"), at, who, action, object_, json.dumps(detail, default=str))
