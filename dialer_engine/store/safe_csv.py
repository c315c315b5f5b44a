"""CSV that a spreadsheet can open without running anything: cells that begin a formula get an apostrophe."""

import csv
import re
from collections.abc import Iterable
from typing import TextIO

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
_PLAIN_NUMBER = re.compile(r"[+-]?[\d][\d ().-]*", re.ASCII)


def safe(cell: str) -> str:
    """Return the cell, with an apostrophe in front when a spreadsheet would take it for a formula.

    Plain numbers stay as they are, such as +12105550100 and -4.5: they compute nothing.
    """
    bare = cell.lstrip(" ")
    if bare.startswith(_DANGEROUS) and not _PLAIN_NUMBER.fullmatch(bare):
        return f"'{cell}"
    return cell


class SafeWriter:
    """Writes rows of text as formula-safe CSV."""

    def __init__(self, file: TextIO) -> None:
        self._writer = csv.writer(file, lineterminator="\n")

    def row(self, cells: Iterable[object]) -> None:
        """Write one row; None becomes an empty cell."""
        self._writer.writerow(["" if cell is None else safe(str(cell)) for cell in cells])
