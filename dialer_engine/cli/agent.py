"""`dialer agent add|ls|desk|remove|logout`."""

from __future__ import annotations

import sys
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
    reachable,
    read_config,
)
from dialer_engine.cli.database import in_words
from dialer_engine.cli.desk import desk
from dialer_engine.cli.terminal import say
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.control_client import EngineNotRunning
from dialer_engine.pbx.render import reserved
from dialer_engine.pbx.template import RenderError, checked
from dialer_engine.settings.home import home
from dialer_engine.settings.load import Config
from dialer_engine.store import directory
from dialer_engine.store.locate import ensure_database, ensure_migrated
from dialer_engine.store.pool import connect

LEAKS = (
    "--password: whoever lists this machine's processes could read it, so it was not used; leave it out for a random "
    "password, or give yours to --password-stdin: `dialer agent add NAME --password-stdin < FILE`"
)
SHORTEST_PASSWORD = 12
"""Signs of a password that somebody chose; SIP lets strangers try as many as they like."""
NameArgument = Annotated[str, typer.Argument(help="The agent's name, which is also the SIP user.")]


def add(
    name: NameArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    member: Annotated[
        str | None, typer.Option("--member", "-m", help="Only this Member's campaigns.")
    ] = None,
    password_stdin: Annotated[
        bool,
        typer.Option(
            "--password-stdin",
            help="Read the SIP password from standard input, at a terminal unseen, at least 12 signs; default a random "
            "one.",
        ),
    ] = False,
    password: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Add an agent and print what their softphone needs; a random password is shown only now."""
    if password is not None:
        raise fail(LEAKS)
    if reserved(name):
        raise fail(
            f"{name!r} cannot be an agent's name: Asterisk's configuration uses it itself; choose another"
        )
    settings = read_config(config)
    secret = _given_password() if password_stdin else directory.new_password()
    carry_out(_add(settings, name, member, secret))
    server = settings.settings.front or settings.settings.asterisk.node
    host = server.external_address or reachable(server.bind) or "THIS-MACHINE"
    say(f"agent {name} added")
    say(f"  SIP server  {host}:{server.sip_port}")
    say(f"  user        {name}")
    say(f"  password    {'as given' if password_stdin else secret}")
    say("  then dial   100 to go on duty")
    if host == "THIS-MACHINE":
        say("THIS-MACHINE: its address in the agents' network; it listens at all of its addresses")
    if not carry_out(_tell_engine(config)):
        say("the engine is not running yet; it will know the agent when it starts")


def _given_password() -> str:
    """Return the first line of standard input without its end; at a terminal it is asked for, twice and unseen."""
    if sys.stdin.isatty():
        given: str = typer.prompt("SIP password", hide_input=True, confirmation_prompt=True)
    else:
        given = sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    try:
        checked(given, "--password-stdin")
    except (RenderError, UnicodeError) as error:
        raise fail(str(error)) from error
    if len(given) < SHORTEST_PASSWORD:
        raise fail(
            f"--password-stdin: {len(given)} signs are too few, give at least {SHORTEST_PASSWORD}; or leave the option "
            "out for a random password"
        )
    return given


async def _add(config: Config, name: str, member: str | None, password: str) -> None:
    url = ensure_database(config.settings, home())
    await ensure_migrated(url)
    conn = await connect(url)
    try:
        with in_words():
            await directory.sync_members(conn, config.settings.members)
            member_id = await directory.member_id_of(conn, member) if member else None
            await directory.add_agent(conn, member_id, name, password)
    finally:
        await conn.close()


async def _tell_engine(config: ConfigOption) -> bool:
    try:
        await engine(config).post("/agents/reload")
    except EngineNotRunning:
        return False
    return True


def remove(name: NameArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Remove an agent's account; the records of their calls stay."""
    carry_out(_remove(read_config(config), name))
    carry_out(_tell_engine(config))
    say(f"agent {name} removed")


async def _remove(config: Config, name: str) -> None:
    conn = await connect(ensure_database(config.settings, home()))
    try:
        with in_words():
            await directory.remove_agent(conn, name, utc_now())
    finally:
        await conn.close()


def ls(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """List the agents with what they are doing now."""
    agents = carry_out(engine(config).status())["agents"]
    if json:
        print_json(agents)
        return
    for one in agents:
        there = f" on node {one['node']}" if one["state"] == "away" else ""
        say(f"{one['name']:24} {one['state']:8} {one['campaign'] or '-':24} phone {one['phone']}{there}")


def logout(name: NameArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Hang up an agent's leg: the shift ends."""
    carry_out(engine(config).post(f"/agents/{quote(name, safe='')}/logout"))
    say(f"agent {name} is logged out")


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Agents: add, list, remove, log out; an agent's desk.")
    for command in (add, ls, desk, remove, logout):
        group.command(command.__name__)(command)
    app.add_typer(group, name="agent")
