"""The calling rules in words: one region's, the differences between two books, and what changes next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from dialer_engine.core.gate.rulebook import Dated, RuleBook, TermsRule, Window, in_force
from dialer_engine.core.numbers import NumberPlan
from dialer_engine.settings.rules import RuleSet

AHEAD = timedelta(days=60)
_DAYS = ("weekday", "saturday", "sunday")
_PLACES = (0, 5, 6)
_FOREVER = "without end"


def described(book: RuleBook, region: str, day: date) -> dict[str, Any]:
    """Return what holds in a region on a date, in words by subject."""
    row = book.rule(region, day)
    rules: dict[str, str] = {}
    if row is None:
        rules["hours"] = "no rule in force, so no calls"
    else:
        rules["hours"] = _week(row.windows)
        rules["holidays"] = "no calls" if row.holidays_prohibited else "no rule"
        rules["attempts"] = f"{row.attempts_24h} in 24 hours" if row.attempts_24h else "no rule"
        rules["recording"] = _RECORDING[row.recording]
        rules["source"] = _origin(row)
    rules |= _more(book, region, day)
    if closed := book.closures.get(region):
        rules["own closed days"] = ", ".join(each.isoformat() for each in sorted(closed))
    return {"region": region, "name": row.name if row is not None else region, "rules": rules}


_RECORDING = {
    "yes": "all parties must consent",
    "mixed": "sources differ: all parties must consent",
    "notice": "the person must be told",
    "no": "one party's consent is enough",
}


def _more(book: RuleBook, region: str, day: date) -> Iterator[tuple[str, str]]:
    automated = in_force(book.automated.get(region, ()), day)
    if automated is not None:
        selection = " or selection (mode preview)" if automated.selection_too else ""
        what = "any sales call" if automated.manual_too else f"automated dialing{selection}"
        exempt = "; businesses are exempt" if automated.business_exempt else ""
        kinds = " or ".join(sorted(automated.accepted))
        yield "consent", f"{what} needs {kinds}{exempt}"
        yield "consent source", _origin(automated)
    device = in_force(book.devices.get(region, ()), day)
    if device is not None:
        kinds = f"; needs {' or '.join(sorted(device.accepted))}" if device.accepted else ""
        holiday = "" if device.holiday == "same" else f"; holidays {_span(device.holiday)}"
        yield "strict mode", f"announcing devices {_week(device.windows)}{holiday}{kinds}"
        yield "strict source", _origin(device)
    needed = [each for each in book.lists.required if each.region == region and each.in_force(day)]
    if needed:
        yield "lists needed", ", ".join(each.name for each in needed)
        yield "lists source", "; ".join(f"{each.source} ({each.confidence} confidence)" for each in needed)
    terms = book.terms_of(region, day)
    if terms is not None:
        yield "terms", _terms(terms)
        yield "terms source", _origin(terms)


def _terms(row: TermsRule) -> str:
    parts = [f"rings at least {row.ring_min_s} s"] if row.ring_min_s else []
    parts += [f"at most {row.ring_max_s} s"] if row.ring_max_s else []
    if row.abandon_limit is not None:
        period = "a calendar month" if row.abandon_period == "month" else "30 successive days"
        parts.append(f"abandoned at most {row.abandon_limit:.1%} of live answers in {period}")
    if row.list_max_age_days is not None:
        parts.append(f"lists at most {row.list_max_age_days} days old, warning at {row.list_warn_age_days}")
    return "; ".join(parts) or "none"


def _origin(row: Dated) -> str:
    since = "" if row.effective_from == date.min else f" from {row.effective_from.isoformat()}"
    until = "" if row.effective_to is None else f" to {row.effective_to.isoformat()}"
    reviewed = f", reviewed by {row.reviewed_by}" if row.reviewed_by else ", not reviewed"
    return f"{row.source} ({row.confidence} confidence{reviewed}){since}{until}"


def _week(windows: tuple[Window, ...]) -> str:
    days = ", ".join(f"{name} {_span(windows[at])}" for name, at in zip(_DAYS, _PLACES, strict=True))
    return _span(windows[0]) + " every day" if len(set(windows)) == 1 else days


def _span(window: Window) -> str:
    if window is None:
        return "closed"
    opens, closes = window
    return f"{opens // 60:02}:{opens % 60:02}-{closes // 60:02}:{closes % 60:02}"


# --- differences ----------------------------------------------------------------------------------

_TABLES = ("regions", "automated", "devices", "terms")
_TITLES = {"regions": "hours", "automated": "consent", "devices": "strict mode", "terms": "terms"}


def changes(old: RuleSet, new: RuleSet) -> list[dict[str, Any]]:
    """Return every row that was added, removed or changed, and every holiday, closed day and area code."""
    found: list[dict[str, Any]] = []
    for table in _TABLES:
        before, after = getattr(old.book, table), getattr(new.book, table)
        found += _table(_TITLES[table], _by_start(before), _by_start(after))
    found += _table("holiday", _days(old.book.holidays), _days(new.book.holidays))
    found += _table("list needed", _lists(old.book), _lists(new.book))
    found += _table("closed day", _days(old.book.closures), _days(new.book.closures))
    return found + list(_table("area code", _areas(old.plan), _areas(new.plan)))


def _lists(book: RuleBook) -> dict[tuple[str, str], Any]:
    return {
        (each.region, f"{each.name} {each.effective_from}".removesuffix(f" {date.min}")): each.source
        for each in book.lists.required
    }


def _areas(plan: NumberPlan) -> dict[tuple[str, str], Any]:
    return {
        (npa, ""): f"{' '.join(area.regions)}: {' '.join(area.zones)}" for npa, area in plan.areas.items()
    }


def _by_start(table: Mapping[str, tuple[Dated, ...]]) -> dict[tuple[str, str], Any]:
    return {(region, _start(row)): row for region, rows in table.items() for row in rows}


def _start(row: Dated) -> str:
    return "" if row.effective_from == date.min else row.effective_from.isoformat()


def _days(table: Mapping[str, Mapping[date, str]]) -> dict[tuple[str, str], Any]:
    return {(region, day.isoformat()): name for region, names in table.items() for day, name in names.items()}


def _table(
    title: str, old: dict[tuple[str, str], Any], new: dict[tuple[str, str], Any]
) -> Iterator[dict[str, Any]]:
    for region, start in sorted({*old, *new}):
        before, after = old.get((region, start)), new.get((region, start))
        if before == after:
            continue
        kind = "added" if before is None else "removed" if after is None else "changed"
        yield {
            "region": region,
            "rule": title,
            "from": start,
            "change": kind,
            "details": list(_details(before, after)),
        }


def _details(before: Any, after: Any) -> Iterator[str]:
    if not isinstance(before, Dated) or not isinstance(after, Dated):
        yield from (f"{sign} {_said(row)}" for sign, row in (("-", before), ("+", after)) if row is not None)
        return
    for name in type(after).__dataclass_fields__:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield f"{name}: {_value(name, old)} -> {_value(name, new)}"


def _said(row: Any) -> str:
    return row if isinstance(row, str) else _summary(row)


def _summary(row: Dated) -> str:
    windows = getattr(row, "windows", None)
    return _week(windows) if windows is not None else row.source


def _value(name: str, value: Any) -> str:
    if name == "windows":
        return _week(value)
    if name == "holiday":
        return value if isinstance(value, str) else _span(value)
    if isinstance(value, frozenset):
        return " ".join(sorted(value)) or "none"
    return _FOREVER if value is None and name == "effective_to" else str(value)


def difference_lines(found: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the differences line by line."""
    for each in found:
        since = f" from {each['from']}" if each["from"] else ""
        yield f"{each['change']:<8} {each['region']:<6} {each['rule']}{since}"
        yield from (f"{'':16}{detail}" for detail in each["details"])


