"""The rules of `dialer firewall` in force, in a network that this process has for itself.

The host's own rules are never touched: this process leaves the host's network first. In the new one there is only
loopback, on which 127.0.0.1 is everybody who belongs here, carriers included, and the other addresses are strangers.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import socket
import struct
import subprocess
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dialer_engine.lab.place import LabError
from dialer_engine.pbx.firewall import LOOPBACK_PASSES, rules
from dialer_engine.pbx.nft_bundle import install_nft_bundle
from dialer_engine.settings.home import home
from dialer_engine.settings.load import load_config

if TYPE_CHECKING:
    from dialer_engine.lab.world import World

NEW_NETWORK = 0x40000000
"""CLONE_NEWNET of Linux's sched.h."""
SET_FLAGS, IS_UP = 0x8914, 0x1
"""SIOCSIFFLAGS and IFF_UP of Linux's sockios.h and if.h."""
LAB_PASSES = '        iif "lo" meta l4proto tcp accept\n'
"""On the lab's loopback SIP over UDP goes through the rules, as from any network; ARI and AMI do not."""
LOAD_S = 20.0
_DROPPED = re.compile(r"counter packets (\d+) bytes \d+ drop")


def enter_network() -> None:
    """Leave the host's network for an empty one with loopback alone, for good; children are in it too.

    Raises LabError when this is not allowed here, or when threads of before would stay behind.
    """
    if threading.active_count() > 1:
        raise LabError("a network of its own is for a process that has just begun")
    if ctypes.CDLL(None, use_errno=True).unshare(NEW_NETWORK) != 0:
        why = os.strerror(ctypes.get_errno())
        raise LabError(
            f"this process may not have a network of its own ({why}): run it as root with CAP_SYS_ADMIN and "
            "CAP_NET_ADMIN, in a container with `--cap-add SYS_ADMIN --cap-add NET_ADMIN`; or measure without "
            "--firewall"
        )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sh14x", b"lo", IS_UP))
        except OSError as error:
            raise LabError(f"loopback cannot be put up ({error}): CAP_NET_ADMIN is needed") from error


@dataclass(frozen=True, slots=True)
class Firewall:
    """The rules of one world, loaded into this process's network."""

    nft: tuple[str, ...]

    @classmethod
    def load(cls, world: World) -> Firewall:
        """Load what `dialer firewall` prints for this world. Raises LabError when the kernel refuses it."""
        settings = load_config(world.config).settings
        text, _ = rules(settings.asterisk.node, settings.trunks, [], lambda host: [host])
        made = cls(tuple(install_nft_bundle(home()).command("nft")))
        made._run("-f", "-", text=text.replace(LOOPBACK_PASSES, LAB_PASSES))
        return made

    def dropped(self) -> int:
        """How many packets the rules have dropped so far."""
        return sum(map(int, _DROPPED.findall(self._run("list", "table", "inet", "dialer"))))

    def _run(self, *words: str, text: str = "") -> str:
        done = subprocess.run(
            [*self.nft, *words], input=text, capture_output=True, text=True, timeout=LOAD_S, check=False
        )
        if done.returncode != 0:
            raise LabError(f"nft {' '.join(words)}: {done.stderr.strip()[:500]}")
        return done.stdout
