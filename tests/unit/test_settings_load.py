"""Loading a directory: every kind of error with its exact place, all at once, and checks between files."""

from datetime import time, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from settings_support import CAMPAIGN, DIALER, LAB, found, only, problems_of, write_config

from dialer_engine.settings.catalogue import keys
from dialer_engine.settings.load import load_config
from dialer_engine.settings.models import Campaign, Settings
from dialer_engine.settings.problems import Problem, SettingsError

pytestmark = pytest.mark.unit


def test_a_valid_configuration(tmp_path: Path) -> None:
    config = load_config(write_config(tmp_path))
    assert config.settings.members["acme"].callback_number == "+12102260100"
    assert config.settings.trunks["main"].inbound_ips == ["203.0.113.7"]
    assert config.campaigns["spring"].caller_ids == ["+12102260101"]
    assert config.campaigns["spring"].name == "spring"
    assert config.directory == tmp_path
    assert config.files[:2] == (tmp_path / "dialer.yaml", tmp_path / "campaigns" / "spring.yaml")
    assert len(config.plan.areas) > 300


def test_yaml_words_become_the_right_values(tmp_path: Path) -> None:
    text = CAMPAIGN + (
        "agents: [ana, ben]\nmode: progressive\nautostart: yes\nlines_per_agent: 1.5\nring_seconds: 20\n"
        "hours: {start: 10:30, end: 20:00, weekdays: [mon, sat]}\nretry: {busy: 90s, rejected: never}\n"
        "dispositions:\n  1: {code: sale, label: Sale}\n  2: {code: later, label: L, final: no, retry: 2d}\n"
        "default_disposition: sale\n"
    )
    campaign = load_config(write_config(tmp_path, spring=text)).campaigns["spring"]
    assert campaign.agents == ["ana", "ben"]
    assert campaign.autostart is True
    assert campaign.hours is not None
    assert (campaign.hours.start, campaign.hours.end) == (time(10, 30), time(20))
    assert (campaign.retry.busy, campaign.retry.rejected) == (timedelta(seconds=90), None)
    assert campaign.retry.no_answer == timedelta(hours=4)
    assert (campaign.dispositions["1"].final, campaign.dispositions["2"].final) == (True, False)
    assert campaign.dispositions["2"].retry == timedelta(days=2)


def test_empty_sections_mean_the_default(tmp_path: Path) -> None:
    text = DIALER + "database:\n  url:\ncontrol:\nlogging:\nlab:\n"
    config = load_config(write_config(tmp_path, text, spring=CAMPAIGN + "ring_seconds:\nhours:\nretry:\n"))
    assert config.settings.database.url is None
    assert config.settings.lab is None
    assert config.campaigns["spring"].ring_seconds == 22


def test_paths_are_relative_to_their_file(tmp_path: Path) -> None:
    text = DIALER.replace("  node:\n", "  node:\n    directory: node\n") + "control: {socket: run/c.sock}\n"
    recording = tmp_path / "drop.wav"
    recording.write_bytes(b"RIFF\x00\x00\x00\x00WAVEfmt ")
    campaign = CAMPAIGN + "drop_message: {prompt: ../drop.wav}\n"
    config = load_config(write_config(tmp_path, text, spring=campaign))
    assert config.settings.asterisk.node.directory == tmp_path / "node"
    assert config.settings.control.socket == tmp_path / "run/c.sock"
    prompt = config.campaigns["spring"].drop_message.prompt
    assert prompt is not None
    assert prompt.resolve() == recording


