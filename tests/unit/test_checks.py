"""The command that checks everything."""

import os
from pathlib import Path

import pytest

from dialer_engine.cli.checks import CHECKS, Check, Summary, _keep_caches_outside, run_check

pytestmark = pytest.mark.unit

CACHES = {"RUFF_CACHE_DIR", "MYPY_CACHE_DIR", "HYPOTHESIS_STORAGE_DIRECTORY"}


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


def test_caches_are_kept_outside_of_the_checkout_and_nothing_else_of_the_environment_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.py").write_text("")
    for name in CACHES:
        monkeypatch.setenv(name, "elsewhere")
    before = dict(os.environ)
    _keep_caches_outside(tmp_path / "home" / "cache")
    changed = {name: value for name, value in os.environ.items() if before.get(name) != value}
    assert before.keys() == os.environ.keys()
    assert set(changed) == CACHES
    assert {Path(each).parent for each in changed.values()} == {tmp_path / "home" / "cache"}
    assert run_check("lint", ["ruff", "check", "good.py"]).passed
    assert run_check("types", ["mypy", "good.py"]).passed
    assert sorted(each.name for each in (tmp_path / "home" / "cache").iterdir()) == ["mypy", "ruff"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["good.py", "home"]
