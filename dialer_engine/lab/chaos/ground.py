"""The ground of a fault run: a world of short calls that goes on dialing, and questions to carrier and phones."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from statistics import fmean
from typing import Any

from dialer_engine.lab.agents import Manners, SimAgent
from dialer_engine.lab.behaviours import Behaviour, Kind, Table, behaviour
from dialer_engine.lab.chaos.records import DueAgain, Kept, Record
from dialer_engine.lab.chaos.ringing import RING_OUT_S
from dialer_engine.lab.chaos.stillness import WAIT_AFTER_MESSAGE_S
from dialer_engine.lab.crowd import (
    CROWD_CLOCK,
    HOURS,
    crowd_in_hours,
    crowd_out_of_hours,
    make_crowd,
    most_in_hours,
    most_people,
)
from dialer_engine.lab.dice import Dice
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.people import NUMBERS_PER_AREA, Held, Oracle, Person, oracle_for
from dialer_engine.lab.place import LabError
from dialer_engine.lab.scenario import CAMPAIGN, Scenario
from dialer_engine.lab.wire import Wire
from dialer_engine.lab.world import Setting, World
from dialer_engine.pbx.prompts import wav_seconds
from dialer_engine.settings.campaign import AttemptLimits
from dialer_engine.store.pool import connect
from dialer_engine.store.sql import sql

STEP_S = 0.05
BUSY_S = 60.0
WRAP_S = 1.0
RINGS_ON_S = 30.0
"""Phones that nobody answers ring for so long: a call is given up before."""
BRIEF, BRIEF_RING_S = 0.5, 5.0
"""Where people talk for less than so much of their time, as in tests, the carrier gives up who never answers early."""
SETTLE_S = 10.0
HOURS_LATER_S = 86400
CAP = AttemptLimits().per_number_24h
"""As in every campaign: with one call a day the gate would hide whoever is put back to be called again."""
CALLS_PER_ROUND = 15
SPARE_CALLS = 60
ENOUGH = 0.7
"""The share of the wanted calls in which an agent must hear a customer before a fault comes."""
STAYS_S = 10.0
"""Before a fault comes somebody must be in a talk that goes on for so long: longer than a killed engine is away."""
HELD_EVERY = 12
ROUNDS_IN_AN_HOUR = 40
"""A round of the stepped clock takes 30 to 60 s; after an hour others may be called."""
NIGHT = ("671", "GU")
"""Guam, where it is five in the morning at the crowd's clock."""

MANNERS = Manners(ends_share=0.0, digits="", forbids_share=0.1)
"""Agents of a fault run end no call, and press nothing but a do-not-call after some talks."""


NEVER_ANSWERS, ENGAGED, ANSWERS_LATE, OPTS_OUT = "4", "5", "6", "9"
"""What the last digit of a number means in a fault run; everybody else answers soon and talks."""
LATE_S = 8.0
"""Who answers late does so after longer than a killed engine is away."""
HEARING = 0.85
"""The share of the wanted calls in which an agent hears somebody on average: some more than a fault waits for."""
SPARE_AGENTS = 1.2
"""Where the trunk's rate holds dialing back there are so many times the agents that this rate keeps busy."""


