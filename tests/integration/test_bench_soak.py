"""A short soak on everything real: dozens of calls of every kind leave nothing behind."""

import pytest
from lab_support import lab_place

from dialer_engine.lab.bench_soak import bench_soak
from dialer_engine.pbx.bundle import Bundle

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]


async def test_dozens_of_calls_leave_nothing_behind(bundle: Bundle) -> None:
    with lab_place() as place:
        result = await bench_soak(bundle, place, 60, 6, 2.0, lambda text: None)
    assert result.leaks == []
    assert "run longer" in result.unshown[0], "so few samples show no growth"
    assert 50 <= result.calls == result.records <= 60
    assert (result.before.channels, result.before.bridges) == (2 * 6, 6)
    assert result.after.sessions == result.before.sessions > 2
    figures = result.as_json()
    assert len(figures["samples"]) >= 2
    assert len(figures["idle"]) >= 2
    assert figures["after"]["engine"]["rss_mb"] > 20
    assert figures["after"]["engine"]["threads"] > 1
    assert figures["after"]["asterisk_trimmed_mb"] > 20
