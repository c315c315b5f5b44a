"""Sets of phone numbers of one area code as bits, and the small forms in which they are kept.

A registry names hundreds of millions of numbers, but an area code has only ten million: a flag for each is
the whole truth in a form that needs no sorting and no memory beyond itself. For keeping, an exchange (10,000
numbers) takes the smallest of three forms: 1,250 bytes of bits, the last four digits of each number, or one
bit per thousand when whole thousands are named. The bits are in the order of Postgres's `get_bit`: the least
significant bit of the first byte is line 0000.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import compress

AREA_NUMBERS = 10_000_000
LINES = 10_000
BLOCK_BYTES = LINES // 8
SPARSE_BELOW = 600
"""Numbers in an exchange from which on bits are smaller than the numbers themselves (2 bytes each)."""
_THOUSAND = 1000
_FULL_THOUSAND = b"\x01" * _THOUSAND
_NO_THOUSAND = bytes(_THOUSAND)


@dataclass(frozen=True, slots=True)
class Block:
    """One exchange in one of three forms; `numbers` is how many it names."""

    exchange: int
    numbers: int
    bits: bytes | None = None
    lines: tuple[int, ...] | None = None
    thousands: int | None = None

    def has(self, line: int) -> bool:
        """Tell whether the exchange's line (0 to 9999) is named."""
        if self.bits is not None:
            return bool(self.bits[line >> 3] >> (line & 7) & 1)
        if self.lines is not None:
            return line in self.lines
        return bool((self.thousands or 0) >> (line // _THOUSAND) & 1)

    def flags(self) -> bytearray:
        """Return a byte per line: 1 when it is named."""
        found = bytearray(LINES)
        if self.bits is not None:
            return unpack_bits(self.bits)
        for line in self.lines or ():
            found[line] = 1
        for thousand in range(10):
            if (self.thousands or 0) >> thousand & 1:
                found[thousand * _THOUSAND : (thousand + 1) * _THOUSAND] = _FULL_THOUSAND
        return found


def new_area() -> bytearray:
    """Return the flags of an area code without any number."""
    return bytearray(AREA_NUMBERS)


def pack_area(flags: bytes | bytearray) -> Iterator[Block]:
    """Return the exchanges of an area code that name at least one number, ascending."""
    view = memoryview(flags)
    for exchange in range(AREA_NUMBERS // LINES):
        part = bytes(view[exchange * LINES : (exchange + 1) * LINES])
        if (numbers := part.count(1)) > 0:
            yield pack(exchange, part, numbers)


def pack(exchange: int, flags: bytes | bytearray, numbers: int | None = None) -> Block:
    """Return an exchange's flags in the smallest form."""
    count = flags.count(1) if numbers is None else numbers
    if count % _THOUSAND == 0 and (thousands := _whole_thousands(bytes(flags))):
        return Block(exchange, count, thousands=thousands)
    if count < SPARSE_BELOW:
        return Block(exchange, count, lines=tuple(compress(range(LINES), flags)))
    return Block(exchange, count, bits=pack_bits(flags))


def pack_bits(flags: bytes | bytearray) -> bytes:
    """Return eight flags per byte; whole strides are shifted at once, which is as fast as memory."""
    total = 0
    for bit in range(8):
        total |= int.from_bytes(flags[bit::8], "little") << bit
    return total.to_bytes(len(flags) // 8, "little")


def unpack_bits(bits: bytes) -> bytearray:
    """Return one flag per bit."""
    ones = int.from_bytes(b"\x01" * len(bits), "little")
    whole = int.from_bytes(bits, "little")
    flags = bytearray(8 * len(bits))
    for bit in range(8):
        flags[bit::8] = (whole >> bit & ones).to_bytes(len(bits), "little")
    return flags


def count(blocks: Iterable[Block]) -> int:
    """Return how many numbers the blocks name."""
    return sum(block.numbers for block in blocks)


def _whole_thousands(flags: bytes) -> int:
    """Return a bit per full thousand, or 0 when a thousand is only partly named."""
    mask = 0
    for thousand in range(10):
        part = flags[thousand * _THOUSAND : (thousand + 1) * _THOUSAND]
        if part == _FULL_THOUSAND:
            mask |= 1 << thousand
        elif part != _NO_THOUSAND:
            return 0
    return mask
