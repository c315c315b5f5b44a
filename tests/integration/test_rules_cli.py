"""`dialer rules` and `dialer consent` as a person uses them, on a real database without an engine."""

import json
from pathlib import Path

import pytest
from cli_support import Commands, commands_on

from dialer_engine.settings.rules import SHIPPED

pytestmark = pytest.mark.postgres

NUMBER = "+12105550143"
DOUBTFUL = "Can you stop by tomorrow?"
OWN = (
    'rules:\n  - regions: [US-TX]\n    weekday: "10:00-20:00"\n    effective_from: 2026-12-01\n'
    "    by: Jo Doe\n    reason: counsel\n"
)


@pytest.fixture
def commands(tmp_path: Path, pg_url: str, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """A configuration over the test's database."""
    return commands_on(tmp_path, pg_url, monkeypatch)


# --- rules ----------------------------------------------------------------------------------------


def test_show_tells_a_regions_rules_with_source_and_confidence(commands: Commands) -> None:
    told = commands.run("rules", "show", "us-fl", "--at", "2026-11-23")
    assert "US-FL  Florida" in told
    assert "08:00-20:00 every day" in told
    assert "3 in 24 hours" in told
    assert "automated dialing needs express_written" in told
    assert "all parties must consent" in told
    assert "high confidence, not reviewed) from 2021-07-01" in told
    everything = json.loads(commands.run("rules", "show", "--json"))
    assert len(everything["regions"]) == 71
    assert "lists at most 31 days old" in str(everything["regions"])
    national = next(each for each in everything["regions"] if each["region"] == "US")
    assert "us_national" in national["rules"]["lists needed"]
    assert commands.run("rules", "show", "us-FL", "--at", "2026-11-23") == told
    assert "no rule for 'TT'" in commands.refused("rules", "show", "TT")


def test_show_obeys_the_date(commands: Commands) -> None:
    (commands.config / "rules.yaml").write_text(OWN, encoding="utf-8")
    before = commands.run("rules", "show", "US-TX", "--at", "2026-11-30")
    after = commands.run("rules", "show", "US-TX", "--at", "2026-12-01")
    assert "weekday 09:00-21:00" in before
    assert "weekday 10:00-20:00" in after
    assert "own rule by Jo Doe: counsel" in after


def test_check_counts_what_nobody_reviewed_and_names_file_and_line(commands: Commands) -> None:
    told = commands.run("rules", "check")
    assert "no errors" in told
    assert "nobody has reviewed them" in told
    (commands.config / "rules.yaml").write_text(OWN.replace("by:", "buy:"), encoding="utf-8")
    assert "rules.yaml:5: rules[0].buy: unknown key 'buy'" in commands.refused("rules", "check")
    loose = OWN.replace("10:00-20:00", "08:00-21:00") + "    loosens: true\n"
    (commands.config / "rules.yaml").write_text(loose, encoding="utf-8")
    assert "warning: US-TX is loosened (longer hours) by Jo Doe: counsel" in commands.run("rules", "check")


def test_check_of_a_directory_that_is_spoiled(commands: Commands, tmp_path: Path) -> None:
    directory = tmp_path / "rules"
    directory.mkdir()
    for file in SHIPPED.iterdir():
        text = file.read_text(encoding="utf-8")
        (directory / file.name).write_text(text.replace("US,AL,Alabama,08:00", "US,AL,Alabama,8am"))
    assert "calling_rules.csv:4: '8am' is not a time" in commands.refused("rules", "check", str(directory))


def test_a_place_without_rules_is_no_place_with_the_shipped_ones(commands: Commands, tmp_path: Path) -> None:
    places = tmp_path / "typo", tmp_path / "empty", tmp_path / "half"
    for place in places[1:]:
        place.mkdir()
    (places[2] / "calling_rules.csv").write_bytes((SHIPPED / "calling_rules.csv").read_bytes())
    for place in map(str, places):
        why = f"{place}: holds neither calling_rules.csv with area_codes.csv nor a configuration"
        assert why in commands.refused("rules", "check", place)
        assert why in commands.refused("rules", "diff", place)
        assert why in commands.refused("rules", "diff", str(SHIPPED), place)
    assert "no errors" in commands.run("rules", "check", str(SHIPPED))
    assert "no errors" in commands.run("rules", "check", str(commands.config))


def test_diff_compares_with_the_shipped_rules_and_with_a_directory(
    commands: Commands, tmp_path: Path
) -> None:
    assert "no differences" in commands.run("rules", "diff")
    (commands.config / "rules.yaml").write_text(OWN, encoding="utf-8")
    told = commands.run("rules", "diff")
    assert "changed  US-TX" in told
    assert "effective_to: without end -> 2026-11-30" in told
    assert "added    US-TX  hours from 2026-12-01" in told
    directory = tmp_path / "old"
    directory.mkdir()
    for file in SHIPPED.iterdir():
        text = file.read_text(encoding="utf-8").replace("US-AL,2026-12-25,date,Christmas Day\n", "")
        (directory / file.name).write_text(text, encoding="utf-8")
    found = json.loads(commands.run("rules", "diff", str(directory), "--json"))
    assert {"US-AL", "US-TX"} <= {each["region"] for each in found}
    christmas = next(each for each in found if each["rule"] == "holiday")
    assert (christmas["change"], christmas["from"]) == ("added", "2026-12-25")


def test_next_lists_holidays_own_rules_and_announced_laws_in_order(commands: Commands) -> None:
    (commands.config / "rules.yaml").write_text(OWN, encoding="utf-8")
    found = json.loads(commands.run("rules", "next", "--at", "2026-11-23", "--json"))
    dated = [each["when"] for each in found if each["when"] != "no date"]
    assert dated == sorted(dated)
    words = "\n".join(f"{each['when']} {each['what']}" for each in found)
    assert "2026-11-26 Thanksgiving Day: no calls to US-AL, US-LA, US-PA, US-RI, US-UT" in words
    assert "2026-12-01 US-TX: a rule on hours begins" in words
    assert "2027-01-31 US: One revocation stops all" in words
    assert "no date US-PA: SB 992" in words


# --- emergency stops ------------------------------------------------------------------------------


def test_stop_and_resume_are_kept(commands: Commands) -> None:
    assert "no more calls to US-LA" in commands.run("rules", "stop", "la", "--reason", "hurricane")
    assert "stopped already" in commands.refused("rules", "stop", "US-LA", "--reason", "again")
    assert "US-LA" in commands.run("rules", "stops")
    assert "may be called again" in commands.run("rules", "resume", "US-LA", "--reason", "over")
    assert "are not stopped" in commands.refused("rules", "resume", "US-LA", "--reason", "over")
    (stop,) = json.loads(commands.run("rules", "stops", "--json"))
    assert (stop["region"], stop["end_reason"]) == ("US-LA", "over")
    assert "no region 'QQ'" in commands.refused("rules", "stop", "QQ", "--reason", "x")
    assert commands.run("rules", "stop", "US-TX", status=2)  # no reason, no stop


def test_ca_alone_is_neither_california_nor_canada(commands: Commands) -> None:
    for command in ("stop", "resume"):
        told = commands.refused("rules", command, "ca", "--reason", "wildfire")
        assert "nothing was changed; write Canada for Canada or US-CA for California" in told
    assert "no region was ever stopped" in commands.run("rules", "stops")
    told = commands.run("rules", "stop", "canada", "--reason", "holiday")
    assert "no more calls to Canada until: dialer rules resume Canada" in told
    assert "no more calls to US-CA" in commands.run("rules", "stop", "California", "--reason", "wildfire")
    listed = commands.run("rules", "stops")
    assert "Canada since" in listed
    assert "US-CA" in listed
    stops = json.loads(commands.run("rules", "stops", "--json"))
    assert {stop["region"] for stop in stops} == {"CA", "US-CA"}
    assert "Canada may be called again" in commands.run("rules", "resume", "Canada", "--reason", "over")
    assert "Canada are not stopped" in commands.refused("rules", "resume", "Canada", "--reason", "over")


# --- consents -------------------------------------------------------------------------------------


def test_consents_are_added_shown_revoked(commands: Commands) -> None:
    assert "no consent is recorded" in commands.run("consent", "show", NUMBER)
    words = ["consent", "add", NUMBER, "--member", "acme", "--source", "form"]
    bare = commands.refused(*words, "--kind", "express_written")
    assert "needs the words that were signed" in bare
    signed = [*words, "--kind", "express_written", "--text", "I agree", "--since", "2026-05-01"]
    assert "recorded" in commands.run(*signed)
    assert "stood there already" in commands.run(*signed)
    assert "inquiry" in commands.run("consent", "inbound", NUMBER, "--member", "acme")
    shown = commands.run("consent", "show", NUMBER)
    assert "express_written since 2026-05-01 00:00 UTC, form" in shown
    assert "text_shown: I agree" in shown
    told = commands.run("consent", "revoke", NUMBER, "--channel", "letter", "--note", "of 1 June")
    assert "2 consent(s) ended; 1 number(s)" in told
    records = json.loads(commands.run("consent", "show", NUMBER, "--json"))
    assert {each["revoked_by_channel"] for each in records} == {"letter"}
    assert "must not be called" in commands.run("dnc", "check", NUMBER)
    assert "not a phone number" in commands.refused("consent", "show", "12")
    assert "acme" in commands.refused("consent", "inbound", NUMBER, "--member", "nobody")


def test_what_a_called_person_writes_is_obeyed_or_left_to_a_person(commands: Commands) -> None:
    write = ("consent", "message", NUMBER)
    assert "no opt-out" in commands.run(*write, "When are you open?")
    doubtful = commands.run(*write, DOUBTFUL, status=3)
    assert f"dialer consent revoke {NUMBER} --channel sms" in doubtful
    assert "must not be called" not in commands.run("dnc", "check", NUMBER)
    assert "1 number(s) of the person" in commands.run(*write, " Stop! ", "--channel", "email")
    assert "must not be called" in commands.run("dnc", "check", NUMBER)


@pytest.mark.parametrize(
    ("text", "stdin"),
    [
        ("arr\udceatez", None),  # Latin-1, as Python hands such an argument over
        ("N’appelez plus", None),
        ("-", "Veuillez arrêter de m’appeler".encode("cp1252")),
        ("-", "Désabonnez-moi".encode("latin-1")),
        ("-", "ne m’appelez plus\n".encode()),
        ("-", b"S\0TOP\0"),
    ],
)
def test_an_opt_out_counts_in_whatever_encoding_it_comes(
    commands: Commands, text: str, stdin: bytes | None
) -> None:
    told = commands.run("consent", "message", NUMBER, text, stdin=stdin)
    assert "1 number(s) of the person" in told
    assert "must not be called" in commands.run("dnc", "check", NUMBER)


def test_a_file_of_consents_with_an_error_changes_nothing(commands: Commands, tmp_path: Path) -> None:
    file = tmp_path / "consents.csv"
    file.write_text("number,kind,since\n2105550143,express,2026-05-01\n2105550144,maybe,2026-05-01\n")
    told = commands.refused("consent", "import", str(file), "--member", "acme")
    assert f"{file}:3: kind 'maybe'" in told
    assert "no consent is recorded" in commands.run("consent", "show", NUMBER)
    file.write_text("number,kind,since\n2105550143,express,2026-05-01,Bob\n")
    told = commands.refused("consent", "import", str(file), "--member", "acme")
    assert f"{file}:2: has 4 columns, the header has 3" in told
    file.write_text("number,kind,since\n2105550143,express,2026-05-01,,\n")
    assert "1 rows: 1 consents recorded" in commands.run("consent", "import", str(file), "--member", "acme")
