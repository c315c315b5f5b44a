"""How growth is told from a step and from noise."""

import random

import pytest

from dialer_engine.lab.growth import STRETCHES, growth

pytestmark = pytest.mark.unit


def series(climb: float = 0.0, step: float = 0.0, noise: float = 0.0) -> list[tuple[float, float]]:
    """Two hundred points, one a second; the step comes in the middle."""
    chance = random.Random(1)  # noqa: S311
    return [
        (float(n), 80 + climb * n + step * (n >= 100) + chance.uniform(-noise, noise)) for n in range(200)
    ]


def test_a_steady_climb_is_sure() -> None:
    found = growth(series(climb=0.02, noise=0.05))
    assert found.half is not None
    assert found.slope == pytest.approx(0.02, abs=0.004)
    assert found.slope - found.half > 0.015


def test_one_step_is_no_climb() -> None:
    found = growth(series(step=1.0))
    assert found.half is not None
    assert found.slope > 0.0
    assert found.slope - found.half < 0.0


def test_a_step_between_two_stretches_counts() -> None:
    points = [(float(n), float(n > 10 * STRETCHES // 2)) for n in range(10 * STRETCHES + 1)]
    assert growth(points).slope > 0.0


def test_noise_is_no_growth() -> None:
    found = growth(series(noise=0.5))
    assert found.half is not None
    assert abs(found.slope) < found.half


@pytest.mark.parametrize("points", [[], [(0.0, 1.0)], [(2.0, 1.0), (2.0, 5.0)]])
def test_too_few_points_say_nothing(points: list[tuple[float, float]]) -> None:
    assert growth(points).as_json() == {"slope": 0.0, "half": None}


def test_few_points_have_a_slope_without_an_interval() -> None:
    assert growth([(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]).as_json() == {"slope": 2.0, "half": None}


def test_other_units() -> None:
    found = growth(series(climb=0.02, noise=0.05))
    assert found.half is not None
    other = found.times(3600.0)
    assert (other.slope, other.half) == (found.slope * 3600.0, found.half * 3600.0)
