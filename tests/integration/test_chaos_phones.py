"""The agents' phones die in the middle of talks and the agents dial in again: customers are kept."""

import pytest
from chaos_support import KEPT, broken, ground, struck

from dialer_engine.lab.chaos.ground import Talks
from dialer_engine.lab.chaos.stage import Needs
from dialer_engine.lab.pairing import pair
from dialer_engine.pbx.bundle import Bundle

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]


async def test_customers_of_dead_phones_are_kept_until_their_agents_are_back(bundle: Bundle) -> None:
    async with ground(bundle, 5, Needs(talks=Talks.LONG), pace=1.0) as floor:
        row = await struck(floor, "phone-vanish", 5)
        heard, calls = floor.world.phones.heard, floor.calls
    assert broken(row) == KEPT
    assert len(heard) > len([answer for answer in pair(calls, heard) if answer.heard]), "somebody heard twice"
