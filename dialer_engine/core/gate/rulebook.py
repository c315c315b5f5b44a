"""Calling rules as dated data: windows per region and weekday, caps, holidays, and the zones' clocks.

The book is built outside `core` (files and zone data are I/O) and never changes afterwards; a new version of
the rules is a new book.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, tzinfo
from typing import Any

Window = tuple[int, int] | None
"""Minutes of the local day: opens at the first, closed from the second on; None is a closed day."""


@dataclass(frozen=True, slots=True)
class RegionRule:
    """One dated row: in force from `effective_from` up to and including `effective_to` (local dates)."""

    region: str
    name: str
    windows: tuple[Window, ...]
    effective_from: date
    effective_to: date | None
    attempts_24h: int | None
    holidays_prohibited: bool
    source: str
    confidence: str

    def in_force(self, day: date) -> bool:
        """Tell whether the row holds on a local date."""
        return self.effective_from <= day and (self.effective_to is None or day <= self.effective_to)


@dataclass(frozen=True, slots=True)
class RuleBook:
    """All rules: dated rows per region (`US-FL`; `US` and `CA` are the federal rows), holidays, zones.

    `holidays` maps a region to its dates and their names; `holiday_years` are the years that were reviewed.
    `memo` keeps what was derived from this book, so that a second look costs microseconds.
    """

    regions: Mapping[str, tuple[RegionRule, ...]]
    holidays: Mapping[str, Mapping[date, str]]
    holiday_years: frozenset[int]
    zones: Mapping[str, tzinfo]
    tzdata: str
    version: str
    memo: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def rule(self, region: str, day: date) -> RegionRule | None:
        """Return the region's row in force on a local date, or None when there is none."""
        return next((row for row in self.regions.get(region, ()) if row.in_force(day)), None)
