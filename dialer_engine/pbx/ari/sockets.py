"""Sockets that deliver a command soon or never: a call that arrives late would pass the trunk's calls per second.

A network that comes back delivers what the kernel still holds, even for a socket that was closed meanwhile: with the
ordinary settings up to a quarter of an hour later.
"""

from __future__ import annotations

import socket
import struct

from aiohttp.connector import AddrInfoType

UNDELIVERED_S = 5.0
"""What the other machine has not acknowledged for so many seconds ends the connection and is thrown away."""
_AT_ONCE = struct.pack("ii", 1, 0)


def open_socket(address: AddrInfoType) -> socket.socket:
    """Return a TCP socket for an address that, once closed or without an acknowledgement, sends nothing again."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNDELIVERED_S * 1000))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    return made
