"""Write the tables of `docs/configuration.md` from the models, so that they cannot differ.

`python -m dialer_engine.settings.reference docs/configuration.md` renews the part after the mark.
"""

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from dialer_engine.settings.base import Model
from dialer_engine.settings.catalogue import ANY, Key, keys
from dialer_engine.settings.models import Campaign, Settings
from dialer_engine.settings.values import duration_text

MARK = "<!-- From here on written by: python -m dialer_engine.settings.reference docs/configuration.md -->\n"


def reference() -> str:
    """All tables as Markdown, one per group of keys."""
    parts = [*_file("dialer.yaml", Settings), *_file("campaigns/NAME.yaml", Campaign)]
    return "\n".join(parts)


def renewed(page: str) -> str:
    """The page with the tables of today's models after the mark."""
    return page.split(MARK)[0] + MARK + "\n" + reference()


def _file(title: str, model: type[Model]) -> Iterator[str]:
    yield f"## `{title}`\n"
    groups: dict[tuple[str, ...], list[Key]] = {(): []}
    for key in keys(model):
        groups.setdefault(key.path[:-1], []).append(key)
    for path, members in groups.items():
        if path:
            yield f"### `{_written(path)}`\n"
        yield "| key | default | allowed | meaning |\n|---|---|---|---|"
        yield from (_row(key) for key in members)
        yield ""


def _written(path: tuple[str, ...]) -> str:
    text = ".".join(path)
    return text.replace(f"nodes.{ANY}", "nodes[ ]").replace(f"dispositions.{ANY}", "dispositions.DIGIT")


def _row(key: Key) -> str:
    return f"| `{key.path[-1]}` | {_default(key)} | {_allowed(key)} | {key.description.replace('|', '/')} |"


def _allowed(key: Key) -> str:
    if key.field.annotation is bool:
        return "true, false"
    if key.path[-1] == "agents":
        return "all, or names in [ ]"
    return key.allowed


def _default(key: Key) -> str:
    if key.path == ("name",):
        return "the file's name"
    if key.required:
        return "**required**"
    value = key.field.get_default(call_default_factory=True, validated_data={})
    text = "" if isinstance(value, Model) else _value(value)
    return f"`{text}`" if text else ""


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        return duration_text(value)
    if isinstance(value, list):
        return f"[{', '.join(value)}]" if value else ""
    return str(value) if value or value == 0 else ""


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(renewed(target.read_text("utf-8")), "utf-8")
