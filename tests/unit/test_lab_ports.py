"""Labs of one machine never choose the same port, however early before its use they choose."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from dialer_engine.lab.ports import BIND, FIRST, LAST, PER_BLOCK, NoPorts, PortBlocks, free_ports

pytestmark = pytest.mark.unit

LOW = 4000
"""Of a range that no lab uses, so that the test meets nobody."""


@pytest.fixture
def blocks() -> Iterator[tuple[PortBlocks, PortBlocks]]:
    """Two labs in a range of two blocks."""
    both = PortBlocks(LOW, LOW + 2 * PER_BLOCK - 1), PortBlocks(LOW, LOW + 2 * PER_BLOCK - 1)
    yield both
    for one in both:
        one.close()


def test_ports_differ_between_labs_and_from_call_to_call(blocks: tuple[PortBlocks, PortBlocks]) -> None:
    first, second = blocks
    ports = [*first.take(5), *second.take(5), *first.take(5)]
    assert len(set(ports)) == 15
    assert set(ports[:5] + ports[10:]) <= set(range(LOW, LOW + PER_BLOCK))
    assert set(ports[5:10]) <= set(range(LOW + PER_BLOCK, LOW + 2 * PER_BLOCK))


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_port_in_use_is_passed_over(blocks: tuple[PortBlocks, PortBlocks], kind: int) -> None:
    with socket.socket(socket.AF_INET, kind) as user:
        taken = blocks[1].take(2)[1]
        blocks[1].close()
        user.bind((BIND, taken))
        found = blocks[0].take(PER_BLOCK - 3)
        assert taken not in found
        assert min(found) < taken < max(found)


def test_a_lab_that_needs_more_takes_another_block_and_then_there_is_none(
    blocks: tuple[PortBlocks, PortBlocks],
) -> None:
    first, second = blocks
    assert len(set(first.take(PER_BLOCK + 1))) == PER_BLOCK + 1
    with pytest.raises(NoPorts, match="belong to other labs"):
        second.take(1)
    first.close()
    assert second.take(1)[0] < LOW + PER_BLOCK


def test_another_process_gets_other_ports() -> None:
    ours = free_ports(3)
    words = "from dialer_engine.lab.ports import free_ports; print(*free_ports(3))"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    theirs = [int(port) for port in done.stdout.split()]
    assert not set(ours) & set(theirs)
    assert all(FIRST <= port <= LAST for port in (*ours, *theirs))
    assert all((a - FIRST) // PER_BLOCK != (b - FIRST) // PER_BLOCK for a in ours for b in theirs)
