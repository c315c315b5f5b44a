"""What the registries say about a set of numbers: which lists name them, and how old those lists are.

Hits and ages are read in the caller's transaction. A new version of a list takes over by one committed
update, so a statement sees the old version or the new one, never a mixture.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import asyncpg

from dialer_engine.core.gate.lists import ListHit, ListState, ReassignedAnswer
from dialer_engine.core.numbers import is_e164_nanp
from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql


@dataclass(frozen=True, slots=True)
class RegistryFacts:
    """Facts of a batch: hits per number, states per area code and of lists that know no area codes."""

    hits: Mapping[str, tuple[ListHit, ...]] = field(default_factory=dict)
    areas: Mapping[str, tuple[ListState, ...]] = field(default_factory=dict)
    whole: tuple[ListState, ...] = ()
    reassigned: Mapping[str, tuple[ReassignedAnswer, ...]] = field(default_factory=dict)

    def states(self, number: str) -> tuple[ListState, ...]:
        """Return the state of every list for a number's area code."""
        return (*self.areas.get(number[2:5], ()), *self.whole)


async def registry_facts(
    conn: Connection, numbers: Sequence[str], member_id: int | None = None
) -> RegistryFacts:
    """Read what the registries say about these numbers, for a Member or (None) for anybody."""
    known = [number for number in dict.fromkeys(numbers) if is_e164_nanp(number)]
    if not known:
        return RegistryFacts()
    codes = sorted({int(number[2:5]) for number in known})
    states = await conn.fetch(sql("registry_states"), codes, member_id)
    loaded = any(row["load_id"] is not None for row in states)
    hits = await conn.fetch(sql("registry_hits"), *_split(known)) if loaded else []
    areas, whole = _states(states)
    return RegistryFacts(_hits(hits), areas, whole, await reassigned_answers(conn, known))


def _split(numbers: Sequence[str]) -> tuple[list[str], list[int], list[int], list[int]]:
    return (
        list(numbers),
        [int(number[2:5]) for number in numbers],
        [int(number[5:8]) for number in numbers],
        [int(number[8:]) for number in numbers],
    )


def _hits(rows: Sequence[asyncpg.Record]) -> dict[str, tuple[ListHit, ...]]:
    found: defaultdict[str, list[ListHit]] = defaultdict(list)
    for row in rows:
        found[row["number"]].append(ListHit(row["name"], str(row["load_id"]), row["as_of"]))
    return {number: tuple(sorted(hits, key=lambda hit: hit.name)) for number, hits in found.items()}


def _states(
    rows: Sequence[asyncpg.Record],
) -> tuple[dict[str, tuple[ListState, ...]], tuple[ListState, ...]]:
    areas: defaultdict[str, list[ListState]] = defaultdict(list)
    whole: list[ListState] = []
    for row in rows:
        version = "" if row["load_id"] is None else str(row["load_id"])
        state = ListState(row["name"], row["as_of"], version, row["subscribed"], row["waiver"])
        target = whole if row["npa"] is None else areas[str(row["npa"])]
        target.append(state)
    return {npa: tuple(states) for npa, states in areas.items()}, tuple(whole)


async def reassigned_answers(
    conn: Connection, numbers: Sequence[str]
) -> Mapping[str, tuple[ReassignedAnswer, ...]]:
    """Return the answers of the reassigned-numbers database by number, oldest first."""
    found: defaultdict[str, list[ReassignedAnswer]] = defaultdict(list)
    for row in await conn.fetch(sql("registry_reassigned_of"), list(numbers)):
        answer = ReassignedAnswer(row["answer"], row["asked_since"], row["answered_at"])
        found[row["number"]].append(answer)
    return {number: tuple(answers) for number, answers in found.items()}


async def lists_naming(conn: Connection, number: str) -> tuple[str, ...]:
    """Return the names of the lists in force that name one number, by one index look-up."""
    rows = await conn.fetch(sql("registry_check"), int(number[2:5]), int(number[5:8]), int(number[8:]))
    return tuple(sorted(cast(str, row["name"]) for row in rows))