@pytest.mark.parametrize(
    ("addition", "expected"),
    [
        (
            "databse:\n  pool: 3\n",
            "12:1: databse: unknown key 'databse'; allowed: members, trunks, accounts, database, ",
        ),
        ('"[x]": 1\n', "12:1: [x]: unknown key '[x]'"),
        ('"<all>": {a: b}\n', "12:1: <all>: unknown key '<all>'"),
        (
            "control: {socket: ~nosuchuser/c.sock}\n",
            "12:19: control.socket: '~nosuchuser/c.sock' begins with the name of no user here; allowed: ",
        ),
        ('control: {socket: "a\\0b"}\n', "12:19: control.socket: the path has a zero byte; allowed: "),
        ("sip_port: 5061\n", "12:1: sip_port: unknown key 'sip_port'; "),
        (
            "database: 5\n",
            "12:11: database: '5' where a group of keys belongs; allowed: keys with values, each on a ",
        ),
        ("database: [a]\n", "12:11: database: a list where a group of keys belongs"),
        ("database:\n  pool: many\n", "13:9: database.pool: 'many' is not a whole number; allowed: 2 to 100"),
        ("database:\n  pool: 1\n", "13:9: database.pool: '1' is out of range; allowed: 2 to 100"),
        ("database:\n  pool: 2.5\n", "13:9: database.pool: '2.5' is not a whole number; allowed: 2 to 100"),
        ("database:\n  pool: 101\n", "13:9: database.pool: '101' is out of range; allowed: 2 to 100"),
        ("database:\n  pool: [1]\n", "13:9: database.pool: a list is not a whole number"),
        (
            "database:\n  url: mysql://x\n",
            "13:8: database.url: this is not the address of a Postgres; allowed: postgres",
        ),
        ("database:\n  url: [x]\n", "13:8: database.url: a list where one value belongs"),
        (
            "logging:\n  level: warn\n",
            "13:10: logging.level: 'warn' is not possible; allowed: debug, info, warning, ",
        ),
        (
            "logging: {format: {a: b}}\n",
            "12:19: logging.format: a group of keys is not possible; allowed: console, json",
        ),
        (
            "members:\n  b: {}\n",
            "12:1: members: the key 'members' stands here a second time; allowed: once; first in ",
        ),
        (
            "lab: {clock: 2026-06-10}\n",
            "12:14: lab.clock: '2026-06-10' is not a moment with its offset from UTC",
        ),
        ("lab: {clock: yes}\n", "12:14: lab.clock: 'yes' is not a moment"),
    ],
)
def test_errors_in_dialer_yaml(tmp_path: Path, addition: str, expected: str) -> None:
    errors = found(write_config(tmp_path, DIALER + addition))
    assert any(error.startswith(f"dialer.yaml:{expected}") for error in errors), errors


