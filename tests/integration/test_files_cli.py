"""Files that are taken in and written by commands, as a person brings and names them."""

import os
from concurrent.futures import ThreadPoolExecutor
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


# --- where files are written ----------------------------------------------------------------------

REJECTING = "phone,name\n2104440111,Bob\nnone,Al\n"


def test_rejected_rows_replace_neither_the_source_nor_what_is_no_file(
    commands: Commands, tmp_path: Path
) -> None:
    file, link, pipe, directory = (tmp_path / name for name in ("june.csv", "link", "pipe", "directory"))
    file.write_text(REJECTING)
    (tmp_path / "other.csv").write_text("other")
    link.symlink_to("other.csv")
    os.mkfifo(pipe)
    directory.mkdir()
    words = ("list", "import", str(file), "--member", "acme", "--list", "june", "--rejected")
    for target, why in (
        (file, "is the file to be imported"),
        (link, "is a link"),
        (pipe, "is a directory or device"),
        (directory, "is a directory or device"),
        (file / "below", "cannot be written"),
    ):
        assert f"{target}: {why}" in commands.refused(*words, str(target))
    assert file.read_text() == REJECTING
    assert link.is_symlink()
    assert pipe.is_fifo()
    assert "no lists yet" in commands.run("list", "ls")
    (tmp_path / "old.csv").write_text("of an earlier import")
    commands.run(*words, str(tmp_path / "old.csv"))
    assert "none,Al,not a phone number" in (tmp_path / "old.csv").read_text()


def test_an_export_goes_through_links_and_to_devices(commands: Commands, tmp_path: Path) -> None:
    target, link, pipe = tmp_path / "cdr.csv", tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(target)
    commands.run("cdr", "export", "-o", str(link))
    assert link.is_symlink()
    assert target.read_text().startswith("attempt_id,")
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(pipe.read_text)
        commands.run("cdr", "export", "-o", str(pipe))
        assert reading.result(timeout=10).startswith("attempt_id,")
    assert pipe.is_fifo()
    assert "Is a directory" in commands.refused("cdr", "export", "-o", str(tmp_path))
    assert "No such file" in commands.refused("cdr", "export", "-o", str(tmp_path / "no" / "where.csv"))


def test_a_list_has_the_name_that_a_campaign_gives_it(commands: Commands, tmp_path: Path) -> None:
    file = tmp_path / "june.csv"
    file.write_text("phone\n2104440111\n")
    commands.run("list", "import", str(file), "--member", "acme", "--list", " june ")
    assert '"list": "june"' in commands.run("list", "ls", "--json")


def test_a_first_number_written_as_a_link_is_not_lost(commands: Commands, tmp_path: Path) -> None:
    file = tmp_path / "dnc.csv"
    file.write_text("tel:+12105550111\n2105550112\n")
    assert "2 rows: 2 numbers added" in commands.run("dnc", "import", str(file))
