"""The engine under test: `dialer run` as a process, and the dialer's commands as a person types them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dialer_engine.engine.control_client import ControlClient, EngineNotRunning
from dialer_engine.lab.place import LabError
from dialer_engine.pbx.bundle import Bundle

PROGRAM = (sys.executable, "-m", "dialer_engine")
STEP_SECONDS = 0.1
COMMAND_SECONDS = 60.0


def environment(home: Path, bundle: Bundle) -> dict[str, str]:
    """The variables for the engine and its commands: this lab's home, this machine's bundled Asterisk."""
    return os.environ | {"DIALER_HOME": str(home), "DIALER_ASTERISK_ROOT": str(bundle.root)}


@dataclass(slots=True)
class EngineProcess:
    """The engine: its home, its configuration and, once started, its process."""

    home: Path
    config: Path
    log: Path
    variables: Mapping[str, str] = field(repr=False)
    process: asyncio.subprocess.Process | None = None

    @property
    def pid_file(self) -> Path:
        """Where the lab notes the engine's pid, so that a lab that was killed can be cleaned up later."""
        return self.home / "engine.pid"

    @property
    def control(self) -> ControlClient:
        """The commands' side of the engine's socket."""
        return ControlClient(self.home / "run" / "control.sock")

    @property
    def pid(self) -> int | None:
        """The engine's pid while it runs."""
        if self.process is None or self.process.returncode is not None:
            return None
        return self.process.pid

    async def start(self, *options: str) -> None:
        """Start `dialer run` with these options, out of reach of the terminal's Ctrl-C, and return at once."""
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *PROGRAM,
                "run",
                "--config",
                str(self.config),
                *options,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self.variables),
                start_new_session=True,
            )
        self.pid_file.write_text(f"{self.process.pid}\n", "ascii")

    async def ready(self, timeout_s: float = 60.0) -> dict[str, Any]:
        """Wait until the engine dials, or could dial, and return its status."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if self.pid is None:
                raise LabError(f"the engine ended at once: {self.last_words()}")
            try:
                status = await self.control.status()
            except EngineNotRunning:
                await asyncio.sleep(STEP_SECONDS)
                continue
            if any(node["ari"] for node in status["nodes"]):
                return status
            await asyncio.sleep(STEP_SECONDS)
        raise LabError(f"the engine was not ready within {timeout_s:g} s: {self.last_words()}")

    async def run(self, *words: str, given: str = "") -> str:
        """Run one of the dialer's commands against this engine, `given` on its input; return what it prints."""
        process = await asyncio.create_subprocess_exec(
            *PROGRAM,
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(self.variables),
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(given.encode()), COMMAND_SECONDS)
        finally:
            if process.returncode is None:
                process.kill()
        text = output.decode("utf-8", "replace").strip()
        if process.returncode != 0:
            raise LabError(f"`dialer {' '.join(words)}` failed with status {process.returncode}: {text}")
        return text

    def send(self, number: signal.Signals) -> None:
        """Send the engine's process a signal; nothing happens when it has ended."""
        if self.process is not None and self.pid is not None:
            self.process.send_signal(number)

    async def kill(self) -> None:
        """Kill the engine, as a lack of memory or a power cut does."""
        if self.process is not None:
            self.send(signal.SIGKILL)
            await self.process.wait()

    async def stop(self, timeout_s: float = 15.0) -> None:
        """Let the engine drain for `timeout_s` seconds, then end it."""
        if self.process is not None:
            for number, seconds in ((signal.SIGTERM, timeout_s), (signal.SIGKILL, 5.0)):
                if self.pid is None:
                    break
                self.process.send_signal(number)
                await _wait(self.process, seconds)
        self.pid_file.unlink(missing_ok=True)

    def last_words(self) -> str:
        """The end of the engine's log."""
        text = self.log.read_text("utf-8", "replace") if self.log.exists() else ""
        return text[-1500:].strip() or f"{self.log} is empty"


async def _wait(process: asyncio.subprocess.Process, seconds: float) -> None:
    try:
        await asyncio.wait_for(process.wait(), seconds)
    except TimeoutError:
        return


def kill_left_over(pid_file: Path, config: Path) -> None:
    """End an engine that a killed lab left running; only a process that works on `config` is touched."""
    try:
        pid = int(pid_file.read_text("ascii"))
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return
    if os.fsencode(config) in arguments:
        os.kill(pid, signal.SIGKILL)
