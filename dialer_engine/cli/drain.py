"""`dialer drain`: let the engine hand its calls over to a standby and end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dialer_engine.cli.common import DEFAULT_CONFIG, ConfigOption, carry_out, engine
from dialer_engine.cli.stop import wait_until_gone
from dialer_engine.cli.terminal import say
from dialer_engine.engine.control import LONGEST_DRAIN_S

WAIT_S = 900.0


def drain(
    config: ConfigOption = DEFAULT_CONFIG,
    wait: Annotated[
        float,
        typer.Option(
            "--wait",
            min=0.0,
            max=LONGEST_DRAIN_S,
            help="Seconds for calls to end without a standby, and for a database that is away.",
        ),
    ] = WAIT_S,
) -> None:
    """Place no more calls, leave conversations to a standby that waits, or let them end; then end the engine."""
    carry_out(_drain(config, wait))


async def _drain(config: Path, wait_s: float) -> None:
    client = engine(config)
    pid = int((await client.post("/drain", {"wait_s": wait_s}))["pid"])
    say("the engine places no more calls and hands over")
    await wait_until_gone(pid, client)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("drain", help="Hand the calls over to a standby, or let them end; then end the engine.")(
        drain
    )
