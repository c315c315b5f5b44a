"""One Asterisk instance: configure it, start it detached, adopt one that runs, reload and stop it.

The instance outlives the engine on purpose: when the engine dies its calls go on, and the next engine adopts
them. It is recognised by its pid file and by its configuration file on the command line, and taken over only
when ARI answers with our password.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import structlog

from dialer_engine.core.text import one_line
from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.console import ask
from dialer_engine.pbx.files import differs, size_of
from dialer_engine.pbx.instance import (
    NodeConfig,
    NodeError,
    NodeSecrets,
    load_secrets,
    new_secrets,
    prepare_directories,
    write_private,
)
from dialer_engine.pbx.process import (
    check_ports,
    enough_space,
    host_name_problem,
    pid_file,
    running_pid,
    spawn,
    terminate,
)
from dialer_engine.pbx.reloads import note_start, outdated, owe, owe_nothing, owed, reload_commands
from dialer_engine.pbx.rtp_ports import ports_served, turn_ports
from dialer_engine.settings.handover import open_shared
from dialer_engine.settings.home import demote

__all__ = ["Node", "NodeConfig", "NodeError", "NodeSecrets"]

log = structlog.get_logger(__name__)
START_SECONDS = 60.0
"""How long Asterisk may take to serve; with a load average of 18 on two cores it took more than 15 s."""
HIGH_WATER = 500
"""Asterisk's own mark where it does not name another (AST_TASKPROCESSOR_HIGH_WATER_LEVEL)."""
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SCRIPTS = {
    path.name: path.read_bytes()
    for path in (Path(__file__).resolve().parents[2] / "agi_scripts").glob("[!.]*.py")
}
"""What the dialplan runs, as it was when this process began, like the templates."""

RELOAD_AGAIN_S = (0.0, 0.2, 0.5, 1.0, 2.0, 3.0, 4.0)
"""Asterisk reads one module's settings at a time, and turns down who asks meanwhile."""
_BUSY, _ABSENT = "reload request is already in progress", "Unable to connect to remote asterisk"


@dataclass(frozen=True, slots=True)
class TaskProcessor:
    """One of Asterisk's work queues: tasks done, waiting now, most that ever waited, and its high-water mark."""

    processed: int
    waiting: int
    most_waiting: int
    high_water: int = HIGH_WATER

    @property
    def depth(self) -> float:
        """What waits as a share of the high-water mark, above which Asterisk turns calls away."""
        return self.waiting / max(1, self.high_water)


