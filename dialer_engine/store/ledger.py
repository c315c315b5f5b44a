"""The abandonment ledger out of the call-detail records: what was counted per campaign, country and day."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta

from dialer_engine.core.ledger import Counts, Ledger
from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql

LOOK_BACK = timedelta(days=62)
"""Two periods of 30 days and their edges: no budget depends on older calls."""


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A connected attempt whose disposition is still to come."""

    attempt_id: str
    country: str
    day: date


@dataclass(frozen=True, slots=True)
class LegalCampaign:
    """What makes several campaigns one in law; without an offer a campaign stands for itself."""

    member_id: int
    seller: str
    offer: str


CountryOf = Callable[[str], str]
"""From an area code to its country."""


async def load_ledger(
    conn: Connection, campaign_id: int, country_of: CountryOf, since: datetime | None
) -> Ledger:
    """Return a campaign's ledger of the attempts reserved from `since` (UTC) on, None for all there are."""
    ledger = Ledger()
    first = await conn.fetchval(sql("ledger_first_call"), campaign_id)
    if first is not None:
        for country in ledger.limits:
            ledger.began(country, first)
    start = since or datetime.combine(date(1970, 1, 1), time(), UTC)
    for row in await conn.fetch(sql("ledger_days"), campaign_id, start):
        counts = Counts(**{f.name: row[f.name] for f in fields(Counts)})
        ledger.add(country_of(row["npa"]), row["day"], counts)
    return ledger


async def doubtful(
    conn: Connection, campaign_id: int, country_of: CountryOf, since: datetime
) -> list[Doubtful]:
    """Return the connected attempts whose disposition is not known."""
    rows = await conn.fetch(sql("ledger_doubtful"), campaign_id, since)
    return [Doubtful(r["attempt_id"], country_of(r["called_number"][2:5]), r["day"]) for r in rows]


async def campaign_ids(conn: Connection) -> Mapping[str, int]:
    """Return every campaign's id by its name, of campaigns that are in no configuration any more too."""
    return {row["name"]: row["id"] for row in await conn.fetch(sql("ledger_groups"))}


async def legal_campaigns(conn: Connection) -> Mapping[int, LegalCampaign]:
    """Return for every campaign's id the legal campaign it is part of (same seller and offer)."""
    return {
        row["id"]: LegalCampaign(row["member_id"], row["seller"], row["offer"] or f"campaign {row['name']}")
        for row in await conn.fetch(sql("ledger_groups"))
    }
