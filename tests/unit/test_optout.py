"""The opt-out script by itself: what it writes, what it refuses, and that it never half-writes."""

import importlib.util
import json
import os
import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.unit

SCRIPT = Path(__file__).resolve().parents[2] / "agi_scripts" / "optout.py"
NUMBER = "+12105550108"
AGI_HEADER = "agi_request: optout.py\nagi_uniqueid: a-1\n\n200 result=1\n"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("optout", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(*arguments: str, given: str = AGI_HEADER) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-IS", str(SCRIPT), *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=10, check=False)


def test_an_opt_out_is_written_and_told(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    done = run(str(tmp_path), "attempt-1", NUMBER, "7", "9")
    assert done.returncode == 0
    assert done.stdout == "SET VARIABLE OPTOUT_SAVED 1\n"
    (file,) = tmp_path.iterdir()
    assert file.name == "attempt-1.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    entry = json.loads(file.read_text())
    at = datetime.fromisoformat(entry.pop("at"))
    assert abs((at - before).total_seconds()) < 10
    assert entry == {
        "attempt_id": "attempt-1",
        "number": NUMBER,
        "member_id": "7",
        "key": "9",
        "source": "drop_message",
    }


def test_the_same_attempt_twice_changes_nothing(tmp_path: Path) -> None:
    run(str(tmp_path), "attempt-1", NUMBER, "7", "9")
    first = (tmp_path / "attempt-1.json").read_bytes()
    done = run(str(tmp_path), "attempt-1", NUMBER, "7", "9")
    assert done.returncode == 0
    assert "OPTOUT_SAVED 1" in done.stdout
    assert (tmp_path / "attempt-1.json").read_bytes() == first


@pytest.mark.parametrize(
    "arguments",
    [
        ("../../etc/passwd", NUMBER, "7", "9"),
        ("", NUMBER, "7", "9"),
        (".hidden", NUMBER, "7", "9"),
        ("a" * 101, NUMBER, "7", "9"),
        ("attempt-1", "12105550108", "7", "9"),
        ("attempt-1", NUMBER + "0", "7", "9"),
        ("attempt-1", "+441632960000", "7", "9"),
        ("attempt-1", "", "7", "9"),
        ("attempt-1", NUMBER, "", "9"),
        ("attempt-1", NUMBER, "7/8", "9"),
        ("attempt-1", NUMBER, "7", "99"),
        ("attempt-1", NUMBER, "7", ""),
        ("attempt-1\n", NUMBER, "7", "9"),
    ],
)
def test_malformed_values_are_refused(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(str(tmp_path), *arguments)
    assert done.returncode == 1
    assert done.stdout == "SET VARIABLE OPTOUT_SAVED 0\n"
    assert "NOT SAVED" in done.stderr
    assert NUMBER not in done.stderr
    assert not list(tmp_path.iterdir())


def test_missing_arguments_are_refused(tmp_path: Path) -> None:
    done = run(str(tmp_path), "attempt-1")
    assert (done.returncode, done.stdout) == (1, "SET VARIABLE OPTOUT_SAVED 0\n")


def test_a_directory_that_is_not_there_is_told_and_not_made(tmp_path: Path) -> None:
    done = run(str(tmp_path / "gone"), "attempt-1", NUMBER, "7", "9")
    assert (done.returncode, done.stdout) == (1, "SET VARIABLE OPTOUT_SAVED 0\n")
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize("given", ["", "agi_request: x\n", "\n", AGI_HEADER + "HANGUP\n"])
def test_asterisk_going_away_does_not_lose_the_record(tmp_path: Path, given: str) -> None:
    run(str(tmp_path), "attempt-1", NUMBER, "7", "9", given=given)
    assert (tmp_path / "attempt-1.json").exists()


def test_a_hang_up_signal_does_not_stop_it(tmp_path: Path) -> None:
    command = [sys.executable, "-IS", str(SCRIPT), str(tmp_path), "attempt-1", NUMBER, "7", "9"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("agi_request: x\n")
        process.stdin.flush()
        while not (tmp_path / "attempt-1.json").exists():
            assert process.poll() is None
        os.kill(process.pid, signal.SIGHUP)
        process.stdin.write("\n200 result=1\n")
        process.stdin.close()
        assert process.stdout.read() == "SET VARIABLE OPTOUT_SAVED 1\n"
    assert process.returncode == 0


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = load()

    def disk_full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    entry = module.record("attempt-1", NUMBER, "7", "9", datetime.now(UTC))
    with pytest.raises(OSError, match="No space"):
        module.save(str(tmp_path), entry)
    assert not list(tmp_path.iterdir())


def test_the_file_and_its_directory_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, synced = load(), []
    original = os.fsync

    def note(descriptor: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        original(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    module.save(str(tmp_path), module.record("attempt-1", NUMBER, "7", "9", datetime.now(UTC)))
    assert synced == [False, True]


def test_time_is_utc_to_the_millisecond() -> None:
    entry = load().record("a", NUMBER, "7", "9", datetime(2026, 6, 10, 16, 0, 1, 234567, tzinfo=UTC))
    assert entry["at"] == "2026-06-10T16:00:01.234Z"


def test_it_uses_nothing_but_the_standard_library() -> None:
    text = SCRIPT.read_text()
    imported = {line.split()[1] for line in text.splitlines() if line.startswith(("import ", "from "))}
    assert imported <= set(sys.stdlib_module_names)