class Talks(Enum):
    """How long people talk, in seconds; of those who answer every tenth has each of these.

    `SHORT` is what most faults get: some calls last for longer than the engine is away. With `LONG` everybody is in a
    talk that is longer than the silence that is allowed, and shorter than the drop message. `LASTING` goes on through
    faults of half a minute and more.
    """

    SHORT = (2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 8.0, 12.0, 24.0)
    LONG = (12.0, 13.0, 14.0, 15.0, 16.0, 17.0, 18.0, 19.0, 15.0, 16.0)
    LASTING = (3.0, 4.0, 5.0, 6.0, 8.0, 12.0, 20.0, 45.0, 60.0, 75.0)

    def table(self, pace: float) -> Table:
        """What numbers do by their last two digits; people talk for so long times `pace`.

        Of ten people seven answer after 0.3 to 1.2 s, one of them presses 9 in a drop message, one answers after
        `LATE_S`, one never does, and one is busy.
        """
        rings_on = RINGS_ON_S if pace >= BRIEF else BRIEF_RING_S
        return tuple(
            _behaviour(str(n % 10), round(self.value[n // 10] * pace, 2), rings_on) for n in range(100)
        )


def _behaviour(last: str, talk_s: float, rings_on_s: float) -> Behaviour:
    if last == NEVER_ANSWERS:
        return Behaviour(Kind.NO_ANSWER, rings_on_s, 0.0, listens=True)
    if last == ENGAGED:
        return Behaviour(Kind.BUSY, 0.0, 0.0)
    kind = Kind.OPT_OUT if last == OPTS_OUT else Kind.HUMAN
    ring_s = LATE_S if last == ANSWERS_LATE else round(0.3 + 0.1 * int(last), 1)
    return Behaviour(kind, ring_s, talk_s, listens=True)


@dataclass(frozen=True, slots=True)
class Share:
    """For how many seconds a call talks and keeps an agent's place altogether, on average of all that are placed."""

    talk_s: float
    place_s: float

    @classmethod
    def of(cls, table: Table) -> Share:
        """What a table comes to: who answers talks, every call rings, and after a talk the agent is not ready yet."""
        talk_s = fmean(each.stays_s if each.human else 0.0 for each in table)
        ring_s = fmean(min(each.ring_s, RING_OUT_S) for each in table)
        return cls(talk_s, ring_s + talk_s + fmean(WRAP_S if each.human else 0.0 for each in table))


def setting_for(
    calls: int,
    rounds: int,
    seed: int = 1,
    pace: float = 1.0,
    *,
    talks: Talks = Talks.SHORT,
    people: int = CALLS_PER_ROUND,
    paced: bool = False,
    edges: bool = False,
) -> Setting:
    """The world for about so many calls up at once, with `people` for each of them and for each of so many rounds.

    `pace` shortens what people say, and with it a round. `paced`: the trunk's rate is what holds dialing back, and some
    agent is mostly free; else it is the agents, and dialing after a fault is as fast as twice that rate. `edges`: the
    campaign has hours, and as many people again could be called only by a clock that is wrong by an hour.
    """
    table = talks.table(pace)
    share = Share.of(table)
    rate = HEARING * calls / share.talk_s
    scenario = Scenario(
        agents=agents_for(calls, rate * share.place_s, paced=paced),
        lines=1.0,
        mode="progressive",
        wrap_seconds=round(WRAP_S),
        ring_seconds=RING_OUT_S,
        retry_s=HOURS_LATER_S,
        calls_per_second=round(rate if paced else 2 * rate, 2),
        max_channels=4 * calls + 10,
        cap=CAP,
        clock=CROWD_CLOCK,
        hours=HOURS if edges else None,
    )
    crowd = crowd_for(SPARE_CALLS + rounds * calls * people, edges=edges)
    return Setting(scenario, table, crowd, MANNERS, seed)


def agents_for(calls: int, busy: float, *, paced: bool = False) -> int:
    """How many agents there are when so many of them are dialed for or talk on average; always some more than calls."""
    if paced:
        return max(calls + calls // 2 + 1, math.ceil(SPARE_AGENTS * busy))
    return max(calls + max(1, calls // 5), math.ceil(busy))


def crowd_for(count: int, *, edges: bool = False) -> list[Person]:
    """People of whom every twelfth is suppressed, and some more of whom it is night: nobody may call these.

    With `edges` there is behind each somebody who lives an hour too far west or east, in turn.
    """
    crowd = [
        replace(person, held=Held.SUPPRESSED) if index % HELD_EVERY == HELD_EVERY - 1 else person
        for index, person in enumerate(crowd_in_hours(count) if edges else make_crowd(count))
    ]
    if edges:
        crowd = [each for pair in zip(crowd, crowd_out_of_hours(count), strict=True) for each in pair]
    npa, state = NIGHT
    asleep = [
        Person("Ida", "Crowd", npa, f"{100 + n:04d}", state, Held.OUT_OF_HOURS)
        for n in range(min(NUMBERS_PER_AREA, max(1, count // HELD_EVERY)))
    ]
    return [*asleep, *crowd]


def rounds_in_a_world(calls: int, people: int, *, edges: bool = False) -> int:
    """How many rounds one world has fictional numbers for, at least one; with `edges` they take less than an hour."""
    most = most_in_hours() if edges else most_people()
    rounds = max(1, (most - SPARE_CALLS) // (calls * people))
    return min(rounds, ROUNDS_IN_AN_HOUR) if edges else rounds


def deaf(
    agents: Mapping[str, SimAgent], moment: float, seconds: float, longest_s: float, *, talking: bool = True
) -> dict[str, float]:
    """The agents who heard no new customer in time, each with the moment until which there is time.

    They have so many seconds from a moment on, or from the end of the talk of then. Whoever still is in that talk is
    not among them, unless `talking` does not count: then it must end too, after `longest_s` seconds.
    """
    found = {}
    for name, agent in agents.items():
        free, following = agent.after(moment)
        due = min(free, moment + longest_s) + seconds
        if following > due and not (talking and free == math.inf):
            found[name] = due
    return found


@dataclass
class Ground:
    """One running world under faults, with about so many calls `wanted` at once; chance comes from its dice."""

    world: World
    dice: Dice
    wanted: int = 1
    round: int = 0
    wire: Wire | None = None

    @property
    def calls(self) -> list[CarrierCall]:
        """Every call that the carrier has seen until now."""
        self.world.ledger.read()
        return self.world.ledger.calls

    @cached_property
    def oracle(self) -> Oracle:
        """Who of this world's people may be called, and how often."""
        return oracle_for(self.world.setting.people, self.world.setting.scenario.cap)

    @property
    def message_s(self) -> float:
        """How long the drop message takes with the wait behind it."""
        prompts = (self.world.home / "sounds" / "campaigns").glob(f"{CAMPAIGN}-*.wav")
        return min(wav_seconds(path) for path in prompts) + WAIT_AFTER_MESSAGE_S

    @property
    def longest_talk_s(self) -> float:
        """How long anybody talks at most."""
        return max(each.stays_s for each in self.world.setting.table)

    @property
    def longest_call_s(self) -> float:
        """How long a call takes at most that nobody cuts: somebody answers late, then comes a talk or the message."""
        table = self.world.setting.table
        rings = max(each.ring_s for each in table if each.human)
        return max(*(each.ring_s for each in table), rings + max(self.longest_talk_s, self.message_s))

    def chance(self, low: float, high: float, what: str) -> float:
        """A number between `low` and `high`, another one in each round."""
        return self.dice.between(low, high, what, self.round)

    async def until(self, what: Callable[[], bool], seconds: float) -> bool:
        """Wait until something is true, at most so many seconds; returns whether it was."""
        end = time.monotonic() + seconds
        while not what():
            if time.monotonic() > end:
                return False
            await asyncio.sleep(STEP_S)
        return True

    async def ask(self, query: str) -> list[Any]:
        """The rows of a query."""
        conn = await connect(self.world.postgres.url())
        try:
            return list(await conn.fetch(query))
        finally:
            await conn.close()

    async def begin(self) -> None:
        """Let the campaign run."""
        await self.world.engine.control.post(f"/campaigns/{CAMPAIGN}/start")

    async def busy(self) -> None:
        """Wait until enough agents hear a customer, a little longer, by chance, and for somebody who stays.

        Where nobody talks for so long nobody is waited for.
        """
        agents = self.world.phones.agents.values()
        enough = max(1, round(ENOUGH * self.wanted))
        if not await self.until(lambda: sum(a.hearing for a in agents) >= enough, BUSY_S):
            hearing = sum(agent.hearing for agent in agents)
            raise LabError(f"{hearing} of {len(agents)} agents hear anybody: the world does not dial")
        await asyncio.sleep(self.chance(0.0, 2.0, "moment"))
        if any(each.talk_s > STAYS_S for each in self.world.setting.table if each.human):
            await self.until(lambda: self.anybody_stays(STAYS_S), BUSY_S)

    def anybody_stays(self, seconds: float) -> bool:
        """Whether somebody should have answered by now who will talk on for so many seconds."""
        now, table = time.time(), self.world.setting.table
        live = ((call.came_at, behaviour(table, call.number)) for call in self.calls if call.live)
        return any(
            came + person.ring_s < now < came + person.ring_s + person.talk_s - seconds
            for came, person in live
            if person.human
        )

    async def first_call_after(self, moment: float, seconds: float) -> float | None:
        """Wait for the first call that the carrier sees after a moment; returns when it came (wall clock)."""

        def came() -> list[float]:
            return [call.came_at for call in self.calls if call.came_at > moment]

        await self.until(lambda: bool(came()), seconds)
        return min(came(), default=None)

    async def deaf_agents(self, moment: float, seconds: float, *, talking: bool = True) -> list[str]:
        """Wait until no agent can hear a new customer in time any more; return those who did not (`deaf`).

        A moment that is past leaves no more time than is left of it.
        """
        longest = self.longest_talk_s

        def found() -> dict[str, float]:
            return deaf(self.world.phones.agents, moment, seconds, longest, talking=talking)

        await self.until(lambda: all(time.time() > due for due in found().values()), longest + seconds)
        return list(found())

    async def quiet(self) -> list[str]:
        """Pause the campaign and let all calls end; return the numbers whose calls did not."""
        await self.world.engine.control.post(f"/campaigns/{CAMPAIGN}/pause")
        await self.until(lambda: not [c for c in self.calls if c.live], self.longest_call_s + SETTLE_S)
        return [call.number for call in self.calls if call.live]

    async def records(self) -> list[Record]:
        """The engine's call records."""
        return [Record(**row) for row in await self.ask(sql("chaos_records"))]

    async def live_attempts(self) -> list[str]:
        """The numbers of attempts that the database holds as live."""
        return [row["number"] for row in await self.ask(sql("chaos_live"))]

    async def settled(self) -> tuple[Kept, list[str]]:
        """What the database keeps and its live attempts, once none is live any more, or after a while anyway."""
        end = time.monotonic() + SETTLE_S
        while True:
            live = await self.live_attempts()
            if not live or time.monotonic() > end:
                tries = {row["number"]: row["tries"] for row in await self.ask(sql("chaos_tries"))}
                suppressed = frozenset(row["number"] for row in await self.ask(sql("chaos_suppressed")))
                again = [DueAgain(**row) for row in await self.ask(sql("chaos_due_again"))]
                refused = [row["number"] for row in await self.ask(sql("chaos_counted_refusals"))]
                unrecorded = [row["number"] for row in await self.ask(sql("chaos_unrecorded"))]
                return Kept(await self.records(), tries, suppressed, again, refused, unrecorded), live
            await asyncio.sleep(0.5)

    async def forgotten(self) -> list[str]:
        """The numbers of contacts that are held for a live attempt which there is not."""
        return [row["number"] for row in await self.ask(sql("chaos_forgotten"))]
