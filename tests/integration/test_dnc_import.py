"""`dialer dnc import`: nobody who stands in the file stays callable without a word."""

from pathlib import Path

import pytest
from cli_support import Commands, commands_on

pytestmark = pytest.mark.postgres


@pytest.fixture
def commands(tmp_path: Path, pg_url: str, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """A configuration over the test's database."""
    return commands_on(tmp_path, pg_url, monkeypatch)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the file lies that is imported."""
    return tmp_path / "dnc.csv"


def forbidden(commands: Commands, number: str) -> bool:
    """Whether a number stands on a do-not-call list."""
    return "must not be called" in commands.run("dnc", "check", number)


@pytest.mark.parametrize(
    "written",
    [
        "512-555-0134 x5",
        "5125550134 ext. 22",
        "(512) 555-0134 extension 7",
        "+1 512 555 0134;ext=5",
        "512-555-0134 #5",
    ],
)
def test_a_number_with_an_extension_is_forbidden_without_it(
    commands: Commands, file: Path, written: str
) -> None:
    file.write_text(f'phone\n"{written}"\n')
    assert "1 rows: 1 numbers added" in commands.run("dnc", "import", str(file))
    assert forbidden(commands, "5125550134")


def test_a_row_that_cannot_be_read_is_a_failure_and_the_others_are_forbidden(
    commands: Commands, file: Path
) -> None:
    file.write_text(
        "phone,name\n2105550111,Al\n555-0112,Bo\n2105550113,Cy\n,Di\n2.10555E+09,Ed\n2105550116,Flo\n"
    )
    told = commands.refused("dnc", "import", str(file))
    assert "6 rows: 3 numbers added" in told
    assert "row 3: not a phone number" in told
    assert "row 5: no number in the columns that were read" in told
    assert "row 6: damaged by a spreadsheet" in told
    assert "3 rows hold a number that could not be read, or none" in told
    assert "can still be called" in told
    assert "dialer dnc add" in told
    assert all(forbidden(commands, number) for number in ("2105550111", "2105550113", "2105550116"))


def test_a_word_beside_a_number_hides_none(commands: Commands, file: Path) -> None:
    file.write_text("phone,mobile\n2105550111,n/a\n-,2105550112\n2105550113,\n")
    assert "3 rows: 3 numbers added" in commands.run("dnc", "import", str(file))


def test_a_broken_number_beside_a_good_one_is_told(commands: Commands, file: Path) -> None:
    file.write_text("phone,mobile\n2105550111,555-0119\n")
    told = commands.refused("dnc", "import", str(file))
    assert "row 2: not a phone number" in told
    assert forbidden(commands, "2105550111")


def test_a_local_number_with_a_note_forbids_no_stranger(commands: Commands, file: Path) -> None:
    file.write_text("phone\n210-4567 Mom\n")
    told = commands.refused("dnc", "import", str(file))
    assert "1 rows: 0 numbers added" in told
    assert "row 2: not a phone number" in told
    assert not forbidden(commands, "2104567666")


@pytest.mark.parametrize(
    "two",
    [
        "2105550111;2105550112",
        "2105550111,,2105550112",
        "2105550111/x2105550112",
        "2105550111 ext 2105550112",
    ],
)
def test_a_second_number_in_a_cell_is_told(commands: Commands, file: Path, two: str) -> None:
    file.write_text(f'phone,name\n"{two}",Al\n')
    told = commands.refused("dnc", "import", str(file))
    assert "row 2: more than one number in a cell" in told
    assert forbidden(commands, "2105550111")


def test_every_column_of_numbers_is_read_whatever_its_header(commands: Commands, file: Path) -> None:
    file.write_text(
        "Name,Phone,Cell (spouse),Reach,Account Number\n"
        "Ana,2105550111,210-555-0121,2105550131 x9,4002123456\n"
        "Bo,2105550112,,2105550132,4002123457\n"
    )
    told = commands.run("dnc", "import", str(file))
    assert "read: 'Phone', 'Cell (spouse)', 'Reach'" in told
    assert "5 numbers added" in told
    assert forbidden(commands, "2105550121")
    assert forbidden(commands, "2105550131")
    assert not forbidden(commands, "4002123456")
    assert "not read: 'Account Number', though 2 of its cells could be phone numbers" in told


def test_a_column_that_becomes_one_of_numbers_late_is_told(commands: Commands, file: Path) -> None:
    rows = [f"21055501{n % 100:02d},see file" for n in range(1200)]
    file.write_text("\n".join(["Phone,Notes", *rows, "2105550111,2145550112"]))
    told = commands.refused("dnc", "import", str(file))
    assert "not read: 'Notes', though 1 of its cells could be phone numbers" in told
    assert not forbidden(commands, "2145550112")
    commands.run("dnc", "import", str(file), "--column", "Phone")
    file.write_text("Phone,Notes\n2105550111,2145550112\n")
    assert "1 numbers added" in commands.run(
        "dnc", "import", str(file), "--column", "Phone", "--column", "Notes"
    )
    assert forbidden(commands, "2145550112")


def test_the_given_column_alone_is_read_and_the_others_are_named(commands: Commands, file: Path) -> None:
    file.write_text("Phone,Cell (spouse)\n2105550111,2105550121\n")
    told = commands.run("dnc", "import", str(file), "--column", "Phone")
    assert "read: 'Phone'\n" in told
    assert "not read: 'Cell (spouse)', though 1 of its cells could be phone numbers" in told
    assert not forbidden(commands, "2105550121")


def test_a_file_without_header_is_read_whole(commands: Commands, file: Path) -> None:
    file.write_text("Ana,2105550111,2105550121\nBo,2105550112,2105550122\n")
    told = commands.run("dnc", "import", str(file))
    assert "read: 'column 2', 'column 3'" in told
    assert "4 numbers added" in told


def test_cells_beyond_the_columns_are_read_too(commands: Commands, file: Path) -> None:
    rows = [f"210555{n:04d}" for n in range(2000, 3500)]
    file.write_text("\n".join([*rows, "2105550100, 2105550101,,n/a"]))
    told = commands.run("dnc", "import", str(file))
    assert "read: 'column 1', 'column 2'" in told
    assert "1,501 rows: 1,502 numbers added" in told
    assert forbidden(commands, "2105550101")


def test_a_broken_number_beyond_the_columns_is_told(commands: Commands, file: Path) -> None:
    rows = [f"210555{n:04d}" for n in range(2000, 3500)]
    file.write_text("\n".join(["phone", *rows, "2105550100,n/a,555-0101"]))
    told = commands.refused("dnc", "import", str(file))
    assert "row 1502: column 3: not a phone number" in told
    assert forbidden(commands, "2105550100")
    told = commands.run("dnc", "import", str(file), "--column", "phone")
    assert "not read: 'column 3', though 1 of its cells could be phone numbers" in told


def test_a_number_beyond_the_columns_heals_no_row_without_one(commands: Commands, file: Path) -> None:
    rows = [f"210555{n:04d},Al,4002123456" for n in range(2000, 3100)]
    file.write_text("\n".join(["Phone,Name,Account", *rows, ",Al,2105550100,4002123457"]))
    told = commands.refused("dnc", "import", str(file))
    assert "row 1102: no number in the columns that were read" in told


@pytest.mark.parametrize("first", ["2.10555E+09", "2.11E+09", "555-0100", "Tel 555-0100"])
def test_a_broken_number_in_the_first_row_is_no_header(commands: Commands, file: Path, first: str) -> None:
    file.write_text(f"{first}\n2105550111\n2105550112\n")
    told = commands.refused("dnc", "import", str(file))
    assert "3 rows: 2 numbers added" in told
    assert "row 1: " in told
    assert "1 rows hold a number that could not be read" in told


def test_a_first_row_of_names_is_a_header(commands: Commands, file: Path) -> None:
    file.write_text("Phone 2,Reach (2026),Name\n2105550111,2105550112,Al\n")
    assert "1 rows: 2 numbers added" in commands.run("dnc", "import", str(file))