@pytest.mark.parametrize(
    ("addition", "expected"),
    [
        (
            "agents: bob",
            "5:9: agents: 'bob' is not possible; allowed: all, or a list of names in [ ]; did you mean",
        ),
        (
            "agents: [Bob Ross]",
            "5:10: agents[0]: 'Bob Ross' is not an agent's name; allowed: 1 to 32 letters, digits, _ and -, the ",
        ),
        ("agents: []", "5:9: agents: an empty list is not enough"),
        ("agents: [a, a]", "5:13: agents[1]: 'a' stands here a second time; allowed: each once"),
        (
            "mode: powr",
            "5:7: mode: 'powr' is not possible; allowed: preview, progressive, power, predictive; did you mean ",
        ),
        ("lines_per_agent: 11", "5:18: lines_per_agent: '11' is out of range; allowed: 1 to 10"),
        ("lines_per_agent: nan", "5:18: lines_per_agent: 'nan' is out of range"),
        ("ring_seconds: 14", "5:15: ring_seconds: '14' is out of range; allowed: 15 to 60"),
        ("ring_seconds: 61", "5:15: ring_seconds: '61' is out of range; allowed: 15 to 60"),
        ("max_wait_ms: 1801", "5:14: max_wait_ms: '1801' is out of range; allowed: 100 to 1800"),
        ("wrap_seconds: -1", "5:15: wrap_seconds: '-1' is out of range; allowed: 0 to 600"),
        ("autostart: sure", "5:12: autostart: 'sure' is not true or false"),
        (
            "attempts: {per_number_24h: 4}",
            "5:28: attempts.per_number_24h: '4' is out of range; allowed: 1 to 3",
        ),
        (
            "caller_id_name: A very long company name",
            "5:17: caller_id_name: 'A very long company name' does not have ",
        ),
        (
            "hours: {start: 9:30}",
            "5:1: hours.end: 'end' is missing; allowed: end of calling, later than start",
        ),
        ("hours: {start: 20:00, end: 9:00}", "5:28: hours.end: end 09:00 is not after start 20:00"),
        ("hours: {start: 9am, end: 17:00}", "5:16: hours.start: '9am' is not a time of day"),
        (
            "hours: {start: 9:00, end: 17:00, weekdays: [monday]}",
            "5:45: hours.weekdays[0]: 'monday' is not possible; ",
        ),
        (
            "retry: {busy: 30}",
            "5:15: retry.busy: '30' is not a length of time; allowed: a number with s, m, h or d such",
        ),
        ("retry: {bussy: 30m}", "5:9: retry.bussy: unknown key 'bussy'; allowed: no_answer, busy, "),
        (
            "dispositions: {9: {code: a, label: A}}",
            "5:16: dispositions.9: '9' is not possible as a key; allowed: 1, 2, ",
        ),
        (
            "dispositions: {1: {code: a}}",
            "5:16: dispositions.1.label: 'label' is missing; allowed: what people read",
        ),
        ("dispositions: {1: {code: A B, label: A}}", "5:26: dispositions.1.code: 'A B' is not a name"),
        ("dispositions: {1: sale}", "5:19: dispositions.1: 'sale' where a group of keys belongs"),
        (
            "dispositions: {1: {code: a, label: A, final: false}}",
            "5:16: dispositions.1.retry: a disposition that is not ",
        ),
        (
            "dispositions: {1: {code: a, label: A, retry: 2d}}",
            "5:46: dispositions.1.retry: retry is not used when final",
        ),
        (
            "dispositions: {1: {code: a, label: A}, 2: {code: a, label: B}}",
            "5:15: dispositions: two digits have the same code, or a code is 'none'",
        ),
        (
            "default_disposition: sale",
            "5:22: default_disposition: no disposition has the code 'sale'; allowed: none",
        ),
        (
            "name: summer",
            "5:7: name: 'summer' is not the file's name; allowed: the file's name or no name; did you mean ",
        ),
        (
            "member: beta",
            "5:1: member: the key 'member' stands here a second time; allowed: once; first in line 1",
        ),
        ("drop_message: {prompt: gone.wav}", "5:24: drop_message.prompt: "),
        ("script: gone.txt", "5:9: script: "),
        ("script: .", "5:9: script: "),
        (
            "drop_message: {prompt: ~nosuchuser/x.wav}",
            "5:24: drop_message.prompt: '~nosuchuser/x.wav' begins with the name of no user here",
        ),
        ('drop_message: {prompt: "x\\0.wav"}', "5:24: drop_message.prompt: the path has a zero byte"),
        (
            "drop_message: {callback_number: 210-226-0100}",
            "5:33: drop_message.callback_number: '210-226-0100' is not a",
        ),
        ('offer: "a\\nb"', "5:8: offer: the text is empty, or has a line break"),
    ],
)
def test_errors_in_a_campaign(tmp_path: Path, addition: str, expected: str) -> None:
    error = only(write_config(tmp_path, spring=f"{CAMPAIGN}{addition}\n"))
    assert error.startswith(f"campaigns/spring.yaml:{expected}")


@pytest.mark.parametrize("missing", ["member", "lists", "trunks", "caller_ids"])
def test_required_keys_of_a_campaign(tmp_path: Path, missing: str) -> None:
    text = "".join(line for line in CAMPAIGN.splitlines(True) if not line.startswith(missing))
    assert only(write_config(tmp_path, spring=text)).startswith(
        f"campaigns/spring.yaml:1:1: {missing}: '{missing}' is "
    )


def test_a_key_without_value_is_missing_at_its_place(tmp_path: Path) -> None:
    error = only(write_config(tmp_path, spring=CAMPAIGN.replace("member: acme", "member:")))
    assert error.startswith(
        "campaigns/spring.yaml:1:8: member: 'member' is missing; allowed: a Member of dialer.yaml"
    )


def test_member_and_trunk_must_exist(tmp_path: Path) -> None:
    text = CAMPAIGN.replace("acme", "amce").replace("[main]", "[main, mian]")
    assert found(write_config(tmp_path, spring=text)) == [
        "campaigns/spring.yaml:1:9: member: there is no Member 'amce' in dialer.yaml; "
        "allowed: acme; did you mean 'acme'?",
        "campaigns/spring.yaml:3:16: trunks[1]: there is no trunk 'mian' in dialer.yaml; "
        "allowed: main; did you mean 'main'?",
    ]


