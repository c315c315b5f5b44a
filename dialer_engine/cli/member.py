"""`dialer member rename`: a Member that goes on under another short name, with everything it has."""

from __future__ import annotations

from typing import Annotated

import typer

from dialer_engine.cli.common import DEFAULT_CONFIG, ConfigOption, carry_out, fail, read_config
from dialer_engine.cli.database import database_as_it_is, who
from dialer_engine.cli.terminal import say
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.ownership import FAMILY
from dialer_engine.settings.load import Config
from dialer_engine.store.renames import rename_member


def rename(
    old: Annotated[str, typer.Argument(help="The short name that the database has.")],
    new: Annotated[str, typer.Argument(help="The short name that dialer.yaml has now.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Keep a Member whose short name was changed in dialer.yaml, with everybody who asked it not to call."""
    settings = read_config(config)
    _refuse_other_names(settings, old, new)
    carry_out(_rename(settings, old, new))
    say(f"Member {old} is {new} now, with its contacts, calls and everybody who asked it not to call")


def _refuse_other_names(settings: Config, old: str, new: str) -> None:
    """With the old name in the settings the next start would make that Member anew, without its opt-outs."""
    known = settings.settings.members
    if new not in known:
        raise fail(f"{new} is no Member of dialer.yaml: change the name there and in the campaigns first")
    if old in known:
        raise fail(
            f"{old} is a Member of dialer.yaml still: change the name there and in the campaigns first"
        )


async def _rename(settings: Config, old: str, new: str) -> None:
    async with database_as_it_is(settings) as conn:
        await rename_member(conn, old, new, utc_now(), who=who(), engines=FAMILY)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Members: keep one whose short name was changed.")
    group.callback()(_one_command)
    group.command("rename")(rename)
    app.add_typer(group, name="member")


def _one_command() -> None:
    """Keep `rename` a word of its own: typer leaves out the name of an only command."""
