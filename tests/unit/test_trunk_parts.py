"""The rest of what a trunk knows: whose fault a refusal is, which contacts it refuses, how it does."""

from pathlib import Path

import pytest
from settings_support import DIALER, only, write_config

from dialer_engine.core.carrier_codes import GENERIC
from dialer_engine.core.outcome import PROMPT_S, Refusal, Result, result_of_refusal
from dialer_engine.core.refused_contacts import LONGEST_DELAY_S, TIMES, RefusedContacts
from dialer_engine.core.trunk_health import CODES, MINUTES, OTHER, SAMPLES, TrunkHealth
from dialer_engine.settings.carriers import SHIPPED, carriers_file, load_carriers
from dialer_engine.settings.load import load_config
from dialer_engine.settings.trunk import Trunk

pytestmark = pytest.mark.unit

CODES_OF = load_carriers(SHIPPED).codes


@pytest.mark.parametrize(
    ("provider", "code", "text", "result"),
    [
        ("generic", 503, "SIP 503 Service Unavailable", Result.TRUNK_FAULT),
        ("generic", 403, "", Result.TRUNK_FAULT),
        ("generic", 407, "", Result.TRUNK_FAULT),
        ("generic", 404, "", Result.NOT_IN_SERVICE),
        ("generic", 486, "", Result.BUSY),
        ("generic", 504, "", Result.CONGESTION),
        ("generic", 603, "SIP 603 Decline", Result.REJECTED),
        ("generic", 603, "SIP 603 Network Blocked", Result.BLOCKED),
        ("telnyx", 603, "SIP 603 NETWORK BLOCKED", Result.BLOCKED),
        ("generic", 608, "", Result.BLOCKED),
        ("telnyx", 403, "SIP 403 User channel limit exceeded D1", Result.TRUNK_FAULT),
        ("telnyx", 403, "SIP 403 Destination Number 12125550100 is invalid D11", Result.FAILED),
        ("telnyx", 404, "SIP 404 D19", Result.TRUNK_FAULT),
        ("telnyx", 404, "SIP 404 Not Found", Result.NOT_IN_SERVICE),
        ("nobody", 503, "", Result.TRUNK_FAULT),
        ("generic", 488, "", None),
    ],
)
def test_the_shipped_codes(provider: str, code: int, text: str, result: Result | None) -> None:
    assert CODES_OF.meaning(provider, {}, code, text) is result


def test_a_trunks_own_codes_go_before_the_providers() -> None:
    trunk = Trunk.model_validate(
        {"host": "127.0.0.1", "codes": {"503": "number_fault", "486": "trunk_fault", "403": "busy"}}
    )
    own = trunk.own_codes
    assert CODES_OF.meaning("generic", own, 503, "") is Result.CONGESTION
    assert CODES_OF.meaning("generic", own, 486, "") is Result.TRUNK_FAULT
    assert CODES_OF.meaning("telnyx", own, 403, "User channel limit exceeded D1") is Result.BUSY


def test_every_shipped_row_has_its_source_and_the_generic_ones_cover_the_usual_codes() -> None:
    table = load_carriers(SHIPPED)
    assert table.problems == ()
    assert {401, 403, 404, 407, 408, 480, 486, 487, 500, 502, 503, 603} <= {
        row.code for row in table.codes.rows[GENERIC]
    }


HEADER = "provider,code,reason,meaning,source,confidence\n"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("generic,503,,trunk_falt,RFC,high", "did you mean 'trunk_fault'?"),
        ("generic,99,,busy,RFC,high", "'99' is not a final SIP code from 400 to 699"),
        ("generic,486,,busy,,high", "a row needs its source"),
        ("Generic,486,,busy,RFC,high", "is not a provider's name"),
        ("generic,486,,busy,RFC,sure", "'sure' is not one of high, medium, low"),
        ("generic,486,,busy,RFC", "has 5 cells, 6 are needed"),
        ("generic,486,,busy,RFC,high\ngeneric,486,,busy,RFC,high", "has code 486 with these words already"),
        ("telnyx,486,,busy,RFC,high", "has no rows of the provider 'generic'"),
    ],
)
def test_errors_of_the_table_say_what_is_wrong(tmp_path: Path, row: str, words: str) -> None:
    file = tmp_path / "carriers.csv"
    file.write_text(HEADER + row + "\n")
    (problem,) = load_carriers(carriers_file(tmp_path)).problems
    assert words in problem.what
    assert problem.file == file


@pytest.mark.parametrize(
    ("refusal", "result"),
    [
        (Refusal(34, 503, False, Result.TRUNK_FAULT), Result.TRUNK_FAULT),
        (Refusal(34, 503, True, Result.TRUNK_FAULT), Result.CONGESTION),
        (Refusal(34, 503, False, Result.TRUNK_FAULT, after_s=PROMPT_S), Result.CONGESTION),
        (Refusal(21, 403, True, Result.TRUNK_FAULT), Result.FAILED),
        (Refusal(19, None, False, silent=True, after_s=22.0), Result.TRUNK_FAULT),
        (Refusal(21, 603, False, Result.BLOCKED), Result.BLOCKED),
        (Refusal(17, 486, True, None), Result.BUSY),
    ],
)
def test_only_what_certainly_rang_no_phone_is_the_trunks_fault(refusal: Refusal, result: Result) -> None:
    assert result_of_refusal(refusal) is result


