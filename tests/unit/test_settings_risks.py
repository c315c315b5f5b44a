"""Warnings: what is allowed but risky, at its place, and nothing for a configuration that is fine."""

from pathlib import Path

import pytest
from settings_support import CAMPAIGN, DIALER, LAB, write_config

from dialer_engine.settings.load import load_config

pytestmark = pytest.mark.unit
EVERYWHERE = ".".join("0000")


def warnings(directory: Path) -> list[str]:
    return [
        problem.text("better").replace(f"{directory}/", "") for problem in load_config(directory).warnings
    ]


def test_a_sound_configuration_has_none(tmp_path: Path) -> None:
    assert warnings(write_config(tmp_path)) == []


NODE = "{name: b, ari_url: 'http://10.0.0.6:8088', ari_user: u, ari_password: p, ami_host: 127.0.0.1, ami_user: u, "
NODE += "ami_password: p}"


def test_passwords_of_a_node_go_in_the_clear_unless_the_network_is_private(tmp_path: Path) -> None:
    directory = write_config(tmp_path, f"{DIALER}  nodes:\n    - {NODE}\n")
    (directory / "dialer.yaml").chmod(0o640)
    (warning,) = warnings(directory)
    assert warning.startswith(
        "dialer.yaml:13:7: asterisk.nodes[0]: passwords of node 'b' go in the clear to 10.0.0.6; better: a WireGuard"
    )


def test_a_private_network_may_see_passwords(tmp_path: Path) -> None:
    control = "    control_bind: 10.0.0.5\n    control_permit: [10.0.0.4]\n    private_network: true\n"
    node = NODE.replace("}", ", private_network: true}")
    directory = write_config(tmp_path, f"{DIALER}{control}  nodes: [{node}]\n")
    (directory / "dialer.yaml").chmod(0o640)
    assert warnings(directory) == []


SEEN = "is not verified: who sits between can read and alter all; better: sslmode=verify-full"


@pytest.mark.parametrize(
    ("rest", "host"),
    [
        ("db.example.net/dialer", "db.example.net"),
        ("db.example.net:5432/dialer?sslmode=require", "db.example.net"),
        ("8.8.8.8/dialer?sslmode=verify-ca", "8.8.8.8"),
        ("[2600::1]:5432/dialer", "2600::1"),
        ("10.0.0.3,db.example.net:5433/dialer", "db.example.net"),
        ("/dialer?host=db.example.net", "db.example.net"),
    ],
)
def test_a_database_behind_strangers_is_to_be_verified(tmp_path: Path, rest: str, host: str) -> None:
    url = f"postgresql://dialer:pass@{rest}"
    directory = write_config(tmp_path, f"{DIALER}database: {{url: '{url}', engine_url: '{url}'}}\n")
    (directory / "dialer.yaml").chmod(0o640)
    found = warnings(directory)
    assert len(found) == 2
    for key, warning in zip(("url", "engine_url"), found, strict=True):
        assert f"database.{key}: the way to the database at {host} {SEEN}" in warning
        assert "pass@" not in warning


@pytest.mark.parametrize(
    "rest",
    [
        *("127.0.0.1/d", "localhost/d", "[::1]:5432/d", "10.0.0.3:5432/d", "[fd00::1]/d", "100.64.0.1/d"),
        *("/d?host=/run/postgresql", "/d?host=/var/lib/x.y&port=5433", "postgres:5432/d"),
        "db.example.net/d?sslmode=verify-full&sslrootcert=/srv/ca.crt",
    ],
)
def test_a_database_that_nobody_sits_before_has_no_warning(tmp_path: Path, rest: str) -> None:
    directory = write_config(tmp_path, f"{DIALER}database: {{url: 'postgresql://dialer:pass@{rest}'}}\n")
    (directory / "dialer.yaml").chmod(0o640)
    assert warnings(directory) == []


