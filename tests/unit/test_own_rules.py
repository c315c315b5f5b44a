"""The operator's own rules over the shipped ones: tighter at once, looser only with a name and a reason."""

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest
from gate_support import LIMITS, SIGNED

from dialer_engine.core.gate import Consent, ConsentKind, Decision, Facts, GateContext, RuleBook, evaluate
from dialer_engine.core.numbers import NumberPlan
from dialer_engine.settings.load import SettingsError, load_config
from dialer_engine.settings.rules import SHIPPED, RulesError, load_rule_set, load_rules, own_rules_file

pytestmark = pytest.mark.unit

TEXAS, FLORIDA = "+12102345678", "+13052345678"
WHO = "by: Jo Doe\n    reason: counsel of 2 June"


def book_with(tmp_path: Path, *rules: str) -> tuple[RuleBook, NumberPlan]:
    return load_rules(SHIPPED, written(tmp_path, *rules))


def written(tmp_path: Path, *rules: str) -> Path:
    """A rules.yaml with these rules; each is the text behind the dash."""
    file = tmp_path / "rules.yaml"
    file.write_text("rules:\n" + "".join(f"  - {rule}\n    {WHO}\n" for rule in rules), encoding="utf-8")
    return file


def ask(rules: tuple[RuleBook, NumberPlan], number: str, local: str, *consents: Consent) -> Decision:
    asked = GateContext(datetime.fromisoformat(local), *rules, LIMITS)
    return evaluate(Facts(number, consents=consents or (SIGNED,)), asked)


def problems(file: Path) -> str:
    with pytest.raises(RulesError) as caught:
        load_rules(SHIPPED, file)
    return str(caught.value)


def test_tighter_hours_take_effect_from_their_date_at_local_midnight(tmp_path: Path) -> None:
    rules = book_with(
        tmp_path, 'regions: [US-TX]\n    weekday: "10:00-17:00"\n    effective_from: 2026-07-01'
    )
    assert ask(rules, TEXAS, "2026-06-30T20:58:00-05:00").allowed
    first = ask(rules, TEXAS, "2026-07-01T09:30:00-05:00")
    assert first.blocking is not None
    assert "10:00-17:00" in first.blocking.reason
    assert first.next_allowed == datetime.fromisoformat("2026-07-01T10:00:00-05:00")
    source = dict(first.blocking.evidence)["source"]
    assert "own rule by Jo Doe: counsel of 2 June" in source
    assert "301.051" in source


def test_a_rule_for_a_time_leaves_the_shipped_one_before_and_after(tmp_path: Path) -> None:
    rule = (
        "regions: [US-TX]\n    weekday: closed\n    effective_from: 2026-07-01\n    effective_to: 2026-07-02"
    )
    book, _ = book_with(tmp_path, rule)
    rows = book.regions["US-TX"]
    assert [row.windows[2] for row in rows] == [(540, 1260), None, (540, 1260)]
    assert [row.effective_from for row in rows[1:]] == [date(2026, 7, 1), date(2026, 7, 3)]
    assert [row.effective_to for row in rows] == [date(2026, 6, 30), date(2026, 7, 2), None]
    assert book.rule("US-TX", date(2026, 7, 3)) is rows[2]


def test_closed_days_close_regions_that_forbid_no_holidays(tmp_path: Path) -> None:
    rules = book_with(tmp_path, "regions: [US-TX, US-FL]\n    closed_on: [2026-12-24]")
    refusal = ask(rules, TEXAS, "2026-12-24T12:00:00-06:00").blocking
    assert refusal is not None
    assert (refusal.rule, "closed by Jo Doe in Texas" in refusal.reason) == ("holiday", True)
    assert ask(rules, TEXAS, "2026-12-23T12:00:00-06:00").allowed
    assert not ask(rules, FLORIDA, "2026-12-24T12:00:00-05:00").allowed


