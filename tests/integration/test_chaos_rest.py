"""Asterisk, Postgres and its disk, links, configuration and clock fail; carrier and phones say what that cost."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from chaos_support import KEPT, broken, ground, struck

from dialer_engine.lab.chaos.disk_faults import POSTGRES
from dialer_engine.lab.chaos.ground import Ground
from dialer_engine.lab.chaos.stage import Needs
from dialer_engine.pbx.bundle import Bundle

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

FAULTS = ("asterisk-kill-unseen", "postgres-kill", "ari-cut", "config-broken", "clock-step", "postgres-full")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def floor(bundle: Bundle) -> AsyncIterator[Ground]:
    """One world for all these faults, with a proxy between engine and Asterisk, and a small disk for Postgres."""
    async with ground(bundle, len(FAULTS), Needs(links=True, small_disk=POSTGRES.small_disk)) as made:
        yield made


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("fault", FAULTS)
async def test_what_was_promised_holds(floor: Ground, fault: str) -> None:
    assert broken(await struck(floor, fault, 1)) == KEPT
