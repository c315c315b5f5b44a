"""The table that `dialer chaos` prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dialer_engine.lab.chaos.verdict import Row

COLUMNS = (
    *("rounds", "calls", "calls_cut", "double_dials", "cdrs_lost", "cdrs_doubled", "stuck", "silent_answers"),
    *("recovery_p95_s", "answer_p95_ratio"),
)
NAME_WIDTH = 22
SHOWN = 12


def table(rows: Iterable[Row]) -> list[str]:
    """A heading and a line for each fault; a figure that breaks a promise has an exclamation mark."""
    heading = "fault".ljust(NAME_WIDTH) + "".join(f"{column:>{len(column) + 2}}" for column in COLUMNS)
    return [heading, *(_line(row) for row in rows)]


def _line(row: Row) -> str:
    cells = (f"{_cell(row, column):>{len(column) + 2}}" for column in COLUMNS)
    return row.fault.ljust(NAME_WIDTH) + "".join(cells)


def _cell(row: Row, column: str) -> str:
    value = getattr(row, column)
    text = "-" if value is None else str(value)
    return f"{text}!" if column in row.broken else text


def evidence(rows: Sequence[Row]) -> list[str]:
    """What stands behind broken promises, in words."""
    lines = []
    for row in rows:
        if row.broken:
            lines.append(f"{row.fault}: broken: {', '.join(row.broken)}")
            lines += [f"  {line}" for line in row.evidence[:SHOWN]]
            if len(row.evidence) > SHOWN:
                lines.append(f"  and {len(row.evidence) - SHOWN} more, see --json")
    return lines
