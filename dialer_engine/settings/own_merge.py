"""Put the operator's own rules over the shipped ones: tighter wins, looser needs `loosens`."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from dialer_engine.core.gate.rulebook import (
    LONGEST_RING,
    AutomatedRule,
    Dated,
    Loosening,
    RegionRule,
    TermsRule,
    Window,
)
from dialer_engine.core.law import SHORTEST_RING_S
from dialer_engine.settings.explain import explain
from dialer_engine.settings.own_rules import OwnRule, OwnRules
from dialer_engine.settings.problems import Problem
from dialer_engine.settings.rule_table import RulesProblem
from dialer_engine.settings.text_file import UnreadableError
from dialer_engine.settings.yaml_text import Document, read_document

D = TypeVar("D", bound=Dated)
Rows = Mapping[str, tuple[D, ...]]
_DAY = timedelta(days=1)


@dataclass(slots=True)
class OwnBook:
    """The shipped rows with the operator's rules put over them, and what was wrong or loosened.

    `listed` are the regions whose holidays are listed.
    """

    regions: dict[str, tuple[RegionRule, ...]]
    automated: dict[str, tuple[AutomatedRule, ...]]
    terms: dict[str, tuple[TermsRule, ...]]
    listed: frozenset[str] = frozenset()
    closures: dict[str, dict[date, str]] = field(default_factory=dict)
    loosened: list[Loosening] = field(default_factory=list)
    problems: list[RulesProblem] = field(default_factory=list)


def read_own(file: Path) -> tuple[Document | None, OwnRules, list[RulesProblem]]:
    """Read `rules.yaml`; problems name file and line."""
    try:
        document, found = read_document(file)
    except UnreadableError as error:
        return None, OwnRules(), [_problem(error.problem)]
    try:
        rules = OwnRules.model_validate(document.content, context={"directory": file.parent})
    except ValidationError as error:
        found += explain(document, OwnRules, error)
        rules = OwnRules()
    return document, rules, [_problem(each) for each in found]


def _problem(found: Problem) -> RulesProblem:
    return RulesProblem(found.file, found.line, found.text().split(": ", 1)[1])


def put_over(book: OwnBook, document: Document, rules: Iterable[OwnRule]) -> None:
    """Merge every rule into the book; a rule that cannot be merged becomes a problem at its line."""
    for index, rule in enumerate(rules):
        for region in rule.regions:
            for what in _merge(book, rule, region):
                problem = document.problem(("rules", index), what)
                book.problems.append(RulesProblem(problem.file, problem.line, what))


def _merge(book: OwnBook, rule: OwnRule, region: str) -> Iterator[str]:
    rows = book.regions.get(region)
    if rows is None:
        yield f"{region} has no calling rule to add to"
        return
    if rule.holidays_prohibited and region not in book.listed:
        yield f"the holidays of {region} are not in holidays.csv; name the days in closed_on instead"
    looser: list[str] = []
    book.regions[region] = _cut_in(rows, rule, lambda row: _region_row(row, rule, looser))
    if rule.automated_consent is not None:
        _merge_automated(book, rule, region, rows[-1], looser)
    if rule.ring_min_s is not None or rule.ring_max_s is not None:
        yield from _merge_terms(book, rule, region, rows[-1], looser)
    book.closures.setdefault(region, {}).update((day, f"closed by {rule.by}") for day in rule.closed_on)
    what = "; ".join(dict.fromkeys(looser))
    if what and not rule.loosens:
        yield (
            f"would permit more than the shipped rule of {region} ({what});"
            " if that is meant, say why in reason and add loosens: true"
        )
    elif what:
        book.loosened.append(
            Loosening(region, what, rule.by, rule.reason, rule.effective_from, rule.effective_to)
        )


def _cut_in(rows: Iterable[D], rule: OwnRule, make: Callable[[D], D]) -> tuple[D, ...]:
    """Replace the part of each row that lies in the rule's dates by what `make` makes of it."""
    return tuple(piece for row in rows for piece in _pieces(row, rule, make))


def _pieces(row: D, rule: OwnRule, make: Callable[[D], D]) -> Iterator[D]:
    first = max(row.effective_from, rule.effective_from)
    last = min(row.effective_to or date.max, rule.effective_to or date.max)
    if first > last:
        yield row
        return
    if row.effective_from < first:
        yield replace(row, effective_to=first - _DAY)
    source = f"{row.source}; own rule by {rule.by}: {rule.reason}"
    yield replace(make(row), effective_from=first, effective_to=_open(last), source=source)
    if last < (row.effective_to or date.max):
        yield replace(row, effective_from=last + _DAY)


