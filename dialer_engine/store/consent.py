"""Consents and business relationships, each with its evidence, and their revocation by any channel.

A record is never changed; a revocation is a record of its own. Revoking ends all of the person's consents and puts
all of the person's numbers on the do-not-call list, in one transaction, so that nobody is called on a consent that is
gone and nobody who said no is called at all. Other ways onto the list end consents too: see `store.revocations`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from dialer_engine.core.gate import Consent, ConsentKind
from dialer_engine.core.gate.opt_out_words import OptOut, opt_out_in
from dialer_engine.store.pool import Connection
from dialer_engine.store.revocations import end, end_older, standing
from dialer_engine.store.sql import sql
from dialer_engine.store.suppress import Forbidden, live_to_cancel, take_turn, wait_for_passes
from dialer_engine.store.suppress import insert as insert_entries

HELD_FOR_CONSENT = (
    "automated_dialing",
    "announcing_device",
    "registry",
    "list_freshness",
    "reassigned",
    "wireless",
    "emergency_stop",
)
"""Rules that a new consent may satisfy; contacts held by them are looked at again."""


@dataclass(frozen=True, slots=True)
class NewConsent:
    """What is known of a consent or relationship; `since` is when it was given, in UTC.

    `text_shown` is what the person agreed to, word for word; `evidence` says where the original is kept;
    `person` is who gave it.
    """

    number: str
    kind: ConsentKind
    since: datetime
    source: str
    purpose: str = ""
    text_shown: str = ""
    evidence: str = ""
    person: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What recording consents did: the numbers of those that are new, each once per consent.

    `older` counts those of them that have ended with the record: their person has asked not to be called since.
    """

    numbers: tuple[str, ...]
    older: int


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """One record as it stands, with what became of it."""

    id: int
    member: str
    number: str
    kind: str
    since: datetime
    source: str
    purpose: str
    text_shown: str
    evidence: str
    person: str
    recorded_at: datetime
    recorded_by: str
    revoked_at: datetime | None
    revoked_by_channel: str | None
    revoked_by: str | None
    revocation_note: str | None


@dataclass(frozen=True, slots=True)
class Revocation:
    """What a revocation did: consents ended, numbers no longer called, attempts to be cancelled now.

    `member_id` is the only Member that may not call them any more, None when nobody may.
    """

    consents: tuple[int, ...]
    numbers: tuple[str, ...]
    to_cancel: tuple[str, ...]
    member_id: int | None

    @property
    def forbidden(self) -> list[Forbidden]:
        """What the engine is told."""
        return [Forbidden(number, self.member_id) for number in self.numbers]


async def consents_of(
    conn: Connection, numbers: Sequence[str], member_id: int | None
) -> Mapping[str, tuple[Consent, ...]]:
    """Return a Member's consents by number, oldest first; nobody's for None."""
    found: dict[str, list[Consent]] = {}
    if member_id is None:
        return {}
    for row in await conn.fetch(sql("number_consents"), list(numbers), member_id):
        consent = Consent(
            ConsentKind(row["kind"]),
            row["since"],
            row["source"],
            row["purpose"],
            row["id"],
            row["revoked_at"],
        )
        found.setdefault(row["number"], []).append(consent)
    return {number: tuple(consents) for number, consents in found.items()}


async def add(
    conn: Connection, member_id: int, new: Iterable[NewConsent], at: datetime, *, who: str
) -> Recorded:
    """Record a few consents at `at` (UTC).

    A consent does not take a number off a do-not-call list: only a person with a reason does that. Contacts are
    looked at again with the commit, and those whom passes under way held after it; also when all consents were known.
    """
    consents = list(new)
    concerned = [each.number for each in consents]
    async with conn.transaction():
        recorded = await insert(conn, member_id, consents, at, who=who)
        await look_again(conn, member_id, concerned)
    await wait_for_passes(conn)
    await look_again(conn, member_id, concerned)
    return recorded


async def insert(
    conn: Connection, member_id: int, consents: Sequence[NewConsent], at: datetime, *, who: str
) -> Recorded:
    """Record consents as `add` does, in the caller's transaction, who looks again at whom they concern."""
    rows = await conn.fetch(
        sql("consents_add"),
        *(member_id, at, who),
        [c.number for c in consents],
        [c.kind.value for c in consents],
        [c.since for c in consents],
        [c.source for c in consents],
        [c.purpose for c in consents],
        [c.text_shown for c in consents],
        [c.evidence for c in consents],
        [c.person for c in consents],
    )
    older = await end_older(conn, [row["id"] for row in rows], member_id)
    return Recorded(tuple(row["number"] for row in rows), older)


async def look_again(conn: Connection, member_id: int, numbers: Sequence[str]) -> None:
    """Make contacts with these numbers due again that were held for want of a consent."""
    await conn.execute(sql("requeue_after_consent"), numbers, member_id, list(HELD_FOR_CONSENT))


async def of_number(conn: Connection, number: str, member_id: int | None = None) -> list[ConsentRecord]:
    """Return every consent of a number, newest first, of one Member or of all."""
    rows = await conn.fetch(sql("consents_of_number"), number, member_id)
    return [ConsentRecord(**dict(row)) for row in rows]


async def person_numbers(conn: Connection, number: str, member_id: int | None) -> list[str]:
    """Return all numbers of the person with this number: of the Member's contact, or of everybody's."""
    rows = await conn.fetch(sql("person_numbers"), [number], member_id)
    return list(dict.fromkeys([number, *(row["number"] for row in rows)]))


async def revoke(
    conn: Connection,
    number: str,
    member_id: int | None,
    channel: str,
    at: datetime,
    *,
    who: str,
    note: str | None = None,
) -> Revocation:
    """End every consent of the person with this number and call none of their numbers any more.

    For one Member, or (None) for everybody on this system. `channel` is how the person said so: key, agent,
    command, api, inbound_call, sms, email. The caller then cancels what is queued or ringing.
    """
    async with conn.transaction():
        numbers = await person_numbers(conn, number, member_id)
        await insert_entries(conn, numbers, member_id, f"revoked by {channel}", at, who=who, note=note)
        ended = await end(conn, await standing(conn, numbers, member_id), at, channel, who=who, note=note)
        await take_turn(conn)
    cancel = await live_to_cancel(conn, numbers, member_id)
    return Revocation(tuple(ended), tuple(numbers), tuple(cancel), member_id)


async def inbound_call(conn: Connection, number: str, member_id: int, at: datetime) -> bool:
    """Record that a customer called in, which counts as an inquiry for three months; False when known."""
    inquiry = NewConsent(number, ConsentKind.ebr_inquiry, at, "inbound call", "the customer called")
    return bool((await add(conn, member_id, [inquiry], at, who="called party")).numbers)


async def take_message(
    conn: Connection, number: str, member_id: int | None, channel: str, text: str, at: datetime
) -> tuple[OptOut, Revocation | None]:
    """Read a text or e-mail of a called person; an opt-out is obeyed at once, a doubt is left to a person."""
    meant = opt_out_in(text)
    if meant is not OptOut.yes:
        return meant, None
    note = text.strip()[:200]
    return meant, await revoke(conn, number, member_id, channel, at, who="called party", note=note)
