"""Remembers what every version of the calling rules said, and who loosened what, to show it later.

An attempt carries the version of the rules that allowed it; here is the text of that version. Contacts that another
version held are looked at again by what their campaign is held under: see `store.queue.settle_held`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from dialer_engine.core.gate.rulebook import Loosening
from dialer_engine.store.directory import audit
from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql


@dataclass(frozen=True, slots=True)
class StoredRules:
    """The files of one version by name."""

    version: str
    first_at: datetime
    files: Mapping[str, str]


async def remember(
    conn: Connection,
    version: str,
    files: Mapping[str, str],
    loosened: Iterable[Loosening],
    at: datetime,
    campaigns: Collection[int] = (),
) -> bool:
    """Keep a version's files, and audit it with what it loosens when it comes into force; False when it is already.

    It comes into force when it is new, and again when one of the `campaigns` (ids) was run by another one last.
    """
    async with conn.transaction():
        text = msgspec.json.encode(files).decode()
        new = await conn.fetchval(sql("rule_set_add"), version, at, text) is not None
        if not new and not await conn.fetchval(sql("rule_set_replaces"), version, list(campaigns)):
            return False
        await audit(conn, at, "engine", "rules in force", version, {"files": " ".join(sorted(files))})
        for each in loosened:
            await audit(conn, at, each.who, "rule loosened", each.region, _detail(each, version))
    return True


def _detail(loosened: Loosening, version: str) -> dict[str, str]:
    until = loosened.effective_to.isoformat() if loosened.effective_to else "further notice"
    return {
        "what": loosened.what,
        "reason": loosened.reason,
        "from": loosened.effective_from.isoformat(),
        "to": until,
        "version": version,
    }


async def stored(conn: Connection, version: str) -> StoredRules | None:
    """Return the files of a version that was in force, or None when it never was."""
    row = await conn.fetchrow(sql("rule_set_of"), version)
    if row is None:
        return None
    return StoredRules(
        row["version"], row["first_at"], msgspec.json.decode(row["files"], type=dict[str, str])
    )


async def versions(conn: Connection) -> list[tuple[str, datetime]]:
    """Return the versions that were ever in force and since when, newest first."""
    return [(row["version"], row["first_at"]) for row in await conn.fetch(sql("rule_sets_all"))]
