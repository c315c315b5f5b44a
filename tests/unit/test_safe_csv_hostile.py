"""No hostile cell leaves an export as a formula, whatever unseen signs stand before it."""

import csv
import io
import itertools

import pytest

from dialer_engine.store.safe_csv import SafeWriter, safe

pytestmark = pytest.mark.unit

UNSEEN = ["", " ", "\u00a0", "\u200b", "\u202e", "\ufeff", "\u3000", "\0", " \u00a0\ufeff"]
SIGNS = ["=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
PAYLOADS = [
    "cmd|' /C calc'!A0",
    "SUM(1,2)",
    'HYPERLINK("http://x")',
    "a\r\nAction: Originate",
    "${SHELL(id)}",
]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_no_program_finds_a_formula_whatever_it_divides_at(delimiter: str) -> None:
    inner = [
        f"Smith{separator}{unseen}{sign}SUM(1;2)"
        for separator, unseen, sign in itertools.product(
            [";", "\t", "|", "\r\n", "\n", ";;"], [*UNSEEN, '"', '""', ' "'], SIGNS[:4] + SIGNS[9:]
        )
    ]
    file = io.StringIO(newline="")
    writer = SafeWriter(file)
    for cell in inner:
        writer.row(["June", cell, "plain"])
    for row in csv.reader(io.StringIO(file.getvalue(), newline=""), delimiter=delimiter):
        for cell in row:
            assert cell.strip("".join(UNSEEN) + '"')[:1] not in SIGNS, row
    assert next(csv.reader(io.StringIO(file.getvalue(), newline=""))) == [
        "June",
        "Smith;'=SUM(1;2)",
        "plain",
    ]


@pytest.mark.parametrize(
    "text", ["a;b", "a | b", "one; two - three", "1;2", "a\nb", "+1 210 555 0100", "-4.5"]
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert safe(text) == text


def test_formulas_behind_unseen_signs_are_neutralised_and_nothing_else_changes() -> None:
    cells = ["".join(parts) for parts in itertools.product(UNSEEN, SIGNS, PAYLOADS)]
    file = io.StringIO(newline="")
    writer = SafeWriter(file)
    for cell in cells:
        writer.row([cell, "plain"])
    back = list(csv.reader(io.StringIO(file.getvalue(), newline="")))
    assert back == [[f"'{cell}", "plain"] for cell in cells]
