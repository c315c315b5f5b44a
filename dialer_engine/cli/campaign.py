"""`dialer campaign start|pause|stop|ls|rename`."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from dialer_engine.cli.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    carry_out,
    engine,
    fail,
    print_json,
    read_config,
)
from dialer_engine.cli.database import database_as_it_is, who
from dialer_engine.cli.terminal import say
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.ownership import FAMILY
from dialer_engine.settings.load import Config
from dialer_engine.store.renames import rename_campaign

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


def rename(
    old: Annotated[str, typer.Argument(help="The name that the database has.")],
    new: Annotated[str, typer.Argument(help="The name that its file has now.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Keep a campaign whose file was renamed, with whom it has called and when they are due."""
    settings = read_config(config)
    if new not in settings.campaigns:
        raise fail(f"no campaign of the configuration is called {new}: rename its file first")
    if old in settings.campaigns:
        raise fail(f"{old} is a campaign of the configuration still: rename its file first")
    carry_out(_rename(settings, old, new))
    say(f"campaign {old} is {new} now; whom it has called, callbacks and its state are kept")


async def _rename(settings: Config, old: str, new: str) -> None:
    member = settings.campaigns[new].member
    async with database_as_it_is(settings) as conn:
        await rename_campaign(conn, old, new, member, utc_now(), who=who(), engines=FAMILY)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Start, pause and stop campaigns; keep a renamed one.")
    for command in (start, pause, stop, ls, rename):
        group.command(command.__name__)(command)
    app.add_typer(group, name="campaign")
