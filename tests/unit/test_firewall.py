"""The rules of `dialer firewall`: who passes and who is held to a rate."""

import ipaddress
import re

import pytest

from dialer_engine.pbx.firewall import rules
from dialer_engine.settings.asterisk import NodeSettings
from dialer_engine.settings.trunk import Trunk

pytestmark = pytest.mark.unit

NODE = NodeSettings(sip_port=5070, http_port=8089, ami_port=5039)
TRUNKS = {
    "main": Trunk(host="sip.example.com", inbound_ips=["203.0.113.0/28", "203.0.113.16/28", "2001:db8::/48"]),
    "spare": Trunk(host="192.0.2.7"),
    "gone": Trunk(host="gone.example.com"),
}
ADDRESSES = {"sip.example.com": ["198.51.100.4", "2001:db8:1::4"], "192.0.2.7": ["192.0.2.7"]}


def made(*agents: str) -> tuple[str, list[str]]:
    networks = [ipaddress.ip_network(each) for each in agents]
    return rules(NODE, TRUNKS, networks, lambda host: ADDRESSES.get(host, []))


def chain(text: str, name: str) -> list[str]:
    found = re.search(rf"chain {name} {{\n(.*?)\n    }}", text, re.DOTALL)
    assert found is not None
    return [line.strip() for line in found[1].split("\n")]


def test_carriers_pass_and_strangers_are_held_to_a_rate() -> None:
    text, unknown = made()
    assert unknown == ["gone.example.com"]
    assert "# No address was found for gone.example.com" in text
    assert "set carriers4 { type ipv4_addr; flags interval;" in text
    assert "elements = { 192.0.2.7/32, 198.51.100.4/32, 203.0.113.0/27 }" in text
    assert "elements = { 2001:db8::/48, 2001:db8:1::4/128 }" in text
    sip = chain(text, "sip")
    assert sip[:2] == ["ip saddr @carriers4 accept", "ip6 saddr @carriers6 accept"]
    assert all("limit rate over" in line and line.endswith("counter drop") for line in sip[2:])
    assert len(sip) == 5
    entry = chain(text, "input")
    assert entry[1] == 'iif "lo" accept'
    assert "udp dport 5070 jump sip" in entry
    assert "tcp dport { 8089, 5039 } counter drop" in entry


def test_the_port_for_tls_is_closed_where_a_trunk_wants_tls() -> None:
    wanting = {"secure": Trunk(host="192.0.2.7", transport="tls")}
    text, _ = rules(NODE, wanting, [], lambda host: [])
    assert "tcp dport { 8089, 5039, 5061 } counter drop" in chain(text, "input")


def test_with_the_agents_networks_everybody_else_is_kept_out() -> None:
    text, _ = made("10.1.0.0/16", "fd00::/8")
    assert chain(text, "sip") == [
        "ip saddr @carriers4 accept",
        "ip6 saddr @carriers6 accept",
        "ip saddr @agents4 accept",
        "ip6 saddr @agents6 accept",
        "counter drop",
    ]


def test_the_named_engines_reach_ari_and_ami() -> None:
    node = NODE.model_copy(update={"control_bind": "10.0.0.5", "control_permit": ["10.0.0.4", "fd00::4"]})
    text, _ = rules(node, {}, [], lambda host: [])
    entry = chain(text, "input")
    control = "tcp dport { 8089, 5039 }"
    assert entry[-3:] == [
        f"ip saddr @engines4 {control} accept",
        f"ip6 saddr @engines6 {control} accept",
        f"{control} counter drop",
    ]
    assert "set engines4 { type ipv4_addr; flags interval; elements = { 10.0.0.4/32 }; }" in text
    assert "engines" not in "".join(chain(text, "sip"))
