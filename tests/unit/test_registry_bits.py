"""Bits of area codes against plain sets of numbers, and the quick way from digits to numbers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer_engine.contacts.registry.batch import seven_digits
from dialer_engine.contacts.registry.collect import mark
from dialer_engine.core.registry import (
    AREA_NUMBERS,
    BLOCK_BYTES,
    LINES,
    SPARSE_BELOW,
    Block,
    count,
    new_area,
    pack,
    pack_area,
    pack_bits,
    unpack_bits,
)

pytestmark = pytest.mark.unit

LINE_SETS = st.one_of(
    st.sets(st.integers(0, LINES - 1), max_size=50),
    st.sets(st.integers(0, 9), min_size=1).map(
        lambda thousands: {line for line in range(LINES) if line // 1000 in thousands}
    ),
    st.builds(
        lambda dice, size: set(dice.sample(range(LINES), size)),
        st.randoms(use_true_random=True),
        st.sampled_from((599, 600, 601, 5000, 9999)),
    ),
)


def flags_of(lines: set[int]) -> bytearray:
    flags = bytearray(LINES)
    for line in lines:
        flags[line] = 1
    return flags


@given(LINE_SETS)
@settings(max_examples=150, deadline=None)
def test_an_exchange_holds_exactly_the_numbers_of_the_set(lines: set[int]) -> None:
    block = pack(555, flags_of(lines))
    assert block.numbers == len(lines)
    assert {line for line in range(LINES) if block.has(line)} == lines
    assert block.flags() == flags_of(lines)


@given(LINE_SETS, st.lists(st.tuples(st.integers(0, LINES - 1), st.booleans()), max_size=40))
@settings(max_examples=60, deadline=None)
def test_changing_an_exchange_is_changing_the_set(lines: set[int], changes: list[tuple[int, bool]]) -> None:
    flags, expected = pack(200, flags_of(lines)).flags(), set(lines)
    for line, add in changes:
        flags[line] = add
        if add:
            expected.add(line)
        else:
            expected.discard(line)
    changed = pack(200, flags)
    assert {line for line in range(LINES) if changed.has(line)} == expected


def test_the_smallest_form_is_chosen() -> None:
    assert pack(1, flags_of(set(range(SPARSE_BELOW - 1)))).lines is not None
    dense = pack(1, flags_of(set(range(SPARSE_BELOW))))
    assert dense.bits is not None
    assert len(dense.bits) == BLOCK_BYTES
    assert pack(1, flags_of(set(range(3000, 5000)))).thousands == 0b11000
    assert pack(1, flags_of(set(range(LINES)))).thousands == 0b1111111111
    assert pack(1, flags_of(set(range(500, 1500)))).bits is not None


def test_bits_have_the_order_of_postgres() -> None:
    bits = pack_bits(flags_of({0, 9, 9999}))
    assert (bits[0], bits[1], bits[1249]) == (1, 2, 128)
    assert unpack_bits(bits) == flags_of({0, 9, 9999})


def test_an_area_code_is_the_union_of_its_exchanges() -> None:
    numbers = set(range(2_000_000, AREA_NUMBERS, 397)) | set(range(5_550_000, 5_560_000))
    flags = new_area()
    mark(flags, numbers)
    blocks = list(pack_area(flags))
    assert [b.exchange for b in blocks] == sorted({number // LINES for number in numbers})
    assert count(blocks) == len(numbers)
    found = {b.exchange * LINES + line for b in blocks for line in range(LINES) if b.has(line)}
    assert found == numbers


def test_an_empty_area_code_has_no_exchange() -> None:
    assert list(pack_area(new_area())) == []
    assert pack(200, bytearray(LINES)) == Block(200, 0, lines=())


@given(st.lists(st.integers(0, 9_999_999), min_size=1, max_size=500))
@settings(max_examples=100, deadline=None)
def test_columns_of_digits_become_the_same_numbers(numbers: list[int]) -> None:
    text = "".join(f"212,{number:07d}\r\n" for number in numbers).encode()
    assert list(seven_digits(text, 0, 13, tuple(range(4, 11)))) == numbers