def test_names_are_checked_even_when_dialer_yaml_has_errors(tmp_path: Path) -> None:
    text = DIALER.replace("host:", "hots:")
    errors = found(write_config(tmp_path, text, spring=CAMPAIGN.replace("acme", "beta")))
    assert [error.split(": ")[1] for error in errors] == ["trunks.main.host", "trunks.main.hots", "member"]


def test_a_configuration_without_trunks(tmp_path: Path) -> None:
    error = only(write_config(tmp_path, DIALER.replace("trunks:", "trunks:\n").split("trunks:")[0]))
    assert (
        "there is no trunk 'main' in dialer.yaml; allowed: nothing yet: dialer.yaml names no trunk" in error
    )


@pytest.mark.parametrize(
    ("number", "what"),
    [
        ("+12105550100", "a fictional 555-01XX number, allowed only with lab"),
        ("+19002260100", "a premium-rate number"),
        ("+442079460000", "outside the US and Canada"),
        ("+17872260100", "in a US territory"),
        ("+18762260100", "in the Caribbean"),
        ("+12119110100", "a service code"),
        ("+11232260100", "not a number in use in the US or Canada"),
        ("+1210226010", "not a number in use in the US or Canada"),
    ],
)
def test_numbers_must_be_usable_in_the_us_and_canada(tmp_path: Path, number: str, what: str) -> None:
    error = only(write_config(tmp_path, spring=CAMPAIGN.replace("+12102260101", number)))
    assert error.startswith(f"campaigns/spring.yaml:4:14: caller_ids[0]: '{number}' is {what}")
    error = only(write_config(tmp_path, DIALER.replace("+12102260100", number)))
    assert error.startswith(f"dialer.yaml:4:22: members.acme.callback_number: '{number}' is {what}")


@pytest.mark.parametrize("number", ["+14162260100", "+18882260100"])
def test_canadian_and_toll_free_numbers_are_usable(tmp_path: Path, number: str) -> None:
    text = CAMPAIGN.replace("+12102260101", number) + f"drop_message: {{callback_number: {number}}}\n"
    assert load_config(write_config(tmp_path, spring=text)).campaigns["spring"].caller_ids == [number]


def test_a_number_without_its_form_suggests_it(tmp_path: Path) -> None:
    error = only(write_config(tmp_path, spring=CAMPAIGN.replace("+12102260101", "(210) 226-0101")))
    assert error.endswith("did you mean '+12102260101'?")


