"""The `dialer` command: every command lives in a module of its own and registers itself here."""

from __future__ import annotations

import importlib
import sys

import typer

COMMANDS = (
    "demo",
    "init",
    "check",
    "run",
    "status",
    "stop",
    "drain",
    "campaign",
    "agent",
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
    "schema",
    "bench",
    "chaos",
    "checks",
)
"""Modules of this package in the order of `dialer --help`; each has `register(app)`."""

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

        typer.echo(f"dialer {dialer_engine.__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        raise typer.BadParameter("a command is missing; see them with: dialer --help")


def main() -> None:
    """Run the command of the command line; imports only that command's module, so that it starts quickly."""
    word = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), "")
    module = _OWN_WORDS.get(word, word)
    build((module,) if module in COMMANDS else COMMANDS)()
