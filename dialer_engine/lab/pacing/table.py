"""The comparison as text: a block of lines per cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dialer_engine.lab.pacing.figures import Row, share_of_way

_HEAD = (
    ("policy", 20),
    ("talk %", 12),
    ("abandoned %", 13),
    ("worst day", 10),
    ("of way", 7),
    ("agent waits s", 14),
    ("p90", 6),
    ("calls/h", 8),
    ("dials/h", 8),
    ("cancelled", 10),
    ("short", 6),
    ("over", 6),
    ("runs", 5),
)


def head() -> str:
    """Return the line above the first cell."""
    return _line([name for name, _ in _HEAD])


def block(cell: str, rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of one cell."""
    yield f"{cell}:"
    for row in rows:
        way = share_of_way(row, rows)
        runs = row.runs
        yield _line(
            [
                row.policy,
                row.of("utilisation").text(),
                row.of("abandoned").text(2),
                f"{max(run.worst_day for run in runs):.1f}",
                "" if way is None else f"{way:.0f} %",
                row.of("agent_wait").text(),
                f"{row.of('agent_wait_p90').mean:.0f}",
                f"{row.of('calls_per_hour').mean:.1f}",
                f"{row.of('attempts_per_hour').mean:.0f}",
                f"{sum(run.cancelled for run in runs)}",
                f"{sum(run.rung_short for run in runs)}",
                f"{max(run.over for run in runs)}",
                f"{len(runs)}",
            ]
        )


def _line(values: Sequence[str]) -> str:
    widths = [width for _, width in _HEAD]
    first, *rest = zip(values, widths, strict=True)
    return f"  {first[0]:<{first[1]}}" + "".join(f"{value:>{width}}" for value, width in rest)
