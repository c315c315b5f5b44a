"""What the gate must know about the contacts a reservation looks at, read for the whole batch at once."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Literal, Protocol

import asyncpg

from dialer_engine.core.gate import Consent, Facts, SuppressionHit
from dialer_engine.core.gate.rules.live_call import RINGS_ON
from dialer_engine.core.gate.rules.number_attempts import PERIOD
from dialer_engine.core.outcome import Result
from dialer_engine.store.consent import consents_of
from dialer_engine.store.pool import Connection
from dialer_engine.store.registry.facts import RegistryFacts, registry_facts
from dialer_engine.store.sql import sql


class Asked(Protocol):
    """What a batch is read for."""

    @property
    def campaign_id(self) -> int:
        """The campaign that wants to call."""

    @property
    def member_id(self) -> int:
        """The Member on whose behalf."""

    @property
    def now(self) -> datetime:
        """The gate's clock."""


NOT_LISTED = "list"
"""What holds a contact whose list was taken away from the campaign, before any rule of the gate is asked."""
WHY_NOT_LISTED = "its list was taken away from the campaign"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One number of a due contact; `facts` is None when the contact has no number that could be called.

    `person` are all numbers of the person, where they stand on several contacts or were named by several rows. Not
    `listed`: the contact's list was taken away from the campaign, and none of its numbers is called.
    """

    contact_id: int
    number_id: int
    number: str
    facts: Facts | None
    list_id: int = 0
    person: frozenset[str] = field(default=frozenset(), repr=False)
    listed: bool = True


@dataclass(frozen=True, slots=True)
class Person:
    """The numbers of a person who is more than one contact; not `mine`: a reservation looks at one of them."""

    numbers: tuple[str, ...] = field(default=(), repr=False)
    mine: bool = True


ALONE = Person()


@dataclass(frozen=True, slots=True)
class _History:
    tries: Mapping[tuple[int, int], int]
    dead: frozenset[tuple[int, int]]
    live: frozenset[int]
    shown: frozenset[int]


@dataclass(frozen=True, slots=True)
class NumberFacts:
    """What the database knows about a set of numbers; `live` ones have a call that is up or may still ring.

    `called` are the contacts as whom those are called.
    """

    suppressions: Mapping[str, tuple[SuppressionHit, ...]]
    recent: Mapping[str, tuple[datetime, ...]]
    live: frozenset[str]
    called: frozenset[int]
    shown: frozenset[str]
    consents: Mapping[str, tuple[Consent, ...]]
    registries: RegistryFacts

    def suppressions_of(self, number: str, person: Collection[str]) -> tuple[SuppressionHit, ...]:
        """Return what forbids a number: its own entries, and those of the same person's other numbers."""
        others = (hit for other in person if other != number for hit in self.suppressions.get(other, ()))
        moved = (replace(hit, other_number=True) for hit in others)
        return (*self.suppressions.get(number, ()), *moved)

    def attempts_of(self, person: Iterable[str]) -> tuple[datetime, ...]:
        """Return the last 24 hours' attempts to all numbers of a person, in order."""
        return tuple(sorted(at for number in set(person) for at in self.recent.get(number, ())))


async def load_candidates(conn: Connection, asked: Asked, limit: int) -> list[list[Candidate]]:
    """Take up to `limit` due contacts and return each one's numbers, least tried first."""
    rows = await conn.fetch(sql("reserve_take"), asked.campaign_id, asked.now, limit)
    return await candidates_of(conn, rows, asked, lock=True)


async def load_shown(conn: Connection, asked: Asked, contact_id: int, number: str) -> list[list[Candidate]]:
    """Take the contact that an agent is dialing and return it with the one number that was shown."""
    rows = await conn.fetch(sql("reserve_take_shown"), asked.campaign_id, contact_id)
    groups = await candidates_of(conn, rows, asked, lock=True)
    nothing = [Candidate(contact_id, 0, "", None)]
    return [
        [each for each in group if each.number == number or not each.listed] or nothing for group in groups
    ]


async def candidates_of(
    conn: Connection,
    rows: Sequence[asyncpg.Record],
    asked: Asked,
    *,
    lock: bool = False,
    dead: bool = False,
) -> list[list[Candidate]]:
    """Return the numbers of contacts that were read, each contact's least tried first, with all facts.

    `lock`: the numbers of the same persons' other contacts are locked too, as the contacts' own ones are already.
    `dead`: numbers that are not in service, which are never called again, are among them.
    """
    if not rows:
        return []
    persons = await persons_of(conn, {row["contact_id"] for row in rows if row["linked"]}, lock=lock)
    own = {row["number"] for row in rows if row["number"] is not None}
    numbers = list(own.union(*(person.numbers for person in persons.values())))
    known = await number_facts(conn, numbers, asked.member_id, asked.now)
    history = await _history(conn, {row["contact_id"] for row in rows}, asked.campaign_id)
    by_contact = groupby(rows, key=itemgetter("contact_id"))
    return [
        _candidates(list(group), persons.get(contact, ALONE), known, history, dead=dead)
        for contact, group in by_contact
    ]


