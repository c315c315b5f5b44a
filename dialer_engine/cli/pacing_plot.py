"""The pacing of one campaign as a drawing: lines in flight, agents talking, and abandoned calls against the limit.

Plain SVG with nothing but lines, areas and text, so that any browser shows it and any editor opens it. Three
panels share one axis of time; minutes in which nothing was seen leave a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from math import ceil, floor, log10

from dialer_engine.store.pacing import Span

WIDTH, LEFT, RIGHT, TOP = 1000, 64, 150, 56
PANEL, BETWEEN, BOTTOM = 150, 46, 46
INNER = WIDTH - LEFT - RIGHT
INK, PALE, GRID = "#1d2733", "#5f6b7a", "#e3e7ec"
BLUE, GREEN, AMBER, RED, GREY = "#2f6fb3", "#2e8b57", "#d08a1d", "#c0392b", "#aab4c0"
TICKS_S = (300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2419200)
MOST_TICKS = 10

Point = tuple[datetime, float]


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a panel: its name in the legend, its colour, and its value in each span."""

    name: str
    colour: str
    of: Callable[[Span], float]
    area: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """The time from `start` to `end` on the paper; a longer gap than `gap` between two spans is left open."""

    start: datetime
    end: datetime
    gap: timedelta

    def x(self, moment: datetime) -> float:
        """Return where a moment lies."""
        return LEFT + INNER * ((moment - self.start) / (self.end - self.start))

    def ticks(self) -> Iterator[datetime]:
        """Yield round moments."""
        seconds = (self.end - self.start).total_seconds()
        step = next((s for s in TICKS_S if seconds / s <= MOST_TICKS), TICKS_S[-1])
        at = datetime.fromtimestamp(ceil(self.start.timestamp() / step) * step, self.start.tzinfo)
        while at <= self.end:
            yield at
            at += timedelta(seconds=step)


def plot(campaign: str, spans: Sequence[Span], width: timedelta) -> str:
    """Return the drawing of one campaign's spans, which are `width` long and in order of time."""
    axis = Axis(spans[0].start, spans[-1].start + width, 1.5 * width)
    shares = dict(zip((s.start for s in spans), cumulative(spans), strict=True))
    limit = next((s.abandon_limit for s in reversed(spans) if s.abandon_limit is not None), None)
    agents = max(s.talking + s.ready + s.wrap for s in spans)
    level = max(s.level_max for s in spans)
    share = 100.0 * max([*shares.values(), 1.25 * (limit or 0.0), 0.005])
    panels = [
        _panel(0, "Lines in flight", level, axis, spans, LEVEL),
        _panel(1, "Agents", agents, axis, spans, AGENTS),
        _panel(
            2,
            f"Abandoned, % of live answers, {_since(spans)}",
            share,
            axis,
            spans,
            (Series("abandoned", RED, lambda span: 100.0 * shares[span.start]),),
            limit,
        ),
    ]
    height = TOP + 3 * PANEL + 2 * BETWEEN + BOTTOM
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" font-family="DejaVu Sans, Verdana, sans-serif" font-size="12" fill="{INK}">'
    )
    paper = f'<rect width="{WIDTH}" height="{height}" fill="white"/>'
    return "\n".join([head, paper, *_title(campaign, spans, axis), *panels, "</svg>", ""])


LEVEL = (
    Series("highest", GREY, lambda span: float(span.level_max)),
    Series("mean", BLUE, lambda span: span.level, area=True),
)
AGENTS = (
    Series("on duty", GREY, lambda span: span.talking + span.ready + span.wrap),
    Series("talking", GREEN, lambda span: span.talking, area=True),
    Series("ready", AMBER, lambda span: span.ready),
)


def cumulative(spans: Sequence[Span]) -> list[float]:
    """Return the share of abandoned calls up to the end of each span.

    It is that of the legal period where the ledger's counts were kept, else counted from the first span on.
    """
    live = abandoned = 0
    shares = []
    for span in spans:
        live, abandoned = live + span.live, abandoned + span.abandoned
        if span.period_live is not None and span.period_abandoned is not None:
            live, abandoned = span.period_live, span.period_abandoned
        shares.append(abandoned / live if live else 0.0)
    return shares


def _since(spans: Sequence[Span]) -> str:
    legal = any(span.period_live is not None for span in spans)
    return "legal period so far" if legal else "since the first minute here"


