"""The rules of `dialer firewall` in a real kernel: nft takes them, and they keep a flood from Asterisk."""

import ipaddress
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from lab_support import lab_root

from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.firewall import rules
from dialer_engine.pbx.nft_bundle import install_nft_bundle
from dialer_engine.settings.asterisk import NodeSettings
from dialer_engine.settings.home import home
from dialer_engine.settings.trunk import Trunk

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

TRUNKS = {"main": Trunk(host="sip.example.com", inbound_ips=["203.0.113.0/28", "2001:db8::/48"])}
NODE = NodeSettings(control_bind="10.0.0.5", control_permit=["10.0.0.4", "fd00::4"])
OWN_NETWORK = ("unshare", "--net") if os.geteuid() == 0 else ("unshare", "--user", "--map-root-user", "--net")
FORBIDDEN = "cache initialization failed: Operation not permitted"
"""What nft says after it has read the rules where it may not ask the kernel for the rest."""
NOT_ASKED = "the kernel was not asked: this takes an empty network, as root with CAP_SYS_ADMIN can make one"


@pytest.fixture(scope="module")
def nft() -> list[str]:
    """The command of the project's own nft."""
    return install_nft_bundle(home()).command("nft")


def may_have_a_network() -> bool:
    """Whether this process may make an empty network, as root in a machine of its own may."""
    return subprocess.run([*OWN_NETWORK, "true"], capture_output=True, check=False).returncode == 0


def checked(nft: list[str], text: str, within: tuple[str, ...]) -> str:
    """What nft objects to; nothing when it takes the rules."""
    done = subprocess.run(
        [*within, *nft, "-c", "-f", "-"], input=text, capture_output=True, text=True, check=False
    )
    return done.stderr if done.returncode else ""


@pytest.mark.parametrize("agents", [(), ("10.1.0.0/16", "fd00::/8")])
def test_nft_takes_the_rules(nft: list[str], agents: tuple[str, ...]) -> None:
    networks = [ipaddress.ip_network(each) for each in agents]
    text, _ = rules(NODE, TRUNKS, networks, lambda host: ["198.51.100.4", "2001:db8:1::4"])
    within = OWN_NETWORK if may_have_a_network() else ()
    assert "syntax error" in checked(nft, text.replace("policy accept", "policy perhaps", 1), within)
    said = checked(nft, text, within)
    if not within and FORBIDDEN in said:
        pytest.skip(f"nft has read the rules, but {NOT_ASKED}")
    assert said == ""


def test_the_bench_loads_them_in_a_network_of_its_own(bundle: Bundle, nft: list[str]) -> None:
    with lab_root() as root:
        (root / "bundle").symlink_to(home() / "bundle")
        figures = root / "figures.json"
        words = ("--firewall", "--rate", "3", "--seconds", "5", "--rounds", "1", "--json", str(figures))
        done = subprocess.run(
            [sys.executable, "-m", "dialer_engine", "bench", "flood", *words],
            env=os.environ | {"DIALER_HOME": str(root)},
            capture_output=True,
            text=True,
            check=False,
        )
        if os.geteuid() == 0 and may_have_a_network():
            kept_out(done, figures)
        else:
            assert done.returncode == 1
            assert "run it as root with CAP_SYS_ADMIN" in " ".join(done.stderr.split())
            pytest.skip(f"the bench said what it needs, but {NOT_ASKED}")


def kept_out(done: subprocess.CompletedProcess[str], figures: Path) -> None:
    """Most of the flood was dropped, and calls went on."""
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(figures.read_text())
    assert found["calls_cut"] == 0
    assert found["calls_flood"] > 0
    assert found["dropped"] > found["sent"] / 2
    assert found["refused"] < found["sent"] / 2
