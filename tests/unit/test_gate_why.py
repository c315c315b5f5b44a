"""`dialer why` without a database: what can be answered, and what counts as refused."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from dialer_engine.cli.why import normalised, register
from dialer_engine.cli.why_text import NEEDS_DATABASE

pytestmark = pytest.mark.unit

DIALER = """
members: {acme: {name: Acme, callback_number: +18005550100}}
trunks: {main: {host: 127.0.0.1}}
lab: {clock: "2026-06-10T13:00:00-04:00"}
"""
CAMPAIGN = """
member: acme
lists: [spring]
trunks: [main]
caller_ids: [+12125550100]
hours: {start: 15:00, end: 16:00}
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A laboratory's configuration whose database does not run."""
    monkeypatch.setenv("DIALER_HOME", str(tmp_path / "home"))
    directory = tmp_path / "config"
    (directory / "campaigns").mkdir(parents=True)
    (directory / "dialer.yaml").write_text(DIALER, encoding="utf-8")
    (directory / "campaigns" / "roof.yaml").write_text(CAMPAIGN, encoding="utf-8")
    return directory


def why(config: Path, *arguments: str) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    return CliRunner().invoke(app, ["why", *arguments, "--config", str(config)])


def test_rules_without_facts_are_answered_and_the_others_count_as_refused(config: Path) -> None:
    result = why(config, "+12125550143")
    assert result.exit_code == 0
    assert "embedded Postgres is not running" in result.output
    assert "the number of fiction" not in result.output
    assert "open until 21:00 in America/New_York" in result.output
    assert result.output.count("not checked") == len(NEEDS_DATABASE)
    assert "registry import" not in result.output, "nobody looked whether a list is loaded"
    assert "may not be called now: not every rule could be checked" in result.output


def test_json_names_every_rule_in_order(config: Path) -> None:
    answer = json.loads(why(config, "+12125550143", "--json").output)
    assert answer["number"] == "+12125550143"
    assert answer["clock"].startswith("2026-06-10T17:00:0")
    assert "not running" in answer["database_error"]
    (only,) = answer["answers"]
    assert only["allowed"] is False
    assert only["blocking"] == "internal_suppression"
    assert [rule["rule"] for rule in only["rules"]][:2] == ["number_class", "internal_suppression"]
    assert {rule["rule"] for rule in only["rules"] if rule["outcome"] == "not_checked"} == NEEDS_DATABASE
    answered = [rule["rule"] for rule in only["rules"] if rule["outcome"] != "not_checked"]
    assert answered == ["number_class", "zone_data", "holiday", "calling_hours"]
    assert only["zone"] == "America/New_York"


def test_campaigns_own_hours_count_and_both_clocks_are_shown(config: Path) -> None:
    output = why(config, "(212) 555-0143", "--campaign", "roof").output
    assert "campaign roof" in output
    assert "the campaign's own hours there are 15:00-16:00" in output
    assert "may next be called at Wed 2026-06-10 15:00 (America/New_York), which is" in output


def test_a_number_that_is_never_called_says_which_rule(config: Path) -> None:
    output = why(config, "911").output
    assert "block" in output
    assert "may not be called (number_class)" in output


def test_unknown_campaign_and_bad_configuration_end_with_an_error(config: Path) -> None:
    unknown = why(config, "+12125550143", "--campaign", "rof")
    assert unknown.exit_code == 1
    assert "no campaign 'rof'" in unknown.output
    assert "roof" in unknown.output
    (config / "dialer.yaml").write_text("trunk: {}", encoding="utf-8")
    broken = why(config, "+12125550143")
    assert broken.exit_code == 1
    assert "dialer.yaml:1:1" in broken.output


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+12125550143", "+12125550143"),
        ("(212) 555-0143", "+12125550143"),
        ("212.555.0143", "+12125550143"),
        ("1 212 555 0143", "+12125550143"),
        ("911", "911"),
        ("+442071234567", "+442071234567"),
    ],
)
def test_numbers_as_people_write_them(text: str, number: str) -> None:
    assert normalised(text) == number