def _title(campaign: str, spans: Sequence[Span], axis: Axis) -> Iterator[str]:
    live, lost = sum(s.live for s in spans), sum(s.abandoned for s in spans)
    modes = "+".join(sorted({mode for span in spans for mode in span.mode.split("+")}))
    seen = sum(s.seconds for s in spans) or 1.0
    talking = sum(s.talking * s.seconds for s in spans)
    on_duty = sum((s.talking + s.ready + s.wrap) * s.seconds for s in spans)
    said = (
        f"{axis.start:%Y-%m-%d %H:%M} to {axis.end:%Y-%m-%d %H:%M} UTC · {modes} · {live:,} live answers, "
        f"{lost:,} abandoned ({lost / live if live else 0:.1%}) · {talking / seen:.1f} agents talking"
        f" ({talking / on_duty if on_duty else 0:.0%} of their time)"
    )
    yield f'<text x="{LEFT}" y="22" font-size="16" font-weight="600">{escape(campaign)}</text>'
    yield f'<text x="{LEFT}" y="40" fill="{PALE}">{escape(said)}</text>'


def _panel(
    place: int,
    title: str,
    most: float,
    axis: Axis,
    spans: Sequence[Span],
    series: Sequence[Series],
    limit: float | None = None,
) -> str:
    """Return one panel: its grid, the limit if there is one, the series and their names at the right."""
    top = TOP + place * (PANEL + BETWEEN) + 18
    foot = top + PANEL - 18
    step, highest = scale(most)

    def y(value: float) -> float:
        return foot - (foot - top) * min(value, highest) / highest

    drawn = [f'<text x="{LEFT}" y="{top - 8}" font-weight="600">{escape(title)}</text>']
    drawn += _grid(axis, top, foot, step, highest, y)
    for one in series:
        drawn += _curve(one, spans, axis, y, foot)
    if limit is not None:
        at = y(100.0 * limit)
        drawn.append(_line(LEFT, at, LEFT + INNER, at, RED, 'stroke-dasharray="6 4"'))
    names = [(one.name, one.colour) for one in series]
    names += [(f"limit {100 * limit:g} %", RED)] if limit is not None else []
    for row, (name, colour) in enumerate(names):
        drawn += _name(name, colour, top + 14 + 18 * row, dashed=name.startswith("limit"))
    return "\n".join(drawn)


def _grid(
    axis: Axis, top: float, foot: float, step: float, highest: float, y: Callable[[float], float]
) -> Iterator[str]:
    for n in range(round(highest / step) + 1):
        value = n * step
        yield _line(LEFT, y(value), LEFT + INNER, y(value), GRID if n else PALE)
        yield f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end" fill="{PALE}">{value:g}</text>'
    days = axis.end - axis.start > timedelta(days=2)
    for tick in axis.ticks():
        x = axis.x(tick)
        yield _line(x, top, x, foot, GRID)
        text = f"{tick:%d %b}" if days and tick.hour == tick.minute == 0 else f"{tick:%H:%M}"
        yield f'<text x="{x:.1f}" y="{foot + 16:.0f}" text-anchor="middle" fill="{PALE}">{text}</text>'


def _curve(
    one: Series, spans: Sequence[Span], axis: Axis, y: Callable[[float], float], foot: float
) -> Iterator[str]:
    for run in runs(spans, axis.gap):
        points = [(axis.x(span.start + axis.gap / 3), y(one.of(span))) for span in run]
        path = " ".join(f"{x:.1f},{height:.1f}" for x, height in points)
        if len(points) == 1:
            yield f'<circle cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="2.5" fill="{one.colour}"/>'
            continue
        if one.area:
            around = f"{points[0][0]:.1f},{foot:.1f} {path} {points[-1][0]:.1f},{foot:.1f}"
            yield f'<polygon points="{around}" fill="{one.colour}" fill-opacity="0.15"/>'
        yield f'<polyline points="{path}" fill="none" stroke="{one.colour}" stroke-width="1.6"/>'


def runs(spans: Sequence[Span], gap: timedelta) -> Iterator[list[Span]]:
    """Cut the spans where more than `gap` lies between two of them."""
    run: list[Span] = []
    for span in spans:
        if run and span.start - run[-1].start > gap:
            yield run
            run = []
        run.append(span)
    if run:
        yield run


def _name(name: str, colour: str, at: float, *, dashed: bool) -> Iterator[str]:
    x = LEFT + INNER + 16
    yield _line(x, at, x + 20, at, colour, 'stroke-width="2"' + (' stroke-dasharray="6 4"' if dashed else ""))
    yield f'<text x="{x + 28}" y="{at + 4:.1f}">{escape(name)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, more: str = "") -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{colour}" {more}/>'


def scale(most: float) -> tuple[float, float]:
    """Return the step of a vertical axis and its highest value: three to six round steps up to `most`."""
    if most <= 0:
        return 1.0, 3.0
    rough = most / 4
    unit = 10.0 ** floor(log10(rough))
    step = next(m * unit for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * unit >= rough * 0.999)
    return step, step * ceil(most / step * 0.999)
