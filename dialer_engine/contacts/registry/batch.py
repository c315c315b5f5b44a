"""Numbers as they come out of a file: runs of one area code, and a quick way from digits to numbers.

Python handles a billion digits quickly only when it does not look at them one by one. A column of digits is
a stride of the text; seven such columns, each widened to four bytes and read as one very large integer, are
multiplied and added like single digits, and the sum read back is an array of numbers.
"""

import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

_ZEROES = 0x30 * 1_111_111
_LOW = 0 if sys.byteorder == "little" else 3


@dataclass(frozen=True, slots=True)
class Batch:
    """Numbers (0 to 9,999,999) of one area code in the order of the file.

    `line` is the first one's line; `per_line` is false when several can stand on one line.
    """

    npa: int
    numbers: "Sequence[int]"
    line: int
    per_line: bool = True


def seven_digits(text: bytes, start: int, width: int, columns: tuple[int, ...]) -> "array[int]":
    """Return the numbers at seven columns of equally wide records; all of them must be digits."""
    amount = (len(text) - start + width - 1) // width
    total = 0
    for place, column in enumerate(columns):
        lane = bytearray(4 * amount)
        lane[_LOW::4] = text[start + column :: width]
        total += int.from_bytes(lane, sys.byteorder) * 10 ** (6 - place)
    offset = int.from_bytes(array("I", [_ZEROES]).tobytes() * amount, sys.byteorder)
    return array("I", (total - offset).to_bytes(4 * amount, sys.byteorder))
