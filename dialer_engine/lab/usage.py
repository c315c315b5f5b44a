"""What processes use: CPU seconds and memory, read from /proc by pid; and how busy the whole machine is."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
FAMILIES = ("Postgres", "front")
PAGE = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """User and system CPU seconds of a process so far; 0.0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


@dataclass(frozen=True, slots=True)
class Busy:
    """The machine's ticks of all CPUs so far: those in which something ran, and all."""

    ran: int
    all: int

    @classmethod
    def read(cls) -> Busy:
        """Read /proc/stat; waiting for a disk counts as idle, time that other machines had as busy."""
        line = Path("/proc/stat").read_text("ascii").partition("\n")[0]
        user, nice, system, idle, waiting, *rest = map(int, line.split()[1:9])
        ran = user + nice + system + sum(rest)
        return cls(ran, ran + idle + waiting)

    def since(self, earlier: Busy) -> float:
        """The share of all CPUs that was busy since an earlier reading, 0.0 to 1.0."""
        return (self.ran - earlier.ran) / max(1, self.all - earlier.all)


def tree_cpu_seconds(pid: int) -> float:
    """CPU seconds of a process and of its living children, such as Postgres and its sessions."""
    return cpu_seconds(pid) + sum(cpu_seconds(child) for child in children(pid))


def children(pid: int) -> list[int]:
    """The pids of the living children of a process."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _parent(entry) == pid:
            found.append(int(entry.name))
    return found


def _parent(entry: Path) -> int | None:
    try:
        return int((entry / "stat").read_text("ascii", "replace").rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return None


def rss_bytes(pid: int) -> int:
    """Resident memory of a process in bytes, a multiple of a page; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * PAGE
    except (OSError, IndexError, ValueError):
        return 0


def rss_mb(pid: int) -> float:
    """Resident memory of a process in megabytes; 0.0 when it is gone."""
    return round(rss_bytes(pid) / 1_000_000, 1)


def threads(pid: int) -> int:
    """How many threads a process has; 0 when it is gone."""
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return 0


def descriptors(pid: int) -> int:
    """How many files, sockets and pipes a process has open; 0 when it is gone."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


@dataclass(frozen=True, slots=True)
class Meter:
    """CPU seconds of some processes at one moment."""

    at: float
    seconds: Mapping[str, float]

    @classmethod
    def read(cls, pids: Mapping[str, int | None]) -> Meter:
        """Read the meters of the named processes now; those named in FAMILIES count with their children."""
        used = {
            name: (tree_cpu_seconds if name in FAMILIES else cpu_seconds)(pid)
            for name, pid in pids.items()
            if pid is not None
        }
        return cls(time.monotonic(), used)

    def since(self, earlier: Meter) -> dict[str, float]:
        """CPU seconds used by each process since an earlier reading."""
        return {name: used - earlier.seconds.get(name, 0.0) for name, used in self.seconds.items()}

    def shares(self, earlier: Meter) -> dict[str, float]:
        """The share of one CPU that each process had since an earlier reading; 1.0 is a whole CPU."""
        span = max(0.001, self.at - earlier.at)
        return {name: round(used / span, 2) for name, used in self.since(earlier).items()}
