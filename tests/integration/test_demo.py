"""`dialer demo` as a person runs it: to its end, interrupted at any moment, and after being killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab_support import killed_after, lab_root, processes_of

from dialer_engine.pbx.bundle import Bundle

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

KEYS = {
    "attempts",
    "answered_humans",
    "bridged",
    "abandoned",
    "double_dials",
    "outside_gate",
    "cdrs",
    "first_bridge_s",
    "answer_to_agent_ms",
}


@pytest.fixture(scope="module")
def demo_home(bundle: Bundle) -> Iterator[Path]:
    """A DIALER_HOME of its own that uses the installed Asterisk."""
    with lab_root() as root, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIALER_HOME", str(root))
        patch.setenv("DIALER_ASTERISK_ROOT", str(bundle.root))
        try:
            yield root
        finally:
            for pid in processes_of(root):  # of a demo that a failed test killed
                os.kill(pid, signal.SIGKILL)


def start_demo(*words: str) -> subprocess.Popen[str]:
    """Start the command as a shell does."""
    return subprocess.Popen(
        [sys.executable, "-m", "dialer_engine", "demo", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def read_until(process: subprocess.Popen[str], word: str, seconds: float = 60) -> str:
    """Read what the command prints until a line holds `word`; it is killed when none does in time."""
    read = ""
    assert process.stdout is not None
    with killed_after(seconds, process.kill):
        for line in iter(process.stdout.readline, ""):
            read += line
            if word in line:
                return read
    raise AssertionError(f"{word!r} was not printed:\n{read}")


def nothing_left(home: Path) -> bool:
    """Whether no process works below this home, after a moment."""
    for _ in range(40):
        if not processes_of(home):
            return True
        time.sleep(0.1)
    return False


def test_demo_dials_reports_and_leaves_nothing(demo_home: Path) -> None:
    target = demo_home / "summary.json"
    process = start_demo("--agents", "3", "--contacts", "25", "--seconds", "10", "--json", str(target))
    output, _ = process.communicate(timeout=150)
    assert process.returncode == 0, output
    summary: dict[str, Any] = json.loads(target.read_text())
    assert set(summary) >= KEYS
    assert set(summary["answer_to_agent_ms"]) == {"p50", "p99", "max"}
    assert summary["attempts"] == summary["cdrs"] > 0
    assert summary["bridged"] + summary["abandoned"] == summary["answered_humans"]
    assert (summary["double_dials"], summary["outside_gate"], summary["differences"]) == (0, 0, [])
    assert summary["first_bridge_s"] > 0
    assert "agree with the carrier's ledger and the phones, call by call" in output
    assert nothing_left(demo_home)
    assert not (demo_home / "lab" / "lab0").exists()
    records = max((demo_home / "lab" / "results").glob("*/cdrs.csv"))
    assert len(records.read_text().strip().splitlines()) == summary["cdrs"] + 1


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (signal.SIGINT, "starting Postgres"),
        (signal.SIGTERM, "importing"),
        (signal.SIGHUP, "on duty"),
        (signal.SIGINT, "dialed 1"),
        (signal.SIGTERM, "dialed 2"),
    ],
)
def test_signal_at_any_moment_leaves_nothing_running(
    demo_home: Path, number: signal.Signals, moment: str
) -> None:
    process = start_demo("--agents", "2", "--contacts", "10", "--seconds", "30")
    try:
        read_until(process, moment)
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, output
    assert "everything that was started has ended" in output
    assert nothing_left(demo_home)


def test_what_a_killed_demo_left_is_ended_by_the_next_and_keep_leaves_the_data(demo_home: Path) -> None:
    """Without a terminal, there is a plain line about every second."""
    process = start_demo("--agents", "2", "--contacts", "10", "--seconds", "30")
    read_until(process, "dialed ")
    process.kill()
    process.wait()
    left = processes_of(demo_home)
    assert left
    again = start_demo("--agents", "2", "--contacts", "10", "--seconds", "4", "--keep")
    output, _ = again.communicate(timeout=120)
    assert again.returncode == 0, output
    assert not [pid for pid in left if Path(f"/proc/{pid}").exists()]
    kept = demo_home / "lab" / "lab0"
    assert 3 <= sum(" s | agents: " in line for line in output.splitlines()) <= 60
    assert "\x1b" not in output
    assert f"DIALER_HOME={kept} ./dialer run --config {kept / 'config'}" in output
    assert (kept / "postgres" / "data").exists()
    assert nothing_left(demo_home)


def test_too_many_contacts_are_refused_before_anything_starts(demo_home: Path) -> None:
    before = sorted(demo_home.rglob("*"))
    process = start_demo("--contacts", "100000")
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "2000" in output
    assert sorted(demo_home.rglob("*")) == before
