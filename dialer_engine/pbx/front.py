"""The front: configure Kamailio, start it detached, adopt one that runs, reload and stop it.

Like Asterisk it outlives whoever started it, and is recognised by its pid file and its configuration on the command
line.
"""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import structlog

from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.files import differs, size_of
from dialer_engine.pbx.front_bundle import location_schema
from dialer_engine.pbx.front_config import FrontConfig, prepare_front
from dialer_engine.pbx.front_render import render_agents, render_front
from dialer_engine.pbx.front_rpc import ask_front, somebody_listens
from dialer_engine.pbx.instance import NodeError, write_private
from dialer_engine.pbx.process import is_instance, pid_file, probe, running_pid, spawn, terminate
from dialer_engine.pbx.render import AgentAccount
from dialer_engine.pbx.template import RenderError
from dialer_engine.settings.handover import give, open_shared, read_shared

log = structlog.get_logger(__name__)

START_SECONDS = 15.0
CHECK_SECONDS = 20.0
LONGEST_LOG = 20_000_000
"""Bytes of Kamailio's log; it appends, so the file can be cut under it."""
SHARED_MB, PRIVATE_MB = "128", "8"
"""Memory for all of its processes together, and for each."""


class Front:
    """The handle on one front; holds no connection and no child that would die with us."""

    def __init__(self, bundle: Bundle, config: FrontConfig) -> None:
        """Prepare the front's directories; nothing is started."""
        self.bundle = bundle
        self.config = config
        prepare_front(config)
        self._child: subprocess.Popen[bytes] | None = None
        self._log_size = 0

    @property
    def pid(self) -> int | None:
        """The pid of the running Kamailio, or None."""
        return running_pid(self.config)

    def alive(self) -> bool:
        """Whether Kamailio's main process lives; its children do not live without it for long."""
        if self._child is not None:
            self._child.poll()
        return self.pid is not None

    # --- files ------------------------------------------------------------------------------------

    def render(self, agents: Sequence[AgentAccount] | None = None) -> set[str]:
        """Write the configuration, and the agents when they are known; return the names of what changed."""
        files = render_front(self.bundle, self.config)
        if agents is not None:
            files[self.config.agents.name] = render_agents(agents)
        elif not self.config.agents.exists():
            files[self.config.agents.name] = render_agents(())
        return self._write(files)

    def _write(self, files: Mapping[str, str]) -> set[str]:
        etc = self.config.path("etc")
        changed = {name for name, text in files.items() if differs(etc / name, text)}
        for name in sorted(changed):
            _write_newer(etc / name, files[name], self.config)
        return changed

    def check(self) -> None:
        """Let Kamailio itself look at the written configuration. Raises NodeError with its words."""
        try:
            done = subprocess.run(
                self._command("-c"), capture_output=True, text=True, timeout=CHECK_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NodeError(f"Kamailio cannot look at {self.config.conf}: {error}") from error
        if done.returncode != 0:
            words = [line for line in done.stderr.splitlines() if "CRITICAL" in line or "ERROR" in line]
            raise NodeError(f"{self.config.conf}: Kamailio refuses it:\n  " + "\n  ".join(words[-6:]))

    # --- life -------------------------------------------------------------------------------------

    def ensure_running(self) -> bool:
        """Adopt the front when it runs (True), else start it and wait until it answers (False)."""
        if self.alive():
            return True
        self._clear()
        probe(self.config.title, self._sockets())
        self._start()
        return False

    def _start(self) -> None:
        try:
            self._make_location()
            self._log_size = size_of(self.config.path("log", "console.log"))
            self._child = spawn(self.config, self._command("-DD", "-E"))
        except OSError as error:
            raise NodeError(f"the front cannot be started: {error}") from error
        self._wait_ready()

    def _wait_ready(self) -> None:
        end, why = time.monotonic() + START_SECONDS, "it does not answer"
        while time.monotonic() < end:
            if self._child is not None and self._child.poll() is not None:
                why = f"it ended at once with status {self._child.returncode}"
                break
            try:
                self.ask("core.uptime")
            except NodeError as error:
                why = str(error)
                time.sleep(0.05)
            else:
                log.info("front_started", pid=self.pid)
                return
        self.stop(1.0)
        raise NodeError(f"the front did not start: {why}. Its last words:\n  {self._last_words()}")

    def stop(self, timeout_s: float = 5.0) -> None:
        """End the front; calls in progress go on, but nobody can begin or properly end one meanwhile."""
        pid = self.pid
        if pid is not None:
            terminate(pid, self.config, timeout_s)
        if self._child is not None:
            self._child.wait()
            self._child = None
        self._clear()
        pid_file(self.config).unlink(missing_ok=True)

    def _clear(self) -> None:
        """End what a killed main process left behind: its children would keep the ports.

        Raises NodeError when the front runs where its processes cannot be seen.
        """
        for pid in _processes():
            if is_instance(pid, self.config):
                os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 5.0
        while any(is_instance(pid, self.config) for pid in _processes()) and time.monotonic() < end:
            time.sleep(0.02)
        if somebody_listens(self.config.control):
            raise NodeError(
                f"{self.config.control}: a front runs there that is no process here; end it where it runs, "
                "which may be another container"
            )
        self.config.control.unlink(missing_ok=True)

    def _make_location(self) -> None:
        """Make the file of registrations by Kamailio's own scripts; one that cannot be read is put aside."""
        path = self.config.location
        if path.exists() and not _sound(path):
            log.warning("registrations of before cannot be read; phones register again", file=str(path))
            path.replace(path.with_suffix(".unreadable"))
        if not path.exists():
            with closing(sqlite3.connect(":memory:")) as database:
                for script in location_schema(self.bundle):
                    database.executescript(script.read_text("utf-8"))
                write_private(path, database.serialize())
        give(path, self.config.user, 0o600)

    # --- commands ---------------------------------------------------------------------------------

    def ask(self, method: str, *parameters: str) -> Any:
        """Ask the running Kamailio. Raises NodeError."""
        return ask_front(self.config.control, method, *parameters)

    def apply(self, agents: Sequence[AgentAccount] | None, config: FrontConfig | None = None) -> set[str]:
        """Write what changed and let the front take it; calls and registrations stay. Without agents those known stay.

        `config` is another configuration to go by. Raises NodeError when the front does not take the changes; it then
        goes on by the files and the configuration of before.
        """
        before, former = self.config, self._written()
        self.config = config or before
        try:
            return self._take(agents, former)
        except (NodeError, RenderError, OSError) as error:
            self.config = before
            raise NodeError(f"{error}\n{self._go_back(former)}") from error

    def _take(self, agents: Sequence[AgentAccount] | None, former: Mapping[str, str]) -> set[str]:
        changed = self.render(agents)
        if self.config.conf.name in changed or not self.alive():
            self.check()
            probe(self.config.title, self._further_sockets(former.get(self.config.conf.name, "")))
            self.stop()
            self.ensure_running()
            return changed
        if self.config.dispatcher.name in changed:
            self.ask("dispatcher.reload")
        if self.config.agents.name in changed and agents is not None:
            self.ask("htable.reload", "agents")
            # A phone that tried too early, or with the password of before, must not wait for the end of its ban.
            self.ask("htable.flush", "failed")
            self._forget_removed(agents)
        return changed

    def _written(self) -> dict[str, str]:
        files = (self.config.conf, self.config.dispatcher, self.config.agents)
        return {path.name: path.read_text("utf-8") for path in files if path.exists()}

    def _go_back(self, former: Mapping[str, str]) -> str:
        """Write the files of before, let the front run by them, and return in words what became of that.

        No port is probed: of a front that was only adopted the files are known, not the settings.
        """
        try:
            self._write(former)
            if not self.alive():
                self._clear()
                self._start()
        except (NodeError, OSError) as error:
            return f"Nor does the front start as it was before: {error}"
        return "The front goes on as it was before."

    def _forget_removed(self, agents: Sequence[AgentAccount]) -> None:
        names = {agent.name for agent in agents}
        for name in self.registered().keys() - names:
            self.ask("ul.rm", "location", name)

    def registered(self) -> dict[str, str]:
        """Return the agents whose phones are registered, with the address of each. Raises NodeError."""
        return _contacts(self.ask("ul.dump"))

    def nodes(self) -> dict[str, bool]:
        """Return each node's SIP address, and whether it answers. Raises NodeError."""
        return _targets(self.ask("dispatcher.list"))

    def shorten_log(self, limit_bytes: int = LONGEST_LOG) -> bool:
        """Begin Kamailio's log anew when it is longer than the limit; the last part of it is kept beside it."""
        path = self.config.path("log", "console.log")
        if size_of(path) <= limit_bytes:
            return False
        with os.fdopen(open_shared(path, os.O_RDWR), "r+b") as file:
            file.seek(max(0, size_of(path) - limit_bytes))
            write_private(path.with_name("console.log.0"), file.read().decode("utf-8", "replace"))
            file.truncate(0)
        return True

    # --- the rest ---------------------------------------------------------------------------------

    def _command(self, *more: str) -> list[str]:
        config = self.config
        places = ("-f", str(config.conf), "-w", str(config.path("spool")), "-Y", str(config.path("run")))
        memory = ("-m", SHARED_MB, "-M", PRIVATE_MB)
        return self.bundle.command("kamailio", *places, *memory, *more)

    def _sockets(self) -> list[tuple[str, str, int, socket.SocketKind]]:
        front = self.config.settings
        return [
            ("front.sip_port", front.bind, front.sip_port, socket.SOCK_DGRAM),
            ("front.sip_port", front.bind, front.sip_port, socket.SOCK_STREAM),
            ("front.node_port", front.for_nodes, front.node_port, socket.SOCK_DGRAM),
        ]

    def _further_sockets(self, conf: str) -> list[tuple[str, str, int, socket.SocketKind]]:
        """Return those that the front does not have by this text of its configuration."""
        protocols = {socket.SOCK_DGRAM: "udp", socket.SOCK_STREAM: "tcp"}
        return [
            (setting, address, port, kind)
            for setting, address, port, kind in self._sockets()
            if f"listen = {protocols[kind]}:{address}:{port} " not in conf
        ]

    def _last_words(self) -> str:
        descriptor = open_shared(self.config.path("log", "console.log"), os.O_RDONLY)
        with os.fdopen(descriptor, "rb") as file:
            file.seek(self._log_size)
            lines = file.read(100_000).decode("utf-8", "replace").splitlines()
        serious = [line for line in lines if "CRITICAL" in line or "ERROR" in line]
        return "\n  ".join((serious or lines)[-8:]) or "none"


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _contacts(dump: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for domain in dump.get("Domains", []) if isinstance(dump, dict) else []:
        for entry in domain["Domain"].get("AoRs", []):
            info = entry["Info"]
            contacts = [each["Contact"] for each in info.get("Contacts", [])]
            if contacts:
                received = contacts[-1].get("Received") or contacts[-1]["Address"]
                found[str(info["AoR"])] = str(received).removeprefix("sip:")
    return found


def _targets(listed: Any) -> dict[str, bool]:
    found: dict[str, bool] = {}
    for entry in listed.get("RECORDS", []) if isinstance(listed, dict) else []:
        for target in entry["SET"]["TARGETS"]:
            flags = str(target["DEST"]["FLAGS"])
            found[str(target["DEST"]["URI"])] = flags[:1] in ("A", "T")
    return found


def _write_newer(path: Path, text: str, config: FrontConfig) -> None:
    """Write a file and make it at least a second younger than it was: by that Kamailio sees that a table changed."""
    before = int(path.stat().st_mtime) if path.exists() else 0
    write_private(path, text, config.user)
    if int(path.stat().st_mtime) <= before:
        os.utime(path, (before + 1, before + 1), follow_symlinks=False)


def _sound(path: Path) -> bool:
    """Whether a database can be read, by a copy: SQLite itself would follow links and write what a crash left over."""
    with tempfile.TemporaryDirectory(prefix="front-") as directory:
        for each in (path, path.with_name(f"{path.name}-journal")):
            if each.exists():
                Path(directory, each.name).write_bytes(read_shared(each))
        return _reads(Path(directory, path.name))


def _reads(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path)) as database:
            return bool(database.execute("pragma quick_check").fetchone() == ("ok",))
    except sqlite3.DatabaseError:
        return False
