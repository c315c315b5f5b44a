"""What a soak says is left behind, and what grows."""

from dataclasses import replace

import pytest

from dialer_engine.lab.soak_result import MEMBER_CALLS_PER_S, Sample, SoakResult, Still

pytestmark = pytest.mark.unit

START = Still(
    Sample(0.0, 0, 70.0, 25, 19, 5),
    channels=4,
    bridges=2,
    sessions=12,
    asterisk_mb=60.0,
    asterisk_trimmed_mb=58.0,
)


def soaked(kb_per_call: float = 0.0, mb_per_idle_s: float = 0.0) -> SoakResult:
    """A thousand calls, ten a second; the first quarter fills caches whatever comes later. Then 100 s without calls."""
    samples = [
        Sample(n / 10, n, 70.0 + min(n, 250) * 0.02 + max(0, n - 250) * kb_per_call / 1000, 28, 20, 7)
        for n in range(0, 1001, 10)
    ]
    idle = [
        replace(samples[-1], at=100.0 + n, rss_mb=samples[-1].rss_mb + n * mb_per_idle_s)
        for n in range(0, 101, 5)
    ]
    after = replace(START, engine=replace(samples[-1], tasks=19))
    return SoakResult(START, after, 1000, 1000, 100.0, samples, idle)


def test_growth_is_measured_after_the_warm_up() -> None:
    assert soaked().per_call.slope == pytest.approx(0.0, abs=1e-6)
    found = soaked(2.0)
    assert found.per_call.slope == pytest.approx(2000.0)
    assert found.per_hour.slope == pytest.approx(72.0)
    assert found.of_member.slope == pytest.approx(2.0 * MEMBER_CALLS_PER_S * 3.6)
    assert found.idle_per_hour.slope == pytest.approx(0.0, abs=1e-6)
    assert found.as_json()["calls_per_second"] == 10.0


def test_nothing_left_behind() -> None:
    assert soaked().leaks == []


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("1 channels more", {"channels": 5}),
        ("2 bridges more", {"bridges": 4}),
        ("1 sessions at the database more", {"sessions": 13}),
        ("12 tasks more", {"engine": Sample(100.0, 1000, 75.0, 28, 31, 7)}),
        ("30 descriptors more", {"engine": Sample(100.0, 1000, 75.0, 58, 19, 7)}),
        ("18 threads more", {"engine": Sample(100.0, 1000, 75.0, 28, 19, 25)}),
    ],
)
def test_what_is_left_behind_is_named(what: str, change: dict[str, object]) -> None:
    result = soaked()
    result.after = replace(result.after, **change)
    [leak] = result.leaks
    assert leak.startswith(what)


def test_growth_by_the_call_is_named() -> None:
    [leak] = soaked(1.0).leaks
    assert leak.startswith("memory grows by 10.08 ±")
    assert leak.endswith("MB an hour at 2.8 calls a second")


def test_growth_by_the_hour_is_named() -> None:
    [leak] = soaked(mb_per_idle_s=0.001).leaks
    assert leak.startswith("memory grows by 3.60 ±")
    assert leak.endswith("MB an hour without calls")


def test_a_little_growth_is_within_the_goal() -> None:
    assert soaked(0.09, 0.0002).leaks == []


def test_a_call_without_a_record_is_named() -> None:
    result = soaked()
    result.records = 999
    assert result.leaks == ["1000 calls at the carrier, 999 records"]
