"""A CSV file of rules with its line numbers; collects every error instead of stopping at the first."""

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RulesProblem:
    """One error in a rule file: where (line 0 is the whole file), what is wrong and what is allowed."""

    file: Path
    line: int
    what: str


class RulesError(Exception):
    """The rule files cannot be used; `problems` lists every error found in them."""

    def __init__(self, problems: tuple[RulesProblem, ...]) -> None:
        super().__init__("\n".join(f"{p.file}:{p.line}: {p.what}" for p in problems))
        self.problems = problems


class CellError(ValueError):
    """A cell of a rule file has a value that is not allowed."""


@dataclass(slots=True)
class RuleTable:
    """One rule file: its text and digest, its rows by line number, and the problems found so far."""

    file: Path
    digest: str = ""
    text: str = ""
    rows: list[tuple[int, Mapping[str, str]]] = field(default_factory=list)
    problems: list[RulesProblem] = field(default_factory=list)

    def fail(self, line: int, what: str) -> None:
        """Note an error at a line."""
        self.problems.append(RulesProblem(self.file, line, what))


def read_table(file: Path, columns: tuple[str, ...]) -> RuleTable:
    """Read a rule file with exactly these columns; errors are noted in the table's `problems`."""
    table = RuleTable(file)
    try:
        raw = file.read_bytes()
        text = raw.decode("utf-8-sig")
    except OSError as error:
        table.fail(0, f"cannot be read: {error.strerror}; every rules directory needs this file")
        return table
    except UnicodeDecodeError as error:
        table.fail(0, f"is not UTF-8 text (byte {error.start})")
        return table
    table.digest, table.text = hashlib.sha256(raw).hexdigest()[:8], text
    _parse(table, text, columns)
    return table


def _parse(table: RuleTable, text: str, columns: tuple[str, ...]) -> None:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = tuple(next(reader, ()))
        if header != columns:
            table.fail(1, f"columns must be {','.join(columns)}; found {','.join(header)[:200]}")
            return
        table.rows.extend(_rows(table, reader, columns))
    except csv.Error as error:
        table.fail(reader.line_num, f"is not valid CSV: {error}")


def _rows(
    table: RuleTable, reader: Iterator[list[str]], columns: tuple[str, ...]
) -> Iterator[tuple[int, Mapping[str, str]]]:
    for line, cells in enumerate(reader, start=2):
        if cells and len(cells) != len(columns):
            table.fail(line, f"has {len(cells)} cells, {len(columns)} are needed")
        elif cells:
            yield line, dict(zip(columns, (cell.strip() for cell in cells), strict=True))


def one_of(text: str, *allowed: str) -> str:
    """Return the text if it is one of the allowed words."""
    if text not in allowed:
        raise CellError(f"{text!r} is not one of {', '.join(allowed)}")
    return text


def day_or(text: str, default: date | None) -> date | None:
    """Return an ISO date, or the default for an empty cell."""
    if not text:
        return default
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise CellError(f"{text!r} is not a date like 2026-01-31") from None


def minutes(text: str) -> int:
    """Return the minutes since local midnight of a time like 08:30."""
    hour, colon, minute = text.partition(":")
    valid = colon and len(hour) == len(minute) == 2 and (hour + minute).isdecimal()
    if not valid or int(hour) > 24 or int(minute) > 59 or int(hour) * 60 + int(minute) > 1440:
        raise CellError(f"{text!r} is not a time like 08:30")
    return int(hour) * 60 + int(minute)


def limit_or_none(text: str) -> int | None:
    """Return a whole number of at least 1, or None for an empty cell."""
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise CellError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def percent_or_none(text: str) -> float | None:
    """Return a share between 0 and 1 for a percentage such as 3 or 2.5, or None for an empty cell."""
    if not text:
        return None
    whole, point, part = text.partition(".")
    valid = whole.isdecimal() and (not point or part.isdecimal())
    if not valid or not 0 < float(text) < 100:
        raise CellError(f"{text!r} is not a percentage between 0 and 100")
    return float(text) / 100
