"""Overload with the real parts: a slow Asterisk slows new calls, a frozen one stops them, and dialing comes back."""

import os
import signal
from dataclasses import replace
from typing import Any

import pytest
from engine_support import (
    HUMAN,
    PROGRESSIVE,
    at_carrier,
    begin,
    lab,
    status,
    table,
    until,
)

from dialer_engine.lab.world import World

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

SHORT = replace(HUMAN, talk_s=1.0)
SCENARIO = replace(PROGRESSIVE, agents=2, wrap_seconds=1)


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