# --- what changes next ----------------------------------------------------------------------------


def upcoming_lines(rules: RuleSet, today: date) -> Iterator[tuple[str, str]]:
    """Yield (when, what) in the order of time; things without a date come last."""
    dated = [*_begins_and_ends(rules.book, today), *_holidays(rules.book, today), *_last_reviewed(rules.book)]
    dated += [
        (each.day, _announced(each.region, each.what, each.source, each.confidence))
        for each in rules.upcoming
        if each.day is not None and each.day >= today
    ]
    yield from ((when.isoformat(), what) for when, what in sorted(dated))
    for each in rules.upcoming:
        if each.day is None:
            yield "no date", _announced(each.region, each.what, each.source, each.confidence)


def _announced(region: str, what: str, source: str, confidence: str) -> str:
    return f"{region}: {what} ({confidence} confidence; {source})"


def _begins_and_ends(book: RuleBook, today: date) -> Iterator[tuple[date, str]]:
    for table in _TABLES:
        for region, rows in getattr(book, table).items():
            for row in rows:
                if row.effective_from > today:
                    yield row.effective_from, f"{region}: a rule on {_TITLES[table]} begins: {_summary(row)}"
                if row.effective_to is not None and row.effective_to >= today:
                    yield row.effective_to, f"{region}: a rule on {_TITLES[table]} holds for the last day"


def _holidays(book: RuleBook, today: date) -> Iterator[tuple[date, str]]:
    found: dict[tuple[date, str], list[str]] = {}
    for names in (book.holidays, book.closures):
        for region, days in names.items():
            for day, name in days.items():
                row = book.rule(region, day)
                banned = names is book.closures or (row is not None and row.holidays_prohibited)
                if banned and today <= day <= today + AHEAD:
                    found.setdefault((day, name), []).append(region)
    for (day, name), regions in found.items():
        yield day, f"{name}: no calls to {', '.join(sorted(regions))}"


def _last_reviewed(book: RuleBook) -> Iterator[tuple[date, str]]:
    if book.holiday_years:
        year = max(book.holiday_years)
        what = f"the holidays are listed up to {year}; from then on regions that forbid them are not called"
        yield date(year, 12, 31), what
