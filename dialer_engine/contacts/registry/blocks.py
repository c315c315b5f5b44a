"""Blocks of numbers, as wireless lists name them: `NPANXX` is an exchange, `NPANXXX` a thousand of it."""

import re
from collections.abc import Iterator

from dialer_engine.contacts.registry.batch import Batch
from dialer_engine.contacts.registry.files import Part, line_chunks

_BLOCK = re.compile(rb'\s*"?([2-9]\d\d)[ ,.-]?(\d{3})[ ,.-]?(\d{0,4})"?\s*(?:[,;].*)?')
_HEADER = re.compile(rb'[\s"]*[A-Za-z][^\d]*')


def read_blocks(part: Part) -> Iterator[Batch]:
    """Return every number of the blocks; a line with fewer digits stands for all numbers that begin so."""
    for lines in line_chunks(part):
        for offset, text in enumerate(lines.text.removesuffix(b"\n").split(b"\n")):
            number = lines.first + offset
            match = _BLOCK.fullmatch(text)
            if match is None:
                if text.strip() and not (number == 1 and _HEADER.fullmatch(text)):
                    raise part.refuse(number, "is no block of the form NPA-NXX-X")
                continue
            size = 10 ** (4 - len(match[3]))
            begin = int(match[2] + match[3]) * size
            yield Batch(int(match[1]), range(begin, begin + size), number, per_line=False)
