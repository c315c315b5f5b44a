"""Files that are taken in and written by commands, as a person brings and names them."""

from pathlib import Path

import pytest
from cli_support import Commands, commands_on

pytestmark = pytest.mark.postgres


@pytest.fixture
def commands(tmp_path: Path, pg_url: str, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """A configuration over the test's database."""
    return commands_on(tmp_path, pg_url, monkeypatch)


# --- quotation marks ------------------------------------------------------------------------------

OPEN = 'phone,name\n2105550111,"Bob\n2105550112,Al\n2105550113,Cy\n'
CLOSED_LATER = 'phone,name\n2105550111,"Bob\n2105550112,Al\n2105550113,"Cy"\n2105550114,Di\n'


def test_do_not_call_numbers_behind_a_quotation_mark_are_told(commands: Commands, tmp_path: Path) -> None:
    file = tmp_path / "dnc.csv"
    file.write_text(OPEN)
    assert f"{file}:2: a quotation mark is opened" in commands.refused("dnc", "import", str(file))
    assert "stands on no list" in commands.run("dnc", "check", "2105550111")
    file.write_text(CLOSED_LATER)
    told = commands.refused("dnc", "import", str(file))
    assert f"{file}:2: a cell of several lines" in told
    assert "can still be called" in told
    for number in ("2105550111", "2105550114"):
        assert "must not be called" in commands.run("dnc", "check", number)


def test_consents_behind_a_quotation_mark_are_refused(commands: Commands, tmp_path: Path) -> None:
    file = tmp_path / "consents.csv"
    file.write_text(
        'number,kind,since,person\n2105550111,express,2026-05-01,"Bob\n'
        '2105550112,express,2026-05-01,Al\n2105550113,express,2026-05-01,"Cy"\n'
    )
    told = commands.refused("consent", "import", str(file), "--member", "acme")
    assert f"{file}:2: a cell of several lines" in told
    assert "no consent is recorded" in commands.run("consent", "show", "2105550111")


def test_contacts_behind_a_quotation_mark_are_rejected(commands: Commands, tmp_path: Path) -> None:
    file = tmp_path / "june.csv"
    file.write_text(CLOSED_LATER.replace("555", "444"))
    told = commands.run("list", "import", str(file), "--member", "acme", "--list", "june")
    assert "2 rows: 1 contacts" in told
    assert "1  a cell of several lines holds what looks like another row" in told
    assert "2104440112,Al" in (tmp_path / "june.rejected.csv").read_text()
