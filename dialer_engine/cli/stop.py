"""`dialer stop`: end the engine, and on request Asterisk and the embedded Postgres too."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from dialer_engine.cli.common import DEFAULT_CONFIG, ConfigOption, carry_out, engine, fail, read_config
from dialer_engine.cli.database import database_left_alone
from dialer_engine.cli.terminal import say
from dialer_engine.engine.control_client import ControlClient, EngineNotRunning, EngineRefused
from dialer_engine.engine.lock import EngineRuns, home_lock
from dialer_engine.engine.node_link import node_config
from dialer_engine.engine.ownership import lease_name
from dialer_engine.pbx.instance import NodeConfig, NodeError, node_directories
from dialer_engine.pbx.process import end_running
from dialer_engine.settings.home import home, public_directory, service_user
from dialer_engine.settings.load import Config
from dialer_engine.store import lease
from dialer_engine.store.errors import StoreError
from dialer_engine.store.locate import embedded

LOOK_S = 0.2
TELL_S = 1.0
ASK_S = 5.0
END_S = 10.0
"""How long an Asterisk may take to end, before it is killed."""
STANDBY = (
    "a standby waits: it would go on with what this ends. Nothing was ended. Stop the standby's unit first, then the "
    "same again; to leave the calls to it: dialer drain"
)
TAKEN_OVER = (
    "an engine (pid {pid}) works on this DIALER_HOME: a standby that has taken over, or one that is just starting. "
    "Asterisk and Postgres stay up for it; stop its unit, then: dialer stop --all"
)


def stop(
    config: ConfigOption = DEFAULT_CONFIG,
    all_: Annotated[
        bool, typer.Option("--all", help="Also end Asterisk (and its calls) and Postgres.")
    ] = False,
    now: Annotated[bool, typer.Option("--now", help="Do not wait for calls in progress.")] = False,
) -> None:
    """End the running engine after its calls; Asterisk and Postgres stay up unless --all is given."""
    if not all_:
        carry_out(_stop(config, now))
        return
    found = read_config(config)
    if carry_out(_standby_waits(found)):
        raise fail(STANDBY)
    carry_out(_stop(config, now))
    carry_out(_stop_services(found))


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
        await asyncio.sleep(TELL_S)
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


async def _standby_waits(config: Config) -> bool:
    """Tell whether an engine waits for what is to be ended here; False when the database cannot be asked.

    One with a home of its own waits for an Asterisk and a database that this command leaves up.
    """
    settings = config.settings
    if settings.database.url and not settings.asterisk.managed:
        return False
    try:
        async with asyncio.timeout(ASK_S), database_left_alone(config) as conn:
            return await lease.somebody_waits(conn, lease_name(settings.asterisk))
    except (StoreError, TimeoutError):
        return False


async def _stop_services(config: Config) -> None:
    public_directory(home() / "run")
    lock = home_lock(home(), "command")
    try:
        lock.take()
    except EngineRuns as held:
        raise NodeError(TAKEN_OVER.format(pid=held.pid) if held.kind == "engine" else str(held)) from held
    try:
        await _end_services(config)
    finally:
        lock.release()


async def _end_services(config: Config) -> None:
    settings = config.settings
    if settings.asterisk.managed:
        await end_asterisk(node_config(settings.asterisk.node, home(), service_user()))
    if settings.database.url is None:
        await asyncio.to_thread(embedded(home()).stop)
        say("Postgres has ended")


async def end_asterisk(own: NodeConfig) -> None:
    """End the Asterisk of the settings, and those of this home that earlier settings named otherwise; say which."""
    others = [replace(own, name=place.name, directory=place) for place in node_directories(home())]
    ran = False
    for node in (own, *(each for each in others if each.directory != own.directory)):
        if await asyncio.to_thread(end_running, node, END_S):
            ran = True
            say("Asterisk has ended" if node is own else f"Asterisk {node.name} has ended, of other settings")
    if not ran:
        say("no Asterisk was running")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("stop", help="End the running engine; --all ends Asterisk and Postgres too.")(stop)
