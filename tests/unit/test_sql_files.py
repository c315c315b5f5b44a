"""The query files: every query is named, explained and used, and Python holds no SQL of its own."""

import re

import pytest

from dialer_engine.store import migrate
from dialer_engine.store.caller_ids import least_used
from dialer_engine.store.errors import StoreError
from dialer_engine.store.sql import SQL_DIRECTORY, SqlError, parse, query_names, sql

pytestmark = pytest.mark.unit

SOURCES = sorted((SQL_DIRECTORY.parent / "dialer_engine").rglob("*.py"))
STATEMENT = re.compile(r"\b(select .* from|insert into|update \w+ set|delete from)\b", re.IGNORECASE)
STRING = re.compile(r'"""(?:.|\n)*?"""|"[^"\n]*"')


def test_every_query_is_used_and_every_used_one_exists() -> None:
    used = {name for path in SOURCES for name in re.findall(r'\bsql\("(\w+)"\)', path.read_text())}
    assert used == set(query_names())


def test_python_holds_no_sql() -> None:
    guilty = [
        (path.name, text)
        for path in SOURCES
        for text in STRING.findall(path.read_text())
        if not text.startswith('"""') and STATEMENT.search(text)
    ]
    assert guilty == []


def test_unknown_names_are_refused() -> None:
    with pytest.raises(SqlError, match="no query is called"):
        sql("nothing")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("select 1;\n-- name: a\n-- One.\nselect 1;", "before the first"),
        ("-- name: a\nselect 1;", "has no sentence"),
        ("-- name: a\n-- One.\nselect 1;\n-- name: a\n-- Two.\nselect 2;", "stands twice"),
    ],
)
def test_malformed_files_are_refused(text: str, message: str) -> None:
    with pytest.raises(SqlError, match=message):
        parse(text, "x.sql")


def test_migrations_are_numbered_without_a_gap(tmp_path: object) -> None:
    assert [m.number for m in migrate.migrations()] == list(range(1, len(migrate.migrations()) + 1))


def test_a_gap_or_a_strange_name_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    gap = tmp_path_factory.mktemp("gap")
    (gap / "0002_second.sql").write_text("select 1;")
    with pytest.raises(StoreError, match="without a gap"):
        migrate.migrations(gap)
    (gap / "first.sql").write_text("select 1;")
    with pytest.raises(StoreError, match="is called NNNN"):
        migrate.migrations(gap)


def test_caller_ids_go_to_the_least_used_in_turn() -> None:
    assert least_used(("a", "b", "c"), {"a": 2, "b": 1}, 6) == ["c", "b", "c", "a", "b", "c"]
    assert least_used(("a",), {}, 3) == ["a", "a", "a"]
