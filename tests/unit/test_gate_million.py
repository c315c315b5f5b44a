"""Thousands of generated decisions, over every area code and the worst moments, against the slow oracle.

`DIALER_DECISIONS=1000000 pytest tests/unit/test_gate_million.py` asks a million; the ordinary run a sample.
"""

import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
import slow_oracle
from gate_support import AREAS, BOOK, LIMITS, PLAN, area_zones, clock_changes, zone
from slow_oracle import Asked, may_call

from dialer_engine.core.gate import Consent, ConsentKind, EmergencyStop, Facts, GateContext, evaluate

pytestmark = pytest.mark.unit

DECISIONS = int(os.environ.get("DIALER_DECISIONS", "10000"))
BATCH = 100_000
NPAS = sorted(AREAS)
REGIONS = sorted({region for row in AREAS.values() for region in row["regions"].split()})
ZONES = ["America/New_York", "America/Chicago", "America/Denver", "America/Phoenix", "America/Los_Angeles"]
KINDS = {
    "express": ConsentKind.express,
    "written": ConsentKind.express_written,
    "purchase": ConsentKind.ebr_purchase,
    "inquiry": ConsentKind.ebr_inquiry,
}
CHANGES = clock_changes((2026, 2027))
EDGES = (
    "08:00",
    "09:00",
    "10:00",
    "12:00",
    "13:00",
    "13:30",
    "17:00",
    "18:00",
    "20:00",
    "21:00",
    "21:30",
    "00:00",
)
LEAP = [datetime(2028, 2, day, hour, tzinfo=UTC) for day in (28, 29) for hour in range(24)]
LEAP += [datetime(2028, 3, 1, hour, tzinfo=UTC) for hour in range(24)]
HOLIDAYS = sorted(
    {
        day
        for region in slow_oracle.BANNING
        for year in (2026, 2027)
        for day in slow_oracle.holidays(region, year)
    }
)
FIRST, LAST = datetime(2026, 1, 2, 12, tzinfo=UTC), datetime(2027, 12, 30, tzinfo=UTC)


def a_moment(dice: random.Random, npa: str) -> datetime:
    """Where it hurts: around clock changes, holidays, leap days, the edges of windows; sometimes anywhere."""
    kind = dice.random()
    jitter = timedelta(seconds=dice.uniform(-90, 90))
    if kind < 0.2:
        return dice.choice(CHANGES) + timedelta(seconds=dice.uniform(0, 3600))
    if kind < 0.25:
        return dice.choice(LEAP) + jitter
    clock = zone(dice.choice(sorted(area_zones(AREAS[npa]))))
    if kind < 0.35:
        day = dice.choice(HOLIDAYS) + timedelta(days=dice.choice((-1, 0, 0, 0, 1)))
    else:
        day = (FIRST + timedelta(days=dice.randrange((LAST - FIRST).days))).date()
    if kind < 0.85:
        hours, _, minutes = dice.choice(EDGES).partition(":")
        local = datetime.combine(day, time(int(hours), int(minutes)), clock)
        return max(FIRST, local.astimezone(UTC) + jitter)
    return max(
        FIRST, datetime.combine(day, time(), clock).astimezone(UTC) + timedelta(hours=dice.uniform(0, 24))
    )


def some_consents(dice: random.Random, now: datetime) -> tuple[tuple[str, datetime], ...]:
    """None, or one or two of any kind, some about to lapse, some lapsed, some not given yet."""
    if dice.random() < 0.4:
        return ()
    ages = (
        timedelta(days=-1),
        timedelta(days=1),
        timedelta(days=89),
        timedelta(days=92),
        timedelta(days=547),
    )
    return tuple(
        (dice.choice(sorted(KINDS)), now - dice.choice(ages) - timedelta(hours=dice.uniform(0, 30)))
        for _ in range(dice.choice((1, 1, 2)))
    )


def a_question(dice: random.Random, npa: str) -> Asked:
    now = a_moment(dice, npa)
    territories = frozenset(slow_oracle.TERRITORIES if dice.random() < 0.5 else set())
    busy = dice.random() < 0.1
    return Asked(
        npa=npa,
        moment=now,
        region=dice.choice(REGIONS) if dice.random() < 0.3 else None,
        zone_name=dice.choice(ZONES) if dice.random() < 0.1 else None,
        mode=dice.choice(("power", "progressive", "manual")),
        strict=dice.random() < 0.3,
        business=dice.random() < 0.2,
        consents=some_consents(dice, now),
        stopped=frozenset({dice.choice([*REGIONS, "US", "CA"])} if dice.random() < 0.05 else set()),
        territories=territories,
        number_attempts=attempts(dice, now) if busy else (),
        person_attempts=attempts(dice, now) if busy else (),
    )


def attempts(dice: random.Random, now: datetime) -> tuple[datetime, ...]:
    ages = [timedelta(hours=dice.choice((1, 12, 23.99, 24, 24.01, 24.02))) for _ in range(dice.randrange(5))]
    return tuple(sorted(now - age for age in ages))


