"""The one way of the commands to the terminal, so that no text of anybody's can command it.

`say` prints one line, `new_console` makes rich's tables; in both, control characters and signs that turn the direction
of writing are shown instead of sent, and square brackets are only brackets. Programs read JSON: `say_json`.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable
from typing import Any, TextIO, cast

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from dialer_engine.core.text import shown, shown_lines


def say(line: str, *, err: bool = False) -> None:
    """Print one line; a line end within it is shown, so that no value can begin a line of its own."""
    typer.echo(shown(line), err=err)


def say_text(text: str, *, err: bool = False) -> None:
    """Print text of several lines, such as an error with its list of places."""
    typer.echo(shown_lines(text), err=err)


def say_json(document: object, indent: int | None = None) -> None:
    """Print a document as JSON in ASCII; what JSON does not know is written as text."""
    typer.echo(json.dumps(document, default=str, indent=indent).replace("\x7f", "\\u007f"))


def new_console(*, stderr: bool = False) -> Console:
    """Return a console for tables and live screens."""
    return _Console(stderr=stderr)


def exported() -> TextIO:
    """Return standard output for an export: as it is for a file or a program, made harmless for a terminal."""
    return cast(TextIO, _Shown(sys.stdout)) if sys.stdout.isatty() else sys.stdout


class _Console(Console):
    """A console whose texts are only texts."""

    def render_str(self, text: str, **more: Any) -> Text:
        more |= {"markup": False, "emoji": False}
        return super().render_str(shown_lines(text), **more)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        # Texts that were styled beforehand do not pass `render_str`.
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(shown_lines(segment.text), segment.style)


class _Shown(io.TextIOBase):
    """Standard output for a terminal: line ends go through, everything else that acts is shown."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, text: str) -> int:
        self._out.write(shown_lines(text))
        return len(text)

    def flush(self) -> None:
        self._out.flush()
