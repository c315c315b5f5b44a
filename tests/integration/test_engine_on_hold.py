"""A phone that has the call to 100 on hold gets no customer, and gets them again when it takes the call back."""

import asyncio
from dataclasses import replace

import pytest
from engine_support import HUMAN, PROGRESSIVE, at_carrier, begin, lab, status, table
from test_engine_lost_phones import floor, seat, until_seat

from dialer_engine.lab.world import World

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

SCENARIO = replace(PROGRESSIVE, wrap_seconds=3)


async def on_hold(made: World, name: str) -> bool:
    """What the engine says of an agent's phone."""
    return next(bool(each["on_hold"]) for each in (await status(made))["agents"] if each["name"] == name)


async def test_who_is_on_hold_gets_nobody_and_is_ready_again_without_a_key() -> None:
    async with (
        lab(SCENARIO, table(replace(HUMAN, talk_s=5.0)), 3, on_duty=False) as made,
        floor(made, ("anna",)) as phones,
    ):
        phone, call = phones["anna"]
        assert await phone.offer(call, "sendonly") == 200
        await until_seat(made, "anna", "paused")
        assert await on_hold(made, "anna")
        await begin(made)
        await asyncio.sleep(3.0)
        assert at_carrier(made) == []
        assert await phone.offer(call, "sendrecv") == 200
        await until_seat(made, "anna", "in_call")
        assert not await on_hold(made, "anna")

        assert await phone.offer(call, "inactive") == 200
        await asyncio.sleep(1.0)
        assert await seat(made, "anna") == "in_call"
        await until_seat(made, "anna", "paused")
        assert len(at_carrier(made)) == 1
        assert await phone.offer(call, "sendrecv") == 200
        await until_seat(made, "anna", "in_call")
