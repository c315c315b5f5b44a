"""Which registries a call needs: `registries.csv` of the rules directory, parsed.

The list `reassigned` stands for an answer of the reassigned-numbers database about the number. How old a list
may be stands in `dialing_terms.csv`; `max_age_days` is for a list with a limit of its own.
"""

import re
from collections.abc import Mapping
from datetime import date

from dialer_engine.core.gate.lists import ListPolicy, RequiredList
from dialer_engine.settings.rule_table import CellError, RuleTable, day_or, limit_or_none, one_of

LIST_COLUMNS = (
    "region",
    "list",
    "max_age_days",
    "source",
    "confidence",
    "effective_from",
    "effective_to",
    "reviewed_by",
)
_REGION = re.compile(r"US|CA|(US|CA)-[A-Z]{2}")
_LIST = re.compile(r"us_national|ca_dncl|us_state:[A-Z]{2}|reassigned")


def parse_lists(table: RuleTable) -> ListPolicy:
    """Return the lists that calls need; errors are noted in the table's `problems`."""
    rows: list[RequiredList] = []
    for line, cells in table.rows:
        try:
            row = _row(cells)
            _refuse_overlap(row, rows)
        except CellError as error:
            table.fail(line, str(error))
        else:
            rows.append(row)
    return ListPolicy(tuple(rows))


def _row(cells: Mapping[str, str]) -> RequiredList:
    if _REGION.fullmatch(cells["region"]) is None:
        raise CellError(f"region {cells['region']!r} is not US, CA or one such as US-FL")
    if _LIST.fullmatch(cells["list"]) is None:
        raise CellError(f"list {cells['list']!r} is not us_national, ca_dncl, us_state:XX or reassigned")
    if not cells["source"]:
        raise CellError("every row needs a source")
    begins = day_or(cells["effective_from"], date.min) or date.min
    ends = day_or(cells["effective_to"], None)
    if ends is not None and ends < begins:
        raise CellError("effective_to lies before effective_from")
    return RequiredList(
        region=cells["region"],
        name=cells["list"],
        max_age_days=limit_or_none(cells["max_age_days"]),
        effective_from=begins,
        effective_to=ends,
        source=cells["source"],
        confidence=one_of(cells["confidence"], "high", "medium", "low"),
    )


def _refuse_overlap(row: RequiredList, others: list[RequiredList]) -> None:
    for other in others:
        same = (row.region, row.name) == (other.region, other.name)
        begins, ends = row.effective_from, row.effective_to or date.max
        if same and begins <= (other.effective_to or date.max) and other.effective_from <= ends:
            raise CellError(f"overlaps another row for {row.region} and {row.name}")
