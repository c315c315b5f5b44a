"""Named queries: every statement lives in `sql/queries/*.sql` under `-- name: x`, loaded by that name."""

import re
from functools import cache
from pathlib import Path

SQL_DIRECTORY = Path(__file__).resolve().parents[2] / "sql"
_NAME = re.compile(r"^-- name: ([a-z][a-z0-9_]*)\s*$", re.MULTILINE)


class SqlError(Exception):
    """A query file is malformed, or no query has this name: a fault of the program."""


def sql(name: str) -> str:
    """Return the text of the query called `name`."""
    try:
        return _all()[name]
    except KeyError as error:
        raise SqlError(f"no query is called {name!r}") from error


def query_names() -> tuple[str, ...]:
    """Return the names of all queries in order."""
    return tuple(sorted(_all()))


def parse(text: str, origin: str) -> dict[str, str]:
    """Split a query file into name -> statement; each must have a sentence of explanation."""
    pieces = _NAME.split(text)
    if pieces[0].strip():
        raise SqlError(f"{origin}: text before the first '-- name:'")
    found: dict[str, str] = {}
    for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
        if name in found:
            raise SqlError(f"{origin}: {name} stands twice")
        if not body.lstrip().startswith("-- "):
            raise SqlError(f"{origin}: {name} has no sentence that says what it does")
        found[name] = body.strip().rstrip(";")
    return found


@cache
def _all() -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted((SQL_DIRECTORY / "queries").glob("*.sql")):
        for name, statement in parse(path.read_text(encoding="utf-8"), path.name).items():
            if name in found:
                raise SqlError(f"{path.name}: {name} stands in another file too")
            found[name] = statement
    return found
