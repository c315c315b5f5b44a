"""The engine is killed and frozen while calls are up; the carrier and the phones say what that cost."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from chaos_support import KEPT, broken, ground, struck

from dialer_engine.lab.chaos.ground import Ground, Talks
from dialer_engine.lab.chaos.stage import Needs
from dialer_engine.pbx.bundle import Bundle

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def floor(bundle: Bundle) -> AsyncIterator[Ground]:
    """One world for all faults of the engine, in which everybody talks for longer than it is away."""
    async with ground(bundle, 9, Needs(talks=Talks.LONG), pace=1.0) as made:
        yield made


async def kept(floor: Ground, fault: str, rounds: int) -> None:
    """Nothing that was promised is broken, and talks went on while the engine was away."""
    row = await struck(floor, fault, rounds)
    assert broken(row) == KEPT
    assert row.lived_through > 0, "no talk was longer than an engine's absence"


@pytest.mark.asyncio(loop_scope="module")
async def test_killed_at_any_moment(floor: Ground) -> None:
    await kept(floor, "engine-kill", 1)


@pytest.mark.asyncio(loop_scope="module")
async def test_killed_when_a_call_crosses_each_boundary(floor: Ground) -> None:
    await kept(floor, "engine-kill-boundary", 5)


@pytest.mark.asyncio(loop_scope="module")
async def test_frozen_for_some_seconds(floor: Ground) -> None:
    await kept(floor, "engine-freeze", 3)
