"""`dialer init`: write a commented example configuration; never over something that is there."""

import json
from pathlib import Path
from typing import Annotated

import typer

from dialer_engine.cli.terminal import say, say_json
from dialer_engine.settings.load import DEFAULT_DIRECTORY
from dialer_engine.settings.rules import SHIPPED
from dialer_engine.settings.schema import KINDS, json_schema

EXAMPLE = SHIPPED.parent / "example"
"""The example that comes with the engine."""
PRIVATE = 0o600
"""The files will hold passwords."""

DirectoryArgument = Annotated[Path, typer.Argument(help="Directory to write.", show_default=True)]
JsonOption = Annotated[bool, typer.Option("--json", help="Write the outcome as JSON.")]


class InitError(Exception):
    """The configuration cannot be written; the text names the file and the reason."""


def example_files() -> dict[Path, str]:
    """What `dialer init` writes: path below the directory, and text."""
    files = {file.relative_to(EXAMPLE): file.read_text("utf-8") for file in sorted(EXAMPLE.rglob("*.yaml"))}
    for kind in KINDS:
        files[Path("schema", f"{kind}.json")] = json.dumps(json_schema(kind), indent=2) + "\n"
    return files


def write_example(directory: Path) -> list[Path]:
    """Write all files or none; InitError when one of them exists or cannot be written."""
    files = {directory / name: text for name, text in example_files().items()}
    existing = [file for file in files if file.exists() or file.is_symlink()]
    if existing:
        names = ", ".join(str(file) for file in existing)
        raise InitError(
            f"{names}: already there; init never overwrites. Give another directory, or move it away"
        )
    _write_all(directory, files)
    return list(files)


def _write_all(directory: Path, files: dict[Path, str]) -> None:
    written: list[Path] = []
    made: list[Path] = []
    try:
        for file, text in files.items():
            made += _make_directories(file.parent)
            with file.open("x", encoding="utf-8") as stream:
                written.append(file)
                file.chmod(PRIVATE)
                stream.write(text)
    except OSError as error:
        for file in written:
            file.unlink(missing_ok=True)
        for path in sorted(made, reverse=True):
            path.rmdir()
        place = error.filename or directory
        raise InitError(f"{place}: cannot be written: {error.strerror}; nothing was kept") from error


def _make_directories(directory: Path) -> list[Path]:
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir()
    return missing


def init(directory: DirectoryArgument = DEFAULT_DIRECTORY, as_json: JsonOption = False) -> None:
    """Write a commented example configuration to edit; existing files are never overwritten."""
    try:
        files = write_example(directory)
    except InitError as error:
        if as_json:
            say_json({"ok": False, "error": str(error)})
        else:
            say(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        say_json({"ok": True, "files": [str(file) for file in files]})
        return
    for file in files:
        say(f"wrote {file}")
    say(f"Next: put your carrier, numbers and lists in, then: dialer check {directory}")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("init")(init)
