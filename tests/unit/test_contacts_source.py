"""Rows of a file: what a quotation mark takes in is never lost without a word."""

from datetime import date
from pathlib import Path

import pytest

from dialer_engine.contacts.errors import ContactsError
from dialer_engine.contacts.registry.answers import read_answers
from dialer_engine.contacts.registry.table import read_table
from dialer_engine.contacts.source import hides_rows, inspect, rows, whole_rows

pytestmark = pytest.mark.unit


def put(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return path


def read(path: Path) -> list[list[str]]:
    return [cells for _, cells in rows(inspect(path))]


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize("line", [2, 3])
def test_a_quotation_mark_that_is_never_closed_is_refused_at_its_row(
    tmp_path: Path, line: int, end: str
) -> None:
    lines = ["phone,name", "2105550111,Al", "2105550112,Bo", "2105550113,Cy"]
    lines[line - 1] = lines[line - 1].replace(",", ',"')
    path = put(tmp_path, "\n".join(lines) + end)
    with pytest.raises(ContactsError, match=rf"a\.csv:{line}: a quotation mark is opened in this row"):
        read(path)


@pytest.mark.parametrize("end", ["", "\n"])
def test_quotation_marks_that_are_closed_are_read(tmp_path: Path, end: str) -> None:
    path = put(tmp_path, 'phone,name\n2105550111,"Al, ""A""\nsecond line"\n2105550112,6" Bo\n3,"Cy"' + end)
    assert read(path) == [
        ["phone", "name"],
        ["2105550111", 'Al, "A"\nsecond line'],
        ["2105550112", '6" Bo'],
        ["3", "Cy"],
    ]


@pytest.mark.parametrize(
    "text",
    [
        'phone,name\n2105550111,Al\n2105550112,"Bo\n2105550113,Cy\n2105550114,"Di"\n',
        'phone,name\n2105550111,Al\n2105550112,"Bo\n2105550113,"Cy"\n',
        '"phone","name"\n"2105550111","Al"\n"2105550112","Bo\n"2105550113","Cy"\n',
        'name,phone\nAl,2105550111\n"Bo,2105550112\n"Cy",2105550113\n',
        'phone,name\r2105550111,Al\r2105550112,"Bo\r2105550113,"Cy"\r',
    ],
)
def test_a_quotation_mark_closed_by_a_later_row_is_found(tmp_path: Path, text: str) -> None:
    with pytest.raises(ContactsError, match=r"a\.csv:3: a cell of several lines"):
        list(whole_rows(inspect(put(tmp_path, text))))


@pytest.mark.parametrize(
    "cell",
    ["12 Main St\nAustin, TX 78201", "said:\n210-555-0111\nthanks", "one line, 2105550111", "a\nb, 12345"],
)
def test_an_ordinary_cell_hides_nothing(cell: str) -> None:
    assert not hides_rows(["2105550111", cell], ",")


@pytest.mark.parametrize("encoding", ["hex", "rot13", "base64", "klingon"])
def test_a_codec_that_is_no_encoding_of_text_is_refused(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(ContactsError, match=f"'{encoding}' is not an encoding"):
        inspect(put(tmp_path, "phone\n2105550111\n"), encoding)


HIDING = 'number,since,answer\n2125551234,"2026-01-01\n2125551235,2026-01-01,no\n"2125551236",2026-01-01,no\n'


def test_lists_that_one_bad_row_refuses_are_refused(tmp_path: Path) -> None:
    path = put(tmp_path, HIDING)
    with pytest.raises(ContactsError, match=r"a\.csv:2: a cell of several lines"):
        list(read_table(path))
    with pytest.raises(ContactsError, match=r"a\.csv:2: a cell of several lines"):
        list(read_answers(path, date(2026, 6, 1)))
