"""The bundled Asterisk: Debian's packages unpacked in a directory of ours, run without chroot or privileges.

A bundle is a small Debian root with asterisk, espeak-ng and sox. Its programs are started through the root's
own dynamic loader, so the host's C library does not matter. It lies in DIALER_HOME/bundle/ID and counts only
when its marker, written last, is there. DIALER_ASTERISK_ROOT names another root ("/" in the containers).
"""

import fcntl
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dialer_engine.pbx.debian import (
    ASTERISK,
    BundleError,
    Progress,
    Wanted,
    architecture,
    multiarch,
    prune,
    silent,
    unpack,
)
from dialer_engine.settings.home import public_directory

__all__ = ["MINIMUM_VERSION", "Bundle", "BundleError", "Progress", "find_bundle", "install_bundle", "silent"]

MINIMUM_VERSION = (22, 10, 1)
RECIPE = "forky-1"
MARKER = ".complete"
LOADERS = {"x86_64-linux-gnu": "ld-linux-x86-64.so.2", "aarch64-linux-gnu": "ld-linux-aarch64.so.1"}
PROGRAM_DIRECTORIES = ("usr/sbin", "usr/bin")
VERIFY_SECONDS = 20.0
_PRIVATE_LIBRARIES = ("pulseaudio", "kamailio")
"""Directories of libraries that only one package's programs look into."""


@dataclass(frozen=True)
class Bundle:
    """A Debian root that holds Asterisk and the speech tools."""

    root: Path
    triple: str

    @property
    def libraries(self) -> Path:
        """The directory of the root's shared libraries."""
        return self.root / "usr/lib" / self.triple

    @property
    def modules(self) -> Path:
        """The directory of Asterisk's loadable modules."""
        return self.libraries / "asterisk/modules"

    @property
    def data(self) -> Path:
        """Asterisk's data directory: documentation, sounds, API documents."""
        return self.root / "usr/share/asterisk"

    @property
    def api_docs(self) -> Path:
        """The directory of Asterisk's own ARI documents (*.json)."""
        return self.data / "rest-api"

    @property
    def environment(self) -> dict[str, str]:
        """Variables the bundle's programs need beside the caller's own."""
        return {} if self._is_host else {"ESPEAK_DATA_PATH": str(self.libraries)}

    @property
    def version(self) -> str:
        """Asterisk's version, such as 22.10.1."""
        marker = self.root / MARKER
        return marker.read_text().strip() if marker.exists() else asterisk_version(self)

    @property
    def _is_host(self) -> bool:
        return self.root == Path("/")

    def loader(self) -> list[str]:
        """The words that go before a program's path so that it runs with the root's own libraries."""
        if self._is_host:
            return []
        places = (self.libraries, *(self.libraries / name for name in _PRIVATE_LIBRARIES))
        loader = str(self.libraries / LOADERS[self.triple])
        return [loader, "--library-path", ":".join(map(str, places))]

    def command(self, program: str, *arguments: str) -> list[str]:
        """The argument vector that runs one of the root's programs, e.g. `asterisk` or `sox`."""
        candidates = [self.root / place / program for place in PROGRAM_DIRECTORIES]
        found = next((path for path in candidates if path.exists()), None)
        if found is None:
            raise BundleError(
                f"{self.root}: has no program {program!r}; remove this directory and start again"
            )
        return [*self.loader(), str(found), *arguments]


def find_bundle(home: Path) -> Bundle | None:
    """The complete bundle of this home, or the one DIALER_ASTERISK_ROOT names; None when there is none."""
    named = os.environ.get("DIALER_ASTERISK_ROOT")
    if named:
        return _checked(Bundle(Path(named), multiarch()))
    root = _place(home)
    return Bundle(root, multiarch()) if (root / MARKER).exists() else None


def install_bundle(home: Path, progress: Progress = silent) -> Bundle:
    """Return the bundle, downloading it first when it is missing; safe to repeat and to interrupt."""
    present = find_bundle(home)
    if present is not None:
        return present
    root = _place(home)
    public_directory(root.parent)
    with exclusive(root.parent / ".lock", progress) as lock:
        return find_bundle(home) or _install(root, home / "log" / "bundle.log", lock, progress)


def asterisk_version(bundle: Bundle) -> str:
    """What `asterisk -V` says, without Debian's suffix."""
    text = output_of(bundle, "asterisk", "-V")
    found = re.search(r"\d+\.\d+\.\d+", text)
    if found is None:
        raise BundleError(f"{bundle.root}: `asterisk -V` says {text.strip()!r}, which names no version")
    return found[0]


def _install(root: Path, log: Path, lock: int, progress: Progress) -> Bundle:
    return fill_root(root, root.parent / "downloads", log, lock, progress, ASTERISK, _version_of_all)


def fill_root(
    root: Path,
    downloads: Path,
    log: Path,
    lock: int,
    progress: Progress,
    wanted: Wanted,
    version_of: Callable[[Bundle], str],
) -> Bundle:
    """Unpack packages into a root, let `version_of` try its programs, and mark it complete with the version.

    `lock` is the descriptor of `exclusive`. Raises BundleError.
    """
    partial = root.with_name(root.name + ".partial")
    public_directory(log.parent)
    unpack(partial, downloads, log, lock, progress, wanted)
    progress(f"checking {wanted.name}", None)
    prune(partial)
    version = version_of(Bundle(partial, multiarch()))
    shutil.rmtree(root, ignore_errors=True)
    partial.rename(root)
    (root / MARKER).write_text(version + "\n")
    shutil.rmtree(downloads, ignore_errors=True)
    progress(f"{wanted.name} {version} is ready", 1.0)
    return Bundle(root, multiarch())


def _version_of_all(bundle: Bundle) -> str:
    _checked(bundle)
    for program in ("espeak-ng", "sox"):
        output_of(bundle, program, "--version")
    return asterisk_version(bundle)


def _checked(bundle: Bundle) -> Bundle:
    version = asterisk_version(bundle)
    if tuple(int(part) for part in version.split(".")) < MINIMUM_VERSION:
        wanted = ".".join(str(part) for part in MINIMUM_VERSION)
        raise BundleError(f"{bundle.root}: Asterisk {version} is too old, {wanted} or later is needed")
    return bundle


def output_of(bundle: Bundle, program: str, *arguments: str) -> str:
    """What one of the root's programs says; BundleError when it does not run."""
    environment = os.environ | bundle.environment
    command = bundle.command(program, *arguments)
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=VERIFY_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BundleError(f"{bundle.root}: {program} cannot be run ({error})") from error
    if done.returncode != 0:
        raise BundleError(f"{bundle.root}: {program} does not run: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def _place(home: Path) -> Path:
    return home / "bundle" / f"{RECIPE}-{architecture()}"


@contextmanager
def exclusive(path: Path, progress: Progress) -> Iterator[int]:
    """Keep other set-ups of this home away; gives the lock's descriptor."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        while not _locked(descriptor):
            progress("another set-up is installing packages; waiting for it", None)
            time.sleep(1.0)
        yield descriptor
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
