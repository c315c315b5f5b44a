"""The table that `dialer chaos` prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dialer_engine.lab.chaos.verdict import Row

COLUMNS = {
    "rounds": ("", "rounds"),
    "calls": ("", "calls"),
    "calls_up": ("calls", "up"),
    "lived_through": ("lived", "through"),
    "messages": ("", "messages"),
    "calls_cut": ("calls", "cut"),
    "left_alone": ("left", "alone"),
    "silent_answers": ("silent", "answers"),
    "rung": ("", "rung"),
    "crossed": ("", "crossed"),
    "double_dials": ("double", "dials"),
    "forbidden": ("", "forbidden"),
    "opt_outs_lost": ("opt-outs", "lost"),
    "cdrs_lost": ("cdrs", "lost"),
    "cdrs_doubled": ("cdrs", "doubled"),
    "cdrs_wrong": ("cdrs", "wrong"),
    "charged": ("", "charged"),
    "stuck": ("", "stuck"),
    "recovery_p95_s": ("recovery", "p95 s"),
    "answer_p95_ratio": ("answer", "p95 x"),
    "cpu_busy": ("cpu", "busy"),
}
NAME_WIDTH = 22
WIDTH = 10
SHOWN = 12
FULL = 0.9
"""With a larger share of the machine busy audio is torn, and the judge's phones miss what was said."""


def table(rows: Iterable[Row]) -> list[str]:
    """A heading of two lines and a line for each fault; a figure that breaks a promise has an exclamation mark."""
    headings = [
        name.ljust(NAME_WIDTH) + "".join(f"{words[line]:>{WIDTH}}" for words in COLUMNS.values())
        for line, name in enumerate(("", "fault"))
    ]
    return [*headings, *(_line(row) for row in rows)]


def _line(row: Row) -> str:
    cells = (f"{_cell(row, column):>{WIDTH}}" for column in COLUMNS)
    return row.fault.ljust(NAME_WIDTH) + "".join(cells)


def _cell(row: Row, column: str) -> str:
    value = getattr(row, column)
    text = "-" if value is None else str(value)
    return f"{text}!" if column in row.broken else text


def evidence(rows: Sequence[Row]) -> list[str]:
    """Whether the machine had room for the run, what was not looked at, and what stands behind broken promises."""
    lines = [
        f"{row.fault}: the machine's CPUs were {row.cpu_busy:.0%} busy in a round, so phones and carrier may not have "
        "heard what was said; take fewer --calls"
        for row in rows
        if row.cpu_busy > FULL
    ]
    for row in rows:
        if row.cdrs_lost is None:
            lines.append(f"{row.fault}: ended early: records, charges and opt-outs (-) were not looked at")
        lines += [f"{row.fault}: {note}" for note in row.notes]
        if row.broken:
            lines.append(f"{row.fault}: broken: {', '.join(row.broken)}")
            lines += [f"  {line}" for line in row.evidence[:SHOWN]]
            if len(row.evidence) > SHOWN:
                lines.append(f"  and {len(row.evidence) - SHOWN} more, see --json")
    return lines
