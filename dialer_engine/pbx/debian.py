"""Unpack a few packages of Debian's suite forky into a directory, without root and without running scripts.

mmdebstrap does the work with apt's own signature checks. A mirror's copy of this moving suite may be past its
Valid-Until date, so that one date is not enforced; signatures always are. Packages already fetched by an
interrupted run are kept beside the target and used again.
"""

import os
import platform
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dialer_engine.pbx.files import size_of
from dialer_engine.settings.home import public_directory

Progress = Callable[[str, float | None], None]

SUITE = "forky"
PACKAGES = ("asterisk", "espeak-ng", "sox")
TOOLS = ("mmdebstrap", "debian-archive-keyring")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MACHINES = {"x86_64": ("amd64", "x86_64-linux-gnu"), "aarch64": ("arm64", "aarch64-linux-gnu")}
ARCHIVES = "var/cache/apt/archives"
NEEDED_BYTES = 900_000_000
POLL_SECONDS = 0.25
UNNEEDED = (
    *(f"usr/share/{name}" for name in ("doc", "doc-base", "man", "info", "locale", "lintian", "vim", "X11")),
    *(f"usr/share/{name}" for name in ("perl", "perl5", "asterisk/sounds")),
    *(f"usr/lib/*/{name}" for name in ("perl", "perl-base", "libperl.so*", "gconv")),
    *("usr/lib/file", "var/cache", "var/lib/apt"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Packages that make up a root, for whom, and about how many bytes they are to download."""

    name: str
    packages: tuple[str, ...]
    download_bytes: int


ASTERISK = Wanted("Asterisk", PACKAGES, 100_000_000)


class BundleError(Exception):
    """The bundled Asterisk cannot be installed or used; the text says why and what to do."""


def silent(_step: str, _share: float | None) -> None:
    """A progress callback that shows nothing."""


def architecture() -> str:
    """Debian's name for this machine's architecture."""
    return _machine()[0]


def multiarch() -> str:
    """The directory name under usr/lib for this machine's architecture."""
    return _machine()[1]


def unpack(
    target: Path,
    downloads: Path,
    log: Path,
    lock: int,
    progress: Progress,
    wanted: Wanted = ASTERISK,
) -> None:
    """Fill `target` with the packages; `lock` is a descriptor that stays open as long as mmdebstrap runs."""
    ensure_tools(log, progress)
    _check_space(target.parent)
    _keep_downloads(target, downloads)
    shutil.rmtree(target, ignore_errors=True)
    with log.open("ab") as output:
        process = _start(target, downloads, output.fileno(), lock, wanted)
        code = _watch(process, target, progress, wanted)
    if code != 0:
        raise BundleError(explain(log, wanted.name))


def ensure_tools(log: Path, progress: Progress) -> None:
    """Install mmdebstrap and Debian's keyring with the host's apt when they are missing; say so before."""
    if shutil.which("mmdebstrap") and KEYRING.exists():
        return
    if shutil.which("apt-get") is None:
        raise BundleError(
            "this machine has no apt-get; use the container images instead (docs/operations.md)"
        )
    progress(f"installing with apt-get: {' '.join(TOOLS)}", None)
    prefix = _privilege()
    install = [*prefix, "apt-get", "install", "-y", "--no-install-recommends", *TOOLS]
    with log.open("ab") as output:
        if _quiet(install, output.fileno()) and (
            _quiet([*prefix, "apt-get", "update"], output.fileno()) or _quiet(install, output.fileno())
        ):
            raise BundleError(f"`{' '.join(install)}` failed, see {log}; repair that and start again")


def prune(root: Path) -> None:
    """Remove what a telephone exchange never reads and let every user read the rest."""
    for pattern in UNNEEDED:
        for path in root.glob(pattern):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for directory, _, names in os.walk(root):
        Path(directory).chmod(0o755)
        for path in (Path(directory, name) for name in names):
            if not path.is_symlink() and path.is_file():
                path.chmod(0o755 if path.stat().st_mode & 0o111 else 0o644)


def arguments(target: Path, packages: tuple[str, ...] = PACKAGES) -> list[str]:
    """The command line of mmdebstrap."""
    options = (
        "--mode=chrootless",
        "--variant=extract",
        f"--include={','.join(packages)}",
        f"--keyring={KEYRING}",
    )
    apt = ('Acquire::Check-Valid-Until "false"', 'Apt::Install-Recommends "false"', 'Acquire::Retries "3"')
    reuse = (
        'mkdir -p "$1/var/cache/apt/archives" && cp -al "$DIALER_DOWNLOADS/." "$1/var/cache/apt/archives/"'
    )
    mirror = os.environ.get("DIALER_DEBIAN_MIRROR")
    source = [f"deb {mirror} {SUITE} main"] if mirror else []
    return [
        "mmdebstrap", *options, *(f"--aptopt={option}" for option in (*apt, *_proxies())),
        f"--setup-hook={reuse}", SUITE, str(target), *source,
    ]  # fmt: skip


def _start(target: Path, downloads: Path, output: int, lock: int, wanted: Wanted) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        arguments(target, wanted.packages),
        env=os.environ | {"DIALER_DOWNLOADS": str(downloads), "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=(lock,),
        start_new_session=True,
        umask=0o022,
    )


def _watch(process: subprocess.Popen[bytes], target: Path, progress: Progress, wanted: Wanted) -> int:
    try:
        while process.poll() is None:
            progress(*_state(target, wanted))
            time.sleep(POLL_SECONDS)
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise
    return process.returncode


def _state(target: Path, wanted: Wanted) -> tuple[str, float | None]:
    if (target / "usr/sbin").exists():
        return f"unpacking {wanted.name}", 0.9
    fetched = sum(size_of(path) for path in (target / ARCHIVES).glob("**/*.deb*"))
    if fetched == 0:
        return f"reading the package lists of Debian {SUITE}", 0.0
    share = min(0.85, 0.85 * fetched / wanted.download_bytes)
    return f"downloading {wanted.name}: {fetched // 1_000_000} MB", share


def _keep_downloads(target: Path, downloads: Path) -> None:
    public_directory(downloads)
    for package in (target / ARCHIVES).glob("*.deb"):
        package.replace(downloads / package.name)


def _check_space(directory: Path) -> None:
    free = shutil.disk_usage(directory).free
    if free < NEEDED_BYTES:
        raise BundleError(
            f"{directory}: {free // 1_000_000} MB are free, Asterisk needs {NEEDED_BYTES // 1_000_000}; "
            "make room or set DIALER_HOME to another disk"
        )


def explain(log: Path, name: str = ASTERISK.name) -> str:
    """What went wrong according to mmdebstrap's output, and what to do."""
    lines = log.read_text(errors="replace").splitlines()[-60:]
    errors = [line.removeprefix("E: ") for line in lines if line.startswith("E: ")]
    reason = errors[0] if errors else next(reversed(lines), "no output")
    return (
        f"{name} could not be downloaded or unpacked: {reason}. Full output: {log}. What was fetched "
        "is kept: run the same command again to go on. DIALER_DEBIAN_MIRROR=URL names another Debian mirror."
    )


def _privilege() -> list[str]:
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        raise BundleError(f"as root, run `apt-get install {' '.join(TOOLS)}`, then start this command again")
    return ["sudo"]


def _quiet(command: list[str], output: int) -> bool:
    """Run a command and say whether it failed."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, env=environment, stdout=output, stderr=output, check=False).returncode != 0


def _proxies() -> list[str]:
    """The host's own proxy settings, which mmdebstrap does not read."""
    dump = subprocess.run(
        ["apt-config", "dump", "--format", '%f "%v"%n'], capture_output=True, text=True, check=False
    ).stdout
    return [line for line in dump.splitlines() if line.startswith("Acquire::http") and "::Proxy" in line]


def _machine() -> tuple[str, str]:
    name = platform.machine()
    if name not in MACHINES:
        raise BundleError(
            f"this machine's processor is {name!r}; Asterisk is bundled for {', '.join(MACHINES)}"
        )
    return MACHINES[name]
