"""A place for a lab of a test's own: private, reachable for the service user, gone afterwards."""

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
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


@contextmanager
def killed_after(seconds: float, kill: Callable[[], object]) -> Iterator[None]:
    """Kill a child when the block fails or takes longer: a read of what it prints then comes to its end."""
    timer = threading.Timer(seconds, kill)
    timer.start()
    try:
        yield
    except BaseException:
        kill()
        raise
    finally:
        timer.cancel()


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
