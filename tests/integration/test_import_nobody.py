"""Imports that bring nobody into a list: the command's status, the most frequent reason, and what to do."""

import json
from pathlib import Path

import pytest
from cli_support import Commands, commands_on

pytestmark = pytest.mark.postgres


@pytest.fixture
def commands(tmp_path: Path, pg_url: str, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """A configuration over the test's database."""
    return commands_on(tmp_path, pg_url, monkeypatch)


def bring(
    commands: Commands, directory: Path, content: str, *more: str, to: str = "june", status: int = 0
) -> str:
    """What the import of a file into a list of acme says."""
    file = directory / "people.csv"
    file.write_text(content, encoding="utf-8")
    return commands.run("list", "import", str(file), "-m", "acme", "-l", to, *more, status=status)


@pytest.mark.parametrize(
    ("content", "reason", "remedy"),
    [
        ("phone\nnone\nnothing\n8005550101\n", "2 of 3 rows: not a phone number", "--map phone=Column"),
        ("name,phone\nAl,\nBo,\n", "2 of 2 rows: no phone number", "--map phone=Column"),
        ("phone\n8005550101\n8005550102\n", "2 of 2 rows: toll-free number", "only numbers of"),
        ("phone\n2105550101\n2105550102\n", "2 of 2 rows: fictional number", "in a laboratory (`lab`"),
        ("phone\n2.10445E+09\n2.10445E+09\n", "2 of 2 rows: damaged by a spreadsheet", "as text"),
        ("phone\n2104440101 x12\n", "1 of 1 rows: has an extension", "without it"),
        ('phone,note\n2104440101,"x\n2104440102,y"\n', "1 of 1 rows: a cell of several lines", "one line"),
        ("phone,country\n3312345678,Mexico\n", "1 of 1 rows: in another country", "--map ignore=Country"),
        ("home,cell\n8005550101,none\n8005550102,\n", "2 of 2 rows: toll-free number", "only numbers of"),
    ],
)
def test_a_file_of_which_nobody_is_imported_ends_with_status_1_and_what_to_do(
    commands: Commands, tmp_path: Path, content: str, reason: str, remedy: str
) -> None:
    for more in (("--dry-run",), ()):
        told = bring(commands, tmp_path, content, *more, status=1)
        assert f"nobody is imported; {reason}" in told
        assert remedy in told


def test_json_of_an_import_of_nobody_is_whole_and_ends_with_status_1(
    commands: Commands, tmp_path: Path
) -> None:
    file = tmp_path / "people.csv"
    file.write_text("phone\nnone\n")
    done = commands.invoke("list", "import", str(file), "-m", "acme", "-l", "june", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["reasons"] == {"not a phone number": 1}
    assert "nobody is imported" in done.stderr


def test_one_contact_is_enough_for_status_0(commands: Commands, tmp_path: Path) -> None:
    assert "nobody" not in bring(commands, tmp_path, "phone\nnone\nnone\n2104440101\n")


def test_a_file_that_is_on_its_list_already_is_no_failure(commands: Commands, tmp_path: Path) -> None:
    file = "phone,state\n2104440101,TX\n2104440102,TX\nnone,TX\n"
    bring(commands, tmp_path, file)
    told = bring(commands, tmp_path, file)
    assert "nobody is imported; 2 of 3 rows: stands on a list of this Member already" in told
    assert "2 addresses brought up to date" in bring(commands, tmp_path, file.replace("TX", "CT"))
    assert "3 of 3 rows: stands on a list" in bring(commands, tmp_path, "phone\n" + "2104440101\n" * 3)


def test_people_of_another_list_leave_a_new_one_empty_and_that_is_a_failure(
    commands: Commands, tmp_path: Path
) -> None:
    file = "phone\n2104440101\n2104440102\n"
    bring(commands, tmp_path, file)
    for more in (("--dry-run",), (), ()):
        told = bring(commands, tmp_path, file, *more, to="july", status=1)
        assert "the list 'july' of acme has no contacts" in told
        assert "dialer list undo" in told
