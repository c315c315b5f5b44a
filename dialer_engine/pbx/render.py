"""Settings into Asterisk's configuration files, by the templates below `asterisk/`.

`base_files` gives what every instance needs; roles add their own `pjsip.conf`, `extensions.conf` and modules.
"""

import ipaddress
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.carrier_addresses import pinned
from dialer_engine.pbx.instance import DUTY_EXTENSION, FrontAddress, NodeConfig, NodeError, NodeSecrets
from dialer_engine.pbx.rtp_ports import ports_in_use
from dialer_engine.pbx.template import (
    TEMPLATES,
    Block,
    RenderError,
    checked,
    fill_file,
    setting_lines,
    templates_in,
)
from dialer_engine.settings.home import unreachable
from dialer_engine.settings.trunk import Trunk

NO_REDIRECT = "trunk-no-redirect"
"""An endpoint that never exists, in whose place a redirected call ends; no agent may be named so."""
FRONT_ENDPOINT = "dialer.front"
"""The front's own endpoint on a node; no agent's name has a dot in it."""
WATCH_PREFIX = "options."
"""How the endpoints begin that ask trunks' carriers with OPTIONS."""
HOLD_TIMES = 5
"""A call on hold may be without audio this many times longer than another."""
_INCLUDED = ("modules.conf", "pjsip_base.conf")
ENGINE_MODULES = (
    "app_stack",
    "app_stasis_broadcast",
    "func_hangupcause",
    "res_agi",
    "res_speech",
    "res_srtp",
    "res_stasis_broadcast",
    "bridge_holding",
)
_RESERVED = (
    "trunk",
    "agent",
    "agent-aor",
    "agent-behind-front",
    "agent-aor-behind-front",
    "global",
    "system",
)
_NAME_SIGNS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
Values = dict[str, str | int | Block]


@dataclass(frozen=True, slots=True)
class AgentAccount:
    """An agent's SIP account."""

    name: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Prompts:
    """Prompts of the dialplan, paths without extension: default drop message, 'removed', two refusals."""

    drop: Path
    removed: Path
    engine_away: Path
    wrong_extension: Path


def trunk_endpoint(name: str) -> str:
    """Return the PJSIP endpoint of a trunk; dial `PJSIP/NUMBER@` followed by it.

    The `@` in it keeps Asterisk from following a carrier's redirect: see `asterisk/engine/pjsip.conf`.
    """
    return f"trunk-{_name(name, 'trunk name')}@{NO_REDIRECT}"


def watch_endpoint(name: str) -> str:
    """Return the PJSIP endpoint that asks a trunk's carrier with OPTIONS."""
    return f"{WATCH_PREFIX}{_name(name, 'trunk name')}"


def instance_values(bundle: Bundle, config: NodeConfig, secrets: NodeSecrets) -> Values:
    """Return what the shared templates need: directories, addresses and accounts of the instance."""
    paths = {name: str(config.path(name)) for name in ("etc", "run", "log", "spool", "lib", "agi")}
    rtp_start, rtp_end = ports_in_use(config)
    return {
        **paths,
        "name": _name(config.name, "node name"),
        "modules_directory": str(bundle.modules),
        "data": str(bundle.data),
        "journal": str(config.optout_journal),
        "bind": config.bind,
        "control_bind": config.control_bind,
        "sip_port": config.sip_port,
        "http_port": config.http_port,
        "ami_port": config.ami_port,
        "rtp_start": rtp_start,
        "rtp_end": rtp_end,
        "app": _name(config.app, "app"),
        "duty": DUTY_EXTENSION,
        "ari_user": secrets.ari_user,
        "ari_password": secrets.ari_password,
        "ami_user": secrets.ami_user,
        "ami_password": secrets.ami_password,
        "nat": _nat(config),
        "restriction": _restriction(config),
        "permitted": _permitted(config),
    }


def base_files(values: Mapping[str, str | int | Block], modules: Sequence[str] = ()) -> dict[str, str]:
    """Render the files of every instance; `modules` (without `.so`) are loaded besides the common ones."""
    shared = TEMPLATES / "shared"
    paths = [path for path in templates_in(shared) if path.name not in _INCLUDED]
    files = {path.name: fill_file(path, values) for path in paths}
    lines = "".join(f"load = {_name(each, 'module')}.so\n" for each in modules)
    files["modules.conf"] = fill_file(shared / "modules.conf", {"modules": Block(lines)})
    return files


def pjsip_base(values: Mapping[str, str | int | Block]) -> Block:
    """Render the beginning of every `pjsip.conf`: global values and the UDP and TCP transports."""
    return Block(fill_file(TEMPLATES / "shared" / "pjsip_base.conf", values))


