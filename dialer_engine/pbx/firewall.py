"""The firewall of a node as rules for nftables: carriers pass, strangers are held to a rate or kept out.

Asterisk stands a flood, but answers each request of it; the kernel drops one at a hundredth of the cost. Nothing is
applied here: the operator looks at the rules and loads them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence

from dialer_engine.settings.asterisk import NodeSettings
from dialer_engine.settings.trunk import Trunk

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str], Iterable[str]]
"""From a host's name to its addresses; nothing when there are none."""

EACH_PER_SECOND, EACH_BURST = 20, 60
"""SIP packets that one stranger may send: a phone's sign-on and call take about 20, then one in five seconds."""
ALL_PER_SECOND, ALL_BURST = 500, 1000
"""SIP packets that all strangers may send together: 100 phones signing on at once, and no flood."""

LOOPBACK_PASSES = '        iif "lo" accept\n'

_RULES = """\
#!/usr/sbin/nft -f
# Written by `dialer firewall`: look at it, then load it with `nft -f FILE`. Write it anew when a trunk, a port or a
# carrier's address changes. It touches no other rules of this machine, and lets everything else through.
{notes}table inet dialer
delete table inet dialer
table inet dialer {{
{sets}\
    set tries4 {{ type ipv4_addr; size 65536; flags dynamic,timeout; timeout 1m; }}
    set tries6 {{ type ipv6_addr; size 65536; flags dynamic,timeout; timeout 1m; }}

    chain sip {{
{known}\
{strangers}\
    }}

    chain input {{
        type filter hook input priority filter - 10; policy accept;
{loopback}\
        udp dport {sip} jump sip
        tcp dport {sip} ct state new jump sip
{engines}\
        tcp dport {{ {closed} }} counter drop
    }}
}}
"""
_LIMITED = f"""\
        update @tries4 {{ ip saddr limit rate over {EACH_PER_SECOND}/second burst {EACH_BURST} packets }} counter drop
        update @tries6 {{ ip6 saddr limit rate over {EACH_PER_SECOND}/second burst {EACH_BURST} packets }} counter drop
        limit rate over {ALL_PER_SECOND}/second burst {ALL_BURST} packets counter drop
"""


def rules(
    node: NodeSettings, trunks: Mapping[str, Trunk], agents: Sequence[Network], resolve: Resolve
) -> tuple[str, list[str]]:
    """Return the rules as text, and the hosts of trunks that have no address now.

    With `agents`, the networks of the agents' phones, everybody else but the carriers is kept out; without, every
    stranger is held to a rate, because a stranger may be an agent at home. Engines elsewhere reach ARI and AMI when
    `control_permit` names them.
    """
    carriers, unknown = _carriers(trunks, resolve)
    notes = "".join(f"# No address was found for {host}: add what the carrier names.\n" for host in unknown)
    named = [
        ("carriers4", carriers, 4),
        ("carriers6", carriers, 6),
        ("agents4", agents, 4),
        ("agents6", agents, 6),
    ]
    permitted = [ipaddress.ip_network(net) for net in node.control_permit]
    callers = _filled(named)
    engines = _filled([("engines4", permitted, 4), ("engines6", permitted, 6)])
    control = f"tcp dport {{ {node.http_port}, {node.ami_port} }}"
    text = _RULES.format(
        notes=notes,
        loopback=LOOPBACK_PASSES,
        sets="".join(_set(name, found) for name, found in [*callers, *engines]),
        known="".join(f"        {_saddr(name)} @{name} accept\n" for name, _ in callers),
        engines="".join(f"        {_saddr(name)} @{name} {control} accept\n" for name, _ in engines),
        strangers="        counter drop\n" if agents else _LIMITED,
        sip=node.sip_port,
        closed=", ".join(map(str, _closed(node, trunks))),
    )
    return text, unknown


def _closed(node: NodeSettings, trunks: Mapping[str, Trunk]) -> list[int]:
    """Return the ports that nobody reaches from outside; to a carrier over TLS connections only go out."""
    tls = [node.tls_port] if any(trunk.transport == "tls" for trunk in trunks.values()) else []
    return [node.http_port, node.ami_port, *tls]


def _filled(named: Iterable[tuple[str, Iterable[Network], int]]) -> list[tuple[str, Sequence[Network]]]:
    return [(name, found) for name, nets, version in named if (found := _of(nets, version))]


def _carriers(trunks: Mapping[str, Trunk], resolve: Resolve) -> tuple[list[Network], list[str]]:
    found: list[Network] = []
    unknown: list[str] = []
    for trunk in trunks.values():
        addresses = list(resolve(trunk.host))
        if not addresses and trunk.host not in unknown:
            unknown.append(trunk.host)
        found += map(ipaddress.ip_network, [*addresses, *map(str, trunk.inbound_ips)])
    return found, unknown


def _of(networks: Iterable[Network], version: int) -> list[Network]:
    mine = [net for net in networks if net.version == version]
    return sorted(ipaddress.collapse_addresses(mine), key=lambda net: (net.network_address, net.prefixlen))  # type: ignore[type-var]


def _set(name: str, networks: Sequence[Network]) -> str:
    kind = "ipv4_addr" if name.endswith("4") else "ipv6_addr"
    listed = ", ".join(map(str, networks))
    return f"    set {name} {{ type {kind}; flags interval; elements = {{ {listed} }}; }}\n"


def _saddr(name: str) -> str:
    return "ip saddr" if name.endswith("4") else "ip6 saddr"
