"""The sockets towards ARI: what they could not deliver while they were open is never delivered."""

import contextlib
import socket

import pytest

from dialer_engine.pbx.ari.sockets import open_socket

pytestmark = pytest.mark.unit

BLOCK = b"x" * 65536


def filled(listening: socket.socket, made: socket.socket) -> tuple[socket.socket, int]:
    """Connect and write to a program that reads nothing, until nothing more is taken; how many bytes were."""
    made.connect(listening.getsockname())
    far, _ = listening.accept()
    made.setblocking(False)
    written = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            written += made.send(BLOCK)
    return far, written


def read_all(far: socket.socket) -> tuple[int, bool]:
    """How many bytes come, and whether the end is a reset."""
    came = 0
    far.settimeout(10.0)
    try:
        while data := far.recv(1 << 20):
            came += len(data)
    except ConnectionResetError:
        return came, True
    return came, False


def test_a_closed_socket_delivers_nothing_more() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", listening.getsockname())
        far, written = filled(listening, made := open_socket(address))
        made.close()
        came, reset = read_all(far)
        far.close()
        assert reset
        assert came < written
        far, written = filled(listening, ordinary := socket.socket())
        ordinary.close()
        assert read_all(far) == (written, False), "an ordinary one goes on after it was closed"
        far.close()


def test_a_connection_ends_when_nothing_is_acknowledged_for_some_seconds() -> None:
    made = open_socket((socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", 9)))
    assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 5000
    made.close()
