"""`dialer node`: lend this machine's Asterisk to an engine on another one."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import time
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from dialer_engine.cli.common import DEFAULT_CONFIG, ConfigOption, carry_out, fail, reachable, read_config
from dialer_engine.cli.run import serve
from dialer_engine.cli.stop import end_asterisk
from dialer_engine.cli.terminal import say, say_text
from dialer_engine.engine.lock import EngineLock, EngineRuns, home_lock
from dialer_engine.engine.node_link import node_config
from dialer_engine.engine.node_runner import NodeRunner, database_of
from dialer_engine.pbx.bundle import find_bundle
from dialer_engine.pbx.instance import NodeConfig, NodeError, ari_address, load_secrets
from dialer_engine.pbx.node import Node
from dialer_engine.pbx.process import running_pid
from dialer_engine.pbx.reach import look
from dialer_engine.settings.home import home, service_user
from dialer_engine.settings.models import NodeSettings

END_S = 30.0
LOOK_S = 0.1
ABOUT = """\
# One entry of asterisk.nodes in the engine's dialer.yaml. It holds passwords with which anybody can place calls here:
# keep the file for the engine's user alone, and send it by no way that others can read.
"""
AddressOption = Annotated[
    str | None,
    typer.Option(
        "--address", help="The address by which engines reach this machine; default what it listens on."
    ),
]


def run(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Run this machine's Asterisk for an engine elsewhere, in the foreground; SIGHUP reloads, Ctrl-C leaves it up."""
    settings = read_config(config).settings
    serve(lambda service: NodeRunner(config.absolute(), home(), service_user(), service), settings.logging)


def stop(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """End this machine's Asterisk, with every call in it, and whatever keeps it up."""
    carry_out(_stop(_node(config)))


async def _stop(config: NodeConfig) -> None:
    lock = home_lock(home(), "command")
    if await asyncio.to_thread(_end_runner, lock):
        say("the node runner has ended")
    try:
        await end_asterisk(config)
    finally:
        lock.release()


def _end_runner(lock: EngineLock) -> bool:
    """End the node runner and take its lock, so that nothing starts Asterisk again; True when one ran."""
    end, asked = time.monotonic() + END_S, False
    while True:
        try:
            lock.take()
        except EngineRuns as held:
            if held.kind == "engine":
                raise NodeError(
                    "an engine works with this Asterisk; end both with: dialer stop --all"
                ) from held
            if time.monotonic() > end:
                raise NodeError(
                    f"the node runner (pid {held.pid}) does not end; kill it and try again"
                ) from held
            if held.kind == "node" and not asked:
                asked = lock.end_holder(held.pid or 0, signal.SIGTERM)
                if not asked and lock.holder() is not None:
                    raise NodeError(
                        f"the node runner (pid {held.pid}) may not be ended by this user"
                    ) from held
            time.sleep(LOOK_S)
        else:
            return asked


def status(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Say whether this machine's Asterisk serves and who keeps it up; exit status 1 when it does not serve."""
    node = _node(config)
    held = home_lock(home()).holder()
    keeper = (
        f"the {'engine' if held.kind == 'engine' else 'node runner'} (pid {held.pid})" if held else "nobody"
    )
    say(
        f"kept up by {keeper}; {len(list(node.optout_journal.glob('*.json')))} opt-outs wait in {node.optout_journal}"
    )
    secrets = load_secrets(node) if node.path("secrets.json").exists() else None
    if secrets is None or running_pid(node) is None:
        raise fail(f"Asterisk {node.name} does not run")
    seen = carry_out(look(node.ari_url, secrets.ari_user, secrets.ari_password))
    say(f"Asterisk {seen.version} ({node.name}) serves, pid {running_pid(node)}")


def rotate(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Make other passwords for ARI and AMI while no node runner is running; calls go on.

    The engine needs the new ones, by `dialer node show`, for its next connection.
    """
    node, lock, bundle = _node(config), home_lock(home(), "command"), find_bundle(home())
    if bundle is None or not node.path("secrets.json").exists():
        raise fail(f"{node.path('secrets.json')}: not made yet; start it first with: dialer node run")
    try:
        lock.take()
    except EngineRuns as held:
        raise fail(f"{held}; end it, rotate, and start it again") from held
    try:
        carry_out(Node(bundle, node).rotate_secrets())
    finally:
        lock.release()
    say("ARI and AMI have other passwords; give the engine what this prints: dialer node show")


def show(config: ConfigOption = DEFAULT_CONFIG, address: AddressOption = None) -> None:
    """Print what an engine elsewhere needs to use this machine's Asterisk, with its passwords."""
    settings, node = read_config(config).settings.asterisk.node, _node(config)
    if not node.path("secrets.json").exists():
        raise fail(f"{node.path('secrets.json')}: not made yet; start it first with: dialer node run")
    entry = _entry(settings, node, address)
    say_text(ABOUT + yaml.safe_dump({"asterisk": {"nodes": [entry]}}, sort_keys=False).rstrip("\n"))
    say("warning: this holds passwords; put it where only the engine's user can read it", err=True)
    if address is None and ipaddress.ip_address(node.control_bind).is_loopback:
        say(
            f"warning: ARI and AMI listen on {node.control_bind}, which no other machine reaches; set "
            "asterisk.node.control_bind and control_permit",
            err=True,
        )


def _entry(settings: NodeSettings, node: NodeConfig, address: str | None) -> dict[str, Any]:
    control = address or reachable(node.control_bind)
    if control is None:
        raise fail(f"control_bind {node.control_bind} names no address: say it with --address")
    secrets = load_secrets(node)
    return {
        "name": node.name,
        "ari_url": ari_address(control, node.http_port),
        "ari_user": secrets.ari_user,
        "ari_password": secrets.ari_password,
        "ami_host": control,
        "ami_port": node.ami_port,
        "ami_user": secrets.ami_user,
        "ami_password": secrets.ami_password,
        "sip_host": reachable(node.bind) or settings.external_address or control,
        "sip_port": node.sip_port,
        "sounds": str(home() / "sounds"),
    }


def _node(config: Path) -> NodeConfig:
    settings = read_config(config).settings
    try:
        database_of(settings)
    except NodeError as error:
        raise fail(str(error)) from error
    return node_config(settings.asterisk.node, home(), service_user())


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(
        no_args_is_help=True, help="Lend this machine's Asterisk to an engine on another one."
    )
    for command in (run, stop, status, show, rotate):
        group.command(command.__name__)(command)
    app.add_typer(group, name="node")
