"""The comparison of pacing as a command of its own: it can be ended at any moment and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from lab_support import killed_after

pytestmark = [pytest.mark.unit, pytest.mark.slow]

COMMAND = (sys.executable, "-m", "dialer_engine", "bench", "pacing", "--jobs", "2", "--days", "1")
PATIENCE_S = 180.0


def group_is_gone(group: int) -> bool:
    """Return whether no process of a group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_has_ended_is_printed_when_it_is_interrupted(tmp_path: Path, number: signal.Signals) -> None:
    file = tmp_path / "pacing.json"
    words = ("--cells", "1x40,100x10", "--runs", "2", "--policies", "ratio-1,oracle", "--json", str(file))
    with (
        subprocess.Popen(
            [*COMMAND, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        ) as process,
        killed_after(PATIENCE_S, lambda: os.killpg(process.pid, signal.SIGKILL)),
    ):
        assert process.stdout is not None
        seen = ""
        while "1x40:" not in seen:
            line = process.stdout.readline()
            assert line, seen
            seen += line
        # A terminal sends Ctrl-C to the whole group, a supervisor SIGTERM to the command alone.
        (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        rest = process.stdout.read()
        assert process.wait(60) == 130
    assert "interrupted; what has ended:" in rest
    assert "Traceback" not in rest
    document = json.loads(file.read_text())
    assert not document["complete"]
    assert document["cells"][0]["cell"] == "1x40"
    assert [len(policy["runs"]) for policy in document["cells"][0]["policies"]] == [2, 2]
    assert group_is_gone(process.pid)
