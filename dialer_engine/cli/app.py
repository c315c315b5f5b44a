"""The `dialer` command: every command lives in a module of its own and registers itself here."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import typer

from dialer_engine.cli.terminal import say, say_text
from dialer_engine.core.text import storable
from dialer_engine.settings.home import HomeError

COMMANDS = (
    "demo",
    "init",
    "check",
    "run",
    "status",
    "stop",
    "drain",
    "campaign",
    "member",
    "agent",
    "node",
    "secrets",
    "list_",
    "dnc",
    "consent",
    "rules",
    "registry",
    "why",
    "cdr",
    "report",
    "plan",
    "evidence",
    "retention",
    "doctor",
    "firewall",
    "front",
    "schema",
    "bench",
    "chaos",
    "checks",
)
"""Modules of this package in the order of `dialer --help`; each has `register(app)`."""

_FAILED = 1
_USAGE = 2
_OWN_WORDS = {"list": "list_", "test": "checks", "reload": "status"}


def build(modules: tuple[str, ...] = COMMANDS) -> typer.Typer:
    """Return the application with the commands of these modules."""
    app = typer.Typer(
        name="dialer",
        help="Self-hosted outbound power dialer. Try it first: dialer demo",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    app.callback(invoke_without_command=True)(_version)
    for module in modules:
        importlib.import_module(f"dialer_engine.cli.{module}").register(app)
    return app


def _version(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and end."),
) -> None:
    if version:
        import dialer_engine

        say(f"dialer {dialer_engine.__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        raise typer.BadParameter("a command is missing; see them with: dialer --help")


def _refuse_unreadable(arguments: Sequence[str]) -> None:
    """End the command when an argument, other than the name of a file, is no text: nothing could store or show it."""
    for argument in arguments:
        if storable(argument) != argument and not os.path.lexists(argument):
            say(f"{argument}: is not text in UTF-8; set the terminal's encoding to UTF-8", err=True)
            raise SystemExit(_USAGE)


def main() -> None:
    """Run the command of the command line; imports only that command's module, so that it starts quickly."""
    _refuse_unreadable(sys.argv[1:])
    word = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), "")
    module = _OWN_WORDS.get(word, word)
    try:
        build((module,) if module in COMMANDS else COMMANDS)()
    except HomeError as error:
        say_text(str(error), err=True)
        raise SystemExit(_FAILED) from error
