"""An engine that cannot see the database: another one's conversations are not its own to end, its own calls go on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from asterisk_support import Watcher, client_of
from engine_support import HUMAN, PROGRESSIVE, RINGS, at_carrier, begin, lab, press, table, until, until_kept

from dialer_engine.engine.ownership import LEASE_TTL
from dialer_engine.lab.behaviours import Behaviour, Kind
from dialer_engine.lab.chaos.talks import ended_by_us
from dialer_engine.lab.engine_process import EngineProcess
from dialer_engine.lab.proxy import Proxy
from dialer_engine.lab.world import World
from dialer_engine.pbx.ari.commands import Commands
from dialer_engine.pbx.render import trunk_endpoint

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

TALKS = replace(HUMAN, talk_s=300.0)
LATE = replace(TALKS, ring_s=16.0)
BUSY = Behaviour(Kind.BUSY, 0.2, 0.0)
SCENARIO = replace(PROGRESSIVE, agents=5, wrap_seconds=1, retry_s=3600, calls_per_second=2.0, ring_seconds=25)
PEOPLE = table(TALKS, TALKS, LATE, *[BUSY] * 25, TALKS)
"""Two talk at once, a third answers when the first engine is cut off; whoever is called much later talks as well."""
TALKER, STRANGER = "+12145550100", "+12145550199"
LONG = 60.0
NOTICED_S = 15.0
"""An engine that waits for its turn looks every 2.5 s, and Asterisk is asked for everything twice after that."""


async def talking(engine: EngineProcess, count: int) -> None:
    """Wait until so many agents are in conversations that the engine knows of."""

    async def true() -> bool:
        agents = (await engine.control.status())["agents"]
        return sum(one["state"] == "in_call" for one in agents) == count

    await until(true, f"{count} agents talk", LONG)


async def owns(engine: EngineProcess, epoch: int) -> None:
    """Wait until the engine has taken the lease with this epoch, and dials."""

    async def true() -> bool:
        found = (await engine.control.status())["engine"]
        return bool((found["lease"] or {}).get("epoch") == epoch and found["dialing"])

    await until(true, f"the engine owns the lease with epoch {epoch}: {engine.last_words()}", LONG)


async def says(engine: EngineProcess, words: str) -> None:
    """Wait until an engine's log has these words."""

    async def true() -> bool:
        return words in engine.log.read_text()

    await until(true, f"the engine says: {words}", LONG)


async def connected(engine: EngineProcess) -> bool:
    """Whether an engine is connected to its Asterisk's events."""
    return bool((await engine.control.status())["nodes"][0]["ari"])


def cut(made: World) -> list[str]:
    """The people whose calls our side ended after they had answered."""
    return [call.number for call in at_carrier(made) if ended_by_us(call)]


@asynccontextmanager
async def hidden(ways: tuple[Proxy, ...]) -> AsyncIterator[None]:
    """Cut ways and refuse new connections on them for a while."""
    for way in ways:
        way.cut()
    try:
        yield
    finally:
        for way in ways:
            way.heal()


async def two_engines(made: World) -> tuple[EngineProcess, EngineProcess]:
    """An engine that has two conversations, and one that waits for its turn."""
    await made.add_standby()
    first, other = made.engines
    await says(other, "standby")
    await begin(made)
    await talking(first, 2)
    await until_kept(made, 2)
    return first, other


@pytest.mark.parametrize("blind", [False, True], ids=["sees-asterisk", "sees-nothing"])
async def test_a_displaced_engine_ends_none_of_the_owners_conversations(blind: bool) -> None:
    """Not while the owner lives, not when it is killed; with its database back it learns who owned them, and ends.

    One that sees nothing at all is not told that it was displaced: it must find out.
    """
    async with lab(SCENARIO, PEOPLE, 300, split=True) as made:
        first, other = await two_engines(made)
        ways = made.ways[0]
        ways.database.cut()
        async with hidden(ways.asterisk if blind else ()):
            await owns(other, 2)
            await talking(other, SCENARIO.agents)
        await asyncio.sleep(3.0)
        assert await connected(other), "the owner lost its Asterisk to the displaced engine"
        assert cut(made) == []

        await other.kill()
        before = [call.number for call in at_carrier(made) if call.live]
        await asyncio.sleep(NOTICED_S)
        assert [call.number for call in at_carrier(made) if call.live] == before
        assert len(before) == SCENARIO.agents
        assert not await connected(first)

        ways.database.heal()
        assert first.process is not None
        assert await asyncio.wait_for(first.process.wait(), LONG) == 1
        assert "another engine has taken over" in first.last_words()
        await first.start("--standby")
        await talking(first, SCENARIO.agents)
        assert cut(made) == []


async def test_an_engine_alone_serves_its_calls_without_a_database_and_ends_strangers_only_when_it_is_back() -> (
    None
):
    """Its link to Asterisk breaks in the outage and comes back, for nobody else has the application."""
    async with lab(replace(SCENARIO, agents=1), table(TALKS, RINGS), 2, split=True) as made:
        engine, ways = made.engine, made.ways[0]
        await begin(made)
        await talking(engine, 1)
        ways.database.cut()
        await asyncio.sleep(LEASE_TTL.total_seconds() + 0.5)
        async with stranger(made) as commands:
            await commands.originate(
                "stranger",
                f"PJSIP/{STRANGER}@{trunk_endpoint('carrier')}",
                context="outbound",
                extension="answered",
                caller_id="Acme <+12125550198>",
                timeout_s=50,
                variables={"DIALED_NUMBER": STRANGER},
            )
            await until(lambda: up(made, STRANGER), "the stranger's call rings")
            ways.ari.end_connections()
            await says(engine, "ari_reconnected")
            await asyncio.sleep(3.0)
            assert await up(made, STRANGER)
            assert await up(made, TALKER)
            press(made, "*")
            await until(lambda: over(made, TALKER), "the agent ends the conversation")
            assert await up(made, STRANGER)
            ways.database.heal()
            await until(lambda: over(made, STRANGER), "the call that nobody owns is hung up")


@asynccontextmanager
async def stranger(made: World) -> AsyncIterator[Commands]:
    """Commands to the engine's Asterisk by somebody else."""
    client = client_of(made.main_node, Watcher(), app="stranger")
    await client.start()
    try:
        yield Commands(client)
    finally:
        await client.close()


async def up(made: World, number: str) -> bool:
    """Whether the carrier has a call to this number now."""
    return any(call.live for call in at_carrier(made) if call.number == number)


async def over(made: World, number: str) -> bool:
    """Whether the carrier has no call to this number any more."""
    return not await up(made, number)
