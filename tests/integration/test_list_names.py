"""A misspelt list name makes a list that nobody calls: the import says who calls it, doctor what is perhaps meant."""

import asyncio
import json
from pathlib import Path

import pytest
from cli_support import Commands, commands_on

from dialer_engine.cli.doctor_names import names
from dialer_engine.cli.finding import OK, WARNING, Finding

pytestmark = pytest.mark.postgres


@pytest.fixture
def commands(tmp_path: Path, pg_url: str, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """A configuration over the test's database, whose campaign spring calls the list june of acme."""
    commands = commands_on(tmp_path, pg_url, monkeypatch)
    call(commands, "june")
    (tmp_path / "june.csv").write_text("phone,name\n2122345111,Al\n", encoding="utf-8")
    return commands


def call(commands: Commands, *lists: str) -> None:
    """Let the campaign spring call these lists."""
    directory = commands.config / "campaigns"
    directory.mkdir(exist_ok=True)
    named = f"member: acme\nlists: [{', '.join(lists)}]\n"
    (directory / "spring.yaml").write_text(
        named + "trunks: [main]\ncaller_ids: [+12125560100]\n", encoding="utf-8"
    )


def imported(commands: Commands, tmp_path: Path, name: str, *more: str) -> str:
    """What the import into a list of acme says."""
    return commands.run("list", "import", str(tmp_path / "june.csv"), "-m", "acme", "-l", name, *more)


def doctor(commands: Commands) -> Finding:
    """What doctor says of names."""
    return asyncio.run(names(commands.config))


def test_an_import_says_who_calls_the_list(commands: Commands, tmp_path: Path) -> None:
    assert "list 'june' of acme is called by spring" in imported(commands, tmp_path, "june", "--dry-run")
    assert json.loads(imported(commands, tmp_path, "june", "--dry-run", "--json"))["campaigns"] == ["spring"]


def test_an_import_into_a_list_that_nobody_calls_names_those_that_are_called(
    commands: Commands, tmp_path: Path
) -> None:
    told = imported(commands, tmp_path, "jnue", "--dry-run")
    assert "list 'jnue' of acme is called by no campaign" in told
    assert "under `lists` of one of its campaigns, which name 'june'" in told


def test_doctor_names_the_list_that_is_perhaps_meant(commands: Commands, tmp_path: Path) -> None:
    imported(commands, tmp_path, "june")
    call(commands, "jnue")
    found = doctor(commands)
    assert found.state == WARNING
    assert "campaign spring calls the list 'jnue' of acme, which has no contacts" in found.words
    assert "no campaign calls 'june'" in found.words


def test_doctor_finds_nothing_amiss_when_all_lists_with_contacts_are_called(
    commands: Commands, tmp_path: Path
) -> None:
    imported(commands, tmp_path, "july", "--dry-run")
    assert doctor(commands).state == OK
    imported(commands, tmp_path, "june")
    call(commands, "june", "july")
    assert doctor(commands).state == OK
