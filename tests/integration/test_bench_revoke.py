"""Numbers revoked while their phones ring, by a command and by somebody else: the ringing ends, nobody is called."""

import pytest
from lab_support import lab_place

from dialer_engine.lab.bench_revoke import WAYS, bench_revoke
from dialer_engine.pbx.bundle import Bundle

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

IN_ALL_ENGINES_MS = 5000.0


async def test_ringing_ends_whoever_revokes_the_number(bundle: Bundle) -> None:
    with lab_place() as place:
        result = await bench_revoke(bundle, place, 2, lambda text: None)
    assert result.called_after == 0
    figures = result.as_json()
    for way in WAYS:
        assert figures[f"{way}_count"] == 2
        assert 0 < figures[f"{way}_p50_ms"] <= figures[f"{way}_max_ms"] < IN_ALL_ENGINES_MS
