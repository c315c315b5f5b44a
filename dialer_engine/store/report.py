"""Sums per campaign and day, and per agent: what `dialer report` prints."""

from dataclasses import dataclass
from datetime import date, datetime

from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql


@dataclass(frozen=True, slots=True)
class CampaignDay:
    """One campaign, by the name it has now, on one day (UTC) of reservation; waits are from the answer to the agent.

    `live`, `abandoned` and `doubtful` are those of the abandonment ledger (`core.ledger`): a talk counts as live once
    its disposition says that a person was there, a join after 2 s as abandoned. `bridged`, `result_abandoned` and
    those that follow count every attempt once, by its result.
    """

    campaign: str
    day: date
    attempts: int
    answered: int
    bridged: int
    result_abandoned: int
    live: int
    abandoned: int
    doubtful: int
    hung_up: int
    no_answer: int
    busy: int
    failed: int
    other: int
    wait_p50_ms: float | None
    wait_p95_ms: float | None
    wait_p99_ms: float | None
    joined: int
    wait_over_2s: int
    talk_ms: int

    @property
    def abandoned_share(self) -> float:
        """Abandoned calls as a share of the live answers, 0 to 1, as the law counts both; 0 without any."""
        return self.abandoned / self.live if self.live else 0.0

    @property
    def over_2s_share(self) -> float:
        """Share of the calls joined to an agent that waited longer than 2 s for the agent."""
        return self.wait_over_2s / self.joined if self.joined else 0.0


@dataclass(frozen=True, slots=True)
class AgentDay:
    """One agent in one campaign on one day (UTC): seconds by state, and conversations."""

    agent: str
    campaign: str
    day: date
    wait_s: float
    talk_s: float
    wrap_s: float
    paused_s: float
    calls: int

    @property
    def calls_per_hour(self) -> float:
        """Conversations per hour on duty, pauses not counted."""
        worked = self.wait_s + self.talk_s + self.wrap_s
        return self.calls * 3600 / worked if worked else 0.0


async def campaign_days(
    conn: Connection, start: datetime, end: datetime, campaign: str | None = None
) -> list[CampaignDay]:
    """Return the sums per campaign and day of attempts reserved from `start` on and before `end` (UTC)."""
    rows = await conn.fetch(sql("report_campaigns"), start, end, campaign)
    return [CampaignDay(**dict(row)) for row in rows]


async def agent_days(
    conn: Connection, start: datetime, end: datetime, now: datetime, campaign: str | None = None
) -> list[AgentDay]:
    """Return the sums per agent, campaign and day between two moments (UTC), as far as they are past at `now`.

    A state over midnight counts on each of its days, a call on the day on which its talk began. A state that nothing
    has ended goes on until an engine of this database was last heard of.
    """
    rows = await conn.fetch(sql("report_agents"), start, end, campaign, now)
    return [AgentDay(**dict(row)) for row in rows]
