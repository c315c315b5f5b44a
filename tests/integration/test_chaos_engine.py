"""The engine is killed and frozen while calls are up; the carrier and the phones say what that cost."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from chaos_support import KEPT, broken, ground, struck

from dialer_engine.lab.chaos.ground import Ground
from dialer_engine.pbx.bundle import Bundle

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def floor(bundle: Bundle) -> AsyncIterator[Ground]:
    """One world for all faults of the engine."""
    async with ground(bundle, 6) as made:
        yield made


@pytest.mark.asyncio(loop_scope="module")
async def test_killed_when_a_call_crosses_each_boundary(floor: Ground) -> None:
    row = await struck(floor, "engine-kill-boundary", 5)
    assert broken(row) == KEPT
    assert row.lived_through > 0, "no talk was longer than an engine's absence"


@pytest.mark.asyncio(loop_scope="module")
async def test_frozen_for_some_seconds(floor: Ground) -> None:
    assert broken(await struck(floor, "engine-freeze", 1)) == KEPT
