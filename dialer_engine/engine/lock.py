"""One engine per DIALER_HOME: a lock that the kernel gives back when the engine dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO


class EngineRuns(Exception):
    """Another engine holds this DIALER_HOME; the message names its pid."""


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
            pid = file.read().strip() or "unknown"
            file.close()
            raise EngineRuns(
                f"an engine already runs on this DIALER_HOME (pid {pid}, lock {self._path}); "
                "see it with: dialer status, end it with: dialer stop"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            self._file.close()
            self._file = None
