"""A test module without a category stops the run."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

CONFTEST = Path(__file__).resolve().parents[1] / "conftest.py"


@pytest.mark.parametrize(
    ("line", "passes"),
    [("", False), ("pytestmark = pytest.mark.unit", True), ("pytestmark = [pytest.mark.slow]", True)],
)
def test_modules_must_say_what_they_need(tmp_path: Path, line: str, passes: bool) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text())
    marks = "\n".join(f"    {name}: x" for name in ("unit", "postgres", "asterisk", "slow"))
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nasyncio_mode = auto\nmarkers =\n{marks}\n")
    (tmp_path / "test_one.py").write_text(f"import pytest\n{line}\n\ndef test_it():\n    pass\n")
    command = [sys.executable, "-m", "pytest", "-q", "--rootdir", str(tmp_path), str(tmp_path)]
    root = str(CONFTEST.parents[1])
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=root, env={"PYTHONPATH": root, "PATH": ""}
    )
    assert (done.returncode == 0) is passes, done.stdout + done.stderr
    assert passes or "lack a module-level pytestmark" in done.stdout + done.stderr
