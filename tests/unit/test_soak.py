"""What a soak says is left behind, and how it measures growth."""

from dataclasses import replace

import pytest

from dialer_engine.lab.bench_soak import Sample, SoakResult, Still

pytestmark = pytest.mark.unit

START = Still(Sample(0.0, 0, 70.0, 25, 19), channels=4, bridges=2, asterisk_mb=60.0)


def soaked(kb_per_call: float = 0.0) -> SoakResult:
    """A thousand calls, ten a second; the first quarter fills caches whatever comes later."""
    samples = [
        Sample(n / 10, n, 70.0 + min(n, 250) * 0.02 + max(0, n - 250) * kb_per_call / 1000, 28, 20)
        for n in range(0, 1001, 50)
    ]
    after = replace(START, engine=replace(samples[-1], tasks=19))
    return SoakResult(START, after, calls=1000, records=1000, seconds=100.0, samples=samples)


def test_growth_is_measured_after_the_warm_up() -> None:
    assert soaked().as_json()["rss_kb_per_call"] == pytest.approx(0.0, abs=1e-6)
    figures = soaked(2.0).as_json()
    assert figures["rss_kb_per_call"] == pytest.approx(2.0)
    assert figures["rss_mb_per_hour"] == pytest.approx(72.0)
    assert figures["calls_per_second"] == 10.0


def test_nothing_left_behind() -> None:
    assert soaked().leaks == []


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("1 channels more", {"channels": 5}),
        ("2 bridges more", {"bridges": 4}),
        ("12 tasks more", {"engine": Sample(100.0, 1000, 75.0, 28, 31)}),
        ("30 descriptors more", {"engine": Sample(100.0, 1000, 75.0, 58, 19)}),
    ],
)
def test_what_is_left_behind_is_named(what: str, change: dict[str, object]) -> None:
    result = soaked()
    result.after = replace(result.after, **change)
    [leak] = result.leaks
    assert leak.startswith(what)


def test_a_call_without_a_record_is_named() -> None:
    result = soaked()
    result.records = 999
    assert result.leaks == ["1000 calls at the carrier, 999 records"]
