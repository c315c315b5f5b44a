"""What the registries and other outside lists say about a number, and how old each list is.

A list answers two questions: does it name the number (`ListHit`), and is it fresh enough to be believed
(`ListState`)? The second matters as much as the first: a number that is absent from a list of last year may
stand in today's.

A list is known by its name, and its kind is the part that the rules understand: `us_national`, `us_state:FL`,
`ca_dncl`, `litigator:NAME`, `wireless`, `ported:NAME`.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Literal

US_NATIONAL = "us_national"
CA_DNCL = "ca_dncl"
US_STATE = "us_state"
LITIGATOR = "litigator"
WIRELESS = "wireless"
REASSIGNED = "reassigned"
"""No list: an answer of the reassigned-numbers database about one number."""
DO_NOT_CALL = frozenset({US_NATIONAL, CA_DNCL, US_STATE})
"""Kinds that forbid a call unless consent or an established relationship allows it."""


class Age(StrEnum):
    """How far a list may be believed."""

    fresh = "fresh"
    warning = "warning"
    stale = "stale"
    missing = "missing"


def kind_of(name: str) -> str:
    """Return a list's kind: the part of its name before the colon."""
    return name.partition(":")[0]


@dataclass(frozen=True, slots=True)
class ListHit:
    """A list names the number: which list, its version, and the moment its data was taken (UTC)."""

    name: str
    version: str
    as_of: datetime

    @property
    def kind(self) -> str:
        """The list's kind, such as `us_state`."""
        return kind_of(self.name)


@dataclass(frozen=True, slots=True)
class ListState:
    """One list for one area code: when its data was taken (None: never loaded), and whether it may be used.

    `subscribed` tells whether a subscription of the Member covers the area code; `waiver` is the named reason
    why the operator does not need this list.
    """

    name: str
    as_of: datetime | None
    version: str = ""
    subscribed: bool = True
    waiver: str | None = None

    def age_days(self, now: datetime) -> int | None:
        """Return the age in whole days at `now`, or None when the list was never loaded."""
        return None if self.as_of is None else max((now - self.as_of).days, 0)

    def age(self, now: datetime, warn_days: int, stop_days: int) -> Age:
        """Say how far the list may be believed at `now`; exactly `stop_days` old is still in time."""
        if self.as_of is None:
            return Age.missing
        if now - self.as_of > timedelta(days=stop_days):
            return Age.stale
        return Age.warning if now - self.as_of > timedelta(days=warn_days) else Age.fresh


@dataclass(frozen=True, slots=True)
class ReassignedAnswer:
    """An answer of the reassigned-numbers database: was the number given up between `asked_since` and the answer?

    Only `no` protects the caller, if it was asked about the date of the consent or an earlier one; `no_data` is not
    a no.
    """

    answer: Literal["yes", "no", "no_data"]
    asked_since: date
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class RequiredList:
    """One dated row: calls into a region (`US`, `CA`, `US-FL`) need this list.

    `max_age_days` is a limit of the list's own; None leaves it to the region's terms.
    """

    region: str
    name: str
    max_age_days: int | None
    effective_from: date
    effective_to: date | None
    source: str
    confidence: str

    def in_force(self, day: date) -> bool:
        """Tell whether the row holds on a date."""
        return self.effective_from <= day and (self.effective_to is None or day <= self.effective_to)


@dataclass(frozen=True, slots=True)
class ListPolicy:
    """Which lists a call needs; without rows nothing is required."""

    required: tuple[RequiredList, ...] = ()

    def needed(self, regions: tuple[str, ...], day: date) -> tuple[RequiredList, ...]:
        """Return the rows that hold for any of these regions on a date."""
        return tuple(row for row in self.required if row.region in regions and row.in_force(day))


NOTHING_REQUIRED = ListPolicy()
