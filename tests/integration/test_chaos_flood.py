"""A flood from strangers as a fault: one short round at bare Asterisk, and one at the front before it."""

import pytest
from chaos_support import KEPT, broken, ground, struck

from dialer_engine.lab.chaos.catalogue import catalogue
from dialer_engine.lab.chaos.stage import Needs
from dialer_engine.pbx.bundle import Bundle

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]


@pytest.mark.parametrize("fault", ["flood", "flood-front"])
async def test_a_flood_cuts_no_call_and_dialing_goes_on(bundle: Bundle, fault: str) -> None:
    needs: Needs = catalogue()[fault].needs
    async with ground(bundle, 3, needs) as floor:
        assert broken(await struck(floor, fault, 1)) == KEPT
