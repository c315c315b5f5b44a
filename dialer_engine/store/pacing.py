"""The history of pacing: minutes as the engine writes them, sums of them as reports read them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from dialer_engine.core.pacing.history import Minute
from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql

KEPT = timedelta(days=400)
"""How long minutes are kept: a year and a month, so that a season can be compared with the last one."""


@dataclass(frozen=True, slots=True)
class MinuteRow:
    """One minute of one campaign; `at` is its beginning (UTC), `hours` why nobody may be called, if so."""

    campaign_id: int
    at: datetime
    epoch: int
    minute: Minute
    hours: str | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A campaign's minutes from `start` (UTC) on, summed up; see `core.pacing.history.Minute`.

    `level` and the agents are means, waits are mean seconds (None: nobody waited), `bound` is what kept the
    level from being higher longest, `period_*` and `abandon_limit` the legal period at the end.
    """

    campaign: str
    start: datetime
    mode: str
    seconds: float
    level: float
    level_max: int
    talking: float
    ready: float
    wrap: float
    paused: float
    placed: int
    live: int
    abandoned: int
    cancelled: int
    agent_wait_s: float | None
    customer_wait_s: float | None
    price: float | None
    bound: str
    reason: str
    hours: str | None
    period_live: int | None
    period_abandoned: int | None
    abandon_limit: float | None

    @property
    def abandoned_share(self) -> float:
        """Abandoned calls as a share of the live answers."""
        return self.abandoned / self.live if self.live else 0.0

    @property
    def talking_share(self) -> float:
        """Share of the time of agents on duty, pauses left out, in which they talked."""
        on_duty = self.talking + self.ready + self.wrap
        return self.talking / on_duty if on_duty else 0.0


@dataclass(frozen=True, slots=True)
class RiskBin:
    """Answers of one campaign whose risk was predicted in bin `bin` (1 to 10), and what became of them."""

    campaign: str
    bin: int
    answers: int
    predicted: float
    abandoned: int


async def add_minutes(conn: Connection, rows: Iterable[MinuteRow]) -> None:
    """Keep minutes, all of them or none."""
    await conn.executemany(sql("pacing_add"), [_values(row) for row in rows])


def _values(row: MinuteRow) -> tuple[object, ...]:
    minute, counts, ledger, bins = row.minute, row.minute.counts, row.minute.ledger, row.minute.bins
    agents = minute.agents
    return (
        *(row.campaign_id, row.at, row.epoch, minute.mode, minute.seconds, minute.level, minute.level_max),
        *(agents.get("in_call", 0.0), agents.get("ready", 0.0) + agents.get("reserved", 0.0)),
        *(agents.get("wrap", 0.0), agents.get("paused", 0.0)),
        *(counts.placed, counts.live, counts.abandoned, counts.cancelled),
        *(counts.agent_waits, counts.agent_wait_s, counts.customer_waits, counts.customer_wait_s),
        *(minute.price, minute.bound, minute.reason, json.dumps(minute.bounds), row.hours),
        *((ledger.live, ledger.abandoned, ledger.share) if ledger else (None, None, None)),
        *(bins.answers, bins.predicted, bins.abandoned),
    )


async def spans(
    conn: Connection, start: datetime, end: datetime, width: timedelta, campaign: str | None = None
) -> list[Span]:
    """Return the minutes from `start` on and before `end` (UTC), summed up in spans of `width`."""
    rows = await conn.fetch(sql("pacing_spans"), start, end, width, campaign)
    return [Span(**dict(row)) for row in rows]


async def calibration(
    conn: Connection, start: datetime, end: datetime, campaign: str | None = None
) -> list[RiskBin]:
    """Return, per campaign, the bins of predicted risk that had answers between two moments (UTC)."""
    rows = await conn.fetch(sql("pacing_calibration"), start, end, campaign)
    return [RiskBin(**dict(row)) for row in rows]
