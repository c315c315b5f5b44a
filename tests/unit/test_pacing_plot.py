"""The drawing is well-formed, true to its numbers, and bears every odd series of minutes."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dialer_engine.cli.pacing_plot import Axis, cumulative, plot, runs, scale
from dialer_engine.cli.report_pacing import bound_in_words, edges
from dialer_engine.core.pacing.history import BINS
from dialer_engine.store.pacing import Span

pytestmark = pytest.mark.unit

NINE = datetime(2026, 6, 10, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SVG = "{http://www.w3.org/2000/svg}"
ONE = Span(
    *("spring", NINE, "predictive", 60.0, 6.0, 12, 5.0, 2.0, 1.0, 0.0, 40, 10, 1, 3, 5.0, 0.1, 300.0),
    *("risk", "words", None, 100, 2, 0.03),
)


def shift(count: int, **changes: object) -> list[Span]:
    return [replace(ONE, start=NINE + n * MINUTE, **changes) for n in range(count)]  # type: ignore[arg-type]


def drawn(spans: Sequence[Span], name: str = "spring") -> ET.Element:
    return ET.fromstring(plot(name, spans, MINUTE))  # noqa: S314


def texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def heights(element: ET.Element) -> list[float]:
    return [float(point.split(",")[1]) for point in (element.get("points") or "").split()]


def test_it_names_what_it_shows() -> None:
    said = texts(drawn(shift(60)))
    for words in ("spring", "Lines in flight", "mean", "highest", "Agents", "talking", "ready", "limit 3 %"):
        assert words in said
    assert (
        "2026-06-10 09:00 to 2026-06-10 10:00 UTC · predictive · 600 live answers, 60 abandoned (10.0%) · "
        "5.0 agents talking (62% of their time)"
    ) in said
    assert "Abandoned, % of live answers, legal period so far" in said


def test_curves_are_at_the_height_of_their_numbers() -> None:
    lines = list(drawn(shift(60)).iter(f"{SVG}polyline"))
    highest, mean, on_duty, talking, ready, abandoned = (heights(line)[0] for line in lines)
    # The lowest panel ends at 4 %: its foot is 132 points below its top.
    limit = next(line for line in drawn(shift(60)).iter(f"{SVG}line") if line.get("stroke-dasharray"))
    at = float(limit.get("y1") or 0)
    foot = at + 132 * 3 / 4
    assert abandoned == pytest.approx(foot - 132 * 2 / 4, abs=0.1), "2 of 100"
    assert highest < mean
    assert on_duty < talking < ready
    assert all(len(heights(line)) == 60 for line in lines)


def test_everything_lies_on_the_paper() -> None:
    odd = [
        replace(ONE, level_max=4000, level=3999.0),
        replace(ONE, start=NINE + MINUTE, period_abandoned=100),
        *shift(3, period_live=None, period_abandoned=None)[2:],
    ]
    root = drawn(odd)
    _, _, width, height = map(float, (root.get("viewBox") or "").split())
    for line in root.iter(f"{SVG}polyline"):
        for point in (line.get("points") or "").split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= width
            assert 0 <= y <= height


@pytest.mark.parametrize(
    "spans",
    [
        shift(1),
        shift(2),
        shift(1, seconds=0.0, level=0.0, level_max=0, talking=0.0, ready=0.0, wrap=0.0, live=0, abandoned=0),
        shift(60, abandon_limit=None, period_live=None, period_abandoned=None),
        shift(60, abandon_limit=0.0),
        [*shift(3), replace(ONE, start=NINE + timedelta(days=3))],
        [ONE, replace(ONE, start=NINE + timedelta(days=390))],
    ],
)
def test_odd_series_are_drawn(spans: list[Span]) -> None:
    root = drawn(spans)
    assert len(list(root.iter(f"{SVG}text"))) < 120
    assert "nan" not in ET.tostring(root, "unicode").lower()


def test_names_are_escaped() -> None:
    assert "<b>&" in texts(drawn(shift(2), "<b>&"))


def test_a_gap_is_left_open() -> None:
    cut = [*shift(10)[:4], *shift(10)[7:]]
    assert [len(run) for run in runs(cut, 1.5 * MINUTE)] == [4, 3]
    assert len(list(drawn(cut).iter(f"{SVG}polyline"))) == 12


def test_the_share_is_the_ledgers_or_counted() -> None:
    assert cumulative(shift(2)) == [0.02, 0.02]
    counted = shift(3, period_live=None, period_abandoned=None)
    counted[1] = replace(counted[1], abandoned=0)
    assert cumulative(counted) == pytest.approx([1 / 10, 1 / 20, 2 / 30])
    assert cumulative(shift(1, period_live=None, live=0, abandoned=0)) == [0.0]


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (0.0, (1, 3)),
        (3.0, (1, 3)),
        (4.0, (1, 4)),
        (10, (2.5, 10)),
        (11, (5, 15)),
        (400, (100, 400)),
        (0.5, (0.2, 0.6)),
    ],
)
def test_axes_end_at_round_numbers(most: float, expected: tuple[float, float]) -> None:
    assert scale(most) == pytest.approx(expected)


@pytest.mark.parametrize("hours", [0.02, 1, 8, 24, 24 * 7, 24 * 390])
def test_ticks_are_round_and_few(hours: float) -> None:
    axis = Axis(NINE, NINE + timedelta(hours=hours), MINUTE)
    ticks = list(axis.ticks())
    assert len(ticks) <= 15
    assert all(tick.second == 0 and tick.minute % 5 == 0 for tick in ticks)
    assert all(NINE <= tick <= axis.end for tick in ticks)


def test_bins_have_edges_and_bounds_have_words() -> None:
    assert [edges(number) for number in (1, 4, BINS)] == [(0.0, 0.005), (0.02, 0.03), (0.25, 1.0)]
    assert bound_in_words(ONE) == "risk of abandoning"
    assert bound_in_words(replace(ONE, bound="list", hours="no contact may be called now")) == "dialing hours"
    assert bound_in_words(replace(ONE, bound="list")) == "empty list"
