"""The ground of a fault run: a world of short calls that goes on dialing, and questions to carrier and phones."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dialer_engine.lab.agents import Manners
from dialer_engine.lab.behaviours import Behaviour, Kind, Table
from dialer_engine.lab.chaos.verdict import Record
from dialer_engine.lab.crowd import CROWD_CLOCK, make_crowd
from dialer_engine.lab.dice import Dice
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.place import LabError
from dialer_engine.lab.scenario import CAMPAIGN, Scenario
from dialer_engine.lab.wire import Wire
from dialer_engine.lab.world import Setting, World
from dialer_engine.store.pool import connect
from dialer_engine.store.sql import sql

STEP_S = 0.05
BUSY_S = 60.0
LONGEST_CALL_S = 30.0
RING_S, TALK_S, LONG_TALK_S = 0.75, 3.75, 15.5
SETTLE_S = 10.0
HOURS_LATER_S = 86400
CALLS_PER_ROUND = 10
SPARE_CALLS = 60

MANNERS = Manners(ends_share=0.0, digits="")
"""Agents of a fault run end no call and press nothing."""


def short_calls(pace: float) -> Table:
    """People who answer after 0.3-1.2 s and talk 2.5-5 s times `pace`: shorter than any drop message."""
    return tuple(
        Behaviour(Kind.HUMAN, round(0.3 + 0.1 * (n % 10), 1), round((2.5 + 0.5 * (n // 10 % 6)) * pace, 2))
        for n in range(100)
    )


def long_talks() -> Table:
    """People who answer after 0.3-1.2 s, talk 12-19 s, which is longer than the silence that is allowed."""
    return tuple(Behaviour(Kind.HUMAN, round(0.3 + 0.1 * (n % 10), 1), 12 + n // 10 % 8) for n in range(100))


def setting_for(
    calls: int,
    rounds: int,
    seed: int = 1,
    pace: float = 1.0,
    *,
    long: bool = False,
    people: int = CALLS_PER_ROUND,
) -> Setting:
    """The world for about so many calls up at once, with `people` for each of them and for each of so many rounds.

    `pace` shortens what people say, and with it a round. The trunk's rate is the limit and some agent is always
    free, so that dialing never waits for a call to end.
    """
    scenario = Scenario(
        agents=calls + calls // 2 + 1,
        lines=1.0,
        mode="progressive",
        wrap_seconds=1,
        retry_s=HOURS_LATER_S,
        calls_per_second=round(calls / (RING_S + (LONG_TALK_S if long else TALK_S * pace)), 1),
        max_channels=4 * calls + 10,
        clock=CROWD_CLOCK,
    )
    crowd = make_crowd(SPARE_CALLS + rounds * calls * people)
    return Setting(scenario, long_talks() if long else short_calls(pace), crowd, MANNERS, seed)


@dataclass(slots=True)
class Ground:
    """One running world under faults; chance comes from its dice."""

    world: World
    dice: Dice
    round: int = 0
    wire: Wire | None = None

    @property
    def calls(self) -> list[CarrierCall]:
        """Every call that the carrier has seen until now."""
        self.world.ledger.read()
        return self.world.ledger.calls

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
        """Wait until a third of the agents hear a customer, and a little longer, by chance."""
        agents = self.world.phones.agents.values()
        enough = max(1, len(agents) // 3)
        if not await self.until(lambda: sum(a.hearing for a in agents) >= enough, BUSY_S):
            hearing = sum(agent.hearing for agent in agents)
            raise LabError(f"{hearing} of {len(agents)} agents hear anybody: the world does not dial")
        await asyncio.sleep(self.chance(0.0, 2.0, "moment"))

    async def first_call_after(self, moment: float, seconds: float) -> float | None:
        """Wait for the first call that the carrier sees after a moment; returns when it came (wall clock)."""

        def came() -> list[float]:
            return [call.came_at for call in self.calls if call.came_at > moment]

        await self.until(lambda: bool(came()), seconds)
        return min(came(), default=None)

    async def deaf_agents(self, moment: float, seconds: float) -> list[str]:
        """Give every agent so many seconds to hear a new customer after a moment; return those who did not."""
        agents = self.world.phones.agents

        def missing() -> list[str]:
            return [name for name, agent in agents.items() if agent.heard_since < moment]

        await self.until(lambda: not missing(), seconds)
        return missing()

    async def quiet(self) -> list[str]:
        """Pause the campaign and let all calls end; return the numbers whose calls did not."""
        await self.world.engine.control.post(f"/campaigns/{CAMPAIGN}/pause")
        await self.until(lambda: not [c for c in self.calls if c.live], LONGEST_CALL_S)
        return [call.number for call in self.calls if call.live]

    async def records(self) -> list[Record]:
        """The engine's call records."""
        rows = await self.ask(sql("chaos_records"))
        return [Record(row["number"], row["result"], row["ended_at"]) for row in rows]

    async def live_attempts(self) -> list[str]:
        """The numbers of attempts that the database holds as live."""
        return [row["number"] for row in await self.ask(sql("chaos_live"))]

    async def settled(self) -> tuple[list[Record], list[str]]:
        """Records and live attempts, once no attempt is live any more, or after a while anyway."""
        end = time.monotonic() + SETTLE_S
        while True:
            live = await self.live_attempts()
            if not live or time.monotonic() > end:
                return await self.records(), live
            await asyncio.sleep(0.5)