def test_caps_consents_holidays_and_ring_times_can_be_tightened(tmp_path: Path) -> None:
    book, plan = book_with(
        tmp_path,
        "regions: [US-TX]\n    attempts_24h: 1\n    holidays_prohibited: false",
        "regions: [US-NY]\n    automated_consent: [express_written]",
        "regions: [US-OK]\n    automated_consent: [express_written]",
        "regions: [US-PR]\n    ring_max_s: 25",
        "regions: [CA-QC]\n    ring_min_s: 20",
    )
    today = date(2026, 6, 10)
    texas = book.rule("US-TX", today)
    assert texas is not None
    assert (texas.attempts_24h, texas.holidays_prohibited) == (1, False)
    noon = "2026-06-10T13:00:00-04:00"
    inquiry = Consent(ConsentKind.ebr_inquiry, datetime.fromisoformat("2026-06-01T00:00:00+00:00"), "call")
    assert not ask((book, plan), "+12122345678", noon, inquiry).allowed
    assert ask((book, plan), "+12122345678", noon, SIGNED).allowed
    assert not ask((book, plan), "+14052345678", noon, inquiry).allowed
    assert book.ring_window(["US", "US-PR"], [today]) == (15, 25)
    assert book.ring_window(["CA", "CA-QC"], [today]) == (20, 60)
    assert book.loosened == ()


def test_holidays_can_be_forbidden_only_where_they_are_listed(tmp_path: Path) -> None:
    message = problems(written(tmp_path, "regions: [US-TX]\n    holidays_prohibited: true"))
    assert ":2: the holidays of US-TX are not in holidays.csv; name the days in closed_on" in message
    book, _ = book_with(tmp_path, "regions: [US-NE]\n    holidays_prohibited: true")
    assert book.holiday_years == load_rules(SHIPPED)[0].holiday_years
    thanksgiving = ask((book, load_rules(SHIPPED)[1]), "+14022345678", "2026-11-26T14:00:00-06:00")
    assert thanksgiving.blocking is not None
    assert thanksgiving.blocking.rule == "holiday"


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ('regions: [US-TX]\n    sunday: "09:00-21:00"', "longer hours"),
        ('regions: [US-RI]\n    sunday: "12:00-13:00"', "longer hours"),
        ("regions: [US-AL]\n    holidays_prohibited: false", "calls on holidays"),
        ("regions: [US-FL]\n    attempts_24h: 4", "4 attempts in 24 hours instead of 3"),
        ("regions: [US-FL]\n    automated_consent: [express]", "weaker consent"),
        ("regions: [US-PR]\n    ring_max_s: 40", "ringing for 40 s"),
    ],
)
def test_loosening_needs_to_be_meant_and_is_listed(tmp_path: Path, rule: str, what: str) -> None:
    message = problems(written(tmp_path, rule))
    assert message.startswith(f"{tmp_path / 'rules.yaml'}:2: would permit more")
    assert what in message
    assert "add loosens: true" in message
    book, _ = book_with(tmp_path, f"{rule}\n    loosens: true")
    assert [(each.what, each.who, each.reason) for each in book.loosened] == [
        (book.loosened[0].what, "Jo Doe", "counsel of 2 June")
    ]
    assert what in book.loosened[0].what


def test_a_shorter_ring_than_an_earlier_own_rule_asks_for_loosens(tmp_path: Path) -> None:
    rules = ("regions: [US]\n    ring_min_s: 25", "regions: [US]\n    ring_min_s: 16")
    assert "(ringing for 16 s only)" in problems(written(tmp_path, *rules))
    book, _ = book_with(tmp_path, rules[0], f"{rules[1]}\n    loosens: true")
    assert [each.what for each in book.loosened] == ["ringing for 16 s only"]
    assert book.ring_window(["US"], [date(2026, 6, 10)])[0] == 16


