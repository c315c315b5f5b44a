"""What `dialer doctor` says of do-not-call lists: one that grows too old stops calls without an error anywhere."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from dialer_engine.cli.doctor_database import by_database
from dialer_engine.cli.finding import CRITICAL, OK, WARNING, Finding
from dialer_engine.core.gate.lists import Age
from dialer_engine.settings.load import Config
from dialer_engine.store.pool import Connection
from dialer_engine.store.registry.overview import ListRow, overview

_WHAT = "registries"
_REMEDY = (
    "get them anew and load them with dialer registry import, which says with --drop what to let go of that nobody "
    "subscribes to any more (docs/registries.md)"
)


async def registries(config: Path) -> Finding:
    """Look at the age of every list that calls need."""
    return await by_database(config, _WHAT, _look)


async def _look(conn: Connection, loaded: Config) -> Finding:
    return judged(await overview(conn, loaded.rules, loaded.plan, datetime.now(UTC)))


def judged(rows: Iterable[ListRow]) -> Finding:
    """Say how old the needed lists are; those that were never loaded are named, but are not an alarm: a dialer that
    calls one country needs no list of the other."""
    needed = [row for row in rows if row.needed and not row.waived]
    stopped = [row for row in needed if row.age is Age.stale]
    old = [row for row in needed if row.age is Age.warning]
    if stopped:
        words = f"too old, so calls that need them stop: {_ages(stopped + old)}; {_REMEDY}"
        return Finding(_WHAT, CRITICAL, words)
    if old:
        return Finding(_WHAT, WARNING, f"calls stop soon that need {_ages(old)}; {_REMEDY}")
    fresh = [row.name for row in needed if row.age is Age.fresh]
    absent = [row.name for row in needed if row.age is Age.missing]
    said = [f"fresh: {', '.join(fresh)}"] if fresh else []
    said += [f"never loaded, so calls that need them stop: {', '.join(absent)}"] if absent else []
    return Finding(_WHAT, OK, "; ".join(said) or "none is needed")


def _ages(rows: Iterable[ListRow]) -> str:
    return ", ".join(f"{row.name} ({row.age_days} days, stop after {row.stop_days})" for row in rows)
