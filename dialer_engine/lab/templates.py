"""Fill the lab's Asterisk templates: `@{name}` is replaced, `@@` is one at sign."""

from __future__ import annotations

import string
from pathlib import Path

TEMPLATES = Path(__file__).resolve().parents[2] / "asterisk" / "lab"


class _Conf(string.Template):
    """A template whose marker is `@`, because Asterisk's own variables use the dollar sign."""

    delimiter = "@"


def fill(instance: str, file: str, **values: str | int) -> str:
    """The text of one file of an instance (`carrier` or `phones`) with its values put in."""
    return _Conf((TEMPLATES / instance / file).read_text(encoding="utf-8")).substitute(
        {name: str(value) for name, value in values.items()}
    )
