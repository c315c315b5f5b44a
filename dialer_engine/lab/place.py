"""Where a lab lives: a private directory, free ports, and the lock that keeps two labs apart."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dialer_engine.lab.ports import BIND, free_ports
from dialer_engine.pbx.node import NodeConfig
from dialer_engine.settings.home import ServiceUser, public_directory

SLOTS = 4
RTP_BASE = 10000
RTP_PER_LAB = 5600
RTP_PER_NODE = 1400


class LabError(Exception):
    """The lab cannot be set up or used; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """One lab's directory, the slot that tells its RTP ports from others', its services' user.

    `shared` is a directory for what takes seconds to make and is the same in every lab: it outlives them.
    """

    directory: Path
    slot: int
    user: ServiceUser
    shared: Path

    @property
    def log(self) -> Path:
        """Where the lab keeps logs of its own."""
        return self.directory / "log"

    def node(
        self, name: str, index: int, directory: Path | None = None, *, part: tuple[int, int] = (0, 1)
    ) -> NodeConfig:
        """The addresses of the lab's Asterisk number `index`, all on loopback and free now.

        Several with the same index share its RTP ports: `part` is which share of how many.
        """
        sip, http, ami = free_ports(3)
        share = RTP_PER_NODE // part[1]
        rtp = RTP_BASE + self.slot * RTP_PER_LAB + index * RTP_PER_NODE + part[0] * share
        return NodeConfig(
            name=name,
            directory=directory or self.directory / name,
            user=self.user,
            bind=BIND,
            sip_port=sip,
            http_port=http,
            ami_port=ami,
            rtp_start=rtp,
            rtp_end=rtp + share - 1,
        )


@contextmanager
def take_place(root: Path, user: ServiceUser, shared: Path | None = None) -> Iterator[Place]:
    """Take the first slot below `root` that no other living lab holds, and keep it while in use.

    Labs share what is in `shared`, by default the root itself.
    """
    public_directory(root)
    with ExitStack() as stack:
        for slot in range(SLOTS):
            lock = os.open(root / f".lock{slot}", os.O_RDWR | os.O_CREAT, 0o644)
            stack.callback(os.close, lock)
            if _locked(lock):
                yield Place(root / f"lab{slot}", slot, user, shared or root)
                return
    raise LabError(f"{root}: {SLOTS} labs run here already; wait for one to end, or set another DIALER_HOME")


def empty(place: Place) -> None:
    """Remove what an earlier lab left in the directory and make it anew."""
    if place.directory.exists():
        shutil.rmtree(place.directory)
    public_directory(place.log)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
