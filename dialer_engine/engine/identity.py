"""By what name the engines of one home own the lease: nobody else has it who does not see the same lock.

An engine takes over at once from an earlier one of its home, because the lock of the home proves that one dead. Host
name and path prove nothing: two machines may have both in common, as with the same compose file they do, and copied
homes or machines every file. So the name has a sign of the home, kept beside its lock, and of the kernel that runs,
which keeps the lock. After a reboot the sign is another one: an earlier lease has run out by then.
"""

import contextlib
import hashlib
import os
import secrets
import socket
from pathlib import Path

from dialer_engine.settings.home import unwritable

BOOT = Path("/proc/sys/kernel/random/boot_id")
MACHINE = Path("/etc/machine-id")
"""In the place of BOOT, where that cannot be read."""
SIGN = 12
"""Hexadecimal digits of the sign, enough to tell the homes on one database apart."""


def owner_name(home: Path) -> str:
    """Return host and home for people, and the sign. Raises HomeError when the home cannot keep its part of it."""
    sign = hashlib.sha256(f"{_home_id(home)} {_machine()}".encode()).hexdigest()[:SIGN]
    return f"{socket.gethostname()}:{home} #{sign}"


def _home_id(home: Path) -> str:
    file = home / "run" / "engine-id"
    try:
        if not file.exists():
            _make(file)
        return file.read_text("ascii", "replace")
    except OSError as error:
        raise unwritable(file, error) from error


def _make(file: Path) -> None:
    """Write a random id whole or not at all; of engines that come at once, all have what the first one wrote."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    with fresh.open("w", encoding="ascii") as out:
        out.write(f"{secrets.token_hex(16)}\n")
        out.flush()
        os.fsync(out.fileno())
    with contextlib.suppress(FileExistsError):
        file.hardlink_to(fresh)
    fresh.unlink()


def _machine() -> str:
    for place in (BOOT, MACHINE):
        with contextlib.suppress(OSError):
            return place.read_text("ascii", "replace")
    return ""
