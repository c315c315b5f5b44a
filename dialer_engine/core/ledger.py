"""The abandonment ledger: what the law counts, and how many more abandoned calls it leaves.

What is counted
---------------
An answered call is judged by its times, never by the label of its result: connected to an agent within 2.0 s
of the answer, abandoned, or gone before the 2 s were over. A call that was sent and whose fate is not known
counts as abandoned. A connected call counts as a live answer only once the agent's disposition says that a
person was there, and a person who left within the 2 s counts nowhere: whatever is doubtful makes the budget
smaller. So the number of live answers never falls, and a limit that holds once holds from then on.

The limit is floor(share x live answers) in a period once there are 100 live answers, and at most 2 before.
The periods are whole UTC days: in the US 30 successive days from the campaign's first call, in Canada the
calendar month.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from math import ceil
from types import MappingProxyType
from typing import Literal

CONNECT_WITHIN = timedelta(seconds=2)
"""An answered person must hear an agent within this time of the answer (47 CFR 64.1200(a)(7))."""
MIN_RING = timedelta(seconds=15)
"""An unanswered call must be let ring this long (16 CFR 310.4(b)(4)(ii))."""
FIRST_ANSWERS = 100
FIRST_ABANDONS = 2
"""Before FIRST_ANSWERS live answers in a period at most FIRST_ABANDONS calls may be abandoned."""
MACHINE_FALSE_SHARE = Fraction(1, 20)
"""The share of machine-detection hang-ups taken for people who were hung up on."""


@dataclass(frozen=True, slots=True)
class AbandonLimit:
    """The law of one jurisdiction: the share of live answers, and the period it is measured over."""

    share: Fraction
    period: Literal["days", "month"]
    days: int = 30


LIMITS: Mapping[str, AbandonLimit] = MappingProxyType(
    {"US": AbandonLimit(Fraction(3, 100), "days", 30), "CA": AbandonLimit(Fraction(5, 100), "month")}
)
"""By country: 3 % per successive 30 days in the US, 5 % per calendar month in Canada."""


class Standing(StrEnum):
    """How the law sees one attempt."""

    CONNECTED = "connected"
    ABANDONED = "abandoned"
    SHORT = "short"
    UNANSWERED = "unanswered"
    MACHINE = "machine"


@dataclass(frozen=True, slots=True)
class CallTimes:
    """The times of one ended attempt (aware); `unknown` says that how it ended was never seen."""

    originated_at: datetime | None
    ringing_at: datetime | None
    answered_at: datetime | None
    message_at: datetime | None
    joined_at: datetime | None
    ended_at: datetime
    unknown: bool = False
    machine: bool = False
    ended_by_us: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """What a ledger holds for a stretch of time.

    `connected` are live answers with an agent in time, `doubtful` those whose disposition is not known yet or
    says that no person was there; `messages` of the abandoned heard the drop message within 2 s; `rung_short`
    are unanswered calls that we ended before they rang 15 s.
    """

    connected: int = 0
    abandoned: int = 0
    short: int = 0
    doubtful: int = 0
    messages: int = 0
    machine_hangups: int = 0
    rung_short: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Counts)))

    @property
    def live(self) -> int:
        """Calls answered live by a person: connected in time, or abandoned."""
        return self.connected + self.counted_abandoned

    @property
    def counted_abandoned(self) -> int:
        """Abandoned calls with the expected part of the machine-detection hang-ups."""
        return self.abandoned + ceil(MACHINE_FALSE_SHARE * self.machine_hangups)


def standing(times: CallTimes) -> Standing:
    """Judge an ended attempt by its times."""
    answered = times.answered_at
    if answered is None:
        lost = times.unknown and times.originated_at is not None
        return Standing.ABANDONED if lost else Standing.UNANSWERED
    if times.machine:
        return Standing.MACHINE
    if times.joined_at is not None:
        in_time = times.joined_at - answered <= CONNECT_WITHIN
        return Standing.CONNECTED if in_time else Standing.ABANDONED
    gone_early = times.message_at is None and times.ended_at - answered < CONNECT_WITHIN
    by_caller = gone_early and not times.ended_by_us and not times.unknown
    return Standing.SHORT if by_caller else Standing.ABANDONED


def allowed(limit: AbandonLimit, live: int) -> int:
    """Return how many calls may be abandoned among `live` live answers."""
    if live < FIRST_ANSWERS:
        return min(FIRST_ABANDONS, int(limit.share * FIRST_ANSWERS))
    return int(limit.share * live)


def period_start(limit: AbandonLimit, first_day: date, day: date) -> date:
    """Return the first day of the period a day lies in; a campaign's first period begins on `first_day`."""
    if limit.period == "month":
        return day.replace(day=1)
    passed = max(0, (day - first_day).days)
    return first_day + timedelta(days=passed - passed % limit.days)
