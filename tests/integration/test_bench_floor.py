"""A short floor run on everything real beside its forecast, and the command interrupted before anything starts."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from lab_support import lab_place

from dialer_engine.lab.bench_floor import ROWS, Findings, calibration_lines, run_floor, table_lines, verdict
from dialer_engine.lab.floor_forecast import Plan, simulate
from dialer_engine.lab.floor_table import Habits
from dialer_engine.pbx.bundle import Bundle

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

# Whoever does not answer is busy here: lines that ring out would make the first forty calls take minutes.
PLAN = Plan(attempts=60, agents=6, habits=Habits(ring_s=0.5, talk_s=2.0, wrap_s=0.6, busy_rows=75))


async def test_a_real_floor_beside_its_forecast(bundle: Bundle) -> None:
    found = Findings(PLAN, [simulate((PLAN, run)) for run in range(3)])
    told: list[str] = []
    with lab_place() as place:
        await run_floor(bundle, place, told.append, found)
    assert found.complete
    assert found.summary is not None
    assert found.real is not None
    assert found.summary.cdrs == found.summary.attempts
    assert found.summary.attempts + found.unsent == found.real.attempts == 60
    assert found.unsent <= found.real.short <= found.real.cancelled
    assert found.summary.differences == []
    assert (found.summary.double_dials, found.summary.outside_gate) == (0, 0)
    assert found.real.answers == found.summary.answered_humans > 0
    assert found.real.abandoned == found.summary.abandoned <= 2
    assert 0 < found.real.utilisation < 100
    assert any("calls seen, one line per agent until then" in text for text in told)
    lines = list(table_lines(found))
    assert len(lines) == 1 + len(ROWS)
    assert not any(" - " in line for line in lines)
    assert f"carrier: {found.summary.attempts} calls" in next(iter(verdict(found)))
    assert 0 < sum(each["answers"] for each in found.calibration) <= found.real.answers
    assert len(list(calibration_lines(found))) == 1 + len(found.calibration)
    document = json.loads(json.dumps(found.as_json()))
    assert document["complete"]
    assert document["real"]["attempts"] == document["forecast"]["ranges"]["attempts"]["mean"] == 60


def test_interrupted_before_anything_is_started(tmp_path: Path) -> None:
    file = tmp_path / "floor.json"
    words = ("floor", "--attempts", "5000", "--agents", "60", "--runs", "200", "--json", str(file))
    with subprocess.Popen(
        [sys.executable, "-m", "dialer_engine", "bench", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env=os.environ | {"DIALER_HOME": str(tmp_path)},
    ) as process:
        assert process.stdout is not None
        assert "forecasting with 200" in process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(60) == 130
    assert "not complete" in rest
    assert "Traceback" not in rest
    assert json.loads(file.read_text())["real"] is None
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
