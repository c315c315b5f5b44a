"""Make `holidays.csv`: the days on which some states forbid sales calls, each by date and by day observed.

`python -m dialer_engine.settings.holidays 2026 2030 > config/rules/holidays.csv`. Days that a governor
proclaims cannot be computed: add them to the file by hand.
"""

import sys
from collections.abc import Iterator
from datetime import date, timedelta

DAY = timedelta(days=1)
ALL = "AL LA PA RI UT"
NE = "NE"
"""Nebraska forbids no calls on holidays but lets announcing devices play less; the federal days are taken."""


FEDERAL = frozenset(
    {
        "New Year's Day",
        "Martin Luther King Day",
        "Presidents' Day",
        "Memorial Day",
        "Juneteenth",
        "Independence Day",
        "Labor Day",
        "Columbus Day",
        "Veterans Day",
        "Thanksgiving Day",
        "Christmas Day",
    }
)


def rows(first: int, last: int) -> list[tuple[str, str, str, str]]:
    """Return region, date, kind and name of every forbidden day of these years, sorted."""
    found = {
        (f"US-{state}", day.isoformat(), kind, name)
        for year in range(first, last + 2)
        for states, name, holiday in _year(year)
        for state in states.split()
        for day, kind in _days(state, name, holiday)
        if first <= day.year <= last
    }
    return sorted(found)


def _year(year: int) -> Iterator[tuple[str, str, date]]:
    yield from _forbidden(year)
    for _, name, holiday in _forbidden(year):
        if name in FEDERAL:
            yield NE, name, holiday


def _forbidden(year: int) -> Iterator[tuple[str, str, date]]:
    easter = _easter(year)
    yield ALL, "New Year's Day", date(year, 1, 1)
    yield ALL, "Martin Luther King Day", _nth(year, 1, 0, 3)
    yield "AL PA RI UT", "Presidents' Day", _nth(year, 2, 0, 3)
    yield "AL LA", "Mardi Gras", easter - 47 * DAY
    yield "LA PA UT", "Good Friday", easter - 2 * DAY
    yield "AL", "Confederate Memorial Day", _nth(year, 4, 0, 4)
    yield ALL, "Memorial Day", _last_monday_of_may(year)
    yield "AL", "Jefferson Davis Day", _nth(year, 6, 0, 1)
    yield "PA", "Flag Day", date(year, 6, 14)
    yield "AL RI UT", "Juneteenth", date(year, 6, 19)
    yield ALL, "Independence Day", date(year, 7, 4)
    yield "UT", "Pioneer Day", date(year, 7, 24)
    yield "RI", "Victory Day", _nth(year, 8, 0, 2)
    yield ALL, "Labor Day", _nth(year, 9, 0, 1)
    yield "AL PA RI UT", "Columbus Day", _nth(year, 10, 0, 2)
    yield "PA RI", "Election Day", _nth(year, 11, 0, 1) + DAY
    yield ALL, "Veterans Day", date(year, 11, 11)
    yield ALL, "Thanksgiving Day", _nth(year, 11, 3, 4)
    yield ALL, "Christmas Day", date(year, 12, 25)


def _days(state: str, name: str, holiday: date) -> list[tuple[date, str]]:
    """All days on which a state keeps a holiday; Utah keeps a Monday for Juneteenth (Utah Code 63G-1-301)."""
    days = _both(holiday)
    if (state, name) == ("UT", "Juneteenth") and holiday.weekday():
        monday = holiday - holiday.weekday() * DAY
        days.append((monday if holiday.weekday() < 5 else monday + 7 * DAY, "observed"))
    return days


def _both(holiday: date) -> list[tuple[date, str]]:
    """A Saturday's holiday is also observed on Friday, a Sunday's on Monday."""
    shift = {5: -DAY, 6: DAY}.get(holiday.weekday())
    return [(holiday, "date")] + ([] if shift is None else [(holiday + shift, "observed")])


def _nth(year: int, month: int, weekday: int, n: int) -> date:
    first = date(year, month, 1)
    return first + ((weekday - first.weekday()) % 7 + 7 * (n - 1)) * DAY


def _last_monday_of_may(year: int) -> date:
    last = date(year, 5, 31)
    return last - last.weekday() * DAY


def _easter(year: int) -> date:
    """The Gregorian computus in its usual anonymous form."""
    a, b, c = year % 19, year // 100, year % 100
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    m = (a + 11 * h + 22 * weekday) // 451
    month, day = divmod(h + weekday - 7 * m + 114, 31)
    return date(year, month, day + 1)


def main(arguments: list[str]) -> int:
    """Print the file for the years from the first to the last argument."""
    first, last = (int(each) for each in arguments)
    sys.stdout.write("region,date,kind,name\n")
    sys.stdout.writelines(",".join(row) + "\n" for row in rows(first, last))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
