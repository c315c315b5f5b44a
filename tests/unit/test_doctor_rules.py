"""What `dialer doctor` says about zone data, calling rules and an engine that does not answer."""

from pathlib import Path

import pytest

from dialer_engine.cli import doctor
from dialer_engine.cli.doctor import OK, WARNING

pytestmark = pytest.mark.unit

OWN = """rules:
  - regions: [US-TX]
    weekday: "08:00-21:00"
    by: Jo Doe
    reason: counsel
    loosens: true
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The smallest configuration there is."""
    (tmp_path / "dialer.yaml").write_text(
        "members: {acme: {name: Acme, callback_number: '+12102260199'}}\ntrunks: {main: {host: 127.0.0.1}}\n",
        encoding="utf-8",
    )
    return tmp_path


async def test_the_installed_zone_data_has_the_winter_of_2026_right(config: Path) -> None:
    found = await doctor._zones(config)
    assert found.state == OK
    assert "December 2026 offsets are right" in found.words


async def test_zone_data_with_another_winter_is_critical(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the law had said otherwise: what the data says is compared with what the table says."""
    monkeypatch.setitem(doctor.OFFSETS, "America/Vancouver", -8)
    monkeypatch.setitem(doctor.OFFSETS, "America/Atlantis", -3)
    found = await doctor._zones(config)
    assert found.state == doctor.CRITICAL
    assert "America/Vancouver, America/Atlantis" in found.words
    assert "Canada is not dialed" in found.words


async def test_an_engine_that_does_not_answer_is_critical(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIALER_HOME", str(tmp_path / "home"))
    found = await doctor._engine(config)
    assert found.state == doctor.CRITICAL
    assert "dialer run" in found.words


async def test_unreviewed_rows_are_told_and_loosened_ones_are_a_warning(config: Path) -> None:
    found = await doctor._rules(config)
    assert found.state == OK
    assert "rows are not certain and not reviewed" in found.words
    (config / "rules.yaml").write_text(OWN, encoding="utf-8")
    loosened = await doctor._rules(config)
    assert loosened.state == WARNING
    assert "permit more than the shipped: US-TX" in loosened.words


async def test_spoiled_rules_are_a_matter_of_the_configuration(config: Path) -> None:
    (config / "rules.yaml").write_text("rules: 3\n", encoding="utf-8")
    assert (await doctor._rules(config)).state == WARNING
    assert (await doctor._configuration(config)).state == doctor.CRITICAL
