"""`registries.csv`: what is shipped, and every error with its line."""

from pathlib import Path

import pytest

from dialer_engine.settings.registries import LIST_COLUMNS, parse_lists
from dialer_engine.settings.rule_table import read_table
from dialer_engine.settings.rules import SHIPPED, load_rules

pytestmark = pytest.mark.unit

HEADER = ",".join(LIST_COLUMNS) + "\n"
GOOD = "US,us_national,,the law,high,,,\n"


def problems(tmp_path: Path, rows: str) -> list[tuple[int, str]]:
    file = tmp_path / "registries.csv"
    file.write_text(HEADER + rows, encoding="utf-8")
    table = read_table(file, LIST_COLUMNS)
    parse_lists(table)
    return [(problem.line, problem.what) for problem in table.problems]


def test_the_shipped_file_names_the_national_lists_and_those_of_eleven_states() -> None:
    book, _ = load_rules(SHIPPED)
    names = [row.name for row in book.lists.required]
    assert names[:2] == ["us_national", "ca_dncl"]
    states = {row.region for row in book.lists.required if row.name.startswith("us_state:")}
    assert states == {
        f"US-{code}" for code in ["CO", "FL", "IN", "LA", "MA", "MO", "OK", "PA", "TN", "TX", "WY"]
    }
    assert all(
        row.name == f"us_state:{row.region[3:]}" for row in book.lists.required if row.region in states
    )
    assert all(row.source for row in book.lists.required)


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("USA,us_national,,x,high,,,\n", "region 'USA'"),
        ("US,national,,x,high,,,\n", "list 'national'"),
        ("US,us_national,soon,x,high,,,\n", "'soon'"),
        ("US,us_national,0,x,high,,,\n", "at least 1"),
        ("US,us_national,,,high,,,\n", "needs a source"),
        ("US,us_national,,x,sure,,,\n", "'sure'"),
        ("US,us_national,,x,high,2026-13-01,,\n", "2026-13-01"),
        ("US,us_national,,x,high,2026-02-01,2026-01-01,\n", "before effective_from"),
        ("US,us_national,,x,high,2027-01-01,,\n", "overlaps another row"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, row: str, what: str) -> None:
    found = problems(tmp_path, GOOD + row)
    assert [line for line, _ in found] == [3]
    assert what in found[0][1]


def test_rows_one_after_the_other_do_not_overlap(tmp_path: Path) -> None:
    rows = (
        "US,us_national,,x,high,,2026-12-31,\nUS,us_national,20,x,high,2027-01-01,,\nCA,ca_dncl,,x,low,,,\n"
    )
    assert problems(tmp_path, rows) == []
