"""A short flood of SIP requests from strangers: calls go on, none is cut, and nothing is left behind in Asterisk."""

import pytest
from lab_support import lab_place

from dialer_engine.lab.bench_flood import FloodPlan, bench_flood
from dialer_engine.lab.chaos.flood_faults import LEAST_SENT
from dialer_engine.lab.flood import Rates
from dialer_engine.pbx.bundle import Bundle

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

MOST_GROWTH_MB = 60
"""What Asterisk still holds after a trim does not grow with the flood's length; none to 10 MB were measured.

Before the trim it is 70 to 220 MB, by how much of the flood came through.
"""
SECONDS, RATES = 6.0, Rates(1000, 5000, 100)
WANTED = SECONDS * (RATES.registers + RATES.options + RATES.invites)


async def test_a_flood_cuts_no_call_and_leaves_nothing_waiting(bundle: Bundle) -> None:
    with lab_place() as place:
        result = await bench_flood(bundle, place, FloodPlan(3.0, SECONDS, 1, RATES), lambda text: None)
    quiet, aside, flooded = result.rounds
    assert flooded.sent.requests > LEAST_SENT * WANTED, "a flood was sent"
    assert aside.sent.requests > LEAST_SENT * WANTED
    assert aside.calls > 0
    assert result.refused > 500, "the engine sees who was refused"
    assert quiet.calls > 0
    assert quiet.unheard == 0
    assert flooded.calls > 0, "dialing goes on"
    assert result.calls_cut == 0
    assert result.waiting_tasks < 5
    assert result.rss_trimmed_mb - result.rss_before_mb < MOST_GROWTH_MB
