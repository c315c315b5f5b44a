"""`dialer campaign start|pause|stop|ls`."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from dialer_engine.cli.common import DEFAULT_CONFIG, ConfigOption, JsonOption, carry_out, engine, print_json
from dialer_engine.cli.terminal import say

NameArgument = Annotated[str, typer.Argument(help="The campaign's name: its file without .yaml.")]


def start(name: NameArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Start to dial a campaign; it stays started over restarts of the engine."""
    _set(name, "start", config)


def pause(name: NameArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Place no more calls for a campaign; calls in progress go on."""
    _set(name, "pause", config)


def stop(name: NameArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Stop a campaign; calls in progress go on."""
    _set(name, "stop", config)


def _set(name: str, action: str, config: ConfigOption) -> None:
    answer = carry_out(engine(config).post(f"/campaigns/{quote(name, safe='')}/{action}"))
    say(f"{answer['campaign']} is {answer['state']}")


def ls(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """List the campaigns with their state and totals since the engine started."""
    campaigns = carry_out(engine(config).status())["campaigns"]
    if json:
        print_json(campaigns)
        return
    for one in campaigns:
        totals = one["totals"]
        say(
            f"{one['name']:24} {one['state']:8} {one['mode']:12} attempts {totals['attempts']} "
            f"answered {totals['answered']} bridged {totals['bridged']} abandoned {totals['abandoned']}"
        )


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Start, pause and stop campaigns.")
    for command in (start, pause, stop, ls):
        group.command(command.__name__)(command)
    app.add_typer(group, name="campaign")
