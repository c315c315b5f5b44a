"""Loading trunks and nodes: every kind of error with its exact place."""

from pathlib import Path

import pytest
from settings_support import DIALER, found, only, write_config

from dialer_engine.settings.load import load_config

pytestmark = pytest.mark.unit

NODE = "asterisk:\n  node:\n"


@pytest.mark.parametrize(
    ("trunk", "expected"),
    [
        ("hots: x", "7:5: trunks.t.hots: unknown key 'hots'; allowed: host, port, "),
        ("port: 0", "7:11: trunks.t.port: '0' is out of range; allowed: 1 to 65535"),
        ("port: 70000", "7:11: trunks.t.port: '70000' is out of range; allowed: 1 to 65535"),
        (
            "transport: upd",
            "7:16: trunks.t.transport: 'upd' is not possible; allowed: udp, tcp, tls; did you mean 'udp'?",
        ),
        ("codecs: [g729]", "7:14: trunks.t.codecs[0]: 'g729' is not possible; allowed: ulaw, alaw"),
        (
            "codecs: ulaw",
            "7:13: trunks.t.codecs: 'ulaw' is not a list; allowed: a list such as [one, two]; did you mean ",
        ),
        (
            "codecs: []",
            "7:13: trunks.t.codecs: an empty list is not enough; allowed: at least one: audio codecs",
        ),
        ("register: maybe", "7:15: trunks.t.register: 'maybe' is not true or false"),
        (
            "register: true",
            "7:15: trunks.t.register: register needs a username and a password; allowed: username and ",
        ),
        (
            "password: x",
            "7:15: trunks.t.password: a password without a username; allowed: both, or neither with IP ",
        ),
        (
            "prefix: '+1'",
            "7:13: trunks.t.prefix: '+1' does not have the right form; allowed: digits before the number",
        ),
        (
            "calls_per_second: fast",
            "7:23: trunks.t.calls_per_second: 'fast' is not a number; allowed: above 0, up to 500",
        ),
        (
            "calls_per_second: 0",
            "7:23: trunks.t.calls_per_second: '0' is out of range; allowed: above 0, up to 500",
        ),
        ("calls_per_second: nan", "7:23: trunks.t.calls_per_second: 'nan' is out of range"),
        ("calls_per_second: inf", "7:23: trunks.t.calls_per_second: 'inf' is out of range"),
        (
            "inbound_ips: [10.0.0.1/8]",
            "7:19: trunks.t.inbound_ips[0]: '10.0.0.1/8' is not an address or network: ",
        ),
        (
            "username: a;b",
            "7:15: trunks.t.username: the text is empty, or has a character that Asterisk's files cannot ",
        ),
        (
            'from_domain: "a\\nb"',
            "7:18: trunks.t.from_domain: the text is empty, or has a character that Asterisk's ",
        ),
    ],
)
def test_errors_in_a_trunk(tmp_path: Path, trunk: str, expected: str) -> None:
    text = "members: {acme: {name: A, callback_number: +12102260100}}\n"
    text += "trunks:\n  main: {host: a.net}\n\n  t:\n"
    text += f"    host: b.net\n    {trunk}\n"
    error = only(write_config(tmp_path, text))
    assert error.startswith(f"dialer.yaml:{expected}")


def test_secrets_are_not_shown_in_errors(tmp_path: Path) -> None:
    text = DIALER.replace("    host:", "    username: u\n    password: 'hunter2;'\n    host:")
    text += "database: {url: 'mysql://root:hunter2@x'}\n"
    errors = found(write_config(tmp_path, text))
    assert len(errors) == 2
    assert "hunter2" not in "".join(errors)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ("    bind: eth0\n", "3:11: asterisk.node.bind: 'eth0' is not an IP address"),
        ("    sip_port: 8088\n", "2:3: asterisk.node.http_port: http_port and sip_port are both 8088"),
        ("    ami_port: 5060\n", "3:15: asterisk.node.ami_port: ami_port and sip_port are both 5060"),
        ("    http_port: 5038\n", "2:3: asterisk.node.ami_port: ami_port and http_port are both 5038"),
        ("    sip_port: 10500\n", "2:3: asterisk.node.rtp: sip_port 10500 lies in the range 10000-11999"),
        (
            "    rtp: {start: 10001}\n",
            "3:18: asterisk.node.rtp.start: 10001 is odd; RTP uses an even port and RTCP the ",
        ),
        (
            "    rtp: {end: 10010}\n",
            "3:16: asterisk.node.rtp.end: the range 10000-10010 is too small; allowed: at least 20",
        ),
        (
            "    rtp: {start: 20000, end: 10000}\n",
            "3:30: asterisk.node.rtp.end: the range 20000-10000 is too small",
        ),
        (
            "    rtp: {start: 80}\n",
            "3:18: asterisk.node.rtp.start: '80' is out of range; allowed: 1024 to 65534",
        ),
        (
            "    name: Main Node\n",
            "3:11: asterisk.node.name: 'Main Node' is not a name; allowed: 1 to 32 characters of ",
        ),
        (
            "    control_bind: 10.0.0.5\n",
            "2:3: asterisk.node.control_permit: control_bind 10.0.0.5 opens ARI and AMI to other machines but ",
        ),
        (
            "    local_networks: [10/8]\n",
            "3:22: asterisk.node.local_networks[0]: '10/8' is not an address or network",
        ),
        ("    external_address: sip:me\n", "3:23: asterisk.node.external_address: 'sip:me' is not a host"),
        (
            "  nodes: [{name: x}]\n",
            "3:11: asterisk.nodes[0].ami_host: 'ami_host' is missing; allowed: host of",
        ),
    ],
)
def test_errors_in_the_node(tmp_path: Path, node: str, expected: str) -> None:
    rest = DIALER[: DIALER.index("asterisk:")]
    errors = found(write_config(tmp_path, NODE + node + rest))
    assert errors[0].startswith(f"dialer.yaml:{expected}"), errors


def test_external_nodes(tmp_path: Path) -> None:
    rest = DIALER[: DIALER.index("asterisk:")]
    node = "{name: a, ari_url: http://h:8088, ari_user: u, ari_password: hunter2, "
    node += "ami_host: h, ami_user: u, ami_password: hunter2}"
    config = load_config(write_config(tmp_path, f"{rest}asterisk:\n  managed: false\n  nodes: [{node}]\n"))
    assert config.settings.asterisk.nodes[0].ami_port == 5038
    assert "hunter2" not in repr(config.settings)
    error = only(write_config(tmp_path, f"{rest}asterisk:\n  managed: false\n"))
    assert "asterisk.nodes: managed is false but no node is listed" in error
    both = load_config(write_config(tmp_path, f"{rest}asterisk:\n  nodes: [{node}]\n")).settings.asterisk
    assert (both.managed, both.node.name, both.nodes[0].name) == (True, "main", "a")
    error = only(write_config(tmp_path, f"{rest}asterisk:\n  node: {{name: a}}\n  nodes: [{node}]\n"))
    assert error.startswith("dialer.yaml:11:10: asterisk.nodes: two nodes have the same name")
    error = only(write_config(tmp_path, f"{rest}asterisk:\n  managed: false\n  nodes: [{node}, {node}]\n"))
    assert "two nodes have the same name" in error
