"""What to do about each reason for which nobody of a file is imported."""

import pytest

from dialer_engine.cli.import_nobody import nobody
from dialer_engine.contacts import phone, staging
from dialer_engine.contacts.importer import ImportReport

pytestmark = pytest.mark.unit

CONSTANTS = {
    name: text
    for module in (phone, staging)
    for name, text in vars(module).items()
    if name.isupper() and not name.startswith("_") and isinstance(text, str)
}
SURPLUS = "has 3 columns, the file has 2"


def remedy(reason: str) -> str:
    """Return what `dialer list import` advises when all rows have this reason."""
    report = ImportReport(None, 2, 0, 0, 2, {}, "utf-8", ",", has_header=True, reasons={reason: 2})
    start = f"nobody is imported; 2 of 2 rows: {reason}: "
    told = nobody(report)
    assert told.startswith(start)
    return told.removeprefix(start)


def test_only_a_row_of_too_many_cells_is_advised_about_quotation_marks() -> None:
    assert {"ABROAD", "HIDES_ROWS", "UNREADABLE", "EXTENSION", "SCIENTIFIC"} <= CONSTANTS.keys()
    reasons = {*CONSTANTS.values(), *phone.REASONS.values()}
    assert [each for each in reasons if remedy(each) == remedy(SURPLUS)] == []


def test_a_file_of_another_country_is_told_of_its_column() -> None:
    assert "--map ignore=Country" in remedy(staging.ABROAD)
