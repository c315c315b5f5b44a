"""Eight connections reserve from overlapping lists of two Members while people opt out: thousands of attempts.

`DIALER_RACE_ATTEMPTS=100000 pytest tests/integration/test_race_many.py` makes a hundred thousand; the usual run
a few. What must hold is read back from the database and does not depend on what the workers believe.
"""

import asyncio
import itertools
import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from store_support import NOON, WALL, Campaign, Conn, Member, World, end_of, make_world, put_contacts, request

from dialer_engine.store import consent, stops, suppress
from dialer_engine.store.attempts import write
from dialer_engine.store.pool import connect
from dialer_engine.store.reserve import Reservation, reserve

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

ATTEMPTS = int(os.environ.get("DIALER_RACE_ATTEMPTS", "2500"))
WORKERS = 8
BATCH = 25
MEMBERS = {"acme": Member(), "bolt": Member("Bolt")}
CAMPAIGNS = {
    "spring": Campaign(),
    "autumn": Campaign(),
    "bolts": Campaign(member="bolt"),
    "nuts": Campaign(member="bolt"),
}
PEOPLE = max(200, ATTEMPTS // 7)
MINUTES_A_DAY = 360
"""Calling goes on from 13:00 to 19:00 in Texas, then the next day."""


@dataclass
class Race:
    """What the workers share: the clock, who opted out when, and what they saw go wrong."""

    url: str
    world: World
    turn: Iterator[int] = field(default_factory=itertools.count)
    made: int = 0
    idle: int = 0
    live: Counter[str] = field(default_factory=Counter)
    refused: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def now(self) -> datetime:
        """The gate's clock: a third of a minute per reservation, in the afternoons."""
        day, third = divmod(next(self.turn), 3 * MINUTES_A_DAY)
        return NOON + timedelta(days=day, seconds=20 * third)

    @property
    def over(self) -> bool:
        return self.made >= ATTEMPTS or self.idle > 3 * MINUTES_A_DAY * 4


def people() -> list[list[str]]:
    """Everybody has two numbers; one person in three shares the first with somebody of the other Member."""
    return [[_number("210", n), _number("512", n)] for n in range(PEOPLE)]


def _number(area_code: str, n: int) -> str:
    return f"+1{area_code}{300 + n // 10000:03d}{n % 10000:04d}"


async def prepared(conn: Conn) -> World:
    world = await make_world(conn, CAMPAIGNS, MEMBERS)
    everybody = people()
    await put_contacts(conn, world.members["acme"], "june", everybody)
    # Bolt's people: a third are Acme's with both numbers, a third share one, a third are others.
    mixed = [
        numbers if n % 3 == 0 else [numbers[0], _number("713", n)] if n % 3 == 1 else [_number("817", n)]
        for n, numbers in enumerate(everybody)
    ]
    await put_contacts(conn, world.members["bolt"], "june", mixed)
    return world


async def worker(race: Race, seed: int) -> None:
    conn = await connect(race.url)
    names = list(CAMPAIGNS)
    try:
        while not race.over:
            name = names[(seed + next(race.turn)) % len(names)]
            now = race.now()
            wanted = replace(
                request(race.world, BATCH, now=now),
                campaign_id=race.world.campaigns[name],
                member_id=race.world.members[CAMPAIGNS[name].member],
            )
            began = time.monotonic()
            got = (await reserve(conn, wanted)).reserved
            race.idle = 0 if got else race.idle + 1
            race.made += len(got)
            _look(race, got, began)
            await asyncio.sleep(0)
            for one in got:
                race.live[one.number] -= 1
            ends = [end_of(one, "failed", retry_at=now + timedelta(minutes=1)) for one in got]
            await write(conn, [], ends, 1)
    finally:
        await conn.close()


def _look(race: Race, got: tuple[Reservation, ...], began: float) -> None:
    for one in got:
        race.live[one.number] += 1
        if race.live[one.number] != 1:
            race.wrong.append("a number was live twice")
        refused = race.refused.get(one.number)
        if refused is not None and refused < began:
            race.wrong.append("a number was reserved after its refusal was committed")


async def refusing(race: Race) -> None:
    """Every few moments somebody opts out by one way or another; nobody comes back."""
    conn = await connect(race.url)
    try:
        for n in itertools.count(0, 17):
            if race.over or n >= PEOPLE:
                return
            first, second = people_of(n)
            if n % 2:
                done = await consent.revoke(conn, first, None, "sms", WALL, who="test")
                numbers = done.numbers
            else:
                await suppress.add(conn, second, None, "request", WALL, who="test")
                numbers = (second,)
            at = time.monotonic()
            race.refused.update(dict.fromkeys(numbers, at))
            await asyncio.sleep(0.05)
            if n % 340 == 0:
                await stops.stop(conn, "US-TX", "a drill", WALL, who="test")
                await stops.resume(conn, "US-TX", "over", WALL, who="test")
    finally:
        await conn.close()


def people_of(n: int) -> list[str]:
    return [_number("210", n), _number("512", n)]


async def test_nothing_is_passed_by_eight_connections(conn: Conn, pg_url: str) -> None:
    race = Race(pg_url, await prepared(conn))
    began = time.monotonic()
    await asyncio.gather(refusing(race), *(worker(race, seed) for seed in range(WORKERS)))
    seconds = time.monotonic() - began
    assert race.wrong == []
    assert race.made >= min(ATTEMPTS, PEOPLE * 3)
    await _read_back(conn)
    print(f"\n{race.made} attempts in {seconds:.0f} s, {len(race.refused)} numbers refused on the way")


async def _read_back(conn: Conn) -> None:
    """The database knows: attempts within any 24 hours of the gate's clock, per number and per person."""
    rows = await conn.fetch("select number, contact_id, gate_at from attempts order by gate_at")
    by_number: defaultdict[str, list[datetime]] = defaultdict(list)
    by_person: defaultdict[int, list[datetime]] = defaultdict(list)
    for row in rows:
        by_number[row["number"]].append(row["gate_at"])
        by_person[row["contact_id"]].append(row["gate_at"])
    assert most_in_a_day(by_number) == 3
    assert most_in_a_day(by_person) == 3
    live = await conn.fetchval("select count(*) from attempts where ended_at is null")
    assert live == 0


def most_in_a_day(times_of: Mapping[Any, Sequence[datetime]]) -> int:
    """The most attempts in any 24 hours that anybody had."""
    most = 0
    for times in times_of.values():
        oldest = 0
        for newest, at in enumerate(times):
            while times[oldest] <= at - timedelta(hours=24):
                oldest += 1
            most = max(most, newest - oldest + 1)
    return most
