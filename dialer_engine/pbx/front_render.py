"""Settings into Kamailio's files, by the templates below `asterisk/front/`."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence

from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.front_bundle import kamailio_modules
from dialer_engine.pbx.front_config import BackNode, FrontConfig
from dialer_engine.pbx.instance import DUTY_EXTENSION, FrontAddress
from dialer_engine.pbx.render import FRONT_ENDPOINT, AgentAccount
from dialer_engine.pbx.template import TEMPLATES, Block, RenderError, fill_file

REALM = "asterisk"
"""The same as Asterisk's own: a phone that answers both has one password for one realm."""
PIKE_UNIT_S = 2
OWNER_TIMES = 5
"""Wrong passwords for one agent from anywhere, as a multiple of those from one address."""
_AGENT_COLUMNS = "key_name(str) key_type(int) value_type(int) key_value(str) expires(int)"
_AGENT_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def render_front(bundle: Bundle, config: FrontConfig) -> dict[str, str]:
    """Render the files that do not depend on the agents: name of the file in `etc/` to its text."""
    front, limits = config.settings, config.settings.limits
    values: dict[str, str | int | Block] = {
        "modules": str(kamailio_modules(bundle)),
        "control": str(config.control),
        "location": str(config.location),
        "tables": str(config.path("etc")),
        "dispatcher": str(config.dispatcher),
        "phones": _at(front.bind, front.sip_port),
        "advertise": _advertise(config),
        "nodes": _at(front.for_nodes, front.node_port),
        "node_port": front.node_port,
        "workers": front.workers,
        "endpoint": FRONT_ENDPOINT,
        "realm": REALM,
        "duty": DUTY_EXTENSION,
        "nobody": _nobody(config),
        "density": limits.requests_per_second * PIKE_UNIT_S,
        "strangers": limits.strangers_per_second,
        "failures": limits.wrong_passwords,
        "failures_of_user": limits.wrong_passwords * OWNER_TIMES,
        "invites": limits.calls_per_10_seconds,
        "message_bytes": limits.message_bytes,
        "connections": limits.connections,
        "connections_per_address": limits.connections_per_address,
    }
    text = fill_file(TEMPLATES / "front" / "kamailio.cfg", values)
    return {config.conf.name: text, config.dispatcher.name: render_nodes(config.nodes)}


def render_nodes(nodes: Sequence[BackNode]) -> str:
    """Render the list of nodes: one set, all alike."""
    return "".join(f"1 {node.uri} 0 0 duid={node.name}\n" for node in nodes)


def render_agents(agents: Sequence[AgentAccount]) -> str:
    """Render the table of agents: names with HA1 values, never a password."""
    lines = [f"{_name(each.name)}:0:0:{ha1(each)}:0\n" for each in sorted(agents, key=lambda each: each.name)]
    return f"{_AGENT_COLUMNS}\n{''.join(lines)}"


def ha1(agent: AgentAccount) -> str:
    """Return the digest of name, realm and password by which SIP checks a password."""
    secret = f"{agent.name}:{REALM}:{agent.password}"
    return hashlib.md5(secret.encode(), usedforsecurity=False).hexdigest()


def _name(name: str) -> str:
    if not _AGENT_NAME.fullmatch(name):
        raise RenderError(f"agent name {name!r} may hold only letters, digits, '-', '_' and '.'")
    return name


def _nobody(config: FrontConfig) -> str:
    """An HA1 that nobody's password gives; it stays the same, so that rendering again changes nothing."""
    path = config.path("nobody")
    try:
        return path.read_text("ascii").strip()
    except FileNotFoundError:
        path.write_text(secrets.token_hex(16) + "\n", "ascii")
        path.chmod(0o600)
        return path.read_text("ascii").strip()


def _advertise(config: FrontConfig) -> Block:
    outside = config.settings.external_address
    return Block(f" advertise {_host(outside)}:{config.settings.sip_port}" if outside else "")


def _at(host: str, port: int) -> Block:
    return Block(f"{_host(host)}:{port}")


def _host(host: str) -> str:
    return FrontAddress(host, 0).uri_host
