"""The operating system's side of an Asterisk, or of the front: start it detached, find it, end it, probe ports."""

import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from dialer_engine.pbx.instance import NodeConfig, NodeError
from dialer_engine.settings.handover import Refused, open_shared, read_shared
from dialer_engine.settings.home import ServiceUser, demote

Wanted = tuple[str, str, int, socket.SocketKind]
"""A setting's name, and the address, port and kind of socket it asks for."""
_MOST_FILES = 65536
# The shell only raises the limit and is then replaced, so the pid is Asterisk's own.
_RAISE_LIMIT = 'ulimit -n "$0" 2>/dev/null; exec "$@"'


class Instance(Protocol):
    """What is started detached and found again: by its pid file, and its configuration on the command line."""

    @property
    def title(self) -> str:
        """Its name for people."""

    @property
    def directory(self) -> Path:
        """Where it keeps its files."""

    @property
    def user(self) -> ServiceUser:
        """As whom it runs."""

    @property
    def conf(self) -> Path:
        """The configuration file that stands on its command line."""

    def path(self, *parts: str) -> Path:
        """Return a path below its directory."""


def spawn(config: Instance, command: list[str]) -> subprocess.Popen[bytes]:
    """Start it in a session of its own, so that neither our death nor a Ctrl-C of ours ends it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    append, anew = os.O_WRONLY | os.O_CREAT | os.O_APPEND, os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with (
        os.fdopen(open_shared(config.path("log", "console.log"), append, 0o640), "ab") as log,
        os.fdopen(open_shared(pid_file(config), anew, 0o640), "wb") as noted,
    ):
        process = subprocess.Popen(
            ["/bin/sh", "-c", _RAISE_LIMIT, str(files), *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=config.directory,
            start_new_session=True,
            env=_environment(config),
            **demote(config.user),
        )
        noted.write(b"%d\n" % process.pid)
    return process


def _environment(config: Instance) -> dict[str, str]:
    # Nothing of the caller's environment may reach Asterisk and its scripts but these.
    return {"PATH": "/usr/bin:/bin", "HOME": str(config.path("spool")), "LANG": "C.UTF-8", "TZ": "UTC"}


def pid_file(config: Instance) -> Path:
    """The file that names the running process, written by us and not by Asterisk."""
    return config.path("node.pid")


def running_pid(config: Instance) -> int | None:
    """Return the pid of this instance's living process, else None; Asterisk's own pid file serves as well."""
    for path in (pid_file(config), config.path("run", "asterisk.pid")):
        try:
            pid = int(read_shared(path))
        except (FileNotFoundError, ValueError, Refused):
            continue
        if is_instance(pid, config):
            return pid
    return None


def is_instance(pid: int, config: Instance) -> bool:
    """Whether `pid` is a living process that was started with this instance's configuration file."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        status = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return False
    zombie = status.rpartition(")")[2].split()[:1] in (["Z"], ["X"])
    return not zombie and os.fsencode(config.conf) in arguments


def terminate(pid: int, config: Instance, timeout_s: float) -> None:
    """Ask the instance to end and, when it has not after `timeout_s` seconds, kill it."""
    for number, seconds in ((signal.SIGTERM, timeout_s), (signal.SIGKILL, 5.0)):
        if not is_instance(pid, config):
            return
        os.kill(pid, number)
        if _gone(pid, config, seconds):
            return
    raise NodeError(f"{config.title} (pid {pid}) does not end, not even killed; is its disk hanging?")


def end_running(config: Instance, timeout_s: float) -> bool:
    """End the instance as `terminate` does, if it runs; return whether it ran."""
    pid = running_pid(config)
    if pid is not None:
        terminate(pid, config, timeout_s)
    pid_file(config).unlink(missing_ok=True)
    return pid is not None


def _gone(pid: int, config: Instance, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while is_instance(pid, config):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def check_ports(config: NodeConfig) -> None:
    """Raise NodeError, naming port and setting, when a port that Asterisk needs is taken."""
    wanted: tuple[Wanted, ...] = (
        ("asterisk.node.http_port", config.control_bind, config.http_port, socket.SOCK_STREAM),
        ("asterisk.node.ami_port", config.control_bind, config.ami_port, socket.SOCK_STREAM),
        ("asterisk.node.sip_port", config.bind, config.sip_port, socket.SOCK_DGRAM),
        ("asterisk.node.sip_port", config.bind, config.sip_port, socket.SOCK_STREAM),
    )
    probe(f"Asterisk {config.name}", wanted)


def probe(title: str, wanted: Iterable[Wanted]) -> None:
    """Raise NodeError, naming port and setting, when one of these cannot be listened on."""
    for setting, address, port, kind in wanted:
        reason = _cannot_bind(address, port, kind)
        if reason:
            protocol = "TCP" if kind is socket.SOCK_STREAM else "UDP"
            raise NodeError(
                f"{title} cannot listen on {address} {protocol} port {port}: {reason}. "
                f"Free the port, or set {setting} (here {port}) to another one."
            )


def _cannot_bind(address: str, port: int, kind: socket.SocketKind) -> str:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as tried:
        if kind is socket.SOCK_STREAM:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((address, port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def host_name_problem() -> str | None:
    """Return what to do when this machine cannot resolve its own name, which stalls Asterisk; else None."""
    name = socket.gethostname()
    try:
        socket.getaddrinfo(name, None)
    except OSError as error:
        return (
            f"this machine's own name {name!r} does not resolve ({error}): Asterisk then stalls for seconds "
            f"at every call. Add the line '127.0.1.1 {name}' to /etc/hosts."
        )
    return None


def enough_space(config: NodeConfig, bytes_needed: int = 50_000_000) -> None:
    """Raise NodeError when the instance's disk has less than `bytes_needed` left."""
    free = shutil.disk_usage(config.directory).free
    if free < bytes_needed:
        raise NodeError(
            f"{config.directory}: only {free // 1_000_000} MB left on this disk; Asterisk needs "
            f"{bytes_needed // 1_000_000} MB for logs and opt-out records. Free some space."
        )
