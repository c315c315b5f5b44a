"""`dialer secrets rotate`: other passwords in place of the generated ones."""

from __future__ import annotations

from typing import Annotated

import typer

from dialer_engine.cli.common import DEFAULT_CONFIG, ConfigOption, carry_out, fail, read_config
from dialer_engine.cli.database import database, who
from dialer_engine.cli.terminal import say
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.lock import EngineRuns, home_lock
from dialer_engine.engine.node_link import node_config
from dialer_engine.pbx.bundle import find_bundle
from dialer_engine.pbx.node import Node
from dialer_engine.settings.home import home, prepare_home, service_user
from dialer_engine.settings.load import Config
from dialer_engine.store import directory
from dialer_engine.store.locate import embedded

REMEDY = "stop a standby's unit first, then end it with 'dialer stop --now' (calls go on), rotate, and start it again"
NODE_REMEDY = "on a machine that only lends its Asterisk it is 'dialer node rotate'"


def rotate(
    config: ConfigOption = DEFAULT_CONFIG,
    agents: Annotated[
        bool, typer.Option("--agents", help="Also give every agent another SIP password, and print them.")
    ] = False,
) -> None:
    """Replace the generated passwords of ARI, AMI and the engine's database login while no engine runs.

    A running Asterisk takes them at once and cuts no call. Agents' phones need their new passwords as soon as the
    engine has started again.
    """
    settings = read_config(config)
    user = service_user()
    prepare_home(home(), user)
    lock = home_lock(home())
    try:
        lock.take()
    except EngineRuns as error:
        if error.kind == "node":
            raise fail(f"the node runner (pid {error.pid}) uses these passwords: {NODE_REMEDY}") from error
        raise fail(f"the engine (pid {error.pid}) uses these passwords: {REMEDY}") from error
    try:
        changed = carry_out(_rotate(settings, agents))
    finally:
        lock.release()
    for line in changed:
        say(line)


async def _rotate(config: Config, agents: bool) -> list[str]:
    lines = []
    async with database(config) as conn:
        if await _asterisk(config):
            lines.append("ARI and AMI have other passwords")
        if not config.settings.database.url:
            embedded(home()).forget_engine_password()
            lines.append("the engine's database login gets another password with its next start")
        told = await directory.list_agents(conn) if agents else []
        async with conn.transaction():
            for one in told:
                secret = directory.new_password()
                await directory.set_agent_password(conn, one.name, secret)
                lines.append(f"agent {one.name:24} {secret}")
            detail = {"agents": str(len(told))}
            await directory.audit(conn, utc_now(), who(), "secrets rotated", "passwords", detail)
    return lines


async def _asterisk(config: Config) -> bool:
    """Rotate at the bundled Asterisk; one that was never started gets its first passwords when it is."""
    settings = config.settings.asterisk
    if not settings.managed:
        say("the passwords of asterisk.nodes stand in dialer.yaml; change them there and on their machine")
        return False
    bundle = find_bundle(home())
    found = node_config(settings.node, home(), service_user())
    if bundle is None or not found.path("secrets.json").exists():
        return False
    await Node(bundle, found).rotate_secrets()
    return True


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Generated passwords: make other ones.")
    group.command("rotate")(rotate)
    app.add_typer(group, name="secrets")
