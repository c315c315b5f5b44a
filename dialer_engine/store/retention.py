"""Retention: deletes what need not be kept any longer, and nothing that the law still wants.

Call-detail records, their events and dispositions, the ledger that is computed from them and the audit log
are kept for at least five years; triggers of the tables refuse to delete younger rows, whoever asks.
Do-not-call entries with their log, opt-outs, consents and versions of outside lists are never deleted here. What makes
an entry cover a person's other numbers, contacts and the rows that bind them together, stays as long as the entry.
Minutes of the pacing's history and previews of contacts are no record of a call and are kept 400 days; so is how far
engines that ended had written, which is needed as long as a journal of theirs may still come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from dialer_engine.store.directory import audit
from dialer_engine.store.errors import StoreError
from dialer_engine.store.pacing import KEPT
from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql

LEAST_YEARS = 5
BATCH = 5000
_MARGIN = timedelta(days=1)

KEPT_FOR_GOOD = (
    "do-not-call entries and their log (floors: 5 years in the US, 10 in Virginia, 3 in Canada)",
    "opt-outs, consents, relationships and their revocations",
    "versions of outside lists, answers of the reassigned-numbers database, versions of the calling rules",
    "recordings and scripts by version, evidence packs' seals",
)


@dataclass(frozen=True, slots=True)
class Policy:
    """What is kept how long: records in years (at least 5), leads in months (None: for good)."""

    record_years: int = LEAST_YEARS
    lead_months: int | None = None

    def __post_init__(self) -> None:
        if self.record_years < LEAST_YEARS:
            raise StoreError(f"call records are kept at least {LEAST_YEARS} years (16 CFR 310.5)")
        if self.lead_months is not None and self.lead_months < 1:
            raise StoreError("contacts are kept at least a month")


@dataclass(frozen=True, slots=True)
class _Job:
    name: str
    before: datetime
    count: str
    delete: str


def _jobs(policy: Policy, now: datetime) -> list[_Job]:
    records = years_before(now, policy.record_years) - _MARGIN
    jobs = [
        _Job("records", records, sql("retention_records_due"), sql("retention_records")),
        _Job("audit", records, sql("retention_audit_due"), sql("retention_audit")),
        _Job("pacing", now - KEPT, sql("retention_pacing_due"), sql("retention_pacing")),
        _Job("previews", now - KEPT, sql("retention_previews_due"), sql("retention_previews")),
        _Job("writers", now - KEPT, sql("retention_writers_due"), sql("retention_writers")),
    ]
    if policy.lead_months is not None:
        leads = months_before(now, policy.lead_months) - _MARGIN
        jobs.append(_Job("leads", leads, sql("retention_leads_due"), sql("retention_leads")))
        jobs.append(_Job("links", leads, sql("retention_links_due"), sql("retention_links")))
    return jobs


async def due(conn: Connection, policy: Policy, now: datetime) -> Mapping[str, int]:
    """Count what a run at `now` (UTC) would delete: `records`, `audit`, `pacing`, `previews`, `writers` and `leads`.

    `links` are numbers that bind contacts together as one person; a run also deletes those of the leads it deletes.
    """
    return {job.name: await conn.fetchval(job.count, job.before) for job in _jobs(policy, now)}


async def run(conn: Connection, policy: Policy, now: datetime, *, who: str) -> Mapping[str, int]:
    """Delete it, a few thousand rows per transaction, and audit what was deleted."""
    await conn.execute(sql("retention_first_calls"))
    deleted: dict[str, int] = {}
    for job in _jobs(policy, now):
        deleted[job.name] = await (_delete_leads if job.name == "leads" else _delete)(conn, job)
    detail = {name: str(count) for name, count in deleted.items()}
    await audit(
        conn, now, who, "retention", f"before {years_before(now, policy.record_years):%Y-%m-%d}", detail
    )
    return deleted


async def _delete(conn: Connection, job: _Job) -> int:
    total = 0
    while True:
        count: int = await conn.fetchval(job.delete, job.before, BATCH)
        total += count
        if count < BATCH:
            return total


async def _delete_leads(conn: Connection, job: _Job) -> int:
    """Delete leads batch by batch, each beginning where the one before it ended: who stays is looked at once."""
    total, last = 0, 0
    while last is not None:
        [batch] = await conn.fetch(job.delete, job.before, BATCH, last)
        total += batch["deleted"]
        last = batch["last"]
    return total


def years_before(moment: datetime, years: int) -> datetime:
    """Return the same day `years` years before; 29 February becomes the 28th."""
    return months_before(moment, 12 * years)


def months_before(moment: datetime, months: int) -> datetime:
    """Return the same day of the month `months` months before, or that month's last day."""
    place = moment.year * 12 + moment.month - 1 - months
    year, month = divmod(place, 12)
    for day in range(moment.day, 27, -1):
        try:
            return moment.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    return moment.replace(year=year, month=month + 1)
