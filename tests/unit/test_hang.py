"""A test that hangs is named on the terminal, by itself and among workers, with the stacks of all threads."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

CHECKOUT = Path(__file__).resolve().parents[2]
HANGS = """
import asyncio
import pytest
pytestmark = pytest.mark.unit
async def test_that_awaits():
    await asyncio.sleep(2.0)
"""


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_test_that_awaits_for_too_long_is_named_while_it_does(tmp_path: Path, workers: str) -> None:
    file = tmp_path / "test_hangs.py"
    file.write_text(HANGS)
    options = ("-p", "tests.conftest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path))
    limits = ("-c", str(CHECKOUT / "pyproject.toml"), "-o", "faulthandler_timeout=1", "-n", workers)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *limits, str(file)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    name, stacks = "test_hangs.py::test_that_awaits takes more than 1 s", "Timeout (0:00:01)!"
    assert done.stderr.index(name) < done.stderr.index(stacks)