def render_engine_node(
    bundle: Bundle,
    config: NodeConfig,
    secrets: NodeSecrets,
    trunks: Mapping[str, Trunk],
    agents: Sequence[AgentAccount],
    prompts: Prompts,
    addresses: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Render all files of the engine's Asterisk: name of the file in `etc/` to its text.

    `addresses`: the one address at which each carrier's name is called (`carrier_addresses.py`).
    """
    values = instance_values(bundle, config, secrets)
    values |= {
        "python": interpreter(config),
        "drop_prompt": str(prompts.drop),
        "removed_prompt": str(prompts.removed),
        "away_prompt": str(prompts.engine_away),
        "wrong_prompt": str(prompts.wrong_extension),
    }
    files = base_files(values, ENGINE_MODULES)
    files["extensions.conf"] = fill_file(TEMPLATES / "engine" / "extensions.conf", values)
    files["pjsip.conf"] = _engine_pjsip(values, config, trunks, agents, addresses or {})
    return files


def _engine_pjsip(
    values: Values,
    config: NodeConfig,
    trunks: Mapping[str, Trunk],
    agents: Sequence[AgentAccount],
    addresses: Mapping[str, str],
) -> str:
    base = pjsip_base(values).text
    if any(trunk.transport == "tls" for trunk in trunks.values()):
        base += fill_file(TEMPLATES / "engine" / "tls.conf", values | {"tls_port": config.tls_port})
    parts: Values = {
        "base": Block(base),
        "trunks": Block("\n".join(_trunk(name, trunks[name], addresses) for name in sorted(trunks))),
        "front": _front(config),
        "agents": Block(
            "\n".join(_agent(each, config) for each in sorted(agents, key=lambda agent: agent.name))
        ),
    }
    return fill_file(TEMPLATES / "engine" / "pjsip.conf", parts)


def _front(config: NodeConfig) -> Block:
    """The front's endpoint, and what differs for agents behind it; nothing without a front."""
    if config.front is None:
        return Block("")
    values: Values = {
        "endpoint": FRONT_ENDPOINT,
        "address": config.front.host,
        "contact": _contact(FRONT_ENDPOINT, config.front),
        "media": config.external_address or config.bind,
    }
    return Block(fill_file(TEMPLATES / "engine" / "front.conf", values))


def _contact(user: str, front: FrontAddress) -> Block:
    return Block(f"sip:{user}@{front.uri_host}:{front.port}")


def reserved(name: str) -> bool:
    """Whether Asterisk's configuration uses a name itself, so that no agent may have it."""
    return name.startswith(("trunk-", "transport-")) or name in _RESERVED


def unusable(agent: AgentAccount) -> str | None:
    """Return why an account cannot stand in Asterisk's configuration, None when it can."""
    try:
        _account(agent)
    except RenderError as error:
        return str(error)
    return None


def _account(agent: AgentAccount) -> tuple[str, str]:
    name = _name(agent.name, "agent name")
    if reserved(name):
        raise RenderError(f"agent name {name!r} is reserved; choose another")
    return name, checked(agent.password, f"password of agent {name}")


def _agent(agent: AgentAccount, config: NodeConfig) -> str:
    name, password = _account(agent)
    values: Values = {"name": name, "password": password}
    if config.front is None:
        return fill_file(TEMPLATES / "engine" / "agent.conf", values)
    values["contact"] = _contact(name, config.front)
    return fill_file(TEMPLATES / "engine" / "agent_behind_front.conf", values)


def _trunk(name: str, trunk: Trunk, addresses: Mapping[str, str]) -> str:
    where = f"trunks.{name}"
    host = checked(trunk.host, f"{where}.host")
    suffix = "" if trunk.transport == "udp" else f"\\;transport={trunk.transport}"
    contact = Block(f"sip:{host}:{trunk.port}{suffix}")
    proxy = _proxy(trunk, suffix, addresses)
    values: Values = {
        "endpoint": trunk_endpoint(name),
        "transport": trunk.transport,
        "codecs": ",".join(trunk.codecs),
        "rtp_timeout": trunk.audio_lost_s,
        "rtp_timeout_hold": trunk.audio_lost_s * HOLD_TIMES,
        "contact": contact,
        "match": ",".join([host, *map(str, trunk.inbound_ips)]),
        "options": setting_lines(_trunk_options(name, trunk), where),
        "authentication": _authentication(name, trunk),
        "proxy": proxy,
        "registration": _registration(name, trunk, suffix, proxy),
        "watch": _watch(name, trunk, contact, proxy),
    }
    return fill_file(TEMPLATES / "engine" / "trunk.conf", values)


def _proxy(trunk: Trunk, suffix: str, addresses: Mapping[str, str]) -> Block:
    """Where requests go instead of to every address that the carrier's name has; the header for it is not sent."""
    address = addresses.get(trunk.host) if pinned(trunk) else None
    if address is None:
        return Block("")
    return Block(f"outbound_proxy = sip:{address}:{trunk.port}{suffix}\\;lr\\;hide\n")


def _trunk_options(name: str, trunk: Trunk) -> dict[str, str]:
    options = {
        "send_pai": "yes" if trunk.caller_id_header == "pai" else "no",
        "send_rpid": "yes" if trunk.caller_id_header == "rpid" else "no",
    }
    if trunk.username:
        options["outbound_auth"] = trunk_endpoint(name)
    return options | _from(trunk)


def _from(trunk: Trunk) -> dict[str, str]:
    found = {"from_user": trunk.from_user, "from_domain": trunk.from_domain}
    return {key: value for key, value in found.items() if value}


def _authentication(name: str, trunk: Trunk) -> Block:
    if not trunk.username:
        return Block("")
    account = {
        "type": "auth",
        "auth_type": "userpass",
        "username": trunk.username,
        "password": trunk.password or "",
    }
    return Block(f"\n[{trunk_endpoint(name)}]\n{setting_lines(account, f'trunks.{name}').text}")


def _registration(name: str, trunk: Trunk, suffix: str, proxy: Block) -> Block:
    if not trunk.register_:
        return Block("")
    user = checked(trunk.username or "", f"trunks.{name}.username")
    values: Values = {
        "endpoint": trunk_endpoint(name),
        "transport": trunk.transport,
        "server": Block(f"sip:{trunk.host}:{trunk.port}{suffix}"),
        "client": f"sip:{user}@{trunk.host}:{trunk.port}",
        "user": user,
        "proxy": proxy,
    }
    return Block(fill_file(TEMPLATES / "engine" / "registration.conf", values))


def _watch(name: str, trunk: Trunk, contact: Block, proxy: Block) -> Block:
    """What asks the carrier with OPTIONS; nothing when it is not to be asked."""
    if not trunk.options_every_s:
        return Block("")
    values: Values = {
        "endpoint": watch_endpoint(name),
        "transport": trunk.transport,
        "options": setting_lines(_from(trunk), f"trunks.{name}"),
        "contact": contact,
        "every": trunk.options_every_s,
        "proxy": proxy,
    }
    return Block(fill_file(TEMPLATES / "engine" / "trunk_watch.conf", values))


def _restriction(config: NodeConfig) -> Block:
    """Who may speak HTTP with Asterisk at all, for every path; on loopback nobody else can."""
    lines = _permitted(config).text
    return Block(f"\n[/]\ntype = restriction\n{lines}" if lines else "")


def _permitted(config: NodeConfig) -> Block:
    if ipaddress.ip_address(config.control_bind).is_loopback:
        return Block("")
    ourselves = ["127.0.0.1", "::1"]
    if config.control_host == config.control_bind:
        ourselves.append(config.control_bind)
    permitted = [checked(net, "asterisk.node.control_permit") for net in config.control_permit]
    lines = ["deny = 0.0.0.0/0", "deny = ::/0", *(f"permit = {each}" for each in [*ourselves, *permitted])]
    return Block("".join(f"{line}\n" for line in lines))


def _nat(config: NodeConfig) -> Block:
    lines = [f"local_net = {checked(net, 'asterisk.node.local_networks')}\n" for net in config.local_networks]
    if config.external_address:
        address = checked(config.external_address, "asterisk.node.external_address")
        lines += [f"external_media_address = {address}\n", f"external_signaling_address = {address}\n"]
    return Block("".join(lines))


def _name(text: str, what: str) -> str:
    if not text or not _NAME_SIGNS.issuperset(text):
        raise RenderError(f"{what} {text!r} may hold only letters, digits, '-', '_' and '.'")
    return text


def interpreter(config: NodeConfig) -> str:
    """Return a Python that the service user may run, for the scripts that Asterisk starts."""
    for candidate in ("/usr/bin/python3", "/usr/local/bin/python3", os.path.realpath(sys.executable)):
        path = Path(candidate)
        if path.exists() and unreachable(path.resolve().parent, config.user) is None:
            return candidate
    raise NodeError(
        f"no Python that user {config.user.name!r} may run: install /usr/bin/python3 for the opt-out script"
    )
