"""No hostile cell leaves an export as a formula, whatever unseen signs stand before it."""

import csv
import io
import itertools

import pytest

from dialer_engine.store.safe_csv import SafeWriter

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


def test_formulas_behind_unseen_signs_are_neutralised_and_nothing_else_changes() -> None:
    cells = ["".join(parts) for parts in itertools.product(UNSEEN, SIGNS, PAYLOADS)]
    file = io.StringIO(newline="")
    writer = SafeWriter(file)
    for cell in cells:
        writer.row([cell, "plain"])
    back = list(csv.reader(io.StringIO(file.getvalue(), newline="")))
    assert back == [[f"'{cell}", "plain"] for cell in cells]
