"""Recordings and scripts by version, and what a campaign writes into each of its call-detail records."""

import hashlib
import json
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql


@dataclass(frozen=True, slots=True)
class KeptText:
    """One version of a drop message or script; `version` stands in the call-detail records."""

    version: str
    kind: Literal["drop_message", "script"]
    content: str
    file_name: str | None


@dataclass(frozen=True, slots=True)
class RecordFields:
    """What call-detail records say that is not of the call itself (16 CFR 310.5(a)(2)).

    `prompt_version` is the drop message that Asterisk is told of with each call; a record names it when it was played.
    `called_party` is whom the campaign says it calls.
    """

    member_id: int
    member: str
    seller: str
    offer: str | None
    telemarketer: str
    script_version: str | None
    caller_id_proof: str | None
    prompt_version: str
    caller_id_name: str | None
    called_party: Literal["consumer", "business"]

    @property
    def version(self) -> str:
        """A digest of all of it: the same on every engine, also after the database went back."""
        return str(UUID(bytes=hashlib.sha256(json.dumps(astuple(self)).encode()).digest()[:16]))


async def keep_text(conn: Connection, text: KeptText, at: datetime) -> None:
    """Keep a version from its first use on (`at`, UTC); one that is known stays as it is."""
    await conn.execute(sql("prompt_keep"), text.version, text.kind, text.content, text.file_name, at)


async def keep_record_fields(conn: Connection, said: RecordFields, at: datetime) -> str:
    """Keep what records say from its first use on (`at`, UTC) and return its version.

    Its recording and script must be kept already.
    """
    await conn.execute(sql("record_fields_keep"), said.version, *astuple(said), at)
    return said.version


async def set_record_fields(
    conn: Connection,
    campaign_id: int,
    telemarketer: str | None,
    script_version: str | None,
    caller_id_proof: str | None,
) -> None:
    """Set what the records of a campaign's attempts say that were reserved without a version of `RecordFields`."""
    fields = (telemarketer, script_version, caller_id_proof)
    await conn.execute(sql("campaign_record_fields"), campaign_id, *fields)
