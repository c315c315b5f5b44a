"""The difference of two configurations in words, and what a reload cannot change."""

from pathlib import Path

import pytest
from settings_support import CAMPAIGN, DIALER, write_config

from dialer_engine.settings.changes import changed, restart_needed
from dialer_engine.settings.load import Config, load_config

pytestmark = pytest.mark.unit


def config(directory: Path, dialer: str = DIALER, **campaigns: str) -> Config:
    return load_config(write_config(directory, dialer, **campaigns))


def test_nothing_changed(tmp_path: Path) -> None:
    old, new = config(tmp_path / "a"), config(tmp_path / "b")
    assert changed(old, new) == []
    assert restart_needed(old, new) == []


def test_words_for_each_kind_of_change(tmp_path: Path) -> None:
    old = config(tmp_path / "a", spring=CAMPAIGN, autumn=CAMPAIGN)
    text = DIALER.replace(
        "host: sip.carrier.net", "host: sip.carrier.net\n    codecs: [alaw, ulaw]\n    max_channels: 20"
    )
    text += "logging: {level: debug}\n"
    text = text.replace("trunks:\n", "trunks:\n  spare: {host: 192.0.2.9}\n")
    campaign = CAMPAIGN + "hours: {start: 9:00, end: 17:00}\nretry: {busy: 1h, rejected: never}\n"
    new = config(tmp_path / "b", text, spring=campaign, winter=CAMPAIGN)
    assert changed(old, new) == [
        "logging.level: info -> debug",
        "trunks.main.codecs: [ulaw] -> [alaw, ulaw]",
        "trunks.main.max_channels: 10 -> 20",
        "trunks.spare: added",
        "campaign autumn: removed",
        "campaign spring: hours: not set -> "
        "{start: 09:00, end: 17:00, weekdays: [mon, tue, wed, thu, fri, sat, sun]}",
        "campaign spring: retry.busy: 30m -> 1h",
        "campaign spring: retry.rejected: 1d -> never",
        "campaign winter: added",
    ]
    assert restart_needed(old, new) == ["logging.level: info -> debug"]
    assert "trunks.spare: removed" in changed(new, old)


def test_secrets_stay_secret(tmp_path: Path) -> None:
    first = DIALER.replace("    host:", "    username: u\n    password: one-secret\n    host:")
    old = config(tmp_path / "a", first)
    new = config(
        tmp_path / "b",
        first.replace("one-secret", "two-secret") + "database: {url: postgresql://u:three@h/d}\n",
    )
    assert changed(old, new) == ["database.url: changed", "trunks.main.password: changed"]
    assert restart_needed(old, new) == ["database.url: changed"]


def test_secrets_of_nodes_stay_secret(tmp_path: Path) -> None:
    node = "{name: b, ari_url: 'http://10.0.0.6:8088', ari_user: u, ari_password: four, ami_host: h, "
    node += "ami_user: u, ami_password: five}"
    old, new = config(tmp_path / "a"), config(tmp_path / "b", f"{DIALER}  nodes: [{node}]\n")
    for lines in (changed(old, new), restart_needed(old, new)):
        (line,) = lines
        assert line.startswith("asterisk.nodes: [] -> [{name: b, ari_url: http://10.0.0.6:8088, ")
        assert "four" not in line
        assert "five" not in line


@pytest.mark.parametrize(
    ("addition", "expected"),
    [
        ("    sip_port: 5062\n", "asterisk.node.sip_port: 5060 -> 5062"),
        ("    rtp: {start: 20000, end: 20999}\n", "asterisk.node.rtp.end: 11999 -> 20999"),
        ("    external_address: 203.0.113.9\n", "asterisk.node.external_address: not set -> 203.0.113.9"),
        ("database: {pool: 12}\n", "database.pool: 8 -> 12"),
        ("control: {socket: /run/dialer.sock}\n", "control.socket: not set -> /run/dialer.sock"),
    ],
)
def test_what_needs_a_restart(tmp_path: Path, addition: str, expected: str) -> None:
    old, new = config(tmp_path / "a"), config(tmp_path / "b", DIALER + addition)
    assert expected in restart_needed(old, new)
    assert changed(old, new) == restart_needed(old, new)


def test_changed_calling_rules(tmp_path: Path) -> None:
    old = config(tmp_path / "a")
    directory = write_config(tmp_path / "b")
    (directory / "rules").mkdir()
    for file in old.files:
        if file.suffix == ".csv":
            (directory / "rules" / file.name).write_bytes(file.read_bytes())
    area_codes = directory / "rules" / "area_codes.csv"
    lines = area_codes.read_text().splitlines(True)
    area_codes.write_text("".join(line for line in lines if not line.startswith("212,")))
    assert [line.split(":")[0] for line in changed(old, load_config(directory))] == [
        "calling rules",
        "number plan",
    ]


def test_the_front_takes_its_own_settings_and_the_engine_those_for_nodes(tmp_path: Path) -> None:
    front = DIALER + "front: {bind: 192.0.2.1, sip_port: 5080, limits: {wrong_passwords: 20}}\n"
    old = config(tmp_path / "a", front)
    own = config(tmp_path / "b", front.replace("5080", "5090").replace("20}", "30}"))
    assert len(changed(old, own)) == 2
    assert restart_needed(old, own) == []
    nodes = config(tmp_path / "c", front.replace("{bind: 192.0.2.1,", "{bind: 192.0.2.2,"))
    assert restart_needed(old, nodes) == ["front.bind: 192.0.2.1 -> 192.0.2.2"]
