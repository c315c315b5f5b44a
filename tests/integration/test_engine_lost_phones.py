"""Phones that die or start anew while nobody is told of it: their seats are off soon, and nobody else loses a leg."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from engine_support import HUMAN, PROGRESSIVE, begin, lab, status, table, until
from front_phone import Dialog, FrontPhone
from sip_peer import HOST, Audio

from dialer_engine.engine.empty_chairs import LISTEN_S
from dialer_engine.lab.world import World

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

SOON_S = 20.0
WELL = "anna"
"""An agent whose phone is there and sends no audio."""
MUTE = "bert"
"""An agent whose phone is there and answers no OPTIONS, ever."""
DEAD = "carl"
"""An agent whose phone dies."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place() -> AsyncIterator[World]:
    """A world for tests that leave nothing in it but agents who are gone, so each has its own."""
    async with lab(PROGRESSIVE, table(HUMAN), 1, on_duty=False, proxied=True) as made:
        yield made


@asynccontextmanager
async def floor(made: World, names: Sequence[str]) -> AsyncIterator[dict[str, tuple[FrontPhone, Dialog]]]:
    """Agents on duty by phones of the test's own."""
    at, on_duty = (made.main.bind, made.main.sip_port), dict[str, tuple[FrontPhone, Dialog]]()
    where = ("--config", str(made.config))
    try:
        for name in names:
            password = f"the-secret-of-{name}"
            await made.engine.run("agent", "add", name, "--password-stdin", *where, given=password)
            phone = await FrontPhone(name, password, at).open()
            phone.ignores = ("OPTIONS",) if name == MUTE else ()
            on_duty[name] = (phone, Dialog("", "", "", 0))
            assert await phone.register(300) == 200
            if phone.ignores:
                await until(lambda: missed(made, MUTE), "its OPTIONS ran out before the agent dialed in")
            call = await phone.dial(seconds=30)
            assert call.code == 200
            on_duty[name] = (phone, call)
        for name in names:
            await until_seat(made, name, "ready")
        yield on_duty
    finally:
        for phone, _ in on_duty.values():
            phone.close()


async def seat(made: World, name: str) -> str:
    """What the engine says an agent is doing."""
    return next(str(each["state"]) for each in (await status(made))["agents"] if each["name"] == name)


async def until_seat(made: World, name: str, state: str, seconds: float = SOON_S) -> None:
    async def reached() -> bool:
        return await seat(made, name) == state

    await until(reached, f"{name} is {state}", seconds)


async def missed(made: World, name: str) -> bool:
    """Whether Asterisk got no answer to its last OPTIONS."""
    contacts = (await asyncio.to_thread(made.main_node.console, "pjsip show contacts")).splitlines()
    return any(f"{name}@" in line and "Unavail" in line for line in contacts)


def asked(made: World) -> Counter[str]:
    """How often the engine has asked each agent's phone within its call."""
    lines = made.engine.log.read_text().splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{")]
    return Counter(each["agent"] for each in told if "is asked within its call" in each["event"])


async def test_a_phone_that_died_while_the_engine_was_dead_has_no_seat_any_more() -> None:
    async with (
        lab(PROGRESSIVE, table(HUMAN), 1, on_duty=False) as made,
        floor(made, (WELL, MUTE, DEAD)) as phones,
    ):
        process = made.engine.process
        assert process is not None
        process.kill()
        await process.wait()
        phones[DEAD][0].close()
        await until(lambda: missed(made, DEAD), "Asterisk misses the phone")
        before = asked(made)
        await made.engine.start()
        await made.engine.ready()
        await until_seat(made, DEAD, "offline")
        await asyncio.sleep(12.0)
        assert asked(made) - before == Counter((WELL, MUTE, DEAD)), "each was asked once"
        for name in (WELL, MUTE):
            assert await seat(made, name) == "ready", name
            assert not phones[name][1].ended
        await begin(made)

        async def joined() -> bool:
            return "in_call" in [await seat(made, name) for name in (WELL, MUTE)]

        await until(joined, "a customer is with somebody who is there")
        assert await seat(made, DEAD) == "offline"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_phone_that_died_while_the_link_was_cut_has_no_seat_any_more(place: World) -> None:
    async with floor(place, ("dora", "emil")) as phones:
        place.proxies["ari_port"].cut()
        phones["emil"][0].close()
        await until(lambda: missed(place, "emil"), "Asterisk misses the phone")
        place.proxies["ari_port"].heal()
        await until_seat(place, "emil", "offline", SOON_S + 5.0)
        assert await seat(place, "dora") == "ready"
        assert not phones["dora"][1].ended


@pytest.mark.asyncio(loop_scope="module")
async def test_a_phone_that_starts_anew_at_another_port_has_no_seat_any_more(place: World) -> None:
    """Its new contact answers at once, and the old one is never said to be unreachable."""
    async with floor(place, ("fred", "gina")) as phones:
        old = phones["gina"][0]
        old.close()
        new = await FrontPhone(old.name, old.password, old.server).open()
        try:
            assert await new.register(300) == 200
            await until_seat(place, "gina", "offline")
            assert await seat(place, "fred") == "ready"
            assert "fred" not in asked(place)
        finally:
            new.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_phone_that_moved_and_goes_on_talking_keeps_its_seat(place: World) -> None:
    """A leg is ended only when it was asked, and that is decided after LISTEN_S."""
    async with floor(place, ("hans",)) as phones:
        old, call = phones["hans"]
        voice = await Audio.open()
        new = await FrontPhone(old.name, old.password, old.server).open()
        try:
            assert call.final is not None
            port = re.search(r"m=audio (\d+)", call.final.body)
            assert port is not None
            voice.target = (HOST, int(port[1]))
            await asyncio.sleep(1.0)
            old.close()
            assert await new.register(300) == 200
            await asyncio.sleep(2 * LISTEN_S)
            assert "hans" not in asked(place)
            assert await seat(place, "hans") == "ready"
        finally:
            voice.close()
            new.close()
