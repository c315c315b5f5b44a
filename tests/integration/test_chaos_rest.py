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

FAULTS = {
    "asterisk-kill": 2,
    "asterisk-kill-unseen": 1,
    "postgres-stop": 1,
    "postgres-kill": 1,
    "postgres-lock": 1,
    "ari-cut": 1,
    "ari-delay": 1,
    "ari-deaf": 1,
    "ari-half-open": 1,
    "ami-cut": 1,
    "ami-delay": 1,
    "config-broken": 1,
    "clock-step": 2,
    "postgres-full": 1,
}
"""With so many rounds of each; the clock is stepped in both directions."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def floor(bundle: Bundle) -> AsyncIterator[Ground]:
    """One world for them: a proxy before Asterisk, a small disk for Postgres, people at the edge of the hours."""
    needs = Needs(links=True, small_disk=POSTGRES.small_disk, edges=True)
    async with ground(bundle, sum(FAULTS.values()), needs) as made:
        yield made


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("fault", "rounds"), FAULTS.items())
async def test_what_was_promised_holds(floor: Ground, fault: str, rounds: int) -> None:
    assert broken(await struck(floor, fault, rounds)) == KEPT
