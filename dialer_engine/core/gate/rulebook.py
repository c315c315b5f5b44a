"""Calling rules as dated data: windows, caps, consents, devices, terms, holidays, and the zones' clocks.

The book is built outside `core` (files and zone data are I/O) and never changes afterwards; a new version of
the rules is a new book. Every row holds from one local date to another, so a rule changes at local midnight.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, tzinfo
from typing import Any, Literal, TypeVar

from dialer_engine.core.gate.consent import ConsentKind
from dialer_engine.core.gate.lists import NOTHING_REQUIRED, ListPolicy, RequiredList
from dialer_engine.core.law import SHORTEST_RING_S

Window = tuple[int, int] | None
"""Minutes of the local day: opens at the first, closed from the second on; None is a closed day."""

DAY_LONG: Window = (0, 24 * 60)
LONGEST_RING = 60
"""Seconds an unanswered call rings at most where no rule says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dated:
    """One row: in force from `effective_from` up to and including `effective_to` (local dates)."""

    region: str
    name: str
    effective_from: date
    effective_to: date | None
    source: str
    confidence: str
    reviewed_by: str = ""

    def in_force(self, day: date) -> bool:
        """Tell whether the row holds on a local date."""
        return self.effective_from <= day and (self.effective_to is None or day <= self.effective_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionRule(Dated):
    """Windows from Monday to Sunday, forbidden holidays, the cap per 24 hours, who consents to recording."""

    windows: tuple[Window, ...]
    attempts_24h: int | None
    holidays_prohibited: bool
    recording: Literal["yes", "no", "mixed", "notice"] = "no"


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomatedRule(Dated):
    """Automated dialing (or, with `manual_too`, any sales call) needs one of the accepted consents.

    With `selection_too` it is enough that a machine chose the number, even when a person then starts the call.
    """

    accepted: frozenset[ConsentKind]
    manual_too: bool
    selection_too: bool = True
    business_exempt: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRule(Dated):
    """When announcing devices may play, Monday to Sunday; on the region's holidays `holiday` if it differs.

    `accepted` names the consents one of which is needed; empty means none is.
    """

    windows: tuple[Window, ...]
    holiday: Window | Literal["same"]
    accepted: frozenset[ConsentKind]


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsRule(Dated):
    """Ring time in seconds, share of abandoned calls and its period, age of lists in days; None: no rule."""

    ring_min_s: int | None
    ring_max_s: int | None
    abandon_limit: float | None
    abandon_period: Literal["30_days", "month"] | None
    list_max_age_days: int | None
    list_warn_age_days: int | None


@dataclass(frozen=True, slots=True)
class Loosening:
    """One of the operator's own rules that permits more than the shipped one: what, who says so, and why."""

    region: str
    what: str
    who: str
    reason: str
    effective_from: date
    effective_to: date | None


D = TypeVar("D", bound=Dated)


def in_force(rows: Iterable[D], day: date) -> D | None:
    """Return the row that holds on a local date, or None."""
    return next((row for row in rows if row.in_force(day)), None)


def turns(rows: Iterable[Dated | RequiredList], day: date) -> int:
    """Count how often one of these rows has begun or ended up to a local date: at the same count the same hold."""
    return sum(
        (row.effective_from <= day) + (row.effective_to is not None and row.effective_to < day)
        for row in rows
    )


@dataclass(frozen=True, slots=True)
class RuleBook:
    """All rules: dated rows per region (`US-FL`; `US` and `CA` are the federal rows), holidays, zones.

    `holidays` maps a region to its dates and their names; `holiday_years` are the years that were reviewed;
    `closures` are the operator's own closed days, `lists` the registries that calls need. `memo` keeps what
    was derived from this book, so that a second look costs microseconds.
    """

    regions: Mapping[str, tuple[RegionRule, ...]]
    holidays: Mapping[str, Mapping[date, str]]
    holiday_years: frozenset[int]
    zones: Mapping[str, tzinfo]
    tzdata: str
    version: str
    automated: Mapping[str, tuple[AutomatedRule, ...]] = field(default_factory=dict)
    devices: Mapping[str, tuple[DeviceRule, ...]] = field(default_factory=dict)
    terms: Mapping[str, tuple[TermsRule, ...]] = field(default_factory=dict)
    closures: Mapping[str, Mapping[date, str]] = field(default_factory=dict)
    loosened: tuple[Loosening, ...] = ()
    lists: ListPolicy = NOTHING_REQUIRED
    memo: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def rule(self, region: str, day: date) -> RegionRule | None:
        """Return the region's row in force on a local date, or None when there is none."""
        return in_force(self.regions.get(region, ()), day)

    def terms_of(self, region: str, day: date) -> TermsRule | None:
        """Return the region's terms in force on a local date, or None when only the country's hold."""
        return in_force(self.terms.get(region, ()), day)

    def ring_window(self, regions: Iterable[str], days: Iterable[date]) -> tuple[int, int]:
        """Return how many seconds a call into all these regions must ring at least and may ring at most.

        Where rules contradict each other the most they permit is also the least.
        """
        on = tuple(days)
        rows = [row for region in regions for day in on if (row := self.terms_of(region, day)) is not None]
        least = max([SHORTEST_RING_S, *(row.ring_min_s for row in rows if row.ring_min_s is not None)])
        most = min([LONGEST_RING, *(row.ring_max_s for row in rows if row.ring_max_s is not None)])
        return min(least, most), most
