"""The command that checks everything."""

import os
from pathlib import Path

import pytest

from dialer_engine.cli.checks import CHECKS, Check, Summary, run_check

pytestmark = pytest.mark.unit


class Paper:
    """Keeps what would be shown on the terminal."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def section(self, title: str) -> None:
        """Keep a title."""
        self.lines.append(f"= {title}")

    def line(self, text: str) -> None:
        """Keep a line."""
        self.lines.append(text)


def test_all_four_kinds_of_check_are_run() -> None:
    assert [words[0] for words in CHECKS.values()] == ["ruff", "ruff", "mypy", "lint-imports"]


def test_the_summary_names_every_outcome() -> None:
    paper = Paper()
    Summary([Check("lint", True, 0.26), Check("types", False, 3.0)]).pytest_terminal_summary(paper)
    assert paper.lines == ["= checks", "lint: ok (0.3 s)", "types: FAILED (3.0 s)"]


def test_a_passing_tool_says_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    check = run_check("version", ["ruff", "--version"])
    assert check.passed
    assert capsys.readouterr().out == f"{check}\n"


def test_a_failing_tool_shows_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.py").write_text("import os\n")
    check = run_check("lint", ["ruff", "check", "--no-cache", "--isolated", str(tmp_path)])
    assert not check.passed
    assert "F401" in capsys.readouterr().out


def test_the_checks_leave_the_environment_alone() -> None:
    before = dict(os.environ)
    run_check("version", ["ruff", "--version"])
    assert dict(os.environ) == before
