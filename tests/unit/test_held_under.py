"""Which settings of a campaign the refusals of the gate go by."""

import json
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from settings_support import CAMPAIGN, write_config

from dialer_engine.core.gate.rules import RULES
from dialer_engine.engine.plan import held_under
from dialer_engine.settings.load import load_config

pytestmark = pytest.mark.unit

NOON = datetime(2026, 6, 10, 18, 0, tzinfo=UTC)
BY_FILES = {
    *("number_class", "emergency_stop", "zone_data", "list_freshness", "reassigned", "automated_dialing"),
    *("holiday", "announcing_device"),
}
BY_ROWS = {"automated_dialing", "holiday"}
"""What an own rule about a consent is put over: the consents and the windows of its region."""
OWN = """\
rules:
  - regions: [US-TX]
    automated_consent: [express_written]
    by: Jo Doe
    reason: counsel
    effective_from: 2026-06-10
    effective_to: 2026-06-11
"""


def verdicts(directory: Path, more: str = "", rules: str = "", now: datetime = NOON) -> dict[str, object]:
    """Return what each rule's refusals go by in a campaign with these further settings and own rules."""
    if rules:
        directory.mkdir(exist_ok=True)
        (directory / "rules.yaml").write_text(rules)
    config = load_config(write_config(directory, spring=CAMPAIGN + more))
    found: dict[str, object] = json.loads(held_under(config, config.campaigns["spring"], now))
    return found


def changed(before: dict[str, object], after: dict[str, object]) -> set[str]:
    return {rule for rule in before if before[rule] != after[rule]}


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
    assert changed(before, after) == rules


def test_every_name_is_a_rules(tmp_path: Path) -> None:
    assert verdicts(tmp_path).keys() <= {rule.name for rule in RULES}


def test_other_files_change_every_rule_that_refuses_for_as_long_as_they_say_so(tmp_path: Path) -> None:
    assert changed(verdicts(tmp_path / "a"), verdicts(tmp_path / "b", rules=OWN)) == BY_FILES


def test_a_day_on_which_rows_begin_or_end_changes_the_rules_that_go_by_them(tmp_path: Path) -> None:
    """From the first of the places that are called to the last; Guam has another day than Texas for long."""

    def at(month: int, day: int, hour: int) -> dict[str, object]:
        return verdicts(tmp_path, rules=OWN, now=datetime(2026, month, day, hour, tzinfo=UTC))

    june = [at(6, 1, 18), at(6, 9, 13), at(6, 9, 15), at(6, 10, 10), at(6, 10, 12), at(6, 11, 13)]
    steps = [changed(before, after) for before, after in pairwise(june)]
    assert steps == [set(), BY_ROWS, set(), BY_ROWS, set()]
    ends = [at(6, 11, 13), at(6, 11, 15), at(6, 12, 10), at(6, 12, 12), at(6, 20, 18)]
    steps = [changed(before, after) for before, after in pairwise(ends)]
    assert steps == [BY_ROWS, set(), BY_ROWS, set()]


def test_a_year_whose_holidays_are_not_listed_is_another_one(tmp_path: Path) -> None:
    late, far = datetime(2026, 12, 20, 18, tzinfo=UTC), datetime(2050, 6, 10, 18, tzinfo=UTC)
    assert "holiday" in changed(verdicts(tmp_path, now=late), verdicts(tmp_path, now=far))
