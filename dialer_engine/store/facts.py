"""Everything the gate would be told about a number, for `dialer why`; reads only, changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from operator import itemgetter

import asyncpg

from dialer_engine.core.gate import EmergencyStop, Facts
from dialer_engine.store.candidates import candidates_of, number_facts
from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql
from dialer_engine.store.stops import in_force


@dataclass(frozen=True, slots=True)
class NumberInCampaign:
    """A number as one campaign (or, without contacts, nobody) sees it.

    Not `on_list`: the contact's list was taken away from the campaign, so that the engine does not ask the gate.
    """

    facts: Facts
    member: str | None = None
    list: str | None = None
    campaign: str | None = None
    contact_id: int | None = None
    queue_state: str | None = None
    next_at: datetime | None = None
    held_rule: str | None = None
    held_reason: str | None = None
    on_list: bool = True
    stops: tuple[EmergencyStop, ...] = ()


@dataclass(frozen=True, slots=True)
class _Asked:
    campaign_id: int
    member_id: int
    now: datetime


async def facts_for(
    conn: Connection, number: str, campaign_id: int | None, now: datetime
) -> list[NumberInCampaign]:
    """Return the facts per contact and campaign that has this number, at `now` (gate's clock).

    They are those of a reservation. A number that is not in service, which no reservation asks the gate about, has
    that as its last result. A number on no list gives one entry, with the entries that forbid it to everybody.
    """
    rows = await conn.fetch(sql("facts_contacts"), number, campaign_id)
    if not rows:
        return [await facts_off_list(conn, number, None, now)]
    stops = await in_force(conn)
    groups = groupby(rows, key=itemgetter("contact_id", "campaign_id"))
    return [await _entry(conn, number, list(group), now, stops) for _, group in groups]


async def facts_off_list(
    conn: Connection, number: str, member: str | None, now: datetime
) -> NumberInCampaign:
    """Return the facts of a number as if it were on a list of this Member (short name), of nobody when None."""
    member_id = await conn.fetchval(sql("member_id"), member) if member is not None else None
    known = await number_facts(conn, [number], member_id, now)
    facts = Facts(
        number=number,
        suppressions=known.suppressions_of(number, ()),
        recent_attempts=known.recent.get(number, ()),
        number_live=number in known.live,
        on_show=number in known.shown,
        consents=known.consents.get(number, ()),
        person_attempts=known.attempts_of([number]),
        lists=known.registries.hits.get(number, ()),
        list_states=known.registries.states(number),
        reassigned=known.registries.reassigned.get(number, ()),
    )
    return NumberInCampaign(facts, stops=await in_force(conn))


async def _entry(
    conn: Connection,
    number: str,
    rows: Sequence[asyncpg.Record],
    now: datetime,
    stops: tuple[EmergencyStop, ...],
) -> NumberInCampaign:
    row = rows[0]
    asked = _Asked(row["campaign_id"], row["member_id"], now)
    [numbers] = await candidates_of(conn, rows, asked, dead=True)
    [facts] = [each.facts for each in numbers if each.number == number and each.facts is not None]
    return NumberInCampaign(
        facts=_finished(facts, row) if row["final"] else facts,
        member=row["member"],
        list=row["list"],
        campaign=row["campaign"],
        contact_id=row["contact_id"],
        queue_state=row["queue_state"],
        next_at=row["next_at"],
        held_rule=row["held_rule"],
        held_reason=row["held_reason"],
        on_list=row["on_list"],
        stops=stops,
    )


def _finished(facts: Facts, row: asyncpg.Record) -> Facts:
    """Return the facts of a finished contact, which no reservation takes: by what result it was finished."""
    last_result, last_attempt_at = row["last_result"], row["last_attempt_at"]
    return replace(facts, contact_final=True, last_result=last_result, last_attempt_at=last_attempt_at)