def test_a_loosened_state_stays_bound_by_the_federal_row(tmp_path: Path) -> None:
    rules = book_with(tmp_path, 'regions: [US-TX]\n    weekday: "06:00-23:00"\n    loosens: true')
    assert ask(rules, TEXAS, "2026-06-10T08:00:00-05:00").allowed
    assert not ask(rules, TEXAS, "2026-06-10T07:59:00-05:00").allowed
    assert not ask(rules, TEXAS, "2026-06-10T21:00:00-05:00").allowed


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("regions: [TX]", ":2: rules[0].regions[0]: 'TX' is not a region"),
        ("regions: [US-QQ]\n    weekday: closed", ":2: US-QQ has no calling rule"),
        ('regions: [US-TX]\n    weekday: "9-17"', ":3: rules[0].weekday: '9' is not a time"),
        ('regions: [US-TX]\n    weekday: "17:00-09:00"', "not a window of the day"),
        ("regions: [US-TX]\n    weekday: noon", "not a window of the day"),
        ("regions: [US-TX]\n    closed_on: [Christmas]", "not a date"),
        ("regions: [US-TX]\n    wekday: closed", "unknown key 'wekday'"),
        ("regions: [US-TX]\n    ring_max_s: 5", "ring_max_s"),
        (
            "regions: [US]\n    ring_min_s: 5\n    loosens: true",
            ":3: rules[0].ring_min_s: '5' is out of range",
        ),
        ("regions: [US-PR]\n    ring_min_s: 14\n    loosens: true", "out of range; allowed: 15 to 60"),
        ("regions: [US-PR]\n    ring_min_s: 30", "would be longer than the longest"),
        ("regions: [US-TX]\n    automated_consent: [spoken]", "automated_consent"),
        ("regions: [US-TX]\n    effective_from: 2026-07-01\n    effective_to: 2026-06-01", "before"),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, text: str, words: str) -> None:
    assert words in problems(written(tmp_path, text))


def test_who_and_why_are_required(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("rules:\n  - regions: [US-TX]\n    weekday: closed\n", encoding="utf-8")
    assert "'by' is missing" in problems(file)
    assert "'reason' is missing" in problems(file)


def test_broken_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("rules:\n  - regions: [US-TX\n", encoding="utf-8")
    assert f"{file}:" in problems(file)


def test_the_version_changes_with_the_own_rules(tmp_path: Path) -> None:
    shipped = load_rules(SHIPPED)[0].version
    own = book_with(tmp_path, "regions: [US-TX]\n    sunday: closed")[0].version
    assert own != shipped
    assert own.split()[1:] == shipped.split()[1:]


def test_a_configuration_reads_its_own_rules_and_keeps_their_text(
    tmp_path: Path, configuration: Path
) -> None:
    assert own_rules_file(configuration) is None
    before = load_config(configuration)
    written(configuration, "regions: [US-TX]\n    sunday: closed")
    after = load_config(configuration)
    assert own_rules_file(configuration) == configuration / "rules.yaml"
    assert after.rules.version != before.rules.version
    assert "sunday: closed" in after.rule_texts["rules.yaml"]
    assert "calling_rules.csv" in after.rule_texts
    (configuration / "rules.yaml").write_text("rules:\n  - regions: [US-TX]\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"rules.yaml:2.*'by' is missing"):
        load_config(configuration)


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """The smallest configuration there is."""
    directory = tmp_path / "config"
    directory.mkdir()
    (directory / "dialer.yaml").write_text(
        "members:\n  acme: {name: Acme, callback_number: '+12102260199'}\n"
        "trunks:\n  main: {host: 127.0.0.1}\n",
        encoding="utf-8",
    )
    return directory


def test_several_rules_of_one_region_add_up(tmp_path: Path) -> None:
    book, _ = book_with(
        tmp_path,
        'regions: [US-TX]\n    weekday: "10:00-20:00"',
        "regions: [US-TX]\n    sunday: closed\n    effective_from: 2026-07-01",
        "regions: [US-TX]\n    attempts_24h: 2",
    )
    july = book.rule("US-TX", date(2026, 7, 5))
    june = book.rule("US-TX", date(2026, 6, 7))
    assert july is not None
    assert june is not None
    assert (july.windows[0], july.windows[6], july.attempts_24h) == ((600, 1200), None, 2)
    assert june.windows[6] == (720, 1260)


def test_terms_outside_the_shipped_dates_are_filled(tmp_path: Path) -> None:
    """A rule where the shipped file says nothing, and one that reaches over the end of a shipped row."""
    shipped = load_rule_set(SHIPPED).book.terms["US-PR"][0]
    book, _ = book_with(tmp_path, "regions: [US-TX]\n    ring_max_s: 30\n    effective_to: 2026-12-31")
    assert [row.ring_max_s for row in book.terms["US-TX"]] == [30]
    assert book.ring_window(["US-TX"], [date(2027, 1, 1)]) == (15, 60)
    assert replace(shipped, ring_max_s=28) == shipped