def ask_gate(asked: Asked) -> tuple[bool, str]:
    facts = Facts(
        f"+1{asked.npa}2345678",
        (asked.region,) if asked.region else (),
        (asked.zone_name,) if asked.zone_name else (),
        recent_attempts=asked.number_attempts,
        person_attempts=asked.person_attempts,
        consents=tuple(Consent(KINDS[kind], since, "test") for kind, since in asked.consents),
    )
    context = GateContext(
        asked.moment,
        BOOK,
        PLAN,
        LIMITS,
        dialing=asked.mode,  # type: ignore[arg-type]
        strict_predictive=asked.strict,
        territories=asked.territories,
        business=asked.business,
        stops=tuple(EmergencyStop(region, "test", asked.moment) for region in sorted(asked.stopped)),
    )
    decision = evaluate(facts, context)
    return decision.allowed, decision.blocking.rule if decision.blocking else "allowed"


def questions(dice: random.Random) -> Iterator[Asked]:
    """All questions, in batches ordered by place and time: the gate remembers what it derived for a place."""
    for start in range(0, DECISIONS, BATCH):
        numbers = range(start, min(start + BATCH, DECISIONS))
        batch = [a_question(dice, NPAS[n % len(NPAS)]) for n in numbers]
        yield from sorted(
            batch, key=lambda each: (each.npa, each.region or "", each.zone_name or "", each.moment)
        )


def test_every_generated_decision_is_the_oracles() -> None:
    dice = random.Random(20261123)  # noqa: S311 - cases that can be repeated, nothing secret
    outcomes: Counter[str] = Counter()
    wrong: list[tuple[Asked, str]] = []
    for asked in questions(dice):
        allowed, rule = ask_gate(asked)
        outcomes[rule] += 1
        if allowed is not may_call(asked):
            wrong.append((asked, rule))
    assert wrong == []
    print(f"\n{DECISIONS} decisions: {dict(outcomes.most_common())}")
    if DECISIONS >= 20_000:
        assert min(outcomes.values()) > DECISIONS / 2000
        assert {"allowed", "calling_hours", "holiday", "automated_dialing", "announcing_device"} <= set(
            outcomes
        )
        assert outcomes["allowed"] > DECISIONS / 10


def test_the_oracle_notices_a_window_that_is_a_minute_too_long() -> None:
    texas = BOOK.regions["US-TX"]
    longer = tuple(replace(row, windows=((539, 1260),) * 7) for row in texas)
    spoiled = replace(BOOK, regions={**BOOK.regions, "US-TX": longer}, memo={})
    asked = Asked("210", datetime(2026, 6, 10, 13, 59, 30, tzinfo=UTC))
    allowed = evaluate(Facts("+12102345678"), GateContext(asked.moment, spoiled, PLAN, LIMITS)).allowed
    assert (allowed, may_call(asked)) == (True, False)


def test_oracle_and_rules_agree_on_every_holiday() -> None:
    for region in (*slow_oracle.BANNING, "US-NE"):
        for year in (2026, 2027, 2028):
            ours = {day for day in BOOK.holidays[region] if day.year == year}
            assert ours == slow_oracle.holidays(region, year), (region, year)


@pytest.mark.parametrize(
    ("npa", "local", "allowed"),
    [
        ("602", "2026-03-08T08:00:00-07:00", True),  # Arizona keeps its clocks
        ("928", "2026-03-08T20:30:00-07:00", False),  # the Navajo Nation does not
        ("219", "2026-11-01T20:30:00-05:00", True),  # Indiana's two zones on the day of the change
        ("219", "2026-11-01T08:30:00-05:00", False),
        ("812", "2027-03-14T08:30:00-04:00", False),
        ("907", "2027-11-07T21:30:00-10:00", False),
        ("670", "2027-06-09T10:00:00+10:00", False),  # no territory unasked
    ],
)
def test_split_places(npa: str, local: str, allowed: bool) -> None:
    asked = Asked(npa, datetime.fromisoformat(local))
    assert ask_gate(asked)[0] is may_call(asked) is allowed


def test_a_rule_that_changes_at_midnight_changes_at_local_midnight() -> None:
    """Tennessee and Texas have two zones each: the new row begins in each zone at its own midnight."""
    row = BOOK.regions["US-TX"][0]
    change = date(2026, 7, 1)
    rows = (
        replace(row, effective_to=change - timedelta(days=1), windows=((0, 1440),) * 7),
        replace(row, effective_from=change, windows=((600, 1440),) * 7),
    )
    federal = replace(BOOK.regions["US"][0], windows=((0, 1440),) * 7)
    book = replace(BOOK, regions={**BOOK.regions, "US-TX": rows, "US": (federal,)}, memo={})
    midnight = datetime.fromisoformat("2026-07-01T00:00:00-05:00")
    facts = Facts("+12102345678")  # San Antonio: Chicago's zone
    before = evaluate(facts, GateContext(midnight - timedelta(seconds=60), book, PLAN, LIMITS))
    last = evaluate(facts, GateContext(midnight - timedelta(seconds=59), book, PLAN, LIMITS))
    after = evaluate(facts, GateContext(midnight, book, PLAN, LIMITS))
    assert (before.allowed, last.allowed, after.allowed) == (True, False, False)
    assert after.next_allowed == datetime.fromisoformat("2026-07-01T10:00:00-05:00")
    west = Facts("+19152345678")  # El Paso: Denver's zone, where midnight is an hour later
    assert "America/Denver" in PLAN.areas["915"].zones
    at_east_midnight = evaluate(west, GateContext(midnight, book, PLAN, LIMITS))
    assert not at_east_midnight.allowed or PLAN.areas["915"].zones == ("America/Denver",)
