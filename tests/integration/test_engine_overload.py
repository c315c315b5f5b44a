"""Overload with the real parts: a slow Asterisk brakes new calls, and an engine that cannot listen starts over."""

import asyncio
import os
import signal
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import aiohttp
import pytest
from engine_support import (
    HUMAN,
    PROGRESSIVE,
    at_carrier,
    begin,
    lab,
    rows,
    status,
    table,
    until,
)

from dialer_engine.lab.world import World

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

SHORT = replace(HUMAN, talk_s=1.0)
SCENARIO = replace(PROGRESSIVE, agents=2, wrap_seconds=1)
WORDS = "x" * 3500


async def overload(made: World) -> dict[str, Any]:
    found: dict[str, Any] = (await status(made))["engine"]["overload"]
    return found


async def until_level(made: World, *levels: str) -> None:
    async def reached() -> bool:
        return (await overload(made))["level"] in levels

    await until(reached, f"new calls are {' or '.join(levels)}", 40.0)


async def until_calls(made: World, more: int) -> None:
    """Wait until the carrier has seen so many more calls."""
    before = len(at_carrier(made))

    async def came() -> bool:
        return len(at_carrier(made)) >= before + more

    await until(came, f"{more} more calls", 40.0)


async def test_a_slow_asterisk_slows_and_a_frozen_one_stops_new_calls_until_it_is_well_again() -> None:
    async with lab(SCENARIO, table(SHORT), 60, proxied=True) as made:
        await begin(made)
        await until_calls(made, 2)
        proxy = made.proxies["ari_port"]
        proxy.delay_s = 0.55  # each way: a ping takes 1.1 s, between what slows and what stops
        await until_level(made, "slowed", "stopped")
        said = await made.engine.run("status", "--config", str(made.config))
        assert "overload: new calls are s" in said
        proxy.delay_s = 0.0
        await until_level(made, "full")
        await until_calls(made, 2)
        pid = made.main_node.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            await until_level(made, "stopped")
            assert "overload: Asterisk takes" in str((await status(made))["engine"]["why_not"])
        finally:
            os.kill(pid, signal.SIGCONT)
        await until_level(made, "full")
        await until_calls(made, 2)
        assert (await overload(made))["times"] >= 2
        words = made.engine.log.read_text()
        assert "overload: new calls are" in words
        assert "overload is over" in words
        cut = [call.number for call in at_carrier(made) if call.answered_human and call.ended_by == "caller"]
        assert cut == []


async def test_an_engine_that_cannot_listen_is_cut_off_and_agrees_with_asterisk_when_it_can_again() -> None:
    """Frozen with calls up, until its full socket makes Asterisk end the connection; all calls end meanwhile."""
    async with lab(SCENARIO, table(replace(HUMAN, talk_s=3.0)), 6) as made:
        await begin(made)
        await until_calls(made, 2)
        made.engine.send(signal.SIGSTOP)
        try:
            await fill_up(made)

            async def all_over() -> bool:
                return not any(call.live for call in at_carrier(made))

            await until(all_over, "the calls have ended without the engine", 40.0)
        finally:
            made.engine.send(signal.SIGCONT)

        async def done() -> bool:
            found = await rows(
                made,
                "select (select count(*) from attempts where ended_at is null) as live, "
                "(select count(*) from cdrs where originated_at is not null) as sent",
            )
            return found[0]["live"] == 0 and found[0]["sent"] == len(at_carrier(made)) == 6

        await until(done, "all six people were called, each with one record", 60.0)
        assert len({call.number for call in at_carrier(made)}) == 6
        assert "ari_reconnected" in made.engine.log.read_text()
        document = await status(made)
        assert sum(document["campaigns"][0]["calls"].values()) == 0


async def fill_up(made: World) -> None:
    """Send events that nobody reads until Asterisk gives the engine's connection up."""
    node = made.main_node
    auth = {"Authorization": aiohttp.encode_basic_auth(node.secrets.ari_user, node.secrets.ari_password)}
    address = f"{made.main.ari_url}/ari/events/user/Filler?application={made.main.app}"
    async with aiohttp.ClientSession(headers=auth) as session:

        async def send() -> int:
            async with session.post(address, json={"variables": {"words": WORDS}}) as reply:
                return reply.status

        assert await send() == HTTPStatus.NO_CONTENT, "the engine is subscribed and reads nothing"
        for _ in range(5_000):
            if HTTPStatus.NOT_FOUND in await asyncio.gather(*(send() for _ in range(8))):
                return
    pytest.fail("Asterisk never gave the connection up")