def test_the_lab_admits_fictional_numbers_on_loopback_only(tmp_path: Path) -> None:
    campaign = CAMPAIGN.replace("main", "carrier").replace("+12102260101", "+13055550101")
    config = load_config(write_config(tmp_path, LAB, spring=campaign))
    assert config.settings.lab is not None
    error = only(write_config(tmp_path, LAB.replace("127.0.0.1", "sip.carrier.net"), spring=campaign))
    assert error.startswith(
        "dialer.yaml:5:1: lab: a lab is refused, because trunk 'carrier' leads to sip.carrier.net"
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_hosts_of_a_lab(tmp_path: Path, host: str) -> None:
    campaign = CAMPAIGN.replace("main", "carrier")
    write_config(tmp_path, LAB.replace("127.0.0.1", f"'{host}'"), spring=campaign)
    assert load_config(tmp_path).settings.trunks["carrier"].host == host


def test_prompts_must_be_recordings(tmp_path: Path) -> None:
    (tmp_path / "drop.wav").write_bytes(b"ID3\x04 an mp3")
    error = only(write_config(tmp_path, spring=CAMPAIGN + "drop_message: {prompt: ../drop.wav}\n"))
    assert "drop.wav is not a wav recording; allowed: a wav file" in error


def test_scripts_must_be_there_and_be_texts(tmp_path: Path) -> None:
    error = only(write_config(tmp_path, spring=CAMPAIGN + "script: ../gone.txt\n"))
    assert "gone.txt cannot be read: No such file or directory; allowed: a text file, or no script" in error
    (tmp_path / "script.txt").write_bytes("Hello".encode("utf-16"))
    error = only(write_config(tmp_path, spring=CAMPAIGN + "script: ../script.txt\n"))
    assert "script.txt is not a text in UTF-8: it has zero bytes" in error
    (tmp_path / "script.txt").write_text("Hello")
    assert load_config(tmp_path).campaigns["spring"].script is not None


def test_all_errors_of_all_files_come_at_once(tmp_path: Path) -> None:
    directory = write_config(
        tmp_path,
        DIALER + "databse: {}\n",
        a="a: *x\n",
        b=b"%PDF-1.4",
        c="",
        d=CAMPAIGN + "mode: x\nring_seconds: 5\n",
    )
    (directory / "campaigns" / "e.yml").write_text(CAMPAIGN)
    places = [error.split(": ")[0] for error in found(directory)]
    assert places == [
        "dialer.yaml:12:1",
        "campaigns/a.yaml:1:4",
        "campaigns/b.yaml:1:1",
        "campaigns/c.yaml:1:1",
        "campaigns/d.yaml:5:7",
        "campaigns/d.yaml:6:15",
        "campaigns/e.yml",
    ]


def test_directories_that_are_none(tmp_path: Path) -> None:
    cases = {
        tmp_path / "gone": "there is no such directory; write an example with: dialer init",
        tmp_path: "this directory has no dialer.yaml; write an example with: dialer init",
        write_config(tmp_path / "x")
        / "dialer.yaml": "this is a file; name the directory that holds dialer.yaml",
    }
    for directory, what in cases.items():
        (problem,) = problems_of(directory)
        assert problem.text().startswith(f"{directory}: {what}")


def test_campaigns_may_be_absent_but_not_a_file(tmp_path: Path) -> None:
    (tmp_path / "dialer.yaml").write_text(DIALER)
    assert load_config(tmp_path).campaigns == {}
    (tmp_path / "campaigns").write_text("")
    (problem,) = problems_of(tmp_path)
    assert (
        problem.text() == f"{tmp_path}/campaigns: this cannot be read: Not a directory; allowed: a directory"
    )


def test_other_files_in_campaigns_are_left_alone(tmp_path: Path) -> None:
    directory = write_config(tmp_path)
    for name in (".hidden.yaml", "spring.yaml~", "notes.txt", ".spring.yaml.swp"):
        (directory / "campaigns" / name).write_text("not: [yaml")
    assert list(load_config(directory).campaigns) == ["spring"]


def test_a_campaign_file_needs_a_usable_name(tmp_path: Path) -> None:
    error = only(write_config(tmp_path, **{"Spring Sale": CAMPAIGN}))
    assert error.startswith("campaigns/Spring Sale.yaml:1:1: name: 'Spring Sale' is not a name")


def test_own_rules_are_used_and_their_errors_reported(tmp_path: Path) -> None:
    directory = write_config(tmp_path)
    (directory / "rules").mkdir()
    (directory / "rules" / "calling_rules.csv").write_text("nonsense\n")
    errors = found(directory)
    assert errors
    assert all(error.startswith("rules") for error in errors), errors


def test_problems_read_well() -> None:
    problem = Problem(Path("a.yaml"), 3, 9, "x.y[0]", "wrong", "right", "rigth")
    assert problem.text() == "a.yaml:3:9: x.y[0]: wrong; allowed: right; did you mean 'rigth'?"
    assert Problem(Path("a"), 0, 0, "", "gone").text() == "a: gone"
    assert str(SettingsError([problem, problem])) == problem.text()


_WORDS = st.sampled_from(
    ["", "x", "-1", "nan", "[a]", "{a: b}", "~", "+12102260100", "10:30", "4h", "'", "é"]
)
_KEYS = st.sampled_from(sorted({key.path[-1] for model in (Settings, Campaign) for key in keys(model)}))


@given(st.dictionaries(_KEYS, _WORDS, max_size=6), st.dictionaries(_KEYS, _WORDS, max_size=6))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_wrong_values_are_always_explained(
    tmp_path: Path, engine: dict[str, str], campaign: dict[str, str]
) -> None:
    texts = ["".join(f"{key}: {word}\n" for key, word in group.items()) for group in (engine, campaign)]
    problems: tuple[Problem, ...] = ()
    try:
        load_config(write_config(tmp_path, texts[0], spring=texts[1]))
    except SettingsError as error:
        problems = error.problems
    assert all(problem.what and problem.file.is_relative_to(tmp_path) for problem in problems)
