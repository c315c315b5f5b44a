"""What `dialer doctor` says of nodes: of those the engine uses, and of the one that this machine lends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import dialer_engine
from dialer_engine.cli.finding import CRITICAL, OK, WARNING, Finding
from dialer_engine.engine.node_link import node_config
from dialer_engine.engine.prompts import drop_versions
from dialer_engine.pbx.ami import AmiAdapter, AmiError
from dialer_engine.pbx.bundle import MINIMUM_VERSION, find_bundle
from dialer_engine.pbx.instance import NodeError, load_secrets
from dialer_engine.pbx.prompts import PromptError
from dialer_engine.pbx.reach import PROGRAM, RECORDING, Seen, facts_of, look
from dialer_engine.pbx.reloads import outdated
from dialer_engine.settings.asterisk import ExternalNode
from dialer_engine.settings.home import HomeError, home, service_user
from dialer_engine.settings.load import Config, SettingsError, load_config

MOST_APART_S = 0.5
"""How far a node's clock may be from the engine's: the record of one call has times of both."""


async def nodes(config: Path) -> list[Finding]:
    """Look at every node that the configuration names besides the bundled Asterisk."""
    try:
        loaded = load_config(config)
    except SettingsError:
        return []
    return list(await asyncio.gather(*(_node(loaded, node) for node in loaded.settings.asterisk.nodes)))


async def lent(config: Path) -> Finding:
    """Look at the Asterisk that this machine lends to an engine elsewhere."""
    try:
        node = node_config(load_config(config).settings.asterisk.node, home(), service_user())
        secrets = load_secrets(node)
        seen = await look(node.ari_url, secrets.ari_user, secrets.ari_password)
    except SettingsError:
        return Finding("node", WARNING, "not looked at: the configuration has errors")
    except (HomeError, NodeError) as error:
        return Finding("node", CRITICAL, str(error))
    if late := outdated(node):
        return Finding("node", WARNING, restart_words(late, "dialer node stop"))
    return Finding("node", OK, f"{node.name}: Asterisk {seen.version} serves at {node.ari_url}")


def restart_words(late: set[str], remedy: str) -> str:
    """Say that Asterisk runs by older settings than its files have."""
    return f"Asterisk runs as it was started; a restart is needed for {', '.join(sorted(late))}: {remedy}, then run"


async def _node(config: Config, node: ExternalNode) -> Finding:
    what = f"node {node.name}"
    try:
        wanted = _wanted(config)
        seen = await look(node.ari_url, node.ari_user, node.ari_password, wanted if node.sounds else ())
        await _ami(node)
    except (NodeError, AmiError, PromptError) as error:
        return Finding(what, CRITICAL, str(error))
    said = [*_version(seen), *_clock(seen), *_recordings(seen, wanted, node)]
    apart = f"clock {seen.ahead_s * 1000:+.0f} ms, give or take {seen.give_or_take_s * 1000:.0f}"
    words = "; ".join([text for _, text in said] or [f"Asterisk {seen.version}, {apart}"])
    states = [state for state, _ in said]
    return Finding(what, CRITICAL if CRITICAL in states else WARNING if states else OK, words)


def _wanted(config: Config) -> Mapping[str, str]:
    return facts_of(dialer_engine.__version__, drop_versions(config))


async def _ami(node: ExternalNode) -> None:
    adapter = AmiAdapter(str(node.ami_host), node.ami_port, node.ami_user, node.ami_password)
    try:
        await adapter.start()
    finally:
        await adapter.close()


def _version(seen: Seen) -> list[tuple[str, str]]:
    least = ".".join(map(str, MINIMUM_VERSION))
    if tuple(int(part) for part in seen.version.split(".") if part.isdigit()) < MINIMUM_VERSION:
        return [(CRITICAL, f"Asterisk {seen.version} is older than {least}, which closes security holes")]
    bundle = find_bundle(home())
    if bundle is not None and bundle.version != seen.version:
        return [(WARNING, f"Asterisk {seen.version}, here it is {bundle.version}: bring both to one")]
    return []


def _clock(seen: Seen) -> list[tuple[str, str]]:
    if abs(seen.ahead_s) - seen.give_or_take_s <= MOST_APART_S:
        return []
    side = "ahead of" if seen.ahead_s > 0 else "behind"
    words = f"its clock is {abs(seen.ahead_s):.1f} s {side} ours: the times of its calls are wrong; run NTP on both"
    return [(WARNING, words)]


def _recordings(seen: Seen, wanted: Mapping[str, str], node: ExternalNode) -> list[tuple[str, str]]:
    """A node with sounds of its own must have what campaigns are to play; what others lack only costs a fallback."""
    if node.sounds is None:
        return []
    program = seen.facts.get(PROGRAM, "")
    if not program:
        return [
            (WARNING, "no 'dialer node run' there: whether it has the recordings cannot be seen from here")
        ]
    found = []
    if program != wanted[PROGRAM]:
        found.append((WARNING, f"dialer {program} there, {wanted[PROGRAM]} here: bring both to one"))
    missing = sorted(
        name.removeprefix(RECORDING)
        for name, version in wanted.items()
        if name != PROGRAM and seen.facts.get(name) != version
    )
    if missing:
        remedy = "copy the campaigns there, then: systemctl reload dialer-node"
        found.append(
            (WARNING, f"not today's recordings of {', '.join(missing)}, so a general one plays; {remedy}")
        )
    return found
