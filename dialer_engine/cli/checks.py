"""`dialer test`: every check of the project, then all tests, with one summary before pytest's closing line.

Each check runs even when an earlier one failed, so that one run shows everything there is to repair. Caches
go to DIALER_HOME, never into the checkout.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol

import typer

from dialer_engine.pbx.bundle import BundleError, Progress, install_bundle
from dialer_engine.pbx.nft_bundle import install_nft_bundle
from dialer_engine.settings.home import HomeError, home, prepare_home, service_user

CHECKOUT = Path(__file__).resolve().parents[2]
CHECKS: Mapping[str, tuple[str, ...]] = {
    "lint": ("ruff", "check", "."),
    "format": ("ruff", "format", "--check", "."),
    "types": ("mypy", "--strict"),
    "imports": ("lint-imports", "--no-cache", "--no-logo"),
}
SEVERAL_AT_ONCE = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")
"""For pytest when everything runs: most tests wait most of the time. The tests of a file share what they start."""


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of one check and the time it took in seconds."""

    name: str
    passed: bool
    seconds: float

    def __str__(self) -> str:
        return f"{self.name}: {'ok' if self.passed else 'FAILED'} ({self.seconds:.1f} s)"


class Terminal(Protocol):
    """The part of pytest's terminal reporter that the summary needs."""

    def section(self, title: str) -> None:
        """Write a title line."""

    def line(self, text: str) -> None:
        """Write one line."""


class Summary:
    """A pytest plugin that names the checks' outcomes just before the closing line."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self.checks = checks

    def pytest_terminal_summary(self, terminalreporter: Terminal) -> None:
        """Called by pytest after the last test."""
        terminalreporter.section("checks")
        for check in self.checks:
            terminalreporter.line(str(check))


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(
        "test",
        help="Run lint, format, types, import directions and all tests; further words go to pytest.",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )(run)


def run(arguments: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Run every check, then pytest; the exit status is 0 only when all passed."""
    os.chdir(CHECKOUT)
    # A shell starts what is in the background deaf to Ctrl-C, and so would be the programs whose Ctrl-C is tested.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not _tool("pytest").exists():
        print(
            "dialer: the tools of the tests are not in this environment; run ./dialer test", file=sys.stderr
        )
        raise typer.Exit(1)
    _keep_caches_outside(home() / "cache")
    checks = [run_check(name, words) for name, words in CHECKS.items()]
    _set_up()
    status = run_tests(checks, arguments or [])
    raise typer.Exit(status or int(not all(check.passed for check in checks)))


def run_check(name: str, words: Sequence[str]) -> Check:
    """Run one tool of the environment in the checkout and show its output when it fails."""
    began = time.monotonic()
    command = [str(_tool(words[0])), *words[1:]]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    check = Check(name, done.returncode == 0, time.monotonic() - began)
    print(check if check.passed else f"{check}\n{done.stdout.rstrip()}", flush=True)
    return check


def run_tests(checks: Sequence[Check], arguments: Sequence[str]) -> int:
    """Run pytest on what the arguments name, or on everything by three workers; return its exit status."""
    import pytest  # only the development environment has it

    cache = home() / "cache" / "pytest"
    return int(
        pytest.main(["-o", f"cache_dir={cache}", *(arguments or SEVERAL_AT_ONCE)], plugins=[Summary(checks)])
    )


def _tool(name: str) -> Path:
    return Path(sys.executable).with_name(name)


def _set_up() -> None:
    try:
        prepare_home(home(), service_user())
        install_bundle(home(), _plain_progress())
        install_nft_bundle(home(), _plain_progress())
    except (BundleError, HomeError) as error:
        print(f"dialer: {error}", file=sys.stderr)
        raise typer.Exit(1) from error


def _plain_progress() -> Progress:
    """A callback that prints each kind of step once."""
    shown: set[str] = set()

    def show(step: str, _share: float | None) -> None:
        kind = step.split(":")[0]
        if kind not in shown:
            shown.add(kind)
            print(step, flush=True)

    return show


def _keep_caches_outside(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    os.environ["RUFF_CACHE_DIR"] = str(directory / "ruff")
    os.environ["MYPY_CACHE_DIR"] = str(directory / "mypy")
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(directory / "hypothesis")
