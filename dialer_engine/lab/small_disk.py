"""A small disk of the lab's own that can be full: a tmpfs, which only root may mount."""

from __future__ import annotations

import contextlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dialer_engine.lab.place import LabError
from dialer_engine.settings.home import public_directory

FILLER = "filler"
BLOCK = bytes(65536)
SECTOR = 512


def need_root(what: str) -> None:
    """Raise LabError when this process may not mount a disk; `what` needs it."""
    if os.geteuid() != 0:
        raise LabError(
            f"{what} needs root: it mounts a small disk; run it as root, or name other faults only"
        )


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A disk of `size` bytes at `path`, which everybody may enter."""

    path: Path
    size: int

    def mount(self) -> None:
        """Make the directory and mount the disk there. Raises LabError."""
        need_root(str(self.path))
        public_directory(self.path)
        options = f"size={self.size},mode=755"
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.path)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise LabError(f"{self.path}: no small disk could be mounted: {done.stderr.strip()}")

    def unmount(self) -> None:
        """Take the disk away, in use or not."""
        release(self.path)

    def fill(self) -> None:
        """Leave no room."""
        with (self.path / FILLER).open("ab", buffering=0) as file, contextlib.suppress(OSError):
            for size in (len(BLOCK), SECTOR):
                with contextlib.suppress(OSError):
                    while file.write(BLOCK[:size]):
                        pass

    def free(self) -> None:
        """Give the room back."""
        (self.path / FILLER).unlink(missing_ok=True)


def release(below: Path) -> None:
    """Unmount every disk at or below a directory, such as those of a lab that was killed."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        place = Path(line.split()[1].encode().decode("unicode_escape"))
        if place == below or below in place.parents:
            subprocess.run(["umount", "-l", str(place)], check=False, capture_output=True)
