"""Remembers what every version of the calling rules said, and who loosened what, to show it later.

An attempt carries the version of the rules that allowed it; here is the text of that version.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from dialer_engine.core.gate.rulebook import Loosening
from dialer_engine.store.directory import audit
from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql

HELD_BY_RULES = ("number_class", "zone_data", "automated_dialing", "announcing_device", "holiday")
"""Rules that refuse for as long as the files say so: other files, other verdicts."""


@dataclass(frozen=True, slots=True)
class StoredRules:
    """The files of one version by name."""

    version: str
    first_at: datetime
    files: Mapping[str, str]


async def remember(
    conn: Connection, version: str, files: Mapping[str, str], loosened: Iterable[Loosening], at: datetime
) -> bool:
    """Keep a version's files when it is new, audit what it loosens, and look again at what rules held."""
    async with conn.transaction():
        text = msgspec.json.encode(files).decode()
        if await conn.fetchval(sql("rule_set_add"), version, at, text) is None:
            return False
        await audit(conn, at, "engine", "rules in force", version, {"files": " ".join(sorted(files))})
        for each in loosened:
            await audit(conn, at, each.who, "rule loosened", each.region, _detail(each, version))
        await conn.execute(sql("requeue_held_by_rules"), list(HELD_BY_RULES))
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
