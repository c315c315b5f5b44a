"""One Asterisk instance on this machine: its addresses, directories and secrets."""

import ipaddress
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from dialer_engine.settings.handover import give, give_open, lend
from dialer_engine.settings.home import ServiceUser, public_directory

READ = ("etc", "agi")
"""What Asterisk only reads: it stays with whoever writes it."""
WRITTEN = ("run", "log", "spool", "lib", "lib/keys", "journal", "journal/optout")
"""What Asterisk writes: it is the service user's."""
LONGEST_SOCKET = 100
"""Characters of a socket's path; Linux allows 107 bytes."""
DUTY_EXTENSION = "100"
"""What an agent's phone calls to go on duty."""


class NodeError(Exception):
    """An Asterisk instance cannot be started, adopted or stopped; the text gives place and remedy."""


@dataclass(frozen=True, slots=True)
class FrontAddress:
    """Where the front's side for nodes is; agents' phones are reached through it and by no other way."""

    host: str
    port: int

    @property
    def uri_host(self) -> str:
        """The address as it stands in SIP, with brackets when it is IPv6."""
        return f"[{self.host}]" if ":" in self.host else self.host


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """Where an instance lives and listens; ports are those of this machine, `bind` carries SIP and RTP.

    ARI and AMI listen on `control_bind`, which is loopback unless another machine must reach them; then only the
    networks of `control_permit` and this machine itself may.
    """

    name: str
    directory: Path
    user: ServiceUser
    bind: str = "127.0.0.1"
    sip_port: int = 5060
    http_port: int = 8088
    ami_port: int = 5038
    rtp_start: int = 10000
    rtp_end: int = 11999
    external_address: str | None = None
    local_networks: tuple[str, ...] = ()
    control_bind: str = "127.0.0.1"
    control_permit: tuple[str, ...] = ()
    tls_port: int = 5061
    app: str = "dialer"
    front: FrontAddress | None = None

    @property
    def title(self) -> str:
        """Its name for people."""
        return f"Asterisk {self.name}"

    def path(self, *parts: str) -> Path:
        """Return a path below the instance's directory."""
        return self.directory.joinpath(*parts)

    @property
    def conf(self) -> Path:
        """The main configuration file, which also marks our process among others."""
        return self.path("etc", "asterisk.conf")

    @property
    def ari_url(self) -> str:
        """The base address of ARI, for this machine."""
        return ari_address(self.control_host, self.http_port)

    @property
    def control_host(self) -> str:
        """The address at which this machine itself reaches ARI and AMI."""
        bind = ipaddress.ip_address(self.control_bind)
        if not bind.is_unspecified:
            return self.control_bind
        return "127.0.0.1" if bind.version == 4 else "::1"

    @property
    def optout_journal(self) -> Path:
        """The directory into which the opt-out script writes."""
        return optout_journal(self.directory)


def node_directories(home: Path) -> list[Path]:
    """Return the directory of every instance that DIALER_HOME ever had, by whatever name."""
    return [place for place in sorted(home.glob("nodes/*")) if place.is_dir()]


def optout_journal(directory: Path) -> Path:
    """The directory into which the opt-out script of an instance in `directory` writes."""
    return directory / "journal" / "optout"


@dataclass(frozen=True, slots=True)
class NodeSecrets:
    """The generated accounts with which the engine logs in to the instance."""

    ari_password: str = field(repr=False)
    ami_password: str = field(repr=False)
    ari_user: str = "engine"
    ami_user: str = "engine"


def ari_address(host: str, port: int) -> str:
    """Return the base address of the ARI at a host."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def prepare_directories(config: NodeConfig) -> None:
    """Create the instance's directories; refuse one too long for its socket."""
    if len(str(config.path("run", "asterisk.ctl"))) > LONGEST_SOCKET:
        raise NodeError(
            f"{config.directory}: this path is too long for Asterisk's console socket "
            f"({LONGEST_SOCKET} characters at most with /run/asterisk.ctl); set a shorter DIALER_HOME"
        )
    make_directories(config.directory, READ, WRITTEN, config.user, "Asterisk")


def make_directories(
    root: Path, read: Iterable[str], written: Iterable[str], user: ServiceUser, whom: str
) -> None:
    """Create a service's directories below `root`: its user owns those `written`, and may enter those `read`.

    A root engine keeps `root` itself, so nothing in it can be exchanged for a link. Raises NodeError with the place.
    """
    try:
        public_directory(root.parent)
        root.mkdir(mode=0o750, exist_ok=True)
        lend(root, user, 0o750)
        for hand, names in ((lend, read), (give, written)):
            for name in names:
                (root / name).mkdir(mode=0o750, exist_ok=True)
                hand(root / name, user, 0o750)
    except OSError as error:
        raise NodeError(f"{error.filename}: cannot be prepared for {whom} ({error.strerror})") from error


def load_secrets(config: NodeConfig) -> NodeSecrets:
    """Return the instance's passwords, made on first use and kept in a file of the engine's user alone."""
    path = config.path("secrets.json")
    try:
        return NodeSecrets(**json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return _new_secrets(path)
    except (ValueError, TypeError) as error:
        raise NodeError(
            f"{path}: cannot be read ({error}). Stop Asterisk, delete the file and start again."
        ) from error


def new_secrets(config: NodeConfig) -> NodeSecrets:
    """Make other passwords and keep them in place of the present ones; Asterisk itself is not told."""
    return _new_secrets(config.path("secrets.json"))


def _new_secrets(path: Path) -> NodeSecrets:
    made = NodeSecrets(ari_password=secrets.token_hex(24), ami_password=secrets.token_hex(24))
    write_private(path, json.dumps(asdict(made), indent=1) + "\n")
    return made


def write_private(
    path: Path, content: str | bytes, user: ServiceUser | None = None, mode: int = 0o600
) -> None:
    """Write a file at once or not at all, owned by `user` (default: whoever we are), through no link.

    Raises NodeError with the place.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
            if user is not None:
                give_open(file.fileno(), user, mode)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise NodeError(f"{path}: cannot be written ({error.strerror})") from error