async def persons_of(conn: Connection, contacts: Iterable[int], *, lock: bool = False) -> dict[int, Person]:
    """Return the persons whom these contacts are, with all their numbers."""
    wanted = list(contacts)
    if not wanted:
        return {}
    rows = await conn.fetch(sql("linked_numbers"), wanted, lock)
    grouped = {contact: list(group) for contact, group in groupby(rows, key=itemgetter("contact_id"))}
    return {
        contact: Person(tuple(row["number"] for row in group), all(row["mine"] for row in group))
        for contact, group in grouped.items()
    }


async def number_facts(
    conn: Connection, numbers: Sequence[str], member_id: int | None, now: datetime
) -> NumberFacts:
    """Read suppressions, this Member's consents and the attempts that the caps count (`PERIOD`) of these numbers."""
    hits: defaultdict[str, list[SuppressionHit]] = defaultdict(list)
    for row in await conn.fetch(sql("number_suppressions"), numbers, member_id):
        scope: Literal["internal", "member"] = "internal" if row["member_id"] is None else "member"
        hits[row["number"]].append(SuppressionHit(scope, row["source"], row["since"]))
    attempts = await conn.fetch(sql("number_attempts"), numbers, now - PERIOD, RINGS_ON)
    recent: defaultdict[str, list[datetime]] = defaultdict(list)
    for row in attempts:
        if row["gate_at"] is not None:
            recent[row["number"]].append(row["gate_at"])
    return NumberFacts(
        {number: tuple(found) for number, found in hits.items()},
        {number: tuple(times) for number, times in recent.items()},
        frozenset(row["number"] for row in attempts if row["live"]),
        frozenset(row["contact_id"] for row in attempts if row["live"]),
        frozenset(row["number"] for row in attempts if row["gate_at"] is None),
        await consents_of(conn, numbers, member_id),
        await registry_facts(conn, numbers, member_id),
    )


async def _history(conn: Connection, contacts: set[int], campaign_id: int) -> _History:
    rows = await conn.fetch(sql("contact_attempts"), list(contacts), campaign_id)
    return _History(
        {(row["contact_id"], row["number_id"]): row["tries"] for row in rows},
        frozenset((row["contact_id"], row["number_id"]) for row in rows if row["dead"]),
        frozenset(row["contact_id"] for row in rows if row["live"]),
        frozenset(row["contact_id"] for row in rows if row["shown"]),
    )


def result_for_number(last: str | None, *, dead: bool) -> str | None:
    """Return what a contact's last result is to one number: "not in service" is that of a dead number alone."""
    if dead:
        return Result.NOT_IN_SERVICE.value
    return None if last == Result.NOT_IN_SERVICE else last


def _candidates(
    rows: Sequence[asyncpg.Record], person: Person, known: NumberFacts, history: _History, *, dead: bool
) -> list[Candidate]:
    contact = rows[0]["contact_id"]
    if not rows[0]["listed"]:
        return [Candidate(contact, 0, "", None, listed=False)]
    wanted = [
        row
        for row in rows
        if row["number_id"] is not None and (dead or (contact, row["number_id"]) not in history.dead)
    ]
    if not wanted:
        return [Candidate(contact, 0, "", None)]
    wanted.sort(key=lambda row: (history.tries.get((contact, row["number_id"]), 0), row["position"]))
    return [_candidate(row, rows, person, known, history) for row in wanted]


def _candidate(
    row: asyncpg.Record,
    rows: Sequence[asyncpg.Record],
    linked: Person,
    known: NumberFacts,
    history: _History,
) -> Candidate:
    number = row["number"]
    person = {*(each["number"] for each in rows), *linked.numbers}
    dead = (row["contact_id"], row["number_id"]) in history.dead
    last_result = result_for_number(row["last_result"], dead=dead)
    facts = Facts(
        number=number,
        regions=tuple(row["regions"]),
        zones=tuple(row["zones"]),
        suppressions=known.suppressions_of(number, person),
        recent_attempts=known.recent.get(number, ()),
        contact_attempts=row["tries"],
        last_result=last_result,
        last_attempt_at=None if last_result is None else row["last_attempt_at"],
        contact_final=False,
        number_live=number in known.live or not row["mine"],
        # While another reservation looks at any number of this person, their attempts cannot be counted.
        contact_live=row["contact_id"] in history.live
        or row["contact_id"] in known.called
        or not known.live.isdisjoint(linked.numbers)
        or not (linked.mine and all(each["mine"] for each in rows)),
        on_show=number in known.shown
        or row["contact_id"] in history.shown
        or not known.shown.isdisjoint(linked.numbers),
        consents=known.consents.get(number, ()),
        person_attempts=known.attempts_of(person),
        business=row["business"],
        lists=known.registries.hits.get(number, ()),
        list_states=known.registries.states(number),
        reassigned=known.registries.reassigned.get(number, ()),
    )
    return Candidate(
        row["contact_id"], row["number_id"], number, facts, row["list_id"], frozenset(linked.numbers)
    )
