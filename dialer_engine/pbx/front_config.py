"""One front on this machine: its addresses and directories, and the nodes behind it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from dialer_engine.pbx.instance import LONGEST_SOCKET, FrontAddress, NodeError, make_directories
from dialer_engine.settings.front import FrontSettings
from dialer_engine.settings.home import ServiceUser
from dialer_engine.settings.models import AsteriskSettings, Settings

READ, WRITTEN = ("etc",), ("run", "log", "spool", "state")


@dataclass(frozen=True, slots=True)
class BackNode:
    """A node as the front sees it."""

    name: str
    host: str
    port: int

    @property
    def uri(self) -> str:
        """Its SIP address."""
        return f"sip:{FrontAddress(self.host, self.port).uri_host}:{self.port}"


@dataclass(frozen=True, slots=True)
class FrontConfig:
    """Where the front lives and listens, and the nodes behind it."""

    directory: Path
    user: ServiceUser
    settings: FrontSettings
    nodes: tuple[BackNode, ...]

    title = "the front"

    def path(self, *parts: str) -> Path:
        """Return a path below the front's directory."""
        return self.directory.joinpath(*parts)

    @property
    def conf(self) -> Path:
        """Kamailio's configuration, which also marks our processes among others."""
        return self.path("etc", "kamailio.cfg")

    @property
    def dispatcher(self) -> Path:
        """The list of nodes."""
        return self.path("etc", "dispatcher.list")

    @property
    def agents(self) -> Path:
        """The table of agents' names and HA1 values."""
        return self.path("etc", "agents")

    @property
    def location(self) -> Path:
        """The file that keeps registrations over a restart."""
        return self.path("state", "location.sqlite")

    @property
    def control(self) -> Path:
        """The socket for commands to the running Kamailio."""
        return self.path("run", "control.sock")


def front_config(settings: Settings, home: Path, user: ServiceUser) -> FrontConfig:
    """Return where the front of these settings lives. Raises NodeError when they name none."""
    front = settings.front
    if front is None:
        raise NodeError("dialer.yaml has no `front`: add it (docs/operations.md, The front)")
    return FrontConfig(front.directory or home / "front", user, front, back_nodes(settings.asterisk))


def front_address(settings: FrontSettings | None) -> FrontAddress | None:
    """Return where nodes reach the front, None when there is none."""
    return FrontAddress(settings.for_nodes, settings.node_port) if settings is not None else None


def back_nodes(asterisk: AsteriskSettings) -> tuple[BackNode, ...]:
    """Return all nodes of the settings, as the front reaches them."""
    own = asterisk.node
    managed = [BackNode(own.name, own.bind, own.sip_port)] if asterisk.managed else []
    others = [
        BackNode(node.name, node.sip_host or str(urlsplit(node.ari_url).hostname), node.sip_port)
        for node in asterisk.nodes
    ]
    return (*managed, *others)


def prepare_front(config: FrontConfig) -> None:
    """Create the front's directories; refuse one too long for its socket."""
    if len(str(config.control)) > LONGEST_SOCKET:
        raise NodeError(
            f"{config.directory}: this path is too long for Kamailio's control socket "
            f"({LONGEST_SOCKET} characters at most with /run/control.sock); set front.directory to a shorter one"
        )
    make_directories(config.directory, READ, WRITTEN, config.user, "the front")
