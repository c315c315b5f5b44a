"""Which server works in a data directory: its pid file, checked against the process itself."""

import os
from dataclasses import dataclass
from pathlib import Path


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
    """Tell whether a server works in `data` and takes connections."""
    found = read(data)
    return found is not None and found.ready


def drop_stale(data: Path) -> None:
    """Remove a pid file whose process id now belongs to something else: Postgres would refuse to start."""
    path = data / "postmaster.pid"
    try:
        pid = int(path.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return
    if _alive(pid) and not _works_in(pid, data):
        path.unlink(missing_ok=True)


def _works_in(pid: int, data: Path) -> bool:
    """Postgres makes its data directory its working directory, which no other program does."""
    try:
        return Path(os.readlink(f"/proc/{pid}/cwd")) == data.resolve()
    except OSError:
        return False


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
