"""The abandonment ledger: what the law counts, and how many more abandoned calls it leaves.

What is counted
---------------
An answered call is judged by its times, never by the label of its result: connected to an agent within 2.0 s
of the answer, abandoned, or gone before the 2 s were over. A call that was sent and whose fate is not known
counts as abandoned, and so does one that the drop message took from its agent at once (`outcome.talked`). A
connected call counts as a live answer only once the agent's disposition says that a person was there, and a
person who left within the 2 s counts nowhere: whatever is doubtful makes the budget smaller. So the number of
live answers never falls, and a limit that holds once holds from then on.

The limit is floor(share x live answers) in a period once there are 100 live answers, and at most 2 before.
The periods are whole UTC days: in the US 30 successive days from the campaign's first call, in Canada the
calendar month.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from math import ceil
from types import MappingProxyType
from typing import Literal

from dialer_engine.core.gate.rulebook import RuleBook
from dialer_engine.core.law import CONNECT_WITHIN, SHORTEST_RING_S
from dialer_engine.core.outcome import talked

FIRST_ANSWERS = 100
FIRST_ABANDONS = 2
"""Before FIRST_ANSWERS live answers in a period at most FIRST_ABANDONS calls may be abandoned."""
FLIGHT = timedelta(minutes=2)
"""A line placed now is answered, or given up, within this time."""
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


def limits_in_force(rules: RuleBook, day: date) -> Mapping[str, AbandonLimit]:
    """Return each country's limit on a day: the smallest share any of its regions names, else that of LIMITS.

    Where the terms of a region name another period, the country's own period still holds.
    """
    found = dict(LIMITS)
    for country, usual in LIMITS.items():
        rows = [rules.terms_of(region, day) for region in rules.terms if region.split("-")[0] == country]
        shares = [_share(row.abandon_limit) for row in rows if row and row.abandon_limit is not None]
        own = rules.terms_of(country, day)
        period: Literal["days", "month"] = usual.period
        if own is not None and own.abandon_period is not None:
            period = "month" if own.abandon_period == "month" else "days"
        found[country] = AbandonLimit(min(shares, default=usual.share), period, usual.days)
    return found


def _share(limit: float) -> Fraction:
    """Return the share that a decimal percentage stands for, exactly."""
    return Fraction(limit).limit_denominator(1_000_000)


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
    are unanswered calls that we ended before they rang the law's 15 s, also where a rule asks for more.
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
        in_time = times.joined_at - answered <= CONNECT_WITHIN and talked(times.joined_at, times.message_at)
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


def counts_of(times: CallTimes) -> Counts:
    """Return what one ended attempt adds to the ledger; a connected one is doubtful until its disposition."""
    match standing(times):
        case Standing.CONNECTED:
            return Counts(doubtful=1)
        case Standing.ABANDONED:
            return Counts(abandoned=1, messages=int(_message_in_time(times)))
        case Standing.SHORT:
            return Counts(short=1)
        case Standing.MACHINE:
            return Counts(machine_hangups=int(times.ended_by_us))
    return Counts(rung_short=int(_rung_short(times)))


def _message_in_time(times: CallTimes) -> bool:
    if times.message_at is None or times.answered_at is None:
        return False
    return times.message_at - times.answered_at <= CONNECT_WITHIN


def _rung_short(times: CallTimes) -> bool:
    if times.ringing_at is None or not times.ended_by_us:
        return False
    return (times.ended_at - times.ringing_at).total_seconds() < SHORTEST_RING_S


@dataclass(slots=True)
class Ledger:
    """One legal campaign (one seller, one offer): counts by country and UTC day."""

    limits: Mapping[str, AbandonLimit] = field(default_factory=lambda: LIMITS)
    days: dict[tuple[str, date], Counts] = field(default_factory=dict)
    first_days: dict[str, date] = field(default_factory=dict)

    def began(self, country: str, day: date) -> None:
        """Take note of a day with a call; the earliest one begins the country's first period."""
        self.first_days[country] = min(day, self.first_days.get(country, day))

    def add(self, country: str, day: date, counts: Counts) -> None:
        """Count something on a day."""
        self.began(country, day)
        self.days[country, day] = self.days.get((country, day), Counts()) + counts

    def take(self, other: Ledger) -> None:
        """Count everything of another ledger here too."""
        for country, day in other.first_days.items():
            self.began(country, day)
        for (country, day), counts in other.days.items():
            self.add(country, day, counts)

    def period(self, country: str, day: date) -> date:
        """Return the first day of the country's period that holds a day."""
        return period_start(self.limits[country], self.first_days.get(country, day), day)

    def counts(self, country: str, day: date) -> Counts:
        """Return what was counted in the country's period that holds a day."""
        start = self.period(country, day)
        inside = (c for (k, d), c in self.days.items() if k == country and self.period(country, d) == start)
        return sum(inside, Counts())

    def left(self, country: str, now: datetime) -> int:
        """Return how many more calls may be abandoned, before the lines in flight are counted.

        Shortly before a period ends a line in flight may be answered in the next one, so the smaller of the
        two counts. Negative after a failure that abandoned more than the limit.
        """
        moments = {now.astimezone(UTC).date(), (now + FLIGHT).astimezone(UTC).date()}
        return min(self._left_on(country, day) for day in moments)

    def _left_on(self, country: str, day: date) -> int:
        counts = self.counts(country, day)
        return allowed(self.limits[country], counts.live) - counts.counted_abandoned
