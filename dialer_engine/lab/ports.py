"""Ports on loopback that no other lab of this machine uses, although nothing listens on them yet.

Minutes can pass between choosing a port and the start of what listens on it, and several labs may start at once. So
ports come in blocks, below the range from which the kernel takes ports for connections, and a block belongs to one
process: it holds an abstract socket of the block's name, which ends with the process.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import dataclass, field

FIRST, LAST = 5120, 9983
PER_BLOCK = 32
BIND = "127.0.0.1"


class NoPorts(OSError):
    """Every block belongs to another process of this machine."""


@dataclass(slots=True)
class PortBlocks:
    """The blocks of one process."""

    first: int = FIRST
    last: int = LAST
    _held: list[socket.socket] = field(default_factory=list)
    _ports: list[int] = field(default_factory=list)
    _next: int = 0

    def take(self, count: int) -> list[int]:
        """Return `count` ports free for TCP and UDP, the longest unused ones first. Raises NoPorts."""
        found: list[int] = []
        seen = 0
        with ExitStack() as stack:
            while len(found) < count:
                if seen == len(self._ports):
                    self._hold_another()
                port = self._ports[self._next % len(self._ports)]
                self._next, seen = self._next + 1, seen + 1
                if _free(port, stack):
                    found.append(port)
        return found

    def _hold_another(self) -> None:
        """Add a block that no other process has; it is used next."""
        for begin in range(self.first, self.last + 2 - PER_BLOCK, PER_BLOCK):
            sign = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                sign.bind(f"\0dialer-lab-ports-{begin}")
            except OSError:
                sign.close()
                continue
            self._held.append(sign)
            self._next = len(self._ports)
            self._ports.extend(range(begin, begin + PER_BLOCK))
            return
        raise NoPorts(f"all ports from {self.first} to {self.last} belong to other labs; end some of them")

    def close(self) -> None:
        """Give the blocks back."""
        for sign in self._held:
            sign.close()
        self._held.clear()
        self._ports.clear()


_blocks = PortBlocks()


def free_ports(count: int) -> list[int]:
    """Return `count` ports of this process that are free on loopback for TCP and UDP. Raises NoPorts."""
    return _blocks.take(count)


def _free(port: int, stack: ExitStack) -> bool:
    try:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            stack.enter_context(socket.socket(socket.AF_INET, kind)).bind((BIND, port))
    except OSError:
        return False
    return True
