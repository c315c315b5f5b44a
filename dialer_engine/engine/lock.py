"""One master of the bundled Asterisk per DIALER_HOME: a lock that the kernel gives back when its holder dies.

The master is an engine or, on a machine that only lends its Asterisk, a node runner; never both.
"""

from __future__ import annotations

import fcntl
import os
import signal
from pathlib import Path
from typing import IO, Literal

from dialer_engine.settings.home import unwritable

Kind = Literal["engine", "node", "command"]
_KINDS: dict[str, Kind] = {"engine": "engine", "node": "node", "command": "command"}

_RUNS: dict[Kind, str] = {
    "engine": "an engine already runs on this DIALER_HOME (pid {pid}, lock {lock}); see it with: dialer status, "
    "end it with: dialer stop, wait for it with: dialer run --standby",
    "node": "a node runner already works on this DIALER_HOME (pid {pid}, lock {lock}); see it with: dialer node "
    "status, end it with its service or, Asterisk and its calls as well, with: dialer node stop",
    "command": "another command works on the Asterisk of this DIALER_HOME (pid {pid}, lock {lock}); wait for it",
}


class EngineRuns(Exception):
    """Another process, `pid`, holds this DIALER_HOME, mostly an engine or a node runner; the message names it."""

    def __init__(self, message: str, pid: int | None, kind: Kind = "engine") -> None:
        super().__init__(message)
        self.pid = pid
        self.kind = kind


def home_lock(home: Path, kind: Kind = "engine") -> EngineLock:
    """Return the lock of a DIALER_HOME, not yet taken."""
    return EngineLock(home / "run" / "engine.lock", kind)


class EngineLock:
    """Holds `run/engine.lock` for the life of the process, as an engine, a node runner or a short command."""

    def __init__(self, path: Path, kind: Kind = "engine") -> None:
        self._path = path
        self._kind: Kind = kind
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Take the lock. Raises EngineRuns when another process holds it, HomeError when the file cannot be written."""
        file = self._open()
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            words = file.read().split()
            file.close()
            raise self._held(words) from error
        file.truncate(0)
        file.write(str(os.getpid()) if self._kind == "engine" else f"{os.getpid()} {self._kind}")
        file.flush()
        self._file = file

    def _open(self) -> IO[str]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return self._path.open("a+", encoding="ascii")
        except OSError as error:
            raise unwritable(self._path, error) from error

    def _held(self, words: list[str]) -> EngineRuns:
        pid = int(words[0]) if words and words[0].isdigit() else None
        kind: Kind = _KINDS.get(words[1] if len(words) > 1 else "engine", "engine")
        text = _RUNS[kind].format(pid=pid or "unknown", lock=self._path)
        return EngineRuns(text, pid, kind)

    def holder(self) -> EngineRuns | None:
        """Return who holds the lock now, None when nobody does that this user may see; touches nothing."""
        try:
            held = self._held(self._path.read_text("ascii").split())
            return held if held.pid is not None and self._held_open_by(held.pid) else None
        except OSError:
            return None

    def end_holder(self, pid: int, number: signal.Signals = signal.SIGKILL) -> bool:
        """Signal the process that holds the lock, if it is this one; False when it is not, or may not be signalled."""
        try:
            handle = os.pidfd_open(pid)
        except OSError:
            return False
        try:
            if not self._held_open_by(pid):
                return False
            signal.pidfd_send_signal(handle, number)
        except OSError:
            return False
        finally:
            os.close(handle)
        return True

    def _held_open_by(self, pid: int) -> bool:
        """A number from a file proves nothing; a process with the lock open is an engine of this home."""
        ours = self._path.stat()  # not its path, which is another one in another container
        return any(_is_file(entry, ours) for entry in Path(f"/proc/{pid}/fd").iterdir())

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _is_file(entry: Path, file: os.stat_result) -> bool:
    try:
        return os.path.samestat(entry.stat(), file)
    except OSError:  # closed meanwhile
        return False
