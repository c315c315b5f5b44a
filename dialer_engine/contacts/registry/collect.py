"""From runs of numbers to area codes as flags: in order with flat memory, or in any order for small lists."""

import operator
from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, repeat

from dialer_engine.contacts.registry.batch import Batch
from dialer_engine.contacts.registry.files import Part, RegistryError
from dialer_engine.core.registry import new_area

MOST_UNORDERED = 50_000_000
"""Numbers of a list in any order, which is held in memory at 4 bytes each."""


@dataclass(frozen=True, slots=True)
class Area:
    """One area code: a flag per number, and how many are set."""

    npa: int
    flags: bytearray
    numbers: int


def mark(flags: bytearray, numbers: Iterable[int]) -> None:
    """Set the flags of these numbers."""
    deque(map(flags.__setitem__, numbers, repeat(1)), maxlen=0)


class Ordered:
    """Takes runs in ascending order, across files too, and gives each area code when it is complete."""

    def __init__(self) -> None:
        self._npa = 0
        self._flags = bytearray()
        self._last = -1
        self._done: set[int] = set()

    def add(self, part: Part, batch: Batch) -> Iterator[Area]:
        """Take a run; RegistryError when a number is not larger than the one before it."""
        if batch.npa != self._npa:
            yield from self.finish()
            self._begin(part, batch)
        numbers = batch.numbers
        if numbers[0] <= self._last or not all(map(operator.lt, numbers, islice(numbers, 1, None))):
            raise self._disorder(part, batch)
        self._last = numbers[-1]
        mark(self._flags, numbers)

    def finish(self) -> Iterator[Area]:
        """Give the last area code."""
        if self._npa:
            yield Area(self._npa, self._flags, self._flags.count(1))
            self._done.add(self._npa)
        self._npa = 0

    def _begin(self, part: Part, batch: Batch) -> None:
        if batch.npa in self._done:
            what = f"area code {batch.npa} again: its numbers must stand together; is the file damaged?"
            raise part.refuse(batch.line, what)
        self._npa, self._flags, self._last = batch.npa, new_area(), -1

    def _disorder(self, part: Part, batch: Batch) -> RegistryError:
        before = self._last
        for offset, number in enumerate(batch.numbers):
            if number <= before:
                line = batch.line + (offset if batch.per_line else 0)
                return part.refuse(line, _order_text(batch.npa, before, number))
            before = number
        return part.refuse(batch.line, "the numbers are not in order")


def _order_text(npa: int, before: int, number: int) -> str:
    if before == number:
        return f"{npa},{number:07d} stands twice; is the file damaged?"
    return f"{npa},{number:07d} after {npa},{before:07d}: not in order; is the file damaged?"


class Unordered:
    """Takes runs in any order, and gives the area codes at the end; numbers may stand twice."""

    def __init__(self, most: int = MOST_UNORDERED) -> None:
        self._areas: dict[int, array[int]] = {}
        self._left = most

    def add(self, part: Part, batch: Batch) -> Iterator[Area]:
        """Take a run; RegistryError when the list is too large to be held."""
        self._left -= len(batch.numbers)
        if self._left < 0:
            raise part.refuse(batch.line, "too many numbers for a list in any order; sort the file first")
        self._areas.setdefault(batch.npa, array("I")).extend(batch.numbers)
        yield from ()

    def finish(self) -> Iterator[Area]:
        """Give all area codes, ascending."""
        for npa in sorted(self._areas):
            flags = new_area()
            mark(flags, self._areas.pop(npa))
            yield Area(npa, flags, flags.count(1))
