"""`dialer front run|check|show|stop`: Kamailio between the agents' phones and the nodes."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import typer

from dialer_engine.cli.common import (
    DEFAULT_CONFIG,
    EXPECTED,
    ConfigOption,
    JsonOption,
    carry_out,
    fail,
    print_json,
    read_config,
)
from dialer_engine.cli.run import configure_logging
from dialer_engine.cli.terminal import say
from dialer_engine.engine.front_keeper import FrontKeeper
from dialer_engine.pbx.front import Front
from dialer_engine.pbx.front_bundle import install_front_bundle, kamailio_version
from dialer_engine.pbx.front_config import front_config
from dialer_engine.pbx.front_trial import try_front
from dialer_engine.settings.home import home, prepare_home, service_user

IN_WORDS = {
    True: "answers",
    False: "DOES NOT ANSWER",
    None: "NOT KNOWN to the running front: reload it (SIGHUP to its keeper)",
}
"""What the front says of a node; None when it was started with other settings."""


def run(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Keep the front in the foreground; Ctrl-C ends the keeper and leaves the front up, SIGHUP reloads."""
    configure_logging(read_config(config).settings.logging)
    carry_out(_run(config.absolute()))


async def _run(config: Path) -> None:
    keeper = FrontKeeper(config, home(), service_user())
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, keeper.stopping.set)
    loop.add_signal_handler(signal.SIGHUP, keeper.reload)
    told: set[str] = set()

    def progress(step: str, _share: float | None) -> None:
        kind = step.split(":")[0]
        if kind not in told:
            told.add(kind)
            say(kind, err=True)

    await keeper.run(progress)


def check(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Let Kamailio read the configuration that would be written, and start by it for a moment; changes nothing."""
    carry_out(asyncio.to_thread(_check, config))


def _check(config: Path) -> None:
    prepare_home(home(), service_user())
    bundle = install_front_bundle(home())
    place = front_config(read_config(config).settings, home(), service_user())
    try_front(bundle, place)
    say(f"Kamailio {kamailio_version(bundle)} starts by the configuration; {len(place.nodes)} nodes")


def show(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Show which nodes answer the front and which phones are registered."""
    front = _front(config)
    try:
        answers, registered = front.nodes(), front.registered()
    except EXPECTED as error:
        raise fail(str(error)) from error
    nodes = [
        {"name": each.name, "address": each.uri, "answers": answers.get(each.uri)}
        for each in front.config.nodes
    ]
    if json:
        print_json({"pid": front.pid, "nodes": nodes, "registered": registered})
        return
    for each in front.config.nodes:
        say(f"node  {each.name:24} {each.uri:32} {IN_WORDS[answers.get(each.uri)]}")
    for name, address in sorted(registered.items()):
        say(f"phone {name:24} {address}")


def stop(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """End the front: end its keeper first. Calls in progress go on, nobody can begin one."""
    front = _front(config)
    running = front.alive()
    try:
        front.stop()
    except EXPECTED as error:
        raise fail(str(error)) from error
    say("the front has ended" if running else "no front was running")


def _front(config: Path) -> Front:
    try:
        prepare_home(home(), service_user())
        bundle = install_front_bundle(home())
        return Front(bundle, front_config(read_config(config).settings, home(), service_user()))
    except EXPECTED as error:
        raise fail(str(error)) from error


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="The front of several nodes: run, check, show, stop.")
    for command in (run, check, show, stop):
        group.command(command.__name__)(command)
    app.add_typer(group, name="front")
