"""Lists that come as tables with other columns, as states and vendors sell them: one column is the number."""

from array import array
from collections.abc import Iterator
from pathlib import Path

from dialer_engine.contacts import source
from dialer_engine.contacts.phone import read_notation
from dialer_engine.contacts.registry.batch import Batch
from dialer_engine.contacts.registry.files import RegistryError

_NAMES = ("phone", "number", "telephone", "tn", "mobile", "cell")
_AREA_NAMES = ("areacode", "area_code", "npa")
_RUN = 50_000


def read_table(path: Path, column: str | None = None) -> Iterator[Batch]:
    """Return the numbers of a table's column, named or guessed from the header; a bad row refuses all."""
    columns: tuple[int, ...] | None = None
    waiting: dict[int, array[int]] = {}
    held = 0
    for row, cells in source.whole_rows(source.inspect(path)):
        if columns is None:
            columns, header = _columns(path, cells, column)
            if header:
                continue
        npa, rest = _number(path, row, cells, columns)
        waiting.setdefault(npa, array("I")).append(rest)
        held += 1
        if held == _RUN:
            yield from _give(waiting)
            held = 0
    yield from _give(waiting)


def _give(waiting: dict[int, "array[int]"]) -> Iterator[Batch]:
    for npa in sorted(waiting):
        yield Batch(npa, waiting.pop(npa), 1, per_line=False)


def _number(path: Path, row: int, cells: list[str], columns: tuple[int, ...]) -> tuple[int, int]:
    if max(columns) >= len(cells):
        raise RegistryError(f"{path}:{row}: has {len(cells)} columns, the number is missing")
    number, reason = read_notation("".join(cells[at].strip() for at in columns))
    if number is None:
        raise RegistryError(f"{path}:{row}: {reason}")
    return int(number[2:5]), int(number[5:])


def _columns(path: Path, first: list[str], wanted: str | None) -> tuple[tuple[int, ...], bool]:
    """Return the columns that make up the number, and whether the first row is a header."""
    names = [cell.strip().lower().replace(" ", "") for cell in first]
    header = not any(any(letter.isdecimal() for letter in name) for name in names)
    if wanted is not None:
        return (_named(path, names, wanted),), header
    if not header:
        whole = [at for at, cell in enumerate(first) if read_notation(cell)[0] is not None]
        if len(whole) == 1:
            return (whole[0],), False
        raise RegistryError(f"{path}:1: cannot tell which column is the number; give --column")
    phones = [at for at, name in enumerate(names) if any(word in name for word in _NAMES)]
    areas = [at for at, name in enumerate(names) if name in _AREA_NAMES]
    if len(phones) != 1 or len(areas) > 1:
        raise RegistryError(f"{path}:1: cannot tell which column is the number; give --column")
    return (*areas, *phones), True


def _named(path: Path, names: list[str], wanted: str) -> int:
    if wanted.isdecimal() and 1 <= int(wanted) <= len(names):
        return int(wanted) - 1
    key = wanted.strip().lower().replace(" ", "")
    if key in names:
        return names.index(key)
    raise RegistryError(f"{path}:1: has no column {wanted!r}; it has {', '.join(names)[:200]}")