def _open(last: date) -> date | None:
    return None if last == date.max else last


# --- calling rules --------------------------------------------------------------------------------


def _region_row(row: RegionRule, rule: OwnRule, looser: list[str]) -> RegionRule:
    windows = rule.windows(row.windows)
    if any(not _within(own, shipped) for own, shipped in zip(windows, row.windows, strict=True)):
        looser.append("longer hours")
    holidays = rule.value("holidays_prohibited", row.holidays_prohibited)
    if row.holidays_prohibited and not holidays:
        looser.append("calls on holidays")
    cap = rule.value("attempts_24h", row.attempts_24h)
    if row.attempts_24h is not None and cap > row.attempts_24h:
        looser.append(f"{cap} attempts in 24 hours instead of {row.attempts_24h}")
    return replace(row, windows=windows, holidays_prohibited=holidays, attempts_24h=cap)


def _within(own: Window, shipped: Window) -> bool:
    return own is None or (shipped is not None and shipped[0] <= own[0] and own[1] <= shipped[1])


# --- automated dialing ----------------------------------------------------------------------------


def _merge_automated(book: OwnBook, rule: OwnRule, region: str, place: RegionRule, looser: list[str]) -> None:
    accepted = frozenset(rule.automated_consent or ())
    shipped = book.automated.get(region, ())
    if any(not accepted <= row.accepted for row in shipped):
        looser.append("automated dialing with weaker consent")
    book.automated[region] = _filled(
        _cut_in(shipped, rule, lambda row: replace(row, accepted=accepted)),
        rule,
        AutomatedRule(**_new(rule, place), accepted=accepted, manual_too=False, business_exempt=False),
    )


# --- terms ----------------------------------------------------------------------------------------


def _merge_terms(
    book: OwnBook, rule: OwnRule, region: str, place: RegionRule, looser: list[str]
) -> Iterator[str]:
    shipped = book.terms.get(region, ())
    blank = TermsRule(
        **_new(rule, place),
        ring_min_s=None,
        ring_max_s=None,
        abandon_limit=None,
        abandon_period=None,
        list_max_age_days=None,
        list_warn_age_days=None,
    )
    book.terms[region] = _filled(
        _cut_in(shipped, rule, lambda row: _terms_row(row, rule, looser)),
        rule,
        _terms_row(blank, rule, looser),
    )
    if any((row.ring_min_s or 0) > (row.ring_max_s or LONGEST_RING) for row in book.terms[region]):
        yield f"the shortest ring time of {region} would be longer than the longest"


def _terms_row(row: TermsRule, rule: OwnRule, looser: list[str]) -> TermsRule:
    least, most = rule.value("ring_min_s", row.ring_min_s), rule.value("ring_max_s", row.ring_max_s)
    if (least or SHORTEST_RING_S) < (row.ring_min_s or SHORTEST_RING_S):
        looser.append(f"ringing for {least} s only")
    if row.ring_max_s is not None and most is not None and most > row.ring_max_s:
        looser.append(f"ringing for {most} s")
    return replace(row, ring_min_s=least, ring_max_s=most)


def _new(rule: OwnRule, place: RegionRule) -> dict[str, Any]:
    return {
        "region": place.region,
        "name": place.name,
        "effective_from": rule.effective_from,
        "effective_to": rule.effective_to,
        "source": f"own rule by {rule.by}: {rule.reason}",
        "confidence": "high",
        "reviewed_by": rule.by,
    }


def _filled(rows: tuple[D, ...], rule: OwnRule, new: D) -> tuple[D, ...]:
    """Fill the rule's dates that no shipped row covers with the new row."""
    gaps: list[D] = []
    first, last = rule.effective_from, rule.effective_to or date.max
    for row in sorted(rows, key=lambda each: each.effective_from):
        if row.effective_from > last or (row.effective_to or date.max) < first:
            continue
        if row.effective_from > first:
            gaps.append(replace(new, effective_from=first, effective_to=row.effective_from - _DAY))
        if row.effective_to is None:
            return tuple(sorted((*rows, *gaps), key=lambda each: each.effective_from))
        first = row.effective_to + _DAY
    if first <= last:
        gaps.append(replace(new, effective_from=first, effective_to=_open(last)))
    return tuple(sorted((*rows, *gaps), key=lambda each: each.effective_from))
