"""How previews without a call end: a record like a disposition, written in order and once, also after an outage."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql


@dataclass(frozen=True, slots=True)
class PreviewEnd:
    """The end of a hold at `at` (UTC); its contact is due again at `until` (gate's clock), or (None) at once."""

    preview_id: str
    outcome: str
    reason: str | None
    at: datetime
    until: datetime | None = None


async def end_previews(conn: Connection, ends: Iterable[PreviewEnd]) -> None:
    """End holds; what comes late touches no contact with which something newer has begun."""
    for end in ends:
        words = f"{end.outcome}: {end.reason}"
        await conn.execute(
            sql("preview_end"), end.preview_id, end.outcome, end.reason, end.until, words, end.at
        )
