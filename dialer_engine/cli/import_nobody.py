"""What `dialer list import` says when nobody of a file comes into the list: the most frequent reason and its remedy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from dialer_engine.contacts.importer import ImportReport
from dialer_engine.contacts.phone import EXTENSION, REASONS, SCIENTIFIC, UNREADABLE
from dialer_engine.contacts.source import HIDES_ROWS
from dialer_engine.contacts.staging import ABROAD
from dialer_engine.core.numbers import NumberClass

KNOWN = "stands on a list of this Member already"
_EARLIER = "stands earlier in this file"
"""Of a file of which nobody was taken in: the row before was not taken in either, because its number is known."""
_ONE_PERSON = "its numbers count as one person's now"
"""Beside the reason of a rejected row, and none itself."""
_COLUMN = "name the column that holds people's numbers: --map phone=Column"
_CALLABLE = (
    f"only numbers of the US and Canada that are in service, and no special ones, can be called; {_COLUMN}"
)
_SURPLUS = "put cells that hold the delimiter in quotation marks, and give the header a name for every column"
_REMEDIES: Mapping[str, str] = {
    **dict.fromkeys(REASONS.values(), _CALLABLE),
    REASONS[NumberClass.fictional]: "such numbers are called in a laboratory (`lab` in dialer.yaml) alone",
    UNREADABLE: _COLUMN,
    "no phone number": _COLUMN,
    SCIENTIFIC: "write the file anew from its source, with that column as text",
    EXTENSION: "such a number cannot be dialed; write it without it where the number alone reaches the person",
    ABROAD: "write +1 before numbers of the US and Canada, or leave a column out that is no country of theirs: "
    "--map ignore=Country",
    HIDES_ROWS: "close the quotation mark, or put that cell on one line",
}


def nobody(report: ImportReport) -> str:
    """Say why nobody of a file was imported, by the reason of most rows, and what to do."""
    reason, count = _most_frequent(report)
    remedy = "" if reason == KNOWN else f": {_REMEDIES.get(reason, _SURPLUS)}"
    return f"nobody is imported; {count:,} of {report.rows:,} rows: {reason}{remedy}"


def are_known(report: ImportReport) -> bool:
    """Whether nobody was imported because most rows name who stands on a list of the Member already."""
    return _most_frequent(report)[0] == KNOWN


def empty_list(member: str, list_name: str) -> str:
    """Say that people of other lists leave this one empty, and how they come into it."""
    return (
        f"the list {list_name!r} of {member} has no contacts: let a campaign call the list that they stand on (dialer "
        "list ls), or take the import that brought them back (dialer list undo), and import the file again"
    )


def _most_frequent(report: ImportReport) -> tuple[str, int]:
    single: Counter[str] = Counter()
    for reasons, count in report.reasons.items():
        each = {KNOWN if reason == _EARLIER else reason for reason in reasons.split("; ")}
        single.update(dict.fromkeys(each - {_ONE_PERSON}, count))
    return max(single.items(), key=lambda found: (found[1], found[0]), default=("", 0))
