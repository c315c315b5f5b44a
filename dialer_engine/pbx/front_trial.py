"""A trial of the front: Kamailio started for a moment, to find what its own check passes over.

`kamailio -c` reads a configuration and looks at its values, but opens no port and starts no module.
"""

from __future__ import annotations

import socket
import tempfile
from dataclasses import replace
from pathlib import Path

from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.front import Front
from dialer_engine.pbx.front_config import FrontConfig
from dialer_engine.pbx.instance import NodeError


def try_front(bundle: Bundle, config: FrontConfig) -> None:
    """Check such a front, and start and stop it in a directory of its own on free ports of its addresses.

    One that runs is not disturbed. Raises NodeError with the reason or Kamailio's words.
    """
    settings = config.settings
    sip_port = _free_port(settings.bind, "front.bind")
    ports = {"sip_port": sip_port, "node_port": _free_port(settings.for_nodes, "front.node_bind", sip_port)}
    with tempfile.TemporaryDirectory(prefix="front-", dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        moved = replace(config, directory=Path(directory), settings=settings.model_copy(update=ports))
        front = Front(bundle, moved)
        front.render()
        front.check()
        try:
            front.ensure_running()
        finally:
            front.stop()


def _free_port(address: str, setting: str, taken: int = 0) -> int:
    """Return a port other than `taken` that is free for UDP and TCP. Raises NodeError for a foreign address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        while True:
            with socket.socket(family, socket.SOCK_DGRAM) as udp, socket.socket(family) as tcp:
                udp.bind((address, 0))
                port = int(udp.getsockname()[1])
                try:
                    tcp.bind((address, port))
                except OSError:
                    continue
                if port != taken:
                    return port
    except OSError as error:
        reason = error.strerror or str(error)
        raise NodeError(
            f"the front cannot listen on {address}: {reason}. Set {setting} to an address of this machine."
        ) from error
