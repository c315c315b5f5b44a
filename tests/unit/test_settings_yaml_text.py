"""The YAML reader: text stays text, places are exact, and what could explode or mislead is refused."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialer_engine.settings.text_file import LARGEST_FILE, UnreadableError
from dialer_engine.settings.yaml_text import Document, Place, read_document

pytestmark = pytest.mark.unit


def read(tmp_path: Path, content: str | bytes) -> tuple[Document, list[str]]:
    file = tmp_path / "x.yaml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    document, problems = read_document(file)
    return document, [problem.text().replace(str(tmp_path), "") for problem in problems]


def refused(tmp_path: Path, content: str | bytes) -> str:
    with pytest.raises(UnreadableError) as caught:
        read(tmp_path, content)
    return caught.value.problem.text().replace(f"{tmp_path}/", "")


@pytest.mark.parametrize(
    "text",
    [
        "10:30",
        "20:00",
        "+12105550100",
        "02105550100",
        "yes",
        "no",
        "off",
        "1e3",
        "0x10",
        "1_000",
        "2026-06-10",
        "=",
        ".5",
    ],
)
def test_plain_words_stay_text(tmp_path: Path, text: str) -> None:
    document, problems = read(tmp_path, f"key: {text}\n")
    assert document.content == {"key": text}
    assert problems == []


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_empty_means_not_given(tmp_path: Path, text: str) -> None:
    document, _ = read(tmp_path, f"key: {text}\nlist: [{text or '~'}]\n")
    assert document.content == {"key": None, "list": [None]}


def test_quoted_words_are_text(tmp_path: Path) -> None:
    document, _ = read(tmp_path, "a: '~'\nb: \"\"\nc: |\n  null\n'null': 1\n")
    assert document.content == {"a": "~", "b": "", "c": "null\n", "null": "1"}


def test_places(tmp_path: Path) -> None:
    document, _ = read(tmp_path, "é: 1\nlist:\n  - a\n  - {k: v}\n")
    assert document.values[("é",)] == Place(1, 4)
    assert document.keys[("list",)] == Place(2, 1)
    assert document.values[("list", 0)] == Place(3, 5)
    assert document.keys[("list", 1, "k")] == Place(4, 6)
    assert document.values[("list", 1, "k")] == Place(4, 9)


def test_a_missing_path_stands_at_its_nearest_parent(tmp_path: Path) -> None:
    document, _ = read(tmp_path, "a: 1\nb:\n  c: 2\n")
    problem = document.problem(("b", "x", "y"), "gone")
    assert (problem.line, problem.column, problem.path) == (2, 1, "b.x.y")
    assert (document.problem(("z",), "gone").line, document.problem((), "gone").column) == (1, 1)


def test_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    document, _ = read(tmp_path, b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert document.content == {"a": "1", "b": "2"}
    assert document.keys[("b",)] == Place(2, 1)


def test_duplicate_keys_are_reported_and_the_first_counts(tmp_path: Path) -> None:
    document, problems = read(tmp_path, "a: 1\nb:\n  c: 2\n  c: 3\na: 4\n")
    assert document.content == {"a": "1", "b": {"c": "2"}}
    assert problems == [
        "/x.yaml:4:3: b.c: the key 'c' stands here a second time; allowed: once; first in line 3",
        "/x.yaml:5:1: a: the key 'a' stands here a second time; allowed: once; first in line 1",
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "x.yaml:1:1: the file is empty or holds only comments; allowed: keys with values"),
        ("# nothing\n", "x.yaml:1:1: the file is empty or holds only comments; allowed: keys with values"),
        ("---\n", "x.yaml:1:1: the file is empty or holds only comments; allowed: keys with values"),
        ("just text\n", "x.yaml:1:1: the file holds no keys; allowed: keys with values such as 'trunks:'"),
        ("\n- a\n", "x.yaml:2:1: the file holds no keys; allowed: keys with values such as 'trunks:'"),
        ("a:\n\tb: 1\n", "x.yaml:2:1: a tab is used for indentation; allowed: spaces"),
        ("a:\n  b: 1\n \tc: 1\n", "x.yaml:3:2: a tab is used for indentation; allowed: spaces"),
        ("a: @x\n", "x.yaml:1:4: a value cannot start with '@'; allowed: text in quotes"),
        ("a: b: c\n", "x.yaml:1:5: a ':' that does not belong here; allowed: text with ': ' in quotes; "),
        ("a: 1\n b: 2\n", "x.yaml:2:3: a ':' that does not belong here"),
        ('a: "x\n', "x.yaml:2:1: this is not YAML: found unexpected end of stream"),
        ("a: [1,\n", "x.yaml:2:1: this is not YAML: "),
        (
            "b: &x 1\na: *x\n",
            "x.yaml:2:4: aliases such as *name are not supported; allowed: write the value out",
        ),
        ("a: *x\n", "x.yaml:1:4: aliases such as *name are not supported"),
        ("a: !!python/object/apply:os.system [x]\n", "x.yaml:1:4: tags such as !name are not supported"),
        ("a: !secret x\n", "x.yaml:1:4: tags such as !name are not supported"),
        ("a: 1\n---\nb: 2\n", "x.yaml:2:1: a second document starts here; allowed: one document per file"),
        (
            "a: " + "[" * 30 + "]" * 30,
            "x.yaml:1:23: values are nested too deeply; allowed: at most 20 levels",
        ),
        ("a: " + "{" * 5000, "x.yaml:1:23: values are nested too deeply"),
    ],
)
def test_refused_whole(tmp_path: Path, content: str, expected: str) -> None:
    assert refused(tmp_path, content).startswith(expected)


def test_an_alias_bomb_costs_nothing(tmp_path: Path) -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert refused(tmp_path, bomb).startswith("x.yaml:2:8: aliases")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"%PDF-1.7\n%\xe2", "x.yaml:1:1: the file is a PDF, not YAML; allowed: plain text in UTF-8"),
        (b"PK\x03\x04rest", "x.yaml:1:1: the file is a zip archive or office document, not YAML"),
        (b"\x1f\x8b\x08", "x.yaml:1:1: the file is compressed, not YAML"),
        ("a: 1".encode("utf-16"), "x.yaml:1:1: the file is UTF-16 text, not YAML"),
        (b"a: 1\nname: caf\xe9\n", "x.yaml:2:10: byte 0xe9 is not UTF-8 text"),
        ("é: ".encode() + b"\xff", "x.yaml:1:4: byte 0xff is not UTF-8 text"),
        (b"a: 1\nb: \x00\n", "x.yaml:2:4: control character U+0000; this is not a text file"),
        (b"a: \x1b[31m\n", "x.yaml:1:4: control character U+001B"),
        (b"a" * (LARGEST_FILE + 1), "x.yaml:1:1: the file is too large to be a settings file"),
    ],
)
def test_files_that_are_not_text(tmp_path: Path, content: bytes, expected: str) -> None:
    assert refused(tmp_path, content).startswith(expected)


def test_unreadable_files(tmp_path: Path) -> None:
    for file, reason in ((tmp_path / "gone.yaml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(UnreadableError, match=f"{file}: the file cannot be read: {reason}"):
            read_document(file)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a: 1\n<<: {b: 2}\n", "/x.yaml:2:1: '<<' merges are not supported; allowed: write the keys out"),
        ("a: 1\n? [x]\n: 2\n", "/x.yaml:2:3: a key must be one word; allowed: write the keys out"),
    ],
)
def test_odd_keys(tmp_path: Path, content: str, expected: str) -> None:
    document, problems = read(tmp_path, content)
    assert problems == [expected]
    assert document.content == {"a": "1"}


@given(
    st.one_of(st.binary(max_size=200), st.text("ab:-[]{}&*!|>'\"# \n\t,?%@`~0+", max_size=60).map(str.encode))
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_content_gets_past_the_reader(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "any.yaml"
    file.write_bytes(content)
    try:
        document, problems = read_document(file)
    except UnreadableError as error:
        problems = [error.problem]
    else:
        assert all(isinstance(key, str) for key in document.content)
    assert all(problem.line >= 1 and problem.column >= 1 for problem in problems)
