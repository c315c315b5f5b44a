"""Evidence packs: everything known about the calls to a number or of a campaign, sealed against changes.

A pack is a directory: one CSV per kind of record for people, `records.jsonl` with all of them for programs, a
page to read, the recordings used, and a manifest. Each record is chained to the one before it, the manifest
is sealed with the hash of every file, and the seal of each pack includes the seal of the pack made before it.
The seals stand in the database too, in a table whose rows cannot be changed.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from dialer_engine.core.chain import START
from dialer_engine.core.gate import RuleBook
from dialer_engine.core.ledger import AbandonLimit, Counts, Ledger, allowed, limits_in_force, period_start
from dialer_engine.store.errors import StoreError
from dialer_engine.store.evidence_files import MANIFEST, PackFiles, file_hash, plain, seal_of
from dialer_engine.store.evidence_page import write_page
from dialer_engine.store.ledger import legal_campaigns, load_ledger
from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql

SECTIONS: Mapping[str, Callable[[], str]] = MappingProxyType(
    {
        "attempts": lambda: sql("evidence_attempts"),
        "verdicts": lambda: sql("evidence_verdicts"),
        "events": lambda: sql("evidence_events"),
        "dispositions": lambda: sql("evidence_dispositions"),
        "suppressions": lambda: sql("evidence_suppressions"),
        "suppression_log": lambda: sql("evidence_suppression_log"),
        "consents": lambda: sql("evidence_consents"),
        "list_versions": lambda: sql("evidence_list_versions"),
        "reassigned": lambda: sql("evidence_reassigned"),
        "rules": lambda: sql("evidence_rules"),
        "prompts": lambda: sql("evidence_prompts"),
        "stops": lambda: sql("evidence_stops"),
        "audit": lambda: sql("evidence_audit"),
    }
)
"""The kinds of records, each with its query; the ledger is computed."""
PREFETCH = 1000
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Asked:
    """What a pack is about: a number (E.164) or a campaign, and attempts reserved in [start, end), UTC."""

    number: str | None
    campaign_id: int | None
    campaign: str | None
    start: datetime
    end: datetime

    @property
    def arguments(self) -> tuple[object, ...]:
        """The parameters that all the queries take."""
        return (self.number, self.campaign_id, self.start, self.end)

    def shown(self) -> dict[str, str | None]:
        """What was asked, for the manifest."""
        return {
            "number": self.number,
            "campaign": self.campaign,
            "from": self.start.isoformat(),
            "to": self.end.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack that was written: where, how many records of each kind, and its seal."""

    directory: Path
    sections: Mapping[str, int]
    seal: str


CountryOf = Callable[[str], str]


