"""Durations, times, numbers, names and addresses: what they accept and what they say otherwise."""

from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from dialer_engine.core.outcome import Result
from dialer_engine.settings.campaign import Retry
from dialer_engine.settings.values import (
    E164,
    Address,
    Address4,
    AsteriskText,
    ConfigPath,
    Duration,
    Host,
    Line,
    Moment,
    Name,
    Network,
    RetryDelay,
    TimeOfDay,
    duration_text,
    parse_duration,
)

pytestmark = pytest.mark.unit


class Values(BaseModel):
    """One field of each kind."""

    name: Name = "a"
    line: Line = "a"
    text: AsteriskText = "a"
    number: E164 = "+12102260100"
    host: Host = "a"
    address: Address = "127.0.0.1"
    address4: Address4 = "127.0.0.1"
    network: Network = "10.0.0.0/8"
    duration: Duration = timedelta()
    retry: RetryDelay = None
    at: TimeOfDay = time()
    moment: Moment = datetime(2026, 6, 10, tzinfo=UTC)
    file: ConfigPath = Path("x")


def refusal(field: str, value: object) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        Values.model_validate({field: value})
    (error,) = caught.value.errors()
    assert error["type"] == "dialer_value", error
    return {key: str(text) for key, text in error["ctx"].items()}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("4h", 14400),
        ("2d", 172800),
        ("0s", 0),
        (" 15 m ", 900),
        ("99999s", 99999),
    ],
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "4", "h", "-1h", "1.5h", "4 hours", "1h30m", "never", "999999d", "٤h"])
def test_not_durations(text: str) -> None:
    with pytest.raises(PydanticCustomError, match="is not a length of time"):
        parse_duration(text)


def test_bare_number_suggests_minutes() -> None:
    assert refusal("duration", "30")["suggestion"] == "30m"


def test_retry_allows_never() -> None:
    assert Values.model_validate({"retry": "never"}).retry is None
    assert Values.model_validate({"retry": "2d"}).retry == timedelta(days=2)
    assert "or 'never'" in refusal("retry", "sometimes")["allowed"]


@given(st.integers(0, 99999), st.sampled_from("smhd"))
def test_duration_text_reads_back(count: int, unit: str) -> None:
    duration = parse_duration(f"{count}{unit}")
    assert duration_text(duration) == "0s" or parse_duration(duration_text(duration)) == duration


def test_duration_text_uses_the_largest_unit() -> None:
    assert [duration_text(timedelta(seconds=s)) for s in (90, 1800, 14400, 172800)] == [
        "90s",
        "30m",
        "4h",
        "2d",
    ]
    assert duration_text(None) == "never"


@pytest.mark.parametrize(
    ("text", "expected"), [("09:30", time(9, 30)), ("9:30", time(9, 30)), ("23:59", time(23, 59))]
)
def test_times_of_day(text: str, expected: time) -> None:
    assert Values.model_validate({"at": text}).at == expected


@pytest.mark.parametrize("text", ["24:00", "9", "9am", "12:60", "630", "", "1:2", "10:30:00"])
def test_not_times_of_day(text: str) -> None:
    assert "00:00 to 23:59" in refusal("at", text)["allowed"]


def test_moment_needs_its_offset() -> None:
    moment = Values.model_validate({"moment": "2026-06-10T11:00:00-05:00"}).moment
    assert moment == datetime(2026, 6, 10, 16, tzinfo=UTC)
    for text in ("2026-06-10T11:00:00", "2026-06-10", "1718020800", "noon"):
        assert "2026-06-10T11:00:00-05:00" in refusal("moment", text)["allowed"]


@pytest.mark.parametrize("text", ["+12102260100", "+442079460000"])
def test_e164(text: str) -> None:
    assert Values.model_validate({"number": text}).number == text


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("2102260100", "+12102260100"),
        ("12102260100", "+12102260100"),
        ("(210) 226-0100", "+12102260100"),
        ("210.226.0100", "+12102260100"),
        ("226-0100", ""),
        ("+1210226010x", ""),
        ("", ""),
        ("+0123456789", ""),
    ],
)
def test_not_e164(text: str, suggestion: str) -> None:
    assert refusal("number", text)["suggestion"] == suggestion


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [("Ana Lopez", "ana-lopez"), ("", ""), ("ä", ""), ("a" * 33, "a" * 32), ("A", "a")],
)
def test_names(text: str, suggestion: str) -> None:
    assert refusal("name", text)["suggestion"] == suggestion
    assert Values.model_validate({"name": "ana_2-x"}).name == "ana_2-x"


@pytest.mark.parametrize("text", ["a;b", "a[b]", " a", "a ", "", "a\nb", "a\rb", "a\x00b"])
def test_text_that_asterisk_cannot_hold(text: str) -> None:
    assert "; [ ]" in refusal("text", text)["allowed"]


@pytest.mark.parametrize("text", ["", "  ", "a\nb", "a\x1bb"])
def test_not_a_line(text: str) -> None:
    assert refusal("line", text)["allowed"] == "one line of text"


@pytest.mark.parametrize(
    "text", ["sip.example.com", "10.0.0.1", "::1", "localhost", "a_b.example.com.", "2001:db8::1"]
)
def test_hosts(text: str) -> None:
    assert Values.model_validate({"host": text}).host == text


@pytest.mark.parametrize("text", ["sip:a.example", "a.example:5060", "a b", "", "-a", "a;b", "x" * 300])
def test_not_hosts(text: str) -> None:
    assert "without a port" in refusal("host", text)["allowed"]


def test_addresses_and_networks() -> None:
    assert Values.model_validate({"address": "::", "network": "203.0.113.7"}).network == "203.0.113.7"
    assert "127.0.0.1" in refusal("address", "eth0")["allowed"]
    assert "not an IP address" in refusal("address4", "eth0")["what"]
    assert "'::1' is an IPv6 address" in refusal("address4", "::1")["what"]
    assert "10.0.0.0/8" in refusal("network", "10.0.0.1/8")["allowed"]


def test_values_of_the_right_type_pass() -> None:
    given_values = {"duration": timedelta(hours=1), "at": time(9), "retry": timedelta(days=1)}
    assert Values.model_validate(given_values).duration == timedelta(hours=1)


def test_paths_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    context = {"directory": tmp_path}
    assert Values.model_validate({"file": "a/b.wav"}, context=context).file == tmp_path / "a/b.wav"
    assert Values.model_validate({"file": "/a/b.wav"}, context=context).file == Path("/a/b.wav")
    assert Values.model_validate({"file": "~/b"}, context=context).file == Path.home() / "b"
    assert Values.model_validate({"file": "b"}).file == Path("b")


def test_every_result_has_a_delay() -> None:
    delays = Retry(busy=None).delays()
    assert set(delays) == set(Result)
    assert delays["busy"] is None
    assert delays["node_lost"] == delays["hung_up"] == timedelta(days=1)
    assert delays["not_in_service"] is delays["unknown"] is None
    asked = Retry(unknown=timedelta(hours=2)).delays()
    assert (asked["unknown"], asked["node_lost"]) == (timedelta(hours=2), timedelta(days=1))