def test_a_contact_that_is_refused_with_all_others_is_due_again_at_once() -> None:
    refused = RefusedContacts()
    assert [refused.refused(7) for _ in range(50)] == [1.0] * 50
    assert not refused.is_number(7)


def test_a_contact_that_alone_is_refused_waits_longer_and_at_last_it_is_the_number() -> None:
    refused, delays = RefusedContacts(), []
    while not refused.is_number(7):
        delays.append(refused.refused(7))
        refused.handled(8)
    assert delays == [1.0, 4.0, 16.0, 64.0, 256.0, LONGEST_DELAY_S, LONGEST_DELAY_S]
    assert len(delays) == TIMES - 1
    refused.handled(7)
    assert not refused.is_number(7)


def test_health_is_that_of_the_last_hour() -> None:
    health = TrunkHealth()
    health.add(0.0, "503", None, None)
    for second in (4000.0, 4010.0, 4030.0):
        health.add(second, "200", 1.5, 30.0)
    health.add(4050.0, "200", 2.5, 2.0)
    health.add(4060.0, "486", 0.5, None)
    health.without_audio(0.0, from_carrier=True, to_carrier=True)
    health.without_audio(4061.0, from_carrier=True, to_carrier=False)
    health.without_audio(4062.0, from_carrier=True, to_carrier=True)
    report = health.report(4070.0)
    assert (report.calls, report.answer_seizure_ratio, report.short_share) == (5, 0.8, 0.25)
    assert report.post_dial_delay_ms_p50 == 1500.0
    assert report.codes == {"200": 4, "486": 1}
    assert (report.no_audio_from_carrier, report.no_audio_to_carrier) == (2, 1)
    assert health.report(9000.0).calls == 0


def test_the_time_until_it_rings_is_that_of_nearly_all_calls_of_the_last_minutes() -> None:
    health = TrunkHealth()
    for second in range(19):
        health.add(float(second), "200", 2.0 if second else 9.0, 30.0)
    assert health.setup_s(20.0) == 0.0, "too few to tell"
    for second in range(20, 41):
        health.add(float(second), "486", 7.0 if second < 25 else None, None)
    assert health.setup_s(60.0) == 7.0
    health.add(900.0, "200", 1.0, 30.0)
    assert health.setup_s(900.0) == 0.0, "what was long ago tells nothing"


def test_health_needs_no_more_memory_for_more_calls() -> None:
    health = TrunkHealth()
    for second in range(2 * MINUTES * 60):
        for code in range(2):
            health.add(float(second), str(second * 2 + code), 1.0, 1.0)
    assert len(health._minutes) == MINUTES
    assert all(len(m.codes) <= CODES + 1 and len(m.delays) <= SAMPLES for m in health._minutes)
    assert health.report(2.0 * MINUTES * 60 - 1).codes[OTHER] > 0


TRUNK = "trunks:\n  main:\n    host: sip.carrier.net\n    inbound_ips: [203.0.113.7]\n"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            "    provider: telnix\n",
            "dialer.yaml:9:15: trunks.main.provider: there is no provider 'telnix' in carriers.csv; "
            "allowed: generic, telnyx, vonage; did you mean 'telnyx'?",
        ),
        (
            "    account: shard\naccounts: {shared: {max_channels: 5}}\n",
            "dialer.yaml:9:14: trunks.main.account: there is no account 'shard' in dialer.yaml; "
            "allowed: shared; did you mean 'shared'?",
        ),
        (
            "    codes: {403: trunk_falt}\n",
            "dialer.yaml:9:18: trunks.main.codes.403: 'trunk_falt' is not what a code can mean; allowed: trunk_fault, "
            "number_fault, busy, no_answer, not_in_service, rejected, blocked, congestion, failed; "
            "did you mean 'trunk_fault'?",
        ),
        (
            "    codes: {200: busy}\n",
            "dialer.yaml:9:13: trunks.main.codes.200: '200' is not a final SIP code; "
            "allowed: a code from 400 to 699, such as 403",
        ),
    ],
)
def test_settings_errors_have_their_place_and_what_was_meant(tmp_path: Path, more: str, words: str) -> None:
    assert only(write_config(tmp_path, DIALER.replace(TRUNK, TRUNK + more))) == words


def test_an_own_table_of_carriers_is_read_instead_and_its_errors_name_the_line(tmp_path: Path) -> None:
    write_config(tmp_path, DIALER.replace(TRUNK, TRUNK + "    provider: ours\n"))
    own = tmp_path / "carriers.csv"
    own.write_text(
        HEADER + "generic,503,,trunk_fault,RFC 3261,high\nours,500,no credit,trunk_fault,them,high\n"
    )
    config = load_config(tmp_path)
    assert config.carriers.providers == ["generic", "ours"]
    assert own in config.files
    own.write_text(own.read_text() + "ours,5000,,busy,them,high\n")
    assert only(tmp_path) == "carriers.csv:4:1: '5000' is not a final SIP code from 400 to 699"
