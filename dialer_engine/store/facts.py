"""Everything the gate would be told about a number, for `dialer why`; reads only, changes nothing."""

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from dialer_engine.core.gate import EmergencyStop, Facts
from dialer_engine.store.candidates import (
    ALONE,
    NumberFacts,
    Person,
    contact_is_live,
    number_facts,
    persons_of,
)
from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql
from dialer_engine.store.stops import in_force


@dataclass(frozen=True, slots=True)
class NumberInCampaign:
    """A number as one campaign (or, without contacts, nobody) sees it."""

    facts: Facts
    member: str | None = None
    list: str | None = None
    campaign: str | None = None
    contact_id: int | None = None
    queue_state: str | None = None
    next_at: datetime | None = None
    held_rule: str | None = None
    held_reason: str | None = None
    stops: tuple[EmergencyStop, ...] = ()


async def facts_for(
    conn: Connection, number: str, campaign_id: int | None, now: datetime
) -> list[NumberInCampaign]:
    """Return the facts per contact and campaign that has this number, at `now` (gate's clock).

    A number on no list gives one entry, with the entries that forbid it to everybody.
    """
    rows = await conn.fetch(sql("facts_contacts"), number, campaign_id)
    if not rows:
        return [await facts_off_list(conn, number, None, now)]
    stops = await in_force(conn)
    return [await _entry(conn, number, row, now, stops) for row in rows]


async def facts_off_list(
    conn: Connection, number: str, member: str | None, now: datetime
) -> NumberInCampaign:
    """Return the facts of a number as if it were on a list of this Member (short name), of nobody when None."""
    member_id = await conn.fetchval(sql("member_id"), member) if member is not None else None
    known = await number_facts(conn, [number], member_id, now)
    return NumberInCampaign(_facts(number, None, ALONE, known, live=False), stops=await in_force(conn))


async def _entry(
    conn: Connection, number: str, row: asyncpg.Record, now: datetime, stops: tuple[EmergencyStop, ...]
) -> NumberInCampaign:
    person = (await persons_of(conn, [row["contact_id"]]))[row["contact_id"]]
    known = await number_facts(conn, person.numbers, row["member_id"], now)
    live = await contact_is_live(conn, row["contact_id"])
    return NumberInCampaign(
        facts=_facts(number, row, person, known, live=live),
        member=row["member"],
        list=row["list"],
        campaign=row["campaign"],
        contact_id=row["contact_id"],
        queue_state=row["queue_state"],
        next_at=row["next_at"],
        held_rule=row["held_rule"],
        held_reason=row["held_reason"],
        stops=stops,
    )


def _facts(
    number: str, row: asyncpg.Record | None, person: Person, known: NumberFacts, *, live: bool
) -> Facts:
    numbers = person.numbers or (number,)
    others = frozenset(numbers).difference(row["numbers"] if row else numbers)
    return Facts(
        number=number,
        regions=tuple(row["regions"]) if row else (),
        zones=tuple(row["zones"]) if row else (),
        suppressions=known.suppressions_of(number, numbers),
        recent_attempts=known.recent.get(number, ()),
        contact_attempts=row["tries"] if row else 0,
        last_result=row["last_result"] if row else None,
        last_attempt_at=row["last_attempt_at"] if row else None,
        contact_final=bool(row and row["final"]),
        number_live=number in known.live,
        contact_live=live or not known.live.isdisjoint(others),
        on_show=not known.shown.isdisjoint({number, *others}),
        consents=known.consents.get(number, ()),
        person_attempts=known.attempts_of(numbers),
        business=bool(row and row["business"]),
        lists=known.registries.hits.get(number, ()),
        list_states=known.registries.states(number),
        reassigned=known.registries.reassigned.get(number, ()),
    )
