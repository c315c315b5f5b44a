"""Small valid configurations that the settings tests change in one place."""

from pathlib import Path

import pytest

from dialer_engine.settings.load import load_config
from dialer_engine.settings.problems import Problem, SettingsError

DIALER = """\
members:
  acme:
    name: Acme Home Services
    callback_number: +12102260100
trunks:
  main:
    host: sip.carrier.net
    inbound_ips: [203.0.113.7]
asterisk:
  node:
    bind: 192.0.2.10
"""
CAMPAIGN = """\
member: acme
lists: [customers]
trunks: [main]
caller_ids: [+12102260101]
"""
LAB = """\
members:
  acme: {name: Acme, callback_number: +12105550100}
trunks:
  carrier: {host: 127.0.0.1, port: 5070}
lab:
  clock: 2026-06-10T11:00:00-05:00
"""


def write_config(directory: Path, dialer: str | bytes = DIALER, **campaigns: str | bytes) -> Path:
    """Write dialer.yaml and campaigns/NAME.yaml; without campaigns there is one named spring."""
    (directory / "campaigns").mkdir(parents=True, exist_ok=True)
    _write(directory / "dialer.yaml", dialer)
    for name, text in (campaigns or {"spring": CAMPAIGN}).items():
        _write(directory / "campaigns" / f"{name}.yaml", text)
    return directory


def problems_of(directory: Path) -> tuple[Problem, ...]:
    """The errors of a configuration that must be refused."""
    with pytest.raises(SettingsError) as caught:
        load_config(directory)
    return caught.value.problems


def found(directory: Path) -> list[str]:
    """The errors as text, with paths relative to the directory."""
    return [problem.text().replace(f"{directory}/", "") for problem in problems_of(directory)]


def only(directory: Path) -> str:
    """The one error of a configuration that has exactly one."""
    texts = found(directory)
    assert len(texts) == 1, texts
    return texts[0]


def _write(file: Path, content: str | bytes) -> None:
    file.write_bytes(content.encode() if isinstance(content, str) else content)
