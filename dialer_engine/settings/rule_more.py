"""The rows of the further rule files: automated dialing, announcing devices, terms, and what is coming."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, TypeVar

from dialer_engine.core.gate.consent import ConsentKind
from dialer_engine.core.gate.rulebook import AutomatedRule, Dated, DeviceRule, TermsRule, Window
from dialer_engine.settings.rule_rows import (
    CONFIDENCES,
    DATED_COLUMNS,
    PLACE_COLUMNS,
    WINDOW_COLUMNS,
    Regions,
    dated_cells,
    day_windows,
    refuse_overlap,
    refuse_unknown,
    window,
)
from dialer_engine.settings.rule_table import (
    CellError,
    RuleTable,
    day_or,
    limit_or_none,
    one_of,
    percent_or_none,
)

AUTOMATED_COLUMNS = (*PLACE_COLUMNS, "applies_to", "accepted_consents", "business_exempt", *DATED_COLUMNS)
DEVICE_COLUMNS = (
    *PLACE_COLUMNS,
    *WINDOW_COLUMNS,
    "holiday_start",
    "holiday_end",
    "accepted_consents",
    *DATED_COLUMNS,
)
TERMS_COLUMNS = (
    *PLACE_COLUMNS,
    "ring_min_s",
    "ring_max_s",
    "abandon_percent",
    "abandon_period",
    "list_max_age_days",
    "list_warn_age_days",
    *DATED_COLUMNS,
)
UPCOMING_COLUMNS = ("date", "region", "what", "source", "confidence", "reviewed_by")

D = TypeVar("D", bound=Dated)
Cells = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A change of the law that is announced or possible; `day` is None when its date is not known."""

    day: date | None
    region: str
    what: str
    source: str
    confidence: str
    reviewed_by: str


def parse_rows(
    table: RuleTable, make: Callable[[Cells], D], regions: Regions | None
) -> dict[str, tuple[D, ...]]:
    """Return the dated rows per region, which must have a calling rule; rows of a region must not overlap."""
    found: dict[str, list[D]] = {}
    for line, row in table.rows:
        try:
            rule = make(row)
            refuse_unknown(rule.region, regions)
            refuse_overlap(rule, found.get(rule.region, []))
        except CellError as error:
            table.fail(line, str(error))
            continue
        found.setdefault(rule.region, []).append(rule)
    return {region: tuple(sorted(rows, key=lambda row: row.effective_from)) for region, rows in found.items()}


def automated_rule(cells: Cells) -> AutomatedRule:
    """Make a row about automated dialing."""
    accepted = _consents(cells["accepted_consents"])
    if not accepted:
        raise CellError("accepted_consents names no consent, so nobody could be called")
    applies_to = one_of(cells["applies_to"], "automated", "selection", "any")
    return AutomatedRule(
        **dated_cells(cells),
        accepted=accepted,
        manual_too=applies_to == "any",
        selection_too=applies_to != "automated",
        business_exempt=one_of(cells["business_exempt"], "yes", "no") == "yes",
    )


def device_rule(cells: Cells) -> DeviceRule:
    """Make a row about announcing devices."""
    holiday: Window | Literal["same"] = "same"
    if cells["holiday_start"] or cells["holiday_end"]:
        holiday = window(cells["holiday_start"], cells["holiday_end"])
    accepted = _consents(cells["accepted_consents"])
    return DeviceRule(**dated_cells(cells), windows=day_windows(cells), holiday=holiday, accepted=accepted)


def terms_rule(cells: Cells) -> TermsRule:
    """Make a row of terms; a limit on abandoned calls needs its period."""
    period = cells["abandon_period"]
    limit = percent_or_none(cells["abandon_percent"])
    if (limit is None) != (period == ""):
        raise CellError("abandon_percent and abandon_period are needed together")
    least, most = limit_or_none(cells["ring_min_s"]), limit_or_none(cells["ring_max_s"])
    if least is not None and most is not None and least > most:
        raise CellError(f"ring_min_s {least} is more than ring_max_s {most}")
    return TermsRule(
        **dated_cells(cells),
        ring_min_s=least,
        ring_max_s=most,
        abandon_limit=limit,
        abandon_period=_period(period) if period else None,
        list_max_age_days=limit_or_none(cells["list_max_age_days"]),
        list_warn_age_days=limit_or_none(cells["list_warn_age_days"]),
    )


def parse_upcoming(table: RuleTable, regions: Regions | None) -> tuple[Upcoming, ...]:
    """Return what is coming, dated ones first and in order."""
    found: list[Upcoming] = []
    for line, row in table.rows:
        try:
            found.append(_upcoming(row, regions))
        except CellError as error:
            table.fail(line, str(error))
    return tuple(sorted(found, key=lambda each: (each.day or date.max, each.region)))


def _upcoming(cells: Cells, regions: Regions | None) -> Upcoming:
    refuse_unknown(cells["region"], regions)
    if not cells["what"]:
        raise CellError("an announced change needs words")
    values: dict[str, Any] = {name: cells[name] for name in ("region", "what", "source", "reviewed_by")}
    confidence = one_of(cells["confidence"], *CONFIDENCES)
    return Upcoming(day=day_or(cells["date"], None), confidence=confidence, **values)


def _period(text: str) -> Literal["30_days", "month"]:
    return "month" if one_of(text, "30_days", "month") == "month" else "30_days"


def _consents(text: str) -> frozenset[ConsentKind]:
    return frozenset(ConsentKind(one_of(word, *ConsentKind)) for word in text.split())
