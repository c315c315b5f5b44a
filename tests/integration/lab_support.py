"""A place for a lab of a test's own: private, reachable for the service user, gone afterwards."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dialer_engine.lab.place import Place, take_place
from dialer_engine.settings.home import home, service_user


@contextmanager
def lab_root() -> Iterator[Path]:
    """A directory with a short path that the service user may enter."""
    root = Path(tempfile.mkdtemp(prefix="dl-", dir="/tmp"))
    root.chmod(0o755)
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def lab_place() -> Iterator[Place]:
    """A place for one lab; prompts and a migrated database are made once for all tests of this machine."""
    with lab_root() as root, take_place(root, service_user(), home() / "cache" / "test-labs") as place:
        yield place


def lives(pid: int) -> bool:
    """Whether a process is there and not only waiting to be collected."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] not in ("Z", "X")


def processes_of(directory: Path) -> list[int]:
    """Every living process whose command line names the directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid() and lives(int(entry.name)):
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if os.fsencode(directory) in command:
                found.append(int(entry.name))
    return found
