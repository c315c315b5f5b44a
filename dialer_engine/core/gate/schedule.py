"""When all candidate regions and zones are open together, as exact moments.

Each zone turns the strictest window of its local dates into an interval between two moments; the schedule is
the intersection over all zones. It is computed for some weeks at a time, so asking again is a comparison.
A call must also end its first minute inside: the last moment to place it is 60 s before closing.
"""

from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

from dialer_engine.core.gate.model import WEEKDAYS, CampaignHours, Verdict
from dialer_engine.core.gate.rulebook import DAY_LONG, RuleBook, Window, in_force

AHEAD = timedelta(seconds=60)
"""How long the hours must still hold when a call is placed."""

HORIZON = timedelta(days=8)
"""How far ahead the next opening is searched."""

CAMPAIGN = "campaign"
_BLOCK_DAYS = 14


@dataclass(frozen=True, slots=True)
class Interval:
    """Open from `begins` until `ends`; the zones are the ones that open last and close first."""

    begins: datetime
    ends: datetime
    opening_zone: str
    closing_zone: str


class Origin(NamedTuple):
    """Who sets a window: a name for people, and the source of the rule."""

    name: str
    source: str


class Schedule:
    """Open hours of one set of candidates; remembers what it computed, and in `said` the last verdict."""

    __slots__ = ("_blocks", "_last", "hours", "regions", "rules", "said", "zones")

    def __init__(
        self, rules: RuleBook, regions: tuple[str, ...], zones: tuple[str, ...], hours: CampaignHours | None
    ) -> None:
        self.rules, self.regions, self.zones, self.hours = rules, regions, zones, hours
        self._blocks: dict[int, list[Interval]] = {}
        self._last: Interval | None = None
        self.said: tuple[Interval, Verdict] | None = None

    def current(self, now: datetime) -> Interval | None:
        """Return the interval in which a call may be placed at `now`, or None when it may not."""
        last = self._last
        if last is not None and last.begins <= now <= last.ends - AHEAD:
            return last
        found = self._first_usable(now)
        if found is None or found.begins > now:
            return None
        self._last = found
        return found

    def opening(self, now: datetime) -> Interval | None:
        """Return the interval of the first moment at or after `now` to place a call, at most 8 days ahead."""
        found = self._first_usable(now)
        return found if found is not None and found.begins <= now + HORIZON else None

    def window(self, region: str, day: date) -> Window:
        """Return one candidate region's (or the campaign's own) window on a local date; None is closed."""
        if region == CAMPAIGN:
            return _campaign_window(self.hours, day)
        row = self.rules.rule(region, day)
        return None if row is None else row.windows[day.weekday()]

    def said_by(self, region: str, day: date) -> Origin:
        """Return who sets a region's window on a local date, and on what ground."""
        row = self.rules.rule(region, day)
        return Origin(region, CAMPAIGN) if row is None else Origin(row.name, row.source)

    def _first_usable(self, now: datetime) -> Interval | None:
        block = now.astimezone(UTC).date().toordinal() // _BLOCK_DAYS
        intervals = self._blocks.get(block)
        if intervals is None:
            if len(self._blocks) > 1:
                self._blocks.clear()  # Time goes on: only around a block's end two of them are asked for.
            intervals = self._blocks[block] = self._build(date.fromordinal(block * _BLOCK_DAYS))
        at = bisect_left(intervals, now, key=lambda interval: interval.ends - AHEAD)
        return intervals[at] if at < len(intervals) else None

    def _build(self, first: date) -> list[Interval]:
        days = [first + timedelta(days=n) for n in range(-2, _BLOCK_DAYS + HORIZON.days + 2)]
        together: list[Interval] | None = None
        for zone in self.zones:
            own = self._zone_intervals(zone, days)
            together = own if together is None else _intersect(together, own)
        return [each for each in together or () if each.ends - each.begins >= AHEAD]

    def _zone_intervals(self, zone: str, days: list[date]) -> list[Interval]:
        clock = self.rules.zones[zone]
        windows = ((day, self._strictest(day)) for day in days)
        return [
            Interval(_moment(day, window[0], clock), _moment(day, window[1], clock), zone, zone)
            for day, window in windows
            if window is not None
        ]

    def _strictest(self, day: date) -> Window:
        names = self.regions if self.hours is None else (*self.regions, CAMPAIGN)
        opens, closes = 0, 24 * 60
        for name in names:
            window = self.window(name, day)
            if window is None:
                return None
            opens, closes = max(opens, window[0]), min(closes, window[1])
        return (opens, closes) if names and opens < closes else None


class DeviceSchedule(Schedule):
    """When announcing devices may play in all candidate zones; regions without such a rule are open."""

    def window(self, region: str, day: date) -> Window:
        """Return the region's window for announcing devices on a local date."""
        row = in_force(self.rules.devices.get(region, ()), day)
        if row is None:
            return DAY_LONG
        if row.holiday != "same" and day in self.rules.holidays.get(region, {}):
            return row.holiday
        return row.windows[day.weekday()]

    def said_by(self, region: str, day: date) -> Origin:
        """Return who sets the window."""
        row = in_force(self.rules.devices.get(region, ()), day)
        return Origin(region, "") if row is None else Origin(row.name, row.source)


def _campaign_window(hours: CampaignHours | None, day: date) -> Window:
    if hours is None or WEEKDAYS[day.weekday()] not in hours.weekdays:
        return None
    return (_minutes(hours.start), _minutes(hours.end))


def _minutes(moment: time) -> int:
    return moment.hour * 60 + moment.minute


def _moment(day: date, minutes: int, clock: tzinfo) -> datetime:
    """Return the moment of a local time of day; 24:00 is the next day's midnight."""
    day, minutes = day + timedelta(days=minutes // 1440), minutes % 1440
    return datetime.combine(day, time(minutes // 60, minutes % 60), clock).astimezone(UTC)


def _intersect(left: list[Interval], right: list[Interval]) -> list[Interval]:
    both: list[Interval] = []
    i = j = 0
    while i < len(left) and j < len(right):
        a, b = left[i], right[j]
        later, sooner = max(a, b, key=lambda each: each.begins), min(a, b, key=lambda each: each.ends)
        if later.begins < sooner.ends:
            both.append(Interval(later.begins, sooner.ends, later.opening_zone, sooner.closing_zone))
        i, j = (i + 1, j) if a.ends <= b.ends else (i, j + 1)
    return both
