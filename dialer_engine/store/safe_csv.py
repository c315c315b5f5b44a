"""CSV that a spreadsheet can open without running anything: cells that begin a formula get an apostrophe."""

import csv
import io
import re
from collections.abc import Iterable
from typing import TextIO

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# Spreadsheets drop these in front of a cell, and what follows then is a formula.
_UNSEEN = " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
_UNSEEN += "\u2009\u200a\u200b\u200c\u200d\u200e\u200f\u2028\u2029"
_UNSEEN += "\u202a\u202b\u202c\u202d\u202e\u202f\u205f\u2060\u2066\u2067\u2068\u2069\u3000\ufeff\0\v\f"
# A program that divides at one of these, or ends a row where it sees no quotation mark, begins a cell behind it.
_INNER = re.compile(rf'([;|\t\r\n])(?=["{re.escape(_UNSEEN)}]*[=+\-@%\uff1d\uff0b\uff0d\uff20])')
_PLAIN_NUMBER = re.compile(r"[+-]?[\d][\d ().-]*", re.ASCII)


def safe(cell: str) -> str:
    """Return the cell, with an apostrophe in front of whatever a spreadsheet would take for a formula.

    That can also stand behind a semicolon, tab, bar or line end: not every program divides at commas. Plain numbers
    stay as they are, such as +12105550100 and -4.5: they compute nothing.
    """
    bare = cell.lstrip(_UNSEEN)
    if _PLAIN_NUMBER.fullmatch(bare):
        return cell
    guarded = _INNER.sub(r"\1'", cell)
    return f"'{guarded}" if bare.startswith(_DANGEROUS) else guarded


class SafeWriter:
    """Writes rows of text as formula-safe CSV."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def row(self, cells: Iterable[object]) -> None:
        """Write one row; None becomes an empty cell."""
        line = io.StringIO(newline="")
        # The csv module quotes a lone CR only when its line end holds one; unquoted it would begin a row of its own.
        csv.writer(line, lineterminator="\r\n").writerow(
            ["" if cell is None else safe(str(cell)) for cell in cells]
        )
        self._file.write(line.getvalue().removesuffix("\r\n") + "\n")
