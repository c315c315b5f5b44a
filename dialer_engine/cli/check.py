"""`dialer check`: is the configuration right? Nothing is started, nothing is changed."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from dialer_engine.cli.terminal import say, say_json, say_text
from dialer_engine.settings.load import DEFAULT_DIRECTORY, Config, SettingsError, load_config
from dialer_engine.settings.problems import Problem

DirectoryArgument = Annotated[Path, typer.Argument(help="Directory with dialer.yaml.", show_default=True)]
JsonOption = Annotated[bool, typer.Option("--json", help="Write the outcome as JSON.")]


def check(directory: DirectoryArgument = DEFAULT_DIRECTORY, as_json: JsonOption = False) -> None:
    """Check dialer.yaml, the campaigns and the calling rules; exit code 1 when something is wrong."""
    try:
        config = load_config(directory)
    except SettingsError as error:
        _report_errors(error.problems, as_json)
        raise typer.Exit(1) from error
    if as_json:
        outcome = {
            "ok": True,
            "problems": [],
            "warnings": _plain(config.warnings),
            "checked": checked(config),
        }
        say_json(outcome)
        return
    _report(config)


def checked(config: Config) -> dict[str, Any]:
    """What was looked at, by name."""
    return {
        "files": [str(file) for file in config.files],
        "campaigns": sorted(config.campaigns),
        "trunks": sorted(config.settings.trunks),
        "members": sorted(config.settings.members),
        "nodes": _nodes(config),
        "rules": config.rules.version,
        "area_codes": len(config.plan.areas),
    }


def _nodes(config: Config) -> list[str]:
    asterisk = config.settings.asterisk
    return [*([asterisk.node.name] if asterisk.managed else []), *(node.name for node in asterisk.nodes)]


def _report(config: Config) -> None:
    for warning in config.warnings:
        say(f"warning: {warning.text('better')}")
    for kind, found in checked(config).items():
        shown = ", ".join(found) or "none" if isinstance(found, list) else str(found)
        size = f" ({len(found)})" if isinstance(found, list) else ""
        say(f"checked {kind.replace('_', ' ')}{size}: {shown}")
    warnings = len(config.warnings)
    say(f"no errors, {_counted(warnings, 'warning')}" if warnings else "no errors")


def _report_errors(problems: Sequence[Problem], as_json: bool) -> None:
    if as_json:
        say_json({"ok": False, "problems": _plain(problems), "warnings": []})
        return
    for problem in problems:
        say_text(problem.text(), err=True)
    files = {problem.file for problem in problems}
    say(f"{_counted(len(problems), 'error')} in {_counted(len(files), 'file')}", err=True)


def _plain(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    return [dataclasses.asdict(problem) | {"file": str(problem.file)} for problem in problems]


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("check")(check)
