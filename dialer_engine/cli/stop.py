"""`dialer stop`: end the engine, and on request Asterisk and the embedded Postgres too."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from dialer_engine.cli.common import DEFAULT_CONFIG, ConfigOption, carry_out, engine, read_config
from dialer_engine.cli.terminal import say
from dialer_engine.engine.control_client import ControlClient, EngineNotRunning, EngineRefused
from dialer_engine.engine.lock import home_lock
from dialer_engine.engine.node_link import node_config
from dialer_engine.pbx.bundle import find_bundle
from dialer_engine.pbx.node import Node, NodeError
from dialer_engine.settings.home import home, service_user
from dialer_engine.settings.load import Config
from dialer_engine.store.locate import embedded

LOOK_S = 0.2
ASK_S = 1.0


def stop(
    config: ConfigOption = DEFAULT_CONFIG,
    all_: Annotated[
        bool, typer.Option("--all", help="Also end Asterisk (and its calls) and Postgres.")
    ] = False,
    now: Annotated[bool, typer.Option("--now", help="Do not wait for calls in progress.")] = False,
) -> None:
    """End the running engine after its calls; Asterisk and Postgres stay up unless --all is given."""
    carry_out(_stop(config, now))
    if all_:
        carry_out(_stop_services(read_config(config)))


async def _stop(config: Path, now: bool) -> None:
    client = engine(config)
    try:
        pid = int((await client.post("/shutdown"))["pid"])
        if now:
            await client.post("/shutdown")
        say("the engine is draining")
        await wait_until_gone(pid, client)
    except EngineNotRunning:
        say("no engine is running")


async def wait_until_gone(pid: int, client: ControlClient) -> None:
    """Wait for the process and not for its socket: records are still written after that has closed.

    Say meanwhile what the engine waits for.
    """
    telling = asyncio.ensure_future(_tell_what_for(pid, client))
    try:
        while _lives(pid):  # noqa: ASYNC110 - another process has no event
            await asyncio.sleep(LOOK_S)
    finally:
        telling.cancel()
    say("the engine has ended")


async def _tell_what_for(pid: int, client: ControlClient) -> None:
    told = ""
    while True:
        await asyncio.sleep(ASK_S)
        try:
            engine = (await client.status())["engine"]
        except (EngineNotRunning, EngineRefused):
            continue
        words = (engine["pid"] == pid and engine.get("waits_for")) or ""
        if words and words != told:
            say(f"it waits for {words}")
        told = words


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


async def _stop_services(config: Config) -> None:
    if (held := home_lock(home()).holder()) and held.kind == "node":
        raise NodeError(str(held))
    bundle, settings = find_bundle(home()), config.settings
    if bundle is not None and settings.asterisk.managed:
        await Node(bundle, node_config(settings.asterisk.node, home(), service_user())).stop()
        say("Asterisk has ended")
    if settings.database.url is None:
        await asyncio.to_thread(embedded(home()).stop)
        say("Postgres has ended")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("stop", help="End the running engine; --all ends Asterisk and Postgres too.")(stop)