class Node:
    """The handle on one instance; holds no connection and no child that would die with us."""

    def __init__(self, bundle: Bundle, config: NodeConfig) -> None:
        """Prepare the instance's directories and secrets; nothing is started."""
        self.bundle = bundle
        self.config = config
        prepare_directories(config)
        self.secrets = load_secrets(config)
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The pid of the running instance, or None."""
        return running_pid(self.config)

    def alive(self) -> bool:
        """Whether the instance's process lives."""
        if self._child is not None:
            self._child.poll()
        return self.pid is not None

    def render(self, files: Mapping[str, str]) -> set[str]:
        """Write the files into `etc/`, each whole or not at all, and remove others; return what changed."""
        etc = self.config.path("etc")
        changed = {name for name, text in files.items() if differs(etc / name, text)}
        stale = {path.name for path in etc.iterdir()} - set(files)
        if changed or stale:
            owe(self.config, changed | stale)
        for name in sorted(changed):
            write_private(etc / name, files[name], self.config.user)
        for name in stale:
            (etc / name).unlink()
        self._copy_scripts()
        return changed | stale

    def _copy_scripts(self) -> None:
        # Copied, because the service user may not be able to enter the directory where the project lies.
        for name, script in sorted(_SCRIPTS.items()):
            write_private(self.config.path("agi", name), script, self.config.user, 0o550)

    async def ensure_running(self) -> bool:
        """Adopt the instance when it runs (True), else start it and wait until it serves (False)."""
        problem = await asyncio.to_thread(host_name_problem)
        if problem:
            log.warning("host_name_unresolved", problem=problem)
        if self.alive():
            await self._adopt()
            ports_served(self.config)
            return True
        await asyncio.to_thread(self._start)
        await self._wait_ready()
        ports_served(self.config)
        return False

    async def _adopt(self) -> None:
        end = time.monotonic() + START_SECONDS
        answer = ""
        while self.alive():
            answer = await self._ping()
            if not answer:
                return
            if time.monotonic() > end or answer.startswith("401"):
                raise NodeError(
                    f"Asterisk {self.config.name} runs (pid {self.pid}) but its ARI at {self.config.ari_url} "
                    f"does not answer us ({answer}). If its calls may end, `kill {self.pid}` and start again."
                )
            await asyncio.sleep(0.2)
        raise NodeError(f"Asterisk {self.config.name} ended while it was being adopted; start again")

    def _start(self) -> None:
        if not self.config.conf.exists():
            raise NodeError(f"{self.config.conf}: render the configuration before starting Asterisk")
        check_ports(self.config)
        enough_space(self.config)
        turn_ports(self.config)
        note_start(self.config)
        self._console_size = size_of(self.config.path("log", "console.log"))
        self._log_size = size_of(self.config.path("log", "messages.log"))
        command = self.bundle.command("asterisk", "-f", "-C", str(self.config.conf))
        try:
            self._child = spawn(self.config, command)
        except OSError as error:
            raise NodeError(f"Asterisk {self.config.name} cannot be started: {error}") from error
        owe_nothing(self.config)

    async def _wait_ready(self) -> None:
        end = time.monotonic() + START_SECONDS
        answer = "not asked yet"
        while time.monotonic() < end:
            if self._child is not None and self._child.poll() is not None:
                raise NodeError(self._failure(f"ended at once with status {self._child.returncode}"))
            answer = await self._ping()
            if not answer and await asyncio.to_thread(self._booted):
                log.info("asterisk_started", node=self.config.name, pid=self.pid)
                return
            await asyncio.sleep(0.05)
        await self.stop(2.0)
        raise NodeError(
            self._failure(f"did not serve ARI within {START_SECONDS:g} s ({answer or 'booting'})")
        )

    async def _ping(self) -> str:
        """Ask ARI for a sign of life with our password; return '' when it gives one, else what is wrong."""
        headers = {
            "Authorization": aiohttp.encode_basic_auth(self.secrets.ari_user, self.secrets.ari_password)
        }
        timeout = aiohttp.ClientTimeout(total=2.0)
        try:
            async with (
                aiohttp.ClientSession(headers=headers, timeout=timeout) as session,
                session.get(f"{self.config.ari_url}/ari/asterisk/ping") as reply,
            ):
                return "" if reply.status == 200 else f"{reply.status} {reply.reason}"
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return str(error) or type(error).__name__

    def _booted(self) -> bool:
        return "fully booted" in self.console("core waitfullybooted").lower()

    def _failure(self, what: str) -> str:
        lines = [
            *_tail(self.config.path("log", "messages.log"), self._log_size),
            *_tail(self.config.path("log", "console.log"), self._console_size),
        ]
        shown = "\n  ".join(lines[-8:]) or "its logs are empty"
        return (
            f"Asterisk {self.config.name} {what}. Its last words:\n  {shown}\nLogs: {self.config.path('log')}"
        )

    async def stop(self, timeout_s: float = 10.0) -> None:
        """End the instance, and with it every call; after `timeout_s` seconds kill it."""
        pid = self.pid
        if pid is not None:
            await asyncio.to_thread(terminate, pid, self.config, timeout_s)
        if self._child is not None:
            await asyncio.to_thread(self._child.wait)
            self._child = None
        pid_file(self.config).unlink(missing_ok=True)

    def console(self, command: str) -> str:
        """Run one command on Asterisk's console, in a process of its own, and return its words."""
        if not one_line(command):
            raise NodeError("a console command is one line without control characters")
        try:
            done = subprocess.run(
                self.bundle.command("asterisk", "-C", str(self.config.conf), "-rx", command),
                capture_output=True,
                text=True,
                timeout=10.0,
                stdin=subprocess.DEVNULL,
                env={"PATH": "/usr/bin:/bin", "HOME": str(self.config.path("spool")), "TERM": "dumb"},
                check=False,
                **demote(self.config.user),
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NodeError(f"the console of Asterisk {self.config.name} does not answer: {error}") from error
        return done.stdout or done.stderr

    async def rotate_logs(self, limit_bytes: int = 50_000_000) -> bool:
        """Start a new log when the present one is longer than the limit; the last three old ones are kept."""
        path = self.config.path("log", "messages.log")
        if size_of(path) <= limit_bytes:
            return False
        await asyncio.to_thread(self.console, "logger rotate")
        for old in path.parent.glob("messages.log.*"):
            if int(old.suffix[1:] or 0) > 2:
                old.unlink(missing_ok=True)
        return True

    async def trim_memory(self) -> None:
        """Give memory that Asterisk has freed back to the system; after many calls that is most of it."""
        await self.ask("malloc trim")

    async def ask(self, command: str) -> str:
        """Ask the console without a process of its own; raises NodeError when it does not answer in time."""
        return await ask(self.config.path("run", "asterisk.ctl"), command)

    async def task_processors(self) -> dict[str, TaskProcessor]:
        """Return Asterisk's work queues by name; raises NodeError."""
        return parse_task_processors(await self.ask("core show taskprocessors"))

    def memory(self) -> int:
        """Return the bytes of memory that the instance holds; 0 when it does not run."""
        try:
            return int(Path(f"/proc/{self.pid}/statm").read_text("ascii").split()[1]) * _PAGE
        except (OSError, ValueError, IndexError):
            return 0

    async def reload(self, changed: Iterable[str]) -> set[str]:
        """Let the instance read changed files, calls stay up; return what of all files only a restart would apply.

        It reads those too that somebody wrote before and did not live to reload. One that does not run will read them
        as it starts. Raises NodeError when it does not take them; they stay owed.
        """
        for command in reload_commands(set(changed) | owed(self.config)):
            await self._take(command)
        if self.alive():
            owe_nothing(self.config)
        return await asyncio.to_thread(outdated, self.config)

    def owes(self) -> bool:
        """Whether the running instance has not taken all that was written."""
        return bool(owed(self.config))

    async def _take(self, command: str) -> None:
        """Say one command of a reload, again while Asterisk is at another one."""
        words = ""
        for wait_s in RELOAD_AGAIN_S:
            await asyncio.sleep(wait_s)
            words = await asyncio.to_thread(self.console, command)
            if _BUSY not in words:
                break
        else:
            raise NodeError(f"Asterisk {self.config.name} does not take {command!r}: {words.strip()}")
        if _ABSENT in words and self.alive():
            raise NodeError(f"the console of Asterisk {self.config.name} does not answer: {words.strip()}")

    async def rotate_secrets(self) -> None:
        """Make other passwords for ARI and AMI and let a running instance take them; calls stay up.

        What logged in with the old ones stays logged in. After an error part of it is done; doing it again mends it.
        """
        self.secrets = new_secrets(self.config)
        accounts = {
            "ari.conf": ("password", self.secrets.ari_password),
            "manager.conf": ("secret", self.secrets.ami_password),
        }
        owe(self.config, accounts)
        for name, (key, value) in accounts.items():
            path = self.config.path("etc", name)
            if path.exists():
                text = re.sub(rf"(?m)^{key} = .*$", f"{key} = {value}", path.read_text("utf-8"))
                write_private(path, text, self.config.user)
        if self.alive():
            await self.reload(accounts)
            await self._adopt()


def parse_task_processors(text: str) -> dict[str, TaskProcessor]:
    """Read the console's table of work queues: name, processed, in queue, most ever in queue, low and high water."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 4 and all(word.isdigit() for word in words[1:4]):
            marks = [int(word) for word in words[4:6] if word.isdigit()]
            high = marks[1] if len(marks) == 2 and marks[1] > 0 else HIGH_WATER
            found[words[0]] = TaskProcessor(int(words[1]), int(words[2]), int(words[3]), high)
    return found


def silent_contacts(text: str) -> set[str]:
    """Read the console's table of contacts: the names of those that did not answer the last OPTIONS."""
    rows = (line.split() for line in text.splitlines())
    return {row[1].split("/")[0] for row in rows if row[:1] == ["Contact:"] and "Unavail" in row[2:]}


def _tail(path: Path, start: int) -> list[str]:
    if not path.exists():
        return []
    with os.fdopen(open_shared(path, os.O_RDONLY), "rb") as file:
        file.seek(max(start, os.fstat(file.fileno()).st_size - 20_000))
        text = file.read().decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    serious = [line for line in lines if "ERROR" in line]
    return serious or lines
