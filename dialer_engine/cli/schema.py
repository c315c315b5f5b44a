"""`dialer schema`: the JSON Schema of the configuration files, for editors."""

from typing import Annotated

import typer

from dialer_engine.cli.terminal import say_json
from dialer_engine.settings.schema import KINDS, json_schema

KindArgument = Annotated[str, typer.Argument(help="dialer: dialer.yaml; campaign: a campaign file.")]


def schema(kind: KindArgument = "dialer") -> None:
    """Print the JSON Schema of dialer.yaml or of a campaign file."""
    if kind not in KINDS:
        raise typer.BadParameter(f"'{kind}' is neither {' nor '.join(KINDS)}")
    say_json(json_schema(kind), indent=2)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("schema")(schema)
