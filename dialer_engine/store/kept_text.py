"""Recordings and scripts by version, and what a campaign writes into each of its call-detail records."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql


@dataclass(frozen=True, slots=True)
class KeptText:
    """One version of a drop message or script; `version` stands in the call-detail records."""

    version: str
    kind: Literal["drop_message", "script"]
    content: str
    file_name: str | None


async def keep_text(conn: Connection, text: KeptText, at: datetime) -> None:
    """Keep a version from its first use on (`at`, UTC); one that is known stays as it is."""
    await conn.execute(sql("prompt_keep"), text.version, text.kind, text.content, text.file_name, at)


async def set_record_fields(
    conn: Connection,
    campaign_id: int,
    telemarketer: str | None,
    script_version: str | None,
    caller_id_proof: str | None,
) -> None:
    """Set what the campaign's call-detail records say from now on (16 CFR 310.5(a)(2))."""
    fields = (telemarketer, script_version, caller_id_proof)
    await conn.execute(sql("campaign_record_fields"), campaign_id, *fields)
