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


ONCE = {f"+12105{n:06d}": 1 for n in range(1000)}
"""A thousand numbers, each called once."""


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
    return SoakResult(START, after, dict(ONCE), dict(ONCE), 100.0, samples, idle)


def test_growth_is_measured_after_the_warm_up() -> None:
    assert soaked().per_call.slope == pytest.approx(0.0, abs=1e-6)
    found = soaked(2.0)
    assert found.per_call.slope == pytest.approx(2000.0)
    assert found.per_hour.slope == pytest.approx(72.0)
    assert found.of_member.slope == pytest.approx(2.0 * MEMBER_CALLS_PER_S * 3.6)
    assert found.idle_per_hour.slope == pytest.approx(0.0, abs=1e-6)
    assert found.as_json()["calls_per_second"] == 10.0


def test_nothing_left_behind() -> None:
    result = soaked()
    assert (result.calls, result.records) == (1000, 1000)
    assert result.leaks == result.unshown == result.as_json()["unshown"] == []


def test_what_a_busy_moment_holds_hides_nothing() -> None:
    result = soaked()
    result.samples = [replace(each, descriptors=60, threads=40) for each in result.samples]
    result.after = replace(result.after, engine=replace(result.after.engine, descriptors=55, threads=20))
    few, many = result.leaks
    assert few.startswith("30 descriptors more")
    assert many.startswith("15 threads more")


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("1 channels more", {"channels": 5}),
        ("2 bridges more", {"bridges": 4}),
        ("1 sessions at the database more", {"sessions": 13}),
        ("12 tasks more", {"engine": Sample(100.0, 1000, 75.0, 28, 31, 7)}),
        ("33 descriptors more", {"engine": Sample(100.0, 1000, 75.0, 58, 19, 7)}),
        ("20 threads more", {"engine": Sample(100.0, 1000, 75.0, 28, 19, 25)}),
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
    result = soaked(0.09, 0.0002)
    assert result.leaks == result.unshown == []


def test_too_few_samples_show_nothing() -> None:
    result = soaked(5.0, 0.5)
    result.samples = result.samples[:37]
    result.idle = result.idle[:16]
    calls, idle = result.unshown
    assert result.leaks == []
    assert calls == "how memory grows at 2.8 calls a second: 12 samples, 17 are needed; run longer"
    assert idle == "how memory grows without calls: 16 samples, 17 are needed; run longer"


def test_a_standstill_shows_nothing() -> None:
    result = soaked()
    stuck = result.samples[40]
    result.samples[40:60] = [replace(stuck, at=stuck.at + n) for n in range(20)]
    [told] = result.unshown
    assert told.startswith("how memory grows at 2.8 calls a second: nothing moved for long")


def test_an_interval_that_reaches_above_the_goal_shows_nothing() -> None:
    """One step in the middle: a slope below the goal, with an interval as wide as itself or wider."""
    result = soaked()
    result.idle = [
        replace(each, rss_mb=each.rss_mb + (0.02 if n > 10 else 0.0)) for n, each in enumerate(result.idle)
    ]
    growth = result.idle_per_hour
    assert growth.half is not None
    assert growth.slope - growth.half < 1.0 < growth.slope + growth.half
    [told] = result.unshown
    assert told.startswith("that memory grows by less than 1 MB an hour without calls: it may be ")
    assert result.leaks == []


def test_a_call_without_a_record_is_named() -> None:
    result = soaked()
    del result.kept["+12105000007"]  # type: ignore[attr-defined]
    assert result.leaks == [
        "1 numbers have not a record for each call, such as +12105000007: 1 calls at the carrier, 0 records"
    ]


def test_a_record_too_many_does_not_make_up_for_a_missing_one() -> None:
    result = soaked()
    result.kept = {**ONCE, "+12105000007": 0, "+12105000008": 2}
    assert result.calls == result.records
    [leak] = result.leaks
    assert leak.startswith("2 numbers have not a record for each call, such as +12105000007")


def test_a_number_that_was_called_twice_is_named() -> None:
    result = soaked()
    twice = {**ONCE, "+12105000007": 2, "+12105000008": 0}
    result.placed = result.kept = twice
    assert result.leaks == ["1 numbers were called more than once, such as +12105000007"]