async def write_pack(
    conn: Connection,
    asked: Asked,
    target: Path,
    country_of: CountryOf,
    rules: RuleBook,
    *,
    made_at: datetime,
    made_by: str,
    sounds: Path | None = None,
) -> Pack:
    """Write a pack into the new directory `target`, where it appears only when it is whole.

    A campaign's pack holds nothing that is about other Members than those it called for. The abandonment ledger is
    judged by the limits that `rules` have in force. Raises StoreError when the directory cannot be written.
    """
    draft = _draft(target)
    try:
        periods = await _ledgers(conn, asked, country_of, rules)
        with PackFiles(draft) as files:
            async with conn.transaction(isolation="repeatable_read", readonly=True):
                for section in SECTIONS:
                    await _section(conn, files, section, asked)
            files.section("ledger", periods)
        _copy_recordings(files, sounds)
        write_page(draft / "index.html", asked.shown(), files, made_at, made_by)
        manifest = await _seal(conn, files, asked, made_at, made_by)
        (draft / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
        draft.rename(target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return Pack(target, files.counts, str(manifest["seal"]))


def _draft(target: Path) -> Path:
    if target.exists():
        raise StoreError(f"{target} exists already; name a directory that does not")
    draft = target.with_name(f".{target.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True)
    except OSError as error:
        raise StoreError(
            f"{target}: cannot be written ({error.strerror}); name another directory with --out"
        ) from error
    return draft


async def _section(conn: Connection, files: PackFiles, section: str, asked: Asked) -> None:
    statement = await conn.prepare(SECTIONS[section]())
    names = [attribute.name for attribute in statement.get_attributes()]
    files.begin(section, names)
    async for row in _rows(conn, section, asked):
        files.add(section, row)


async def _rows(conn: Connection, section: str, asked: Asked) -> AsyncIterator[dict[str, Any]]:
    async for row in conn.cursor(SECTIONS[section](), *asked.arguments, prefetch=PREFETCH):
        yield {name: plain(value) for name, value in row.items()}


async def _ledgers(
    conn: Connection, asked: Asked, country_of: CountryOf, rules: RuleBook
) -> list[dict[str, Any]]:
    """Return the ledgers of the campaigns in question, each with all that are one campaign in law with it."""
    legal = await legal_campaigns(conn)
    names = {row["id"]: row["name"] for row in await conn.fetch(sql("campaign_states"))}
    called = [row["id"] for row in await conn.fetch(sql("evidence_campaigns"), *asked.arguments)]
    rows: list[dict[str, Any]] = []
    for one in dict.fromkeys(legal[campaign_id] for campaign_id in called):
        together, parts = Ledger(), [campaign_id for campaign_id in legal if legal[campaign_id] == one]
        for campaign_id in parts:
            together.take(await load_ledger(conn, campaign_id, country_of, None))
        head = {
            "campaign": ", ".join(sorted(names[campaign_id] for campaign_id in parts)),
            "seller": one.seller,
            "offer": one.offer,
        }
        rows += [head | period for period in _periods(together, rules)]
    return rows


def _periods(ledger: Ledger, rules: RuleBook) -> list[dict[str, Any]]:
    """Return one row per country and period, with what the law allowed on the last day of it that had calls."""
    sums: dict[tuple[str, date], Counts] = {}
    limits: dict[tuple[str, date], AbandonLimit] = {}
    for (country, day), counts in sorted(ledger.days.items(), key=lambda each: each[0]):
        limit = limits_in_force(rules, day)[country]
        start = period_start(limit, ledger.first_days[country], day)
        sums[country, start] = sums.get((country, start), Counts()) + counts
        limits[country, start] = limit
    return [_period(*key, counts, limits[key]) for key, counts in sums.items()]


def _period(country: str, start: date, counts: Counts, limit: AbandonLimit) -> dict[str, Any]:
    return {
        "country": country,
        "period_from": start.isoformat(),
        "limit": f"{float(limit.share):.1%} of live answers per "
        + ("calendar month" if limit.period == "month" else f"{limit.days} days"),
        "live_answers": counts.live,
        "counted_abandoned": counts.counted_abandoned,
        "allowed": allowed(limit, counts.live),
        "within": counts.counted_abandoned <= allowed(limit, counts.live),
        **asdict(counts),
    }


def _copy_recordings(files: PackFiles, sounds: Path | None) -> None:
    """Put the recordings that were used into the pack, as far as they are still on this machine."""
    if sounds is None:
        return
    for name in files.recordings:
        for found in sounds.rglob(name):
            (files.directory / "recordings").mkdir(exist_ok=True)
            shutil.copyfile(found, files.directory / "recordings" / name)
            break


async def _seal(
    conn: Connection, files: PackFiles, asked: Asked, made_at: datetime, made_by: str
) -> dict[str, Any]:
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "made_at": made_at.astimezone(UTC).isoformat(),
        "made_by": made_by,
        "asked": asked.shown(),
        "sections": dict(files.counts),
        "records": files.chain.records,
        "chain_head": files.chain.head,
        "files": {name: file_hash(files.directory / name) for name in files.names()},
    }
    async with conn.transaction():
        await conn.execute(sql("evidence_lock"))
        manifest["previous"] = await conn.fetchval(sql("evidence_last")) or START
        manifest["seal"] = seal_of(manifest)
        asked_json = msgspec.json.encode(asked.shown()).decode()
        await conn.execute(
            sql("evidence_seal"),
            *(made_at, made_by, asked_json, files.chain.records, manifest["seal"], manifest["previous"]),
        )
    return manifest
