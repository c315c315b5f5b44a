"""A whole lab world for tests of the engine: real Asterisk three times, real Postgres, people by choice."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
from lab_support import lab_place

from dialer_engine.engine.actions import TAKES_BACK_S
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.control_client import EngineNotRunning, EngineRefused
from dialer_engine.lab.agents import Manners
from dialer_engine.lab.behaviours import Behaviour, Kind, Table
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.people import Person
from dialer_engine.lab.scenario import CAMPAIGN, Scenario
from dialer_engine.lab.world import HURRY_S, Setting, World, world
from dialer_engine.pbx.bundle import install_bundle, silent
from dialer_engine.settings.home import home, prepare_home, service_user
from dialer_engine.store.pool import connect

QUIET = Manners(ends_share=0.0, digits="")
"""Agents who press nothing by themselves: the test presses their keys."""

HUMAN = Behaviour(Kind.HUMAN, 0.5, 60.0)
RINGS = Behaviour(Kind.NO_ANSWER, 60.0, 0.0)
WANTS_OUT = Behaviour(Kind.OPT_OUT, 0.5, 20.0)


def table(*behaviours: Behaviour) -> Table:
    """Every person behaves like the behaviour of their index, the last one for all others."""
    return tuple(behaviours[min(i, len(behaviours) - 1)] for i in range(100))


def people(count: int) -> list[Person]:
    """Texans with the numbers +12145550100, ...01, in the order of the table."""
    return [Person("Ann", f"Nr{i}", "214", f"{100 + i:04d}", "TX") for i in range(count)]


@asynccontextmanager
async def lab(scenario: Scenario, behaviours: Table, count: int, **more: Any) -> AsyncIterator[World]:
    """A running world with agents on duty and the campaign not yet started; what is up at its end is ended at once."""
    root, user = home(), service_user()
    prepare_home(root, user)
    bundle = await asyncio.to_thread(install_bundle, root, silent)
    setting = Setting(
        scenario,
        behaviours,
        more.pop("crowd", None) or people(count),
        more.pop("manners", QUIET),
        proxied=more.pop("proxied", False),
        split=more.pop("split", False),
        server=more.pop("server", {}),
    )
    with lab_place() as place:
        async with world(bundle, place, setting, lambda text: None, drain_s=HURRY_S, **more) as made:
            yield made


async def status(made: World) -> dict[str, Any]:
    """The engine's status document."""
    return await made.engine.control.status()


async def agent_state(made: World, number: int = 0) -> str:
    """What the engine says an agent is doing."""
    return str((await status(made))["agents"][number]["state"])


async def totals(made: World) -> dict[str, int]:
    """The campaign's totals since the engine started."""
    found: dict[str, int] = (await status(made))["campaigns"][0]["totals"]
    return found


async def until(what: Callable[[], Awaitable[bool]], words: str, seconds: float = 30.0) -> None:
    """Wait until something is true, or fail with what was waited for."""
    end = asyncio.get_running_loop().time() + seconds
    while not await _true(what):
        assert asyncio.get_running_loop().time() < end, f"never came true in {seconds:g} s: {words}"
        await asyncio.sleep(0.05)


async def _true(what: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await what()
    except EngineNotRunning:
        return False


async def until_state(made: World, state: str, number: int = 0, seconds: float = 30.0) -> None:
    """Wait until an agent is in a state."""

    async def reached() -> bool:
        return await agent_state(made, number) == state

    await until(reached, f"agent {number} is {state}", seconds)


async def until_kept(made: World, talks: int = 1) -> None:
    """Wait until the dialplan can take none of so many conversations back any more, whatever becomes of the engine.

    One that is killed before Asterisk has read its `keep` leaves a talk that ends in the drop message.
    """
    talking = "select answered_at from attempts where ended_at is null and joined_at is not null and message_at is null"

    async def kept() -> bool:
        long_ago = utc_now() - timedelta(seconds=TAKES_BACK_S + 0.5)
        return sum(row["answered_at"] < long_ago for row in await rows(made, talking)) >= talks

    await until(kept, f"{talks} talks are kept")


def press(made: World, digit: str, number: int = 0) -> None:
    """Press a key on an agent's phone."""
    agent = list(made.phones.agents.values())[number]
    made.phones._press(agent.leg, digit)


async def rows(made: World, query: str) -> list[asyncpg.Record]:
    """Ask the engine's database, once everything that the engine has told already stands in it."""
    await _written(made)
    conn = await connect(made.setting.server.get("url") or made.postgres.url())
    try:
        return list(await conn.fetch(query))
    finally:
        await conn.close()


async def _written(made: World) -> None:
    """Wait until the engine has written what happened; one that is dead or frozen writes nothing any more."""
    with contextlib.suppress(EngineNotRunning, EngineRefused, TimeoutError):
        async with asyncio.timeout(2.0):
            for _ in range(100):
                if not (await status(made))["engine"]["unwritten"]:
                    return
                await asyncio.sleep(0.02)


def at_carrier(made: World) -> list[CarrierCall]:
    """Every call that the carrier has seen."""
    made.ledger.read()
    return made.ledger.calls


async def begin(made: World) -> None:
    """Start the campaign as a person does."""
    await made.engine.run("campaign", "start", CAMPAIGN, "--config", str(made.config))


PROGRESSIVE = Scenario(agents=1, lines=1.0, mode="progressive", wrap_seconds=30)
POWER = replace(PROGRESSIVE, lines=3.0, mode="power")
