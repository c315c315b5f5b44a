"""`dialer bench decide`: the figures are those of the floor that was asked for."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from dialer_engine.cli import bench

pytestmark = pytest.mark.unit


def test_figures_are_printed_and_written(tmp_path: Path) -> None:
    app, file = typer.Typer(), tmp_path / "figures.json"
    bench.register(app)
    words = ["bench", "decide", "--agents", "7", "--calls", "20", "--decisions", "10", "--json", str(file)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    figures = json.loads(file.read_text(encoding="utf-8"))
    assert (figures["agents"], figures["calls"], figures["decisions"]) == (7, 20, 10)
    assert 0 < figures["p50_ms"] <= figures["p99_ms"] <= figures["max_ms"]
    assert f"p50 {figures['p50_ms']} ms" in done.output