def test_a_lab_has_none(tmp_path: Path) -> None:
    assert warnings(write_config(tmp_path, LAB, spring=CAMPAIGN.replace("main", "carrier"))) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "    inbound_ips: [203.0.113.7]\n",
            "",
            "dialer.yaml:6:3: trunks.main: neither password nor inbound_ips: ",
        ),
        (
            "192.0.2.10",
            EVERYWHERE,
            f"dialer.yaml:11:11: asterisk.node.bind: bind {EVERYWHERE} opens SIP on every network",
        ),
        (
            "192.0.2.10",
            "127.0.0.1",
            "dialer.yaml:11:11: asterisk.node.bind: bind 127.0.0.1 cannot reach trunk 'main'",
        ),
        (
            "    bind: 192.0.2.10\n",
            "",
            "dialer.yaml:10:3: asterisk.node.bind: bind 127.0.0.1 cannot reach trunk",
        ),
        (
            "    bind: 192.0.2.10\n",
            "    bind: 192.0.2.10\n    control_bind: 10.0.0.5\n    control_permit: [10.0.0.4]\n",
            "dialer.yaml:12:19: asterisk.node.control_bind: ARI and AMI send passwords in the clear on 10.0.0.5",
        ),
        (
            "sip.carrier.net",
            "sip.carrier.example",
            "dialer.yaml:7:11: trunks.main.host: this is the example's host",
        ),
        (
            "+12102260100",
            "+18005550100",
            "dialer.yaml:4:22: members.acme.callback_number: this is the example's number",
        ),
        (
            "sip.carrier.net",
            "a.pstn.twilio.com\n    calls_per_second: 1.5",
            "dialer.yaml:8:23: trunks.main.calls_per_second: 1.5 calls per second, above this carrier's ",
        ),
        (
            "sip.carrier.net",
            "a.net\n    transport: tls",
            "dialer.yaml:6:3: trunks.main.port: tls on port 5060",
        ),
    ],
)
def test_risks_in_dialer_yaml(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in DIALER
    (warning,) = warnings(write_config(tmp_path, DIALER.replace(old, new)))
    assert warning.startswith(expected)


@pytest.mark.parametrize(
    ("addition", "expected"),
    [
        (
            "ring_seconds: 15",
            "5:15: ring_seconds: 15 s of ringing is outside the legal window of some regions; better: 16 ",
        ),
        (
            "ring_seconds: 29",
            "5:15: ring_seconds: 29 s of ringing is outside the legal window of some regions",
        ),
        ("cancel_before_15s: true", "5:20: cancel_before_15s: calls may be cancelled before 15 s of ringing"),
        (
            "retry: {machine: never}",
            "5:9: retry.machine: this key does nothing; better: take it out: when an agent met a machine, ",
        ),
        (
            "lines_per_agent: 4",
            "5:18: lines_per_agent: 4 lines per agent make abandoned calls likely; better: up to 3",
        ),
    ],
)
def test_risks_in_a_campaign(tmp_path: Path, addition: str, expected: str) -> None:
    (warning,) = warnings(write_config(tmp_path, spring=f"{CAMPAIGN}{addition}\n"))
    assert warning.startswith(f"campaigns/spring.yaml:{expected}")


DNC = "dispositions: {1: {code: sale, label: Sale}, 8: {code: dnc, label: No calls, suppress: true}}\n"


def test_without_a_wrap_up_a_do_not_call_key_has_little_time(tmp_path: Path) -> None:
    (warning,) = warnings(write_config(tmp_path, spring=f"{CAMPAIGN}wrap_seconds: 0\n{DNC}"))
    assert warning == (
        "campaigns/spring.yaml:5:15: wrap_seconds: without a wrap-up the do-not-call key 8 works for 120 s after the "
        "talk, and only while the next talk has not begun; better: 5 or more seconds"
    )
    for text in (f"wrap_seconds: 1\n{DNC}", f"wrap_seconds: 0\n{DNC.replace('true', 'false')}"):
        assert warnings(write_config(tmp_path, spring=CAMPAIGN + text)) == []


def test_many_lines_do_not_matter_when_progressive(tmp_path: Path) -> None:
    text = CAMPAIGN + "mode: progressive\nlines_per_agent: 8\n"
    assert warnings(write_config(tmp_path, spring=text)) == []


def test_an_example_number_as_caller_id(tmp_path: Path) -> None:
    text = CAMPAIGN.replace("+12102260101", "+18005550199")
    (warning,) = warnings(write_config(tmp_path, spring=text))
    assert warning.startswith("campaigns/spring.yaml:4:14: caller_ids[0]: this is the example's number; ")


@pytest.mark.parametrize("secret", ["    username: u\n    password: p\n", ""])
def test_passwords_that_everybody_can_read(tmp_path: Path, secret: str) -> None:
    directory = write_config(tmp_path, DIALER.replace("    host:", f"{secret}    host:"))
    (directory / "dialer.yaml").chmod(0o644)
    expected = [
        f"dialer.yaml:1:1: passwords that every user of this machine can read; better: chmod 640 {directory}"
    ]
    found = [warning.replace("/dialer.yaml", "") for warning in warnings(directory)]
    assert [w.replace("chmod 640 dialer.yaml", f"chmod 640 {directory}") for w in found] == (
        expected if secret else []
    )
    (directory / "dialer.yaml").chmod(0o640)
    assert warnings(directory) == []


def test_nothing_to_call_with(tmp_path: Path) -> None:
    (tmp_path / "dialer.yaml").write_text("logging: {level: info}\n")
    kinds = [warning.split(": ")[1].split(":")[0] for warning in warnings(tmp_path)]
    assert kinds == ["no campaigns", "no members", "no trunks"]


def test_audio_ports_must_do_for_the_channels_of_all_trunks_in_one_half(tmp_path: Path) -> None:
    def of(ports: str) -> list[str]:
        return warnings(write_config(tmp_path, f"{DIALER}    rtp: {ports}\n"))

    assert of("{start: 20000, end: 21999}") == []
    (warning,) = of("{start: 20000, end: 20063}")
    assert "asterisk.node.rtp: the range 20000-20063 is too small for the " in warning
    assert warning.endswith("better: at least 80 ports, open in the firewall")


def test_a_campaign_to_businesses_asks_no_registry_and_is_told_so(tmp_path: Path) -> None:
    directory = write_config(tmp_path, spring=f"{CAMPAIGN}audience: businesses\n")
    (warning,) = warnings(directory)
    assert "audience: no do-not-call registry is asked about any number of this campaign" in warning
    assert "better: consumers, unless every number is a business's and a lawyer agreed" in warning
