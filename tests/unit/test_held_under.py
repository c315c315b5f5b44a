"""Which settings of a campaign the refusals of the gate go by."""

import json
from pathlib import Path

import pytest
from settings_support import CAMPAIGN, write_config

from dialer_engine.core.gate.rules import RULES
from dialer_engine.engine.plan import held_under
from dialer_engine.settings.load import load_config

pytestmark = pytest.mark.unit


def verdicts(directory: Path, more: str = "") -> dict[str, object]:
    """Return what each rule's refusals go by in a campaign with these further settings."""
    config = load_config(write_config(directory, spring=CAMPAIGN + more))
    found: dict[str, object] = json.loads(held_under(config, config.campaigns["spring"]))
    return found


@pytest.mark.parametrize(
    ("setting", "rules"),
    [
        ("mode: preview", {"automated_dialing"}),
        ("mode: preview\npreview: {at_end: dial}", {"automated_dialing"}),
        ("territories: [US-PR]", {"number_class"}),
        ("attempts: {per_contact_total: 7}", {"contact_attempts"}),
        ("retry: {busy: never}", {"retry_delay"}),
        ("retry: {unknown: 1d}", {"retry_delay"}),
        ("audience: businesses", {"registry", "list_freshness", "automated_dialing"}),
        ("strict_predictive: true", {"announcing_device", "wireless"}),
        ("wrap_seconds: 31", set()),
        ("hours: {start: 10:00, end: 16:00}", set()),
    ],
)
def test_a_setting_changes_the_rules_that_go_by_it(tmp_path: Path, setting: str, rules: set[str]) -> None:
    before = verdicts(tmp_path)
    after = verdicts(tmp_path, f"{setting}\n")
    assert {rule for rule in before if before[rule] != after[rule]} == rules


def test_every_name_is_a_rules(tmp_path: Path) -> None:
    assert verdicts(tmp_path).keys() <= {rule.name for rule in RULES}
