"""`dialer firewall`: rules for nftables that keep strangers from Asterisk."""

from __future__ import annotations

import ipaddress
from typing import Annotated

import typer

from dialer_engine.cli.common import DEFAULT_CONFIG, ConfigOption, fail, read_config
from dialer_engine.cli.terminal import say, say_text
from dialer_engine.pbx.carrier_addresses import addresses_of
from dialer_engine.pbx.firewall import Network, rules

AgentsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--agents", help="A network of agents' phones, as often as needed; then everybody else is kept out."
    ),
]


def firewall(agents: AgentsOption = None, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Print rules for nftables: carriers pass, strangers are held to a rate or kept out. Applies nothing.

    Behind a front phones do not come here: only the front passes, which has limits of its own.
    """
    settings = read_config(config).settings
    if not settings.asterisk.managed:
        raise fail("asterisk.managed is false: that Asterisk's firewall is its operator's")
    known = _networks([*(agents or []), *([settings.front.for_nodes] if settings.front else [])])
    text, unknown = rules(settings.asterisk.node, settings.trunks, known, addresses_of)
    say_text(text.rstrip("\n"))
    for host in unknown:
        say(
            f"warning: {host} has no address now; its carrier's packets would be held to a rate or dropped",
            err=True,
        )


def _networks(texts: list[str]) -> list[Network]:
    try:
        return [ipaddress.ip_network(text) for text in texts]
    except ValueError as error:
        raise fail(f"--agents: {error}; write a network such as 203.0.113.0/24") from error


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("firewall")(firewall)
