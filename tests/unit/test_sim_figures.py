"""Intervals, shares of the way, the tables, and what the command says to bad input."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from dialer_engine.cli import bench_pacing as command
from dialer_engine.lab.pacing import table
from dialer_engine.lab.pacing.figures import (
    Estimate,
    Row,
    RunFigures,
    estimate,
    run_figures,
    share_of_way,
    t_quantile,
)
from dialer_engine.lab.pacing.runs import Cell, Comparison
from dialer_engine.lab.pacing.tally import Day, Slot, Tally

pytestmark = pytest.mark.unit


def test_intervals_are_students() -> None:
    assert estimate([5.0]) == Estimate(5.0, None)
    found = estimate([1.0, 2.0, 3.0])
    assert found.mean == 2.0
    assert found.half == pytest.approx(4.303 / 3**0.5)
    assert found.upper == pytest.approx(2.0 + 4.303 / 3**0.5)
    assert found.text(2) == "2.00 ±2.48"
    assert [t_quantile(n) for n in (1, 15, 16, 20, 29, 30, 61, 1000)] == [
        12.706, 2.131, 2.131, 2.086, 2.086, 2.042, 2.0, 2.0,
    ]  # fmt: skip
    with pytest.raises(ValueError, match="two values"):
        t_quantile(0)


def tally(talk: float, *days: tuple[int, int]) -> Tally:
    """A run whose agents talked for a share of the time; each day with (answers, abandoned)."""
    made = Tally()
    for answers, abandoned in days:
        slots = [Slot(answers, abandoned)]
        made.days.append(
            Day(400, answers, abandoned, talk_s=3600 * talk, ready_s=3600 * (1 - talk), slots=slots)
        )
    made.agent_waits.extend(float(n) for n in range(10))
    return made


def figures(talk: float) -> RunFigures:
    """The figures of such a run."""
    return run_figures(tally(talk, (100, 10), (100, 1), (100, 4)))


def test_a_run_in_figures() -> None:
    run = figures(0.5)
    assert run.utilisation == 50.0
    assert run.abandoned == 5.0
    assert run.abandoned_by_day == (10.0, 1.0, 4.0)
    assert run.worst_day == 4.0
    assert (run.agent_wait, run.agent_wait_p90) == (4.5, 9.0)
    assert (run.calls_per_hour, run.attempts_per_hour) == (95.0, 400.0)
    assert run_figures(Tally(days=[Day()])).abandoned == 0.0


def test_the_share_of_the_way_needs_both_ends() -> None:
    rows = [Row("progressive", (figures(0.5),)), Row("x", (figures(0.65),)), Row("oracle", (figures(0.8),))]
    assert share_of_way(rows[1], rows) == pytest.approx(50.0)
    assert share_of_way(rows[1], rows[:2]) is None
    lines = list(table.block("1x25", rows))
    assert "50 %" in lines[2]
    assert len({len(line) for line in (table.head(), *lines[1:])}) == 1


def test_runs_are_ordered_so_that_what_has_ended_can_be_compared() -> None:
    asked = Comparison((Cell(1, 0.25), Cell(3, 0.1)), ("power", "oracle"), 1, 2)
    order = [(task.cell.name, task.run, task.policy) for task in asked.tasks()]
    assert order[:4] == [
        ("1x25", 0, "power"),
        ("1x25", 0, "oracle"),
        ("1x25", 1, "power"),
        ("1x25", 1, "oracle"),
    ]
    assert len(order) == 8


def run(*words: str) -> tuple[int, str]:
    """Run the command and return its exit status and output."""
    group = typer.Typer()
    group.callback()(lambda: None)
    command.add_to(group)
    result = CliRunner().invoke(group, ["pacing", *words])
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ("--policies", "progresive"),
            "unknown policy 'progresive'; policies are preview, progressive, power",
        ),
        (("--policies", "vicidial-soft"), "vicidial-hard"),
        (("--cells", "ten"), "'ten' is no cell; write agents (1-500) x percent"),
        (("--cells", "1x25,0x25"), "'0x25' is no cell"),
        (("--cells", "5x99"), "'5x99' is no cell"),
        (("--cells", ""), "'' is no cell"),
        (("--scenario", "rainy"), "unknown scenario 'rainy'; scenarios are steady, rate-swings"),
        (("--json", "/nonexistent/x.json"), "/nonexistent"),
    ],
)
def test_bad_input_names_the_remedy(words: tuple[str, ...], expected: str) -> None:
    status, output = run(*words)
    assert status == 1
    assert expected in output


def test_a_small_comparison(tmp_path: Path) -> None:
    file = tmp_path / "pacing.json"
    words = ("--cells", "1x40", "--days", "1", "--runs", "2", "--policies", "progressive,oracle")
    status, output = run(*words, "--limit", "5", "--jobs", "1", "--json", str(file))
    assert status == 0, output
    assert "1x40:" in output
    document = json.loads(file.read_text())
    assert document["complete"]
    assert document["limit"] == 0.05
    (cell,) = document["cells"]
    assert [policy["policy"] for policy in cell["policies"]] == ["progressive", "oracle"]
    for policy in cell["policies"]:
        assert len(policy["runs"]) == 2
        assert policy["utilisation"]["mean"] > 50
    assert cell["policies"][1]["share_of_way"] == pytest.approx(100.0)
