"""One engine per DIALER_HOME: a lock that the kernel gives back when the engine dies."""

from __future__ import annotations

import fcntl
import os
import signal
from pathlib import Path
from typing import IO


class EngineRuns(Exception):
    """Another engine, `pid`, holds this DIALER_HOME; the message names it."""

    def __init__(self, message: str, pid: int | None) -> None:
        super().__init__(message)
        self.pid = pid


class EngineLock:
    """Holds `run/engine.lock` for the life of the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Take the lock. Raises EngineRuns when another engine holds it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a+", encoding="ascii")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            words = file.read().strip()
            file.close()
            raise EngineRuns(
                f"an engine already runs on this DIALER_HOME (pid {words or 'unknown'}, lock {self._path}); "
                "see it with: dialer status, end it with: dialer stop, wait for it with: dialer run --standby",
                int(words) if words.isdigit() else None,
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file

    def end_holder(self, pid: int) -> bool:
        """Kill the process that holds the lock, if it is this one; False when it is not, or may not be killed."""
        try:
            handle = os.pidfd_open(pid)
        except OSError:
            return False
        try:
            if not self._held_open_by(pid):
                return False
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        except OSError:
            return False
        finally:
            os.close(handle)
        return True

    def _held_open_by(self, pid: int) -> bool:
        """A number from a file proves nothing; a process with the lock open is an engine of this home."""
        path = self._path.resolve()
        return any(entry.resolve() == path for entry in Path(f"/proc/{pid}/fd").iterdir())

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            self._file.close()
            self._file = None
