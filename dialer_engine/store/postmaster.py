"""Which server works in a data directory: its pid file, checked against the process itself."""

import os
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path

CHILDREN_GRACE_S = 10.0
ANSWER_TIMEOUT_S = 5.0
SSL_REQUEST = struct.pack("!ii", 8, 80877103)


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A running server: its process id, socket directory and port number."""

    pid: int
    socket: str
    port: int
    ready: bool


def read(data: Path) -> Postmaster | None:
    """Return the server that works in `data`, or None when there is none."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        found = Postmaster(int(lines[0]), lines[4], int(lines[3]), lines[7].strip() == "ready")
    except (OSError, ValueError, IndexError):
        return None
    return found if _works_in(found.pid, data) else None


def ready(data: Path) -> bool:
    """Tell whether a server works in `data` and answers: one that was just killed does not."""
    found = read(data)
    return found is not None and found.ready and _answers(found)


def _answers(server: Postmaster) -> bool:
    """Ask the server for TLS, which it answers with one letter before any login."""
    with socket.socket(socket.AF_UNIX) as asked:
        asked.settimeout(ANSWER_TIMEOUT_S)
        try:
            asked.connect(f"{server.socket}/.s.PGSQL.{server.port}")
            asked.sendall(SSL_REQUEST)
            return asked.recv(1) in (b"N", b"S")
        except OSError:
            return False


def drop_stale(data: Path, sockets: Path) -> None:
    """Remove lock files that a killed server left: Postgres refuses to start when their process id is in use.

    They are kept while any process works in `data`: a killed server's children may still write there, and the
    files are how Postgres knows.
    """
    deadline = time.monotonic() + CHILDREN_GRACE_S
    while _anybody_in(data):
        if time.monotonic() > deadline:
            return
        time.sleep(0.05)
    for path in (data / "postmaster.pid", *sockets.glob(".s.PGSQL.*")):
        path.unlink(missing_ok=True)


def _anybody_in(data: Path) -> bool:
    return any(_works_in(int(path.name), data) for path in Path("/proc").iterdir() if path.name.isdigit())


def _works_in(pid: int, data: Path) -> bool:
    """Postgres and its children make the data directory their working directory; no other program does."""
    try:
        return Path(os.readlink(f"/proc/{pid}/cwd")) == data.resolve()
    except OSError:
        return False
