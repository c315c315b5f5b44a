"""One of two engines is cut off or frozen, and the only trunk refuses: one owner, nobody charged or called twice."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from chaos_support import KEPT, broken, ground, struck

from dialer_engine.lab.chaos.ground import Ground
from dialer_engine.lab.chaos.stage import Needs
from dialer_engine.pbx.bundle import Bundle

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def floor(bundle: Bundle) -> AsyncIterator[Ground]:
    """One world with two engines and a wire before the carrier."""
    async with ground(bundle, 6, Needs(split=True, wired=True)) as made:
        yield made


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("fault", "turn"),
    [
        ("trunk-503", 1),
        ("trunk-403", 1),
        ("cps-half", 1),
        ("engines-split", 2),
        ("engines-split", 5),
        ("engines-split", 6),
    ],
    ids=[
        "trunk-503",
        "trunk-403",
        "cps-half",
        "without-asterisk",
        "without-database-and-successor",
        "frozen",
    ],
)
async def test_what_was_promised_holds(floor: Ground, fault: str, turn: int) -> None:
    floor.round = turn - 1
    assert broken(await struck(floor, fault, 1)) == KEPT
