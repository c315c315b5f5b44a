"""The benchmark of reservations, at a size that takes seconds: it measures what it says."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from dialer_engine.lab.bench_reserve import Measured, Size, run

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


async def test_both_lists_are_measured_with_the_whole_gate(open_directory: Path) -> None:
    place = open_directory / "bench-reserve"
    place.mkdir(mode=0o755)
    told: list[str] = []
    result = await run(place, Size(12_000, 6_000, 400_000, 20), tell=told.append)
    figures = json.loads(json.dumps(asdict(result)))
    assert figures.keys() >= {"p50_ms", "p99_ms", "p99_small_ms", "ratio"}
    assert 0 < result.p50_ms <= result.p99_ms
    assert result.reserved_each == 50
    assert result.looked_at_each > 55, "suppressed, registered and consent-only contacts are held back"
    assert result.ratio == pytest.approx(result.p99_ms / result.p99_small_ms, rel=0.01)
    assert not (place / "registry.txt").exists()
    assert any("12,000 contacts" in line for line in told)


def test_quantiles_are_nearest_ranks() -> None:
    measured = Measured([float(n) for n in range(100, 0, -1)])
    assert (measured.quantile(0.5), measured.quantile(0.99), measured.quantile(1.0)) == (51.0, 100.0, 100.0)
