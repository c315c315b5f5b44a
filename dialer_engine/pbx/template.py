"""Filling of Asterisk's configuration templates, with nothing let through that could change their meaning.

A template holds `{{ name }}`. Values are text from settings and must stay one value: line ends, `;` (comment)
and `[` (section) are refused, with the setting's name. Text rendered before goes in as a `Block`, unchecked.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dialer_engine.core.text import one_line

TEMPLATES = Path(__file__).resolve().parents[2] / "asterisk"
_TEXTS = {
    path: path.read_text("utf-8")
    for path in sorted(TEMPLATES.rglob("[!.]*.c*f*"))
    if path.suffix in (".conf", ".cfg")
}
"""The templates as they were when this process began: a newer release may be laid over the checkout while it runs."""
_PLACE = re.compile(r"\{\{ ?(\w+) ?\}\}")
_FORBIDDEN = {
    "\r": "a line end",
    "\n": "a line end",
    "\0": "a NUL",
    ";": "';'",
    "[": "'['",
    "${": "'${'",
    "$[": "'$['",
}


class RenderError(Exception):
    """A setting that cannot be written into Asterisk's configuration; the text names it."""


@dataclass(frozen=True, slots=True)
class Block:
    """Configuration text of several lines that was itself rendered and is put in as it is."""

    text: str


def checked(value: str, name: str) -> str:
    """Return `value` when it can stand as a value, else raise RenderError with the setting's name."""
    for sign, word in _FORBIDDEN.items():
        if sign in value:
            raise RenderError(
                f"{name}: {word} is not allowed in Asterisk's configuration; choose a value without it"
            )
    if not one_line(value):
        raise RenderError(f"{name}: control characters are not allowed in Asterisk's configuration")
    if value != value.strip() or not value:
        raise RenderError(f"{name}: must not be empty, nor begin or end with a space")
    if value.startswith(">"):
        raise RenderError(f"{name}: must not begin with '>'")
    return value


def fill(template: str, values: Mapping[str, str | int | Block], where: str = "template") -> str:
    """Return `template` with every `{{ name }}` replaced by its checked value."""

    def replace(place: re.Match[str]) -> str:
        name = place[1]
        if name not in values:
            raise RenderError(f"{where}: no value for {{{{ {name} }}}}")
        value = values[name]
        return value.text if isinstance(value, Block) else checked(str(value), name)

    return _PLACE.sub(replace, template)


def fill_file(path: Path, values: Mapping[str, str | int | Block]) -> str:
    """Fill the template file at `path`; one of the project's own is as it was when this process began."""
    text = _TEXTS[path] if path in _TEXTS else path.read_text("utf-8")
    return fill(text, values, path.name)


def templates_in(directory: Path) -> list[Path]:
    """Return the project's templates in a directory, by name, as they were when this process began."""
    return [path for path in _TEXTS if path.parent == directory]


def setting_lines(values: Mapping[str, str], where: str) -> Block:
    """Return one checked `name = value` line per entry; `where` names the origin in errors."""
    lines = [f"{name} = {checked(value, f'{where}.{name}')}\n" for name, value in values.items()]
    return Block("".join(lines))
