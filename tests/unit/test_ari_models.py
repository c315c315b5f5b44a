"""The generated ARI models: what the generator writes, and the decoding of events captured from Asterisk."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dialer_engine.pbx.ari import generate, models, wire
from dialer_engine.pbx.ari.wire import RawEvent, Reply, decode, encode_command, failure_text

pytestmark = pytest.mark.unit

CORPUS = Path(__file__).resolve().parents[1] / "data" / "ari_events"
CAPTURED = [
    (f"{path.stem}-{place}", event)
    for path in sorted(CORPUS.glob("*.json"))
    for place, event in enumerate(json.loads(path.read_text()))
]


@pytest.mark.parametrize("event", [event for _, event in CAPTURED], ids=[name for name, _ in CAPTURED])
def test_captured_events_are_decoded_with_their_type(event: dict[str, Any]) -> None:
    found = decode(json.dumps(event))
    if event["type"] == "RESTResponse":
        assert isinstance(found, Reply)
        assert found.status_code == event["status_code"]
        assert found.request_id == event["request_id"]
        return
    assert type(found).__name__ == event["type"]


def test_the_corpus_holds_what_the_engine_lives_on() -> None:
    kinds = {event["type"] for _, event in CAPTURED}
    needed = (
        "CallBroadcast ChannelCreated ChannelDestroyed ChannelDtmfReceived ChannelEnteredBridge"
        " ChannelHangupRequest ChannelLeftBridge ChannelStateChange ChannelUserevent"
        " PlaybackFinished StasisEnd StasisStart"
    )
    assert set(needed.split()) <= kinds


def test_causes_of_the_corpus_are_read() -> None:
    found = {}
    for name, event in CAPTURED:
        decoded = decode(json.dumps(event))
        if isinstance(decoded, models.ChannelDestroyed):
            found[name.rpartition("-")[0]] = (decoded.cause, decoded.tech_cause)
    assert found["busy"] == (17, 486)
    assert found["congestion"] == (34, 503)
    assert found["not_in_service"] == (1, 404)
    assert found["declined"] == (21, 603)
    assert found["no_answer"][0] == 19


def test_an_unknown_event_becomes_raw() -> None:
    found = decode('{"type": "ChannelTeleported", "where": "moon"}')
    assert found == RawEvent(type="ChannelTeleported", data={"type": "ChannelTeleported", "where": "moon"})


def test_a_known_event_of_another_shape_becomes_raw() -> None:
    found = decode('{"type": "StasisStart", "application": "dialer", "timestamp": "now", "args": 7}')
    assert isinstance(found, RawEvent)
    assert found.type == "StasisStart"


def test_new_fields_do_not_disturb() -> None:
    event = next(event for _, event in CAPTURED if event["type"] == "CallBroadcast")
    assert isinstance(decode(json.dumps(event | {"new_field": [1, 2]})), models.CallBroadcast)


def test_numbers_sent_as_text_are_accepted() -> None:
    event = next(event for _, event in CAPTURED if event["type"] == "ChannelDestroyed")
    found = decode(json.dumps(event | {"cause": "17"}))
    assert isinstance(found, models.ChannelDestroyed)
    assert found.cause == 17


def test_broken_json_raises() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode('{"type": "Stasis')


def test_json_that_is_no_table_becomes_raw() -> None:
    assert decode("[1]") == RawEvent(type="", data={"value": [1]})


def test_a_command_is_one_message_with_its_body_as_text() -> None:
    text = encode_command("5", "POST", "/channels/a", {"x": "1&2"}, {"variables": {"A": "ü"}})
    message = json.loads(text)
    assert (message["type"], message["method"], message["uri"]) == ("RESTRequest", "POST", "channels/a")
    assert message["query_strings"] == [{"name": "x", "value": "1&2"}]
    assert json.loads(message["message_body"]) == {"variables": {"A": "ü"}}
    assert message["content_type"] == "application/json"
    assert message["request_id"] == "5"


def test_a_command_without_body_names_no_content_type() -> None:
    assert set(json.loads(encode_command("5", "GET", "channels", None, None))) == {
        "type",
        "request_id",
        "transaction_id",
        "method",
        "uri",
    }


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"message": "Channel not found"}', "Channel not found"),
        ('{"error": "no"}', "no"),
        ("", ""),
        ("[]", ""),
    ],
)
def test_words_of_a_refusal(body: str, words: str) -> None:
    assert failure_text(body) == words


DOCUMENT = {
    "models": {
        "Message": {
            "properties": {"type": {"type": "string", "required": True}},
            "subTypes": ["Event", "Odd"],
        },
        "Event": {"properties": {"timestamp": {"type": "Date", "required": True}}, "subTypes": ["Happened"]},
        "Happened": {
            "properties": {
                "from": {"type": "string"},
                "class": {"type": "int", "required": True},
                "things": {"type": "List[Thing]", "required": True},
            }
        },
        "Odd": {"properties": {"params": {"type": "List[string]", "required": True}}},
        "Thing": {
            "description": "secret prose",
            "properties": {"size": {"type": "long"}, "any": {"type": "object"}},
        },
    }
}


def generated(tmp_path: Path, document: dict[str, Any]) -> str:
    (tmp_path / "events.json").write_text(json.dumps(document))
    return generate.generate(tmp_path)


def test_the_generator_writes_names_and_types_only(tmp_path: Path) -> None:
    text = generated(tmp_path, DOCUMENT)
    assert "secret prose" not in text
    assert "class Happened(Event, kw_only=True):" in text
    assert '    from_: str | None = msgspec.field(default=None, name="from")' in text
    assert '    class_: int = msgspec.field(name="class")' in text
    assert "    things: list[Thing]" in text
    assert "    size: int | None = None" in text
    assert text.endswith("AnyEvent: TypeAlias = (\n    Happened\n    | Odd\n)\n")


def test_generated_models_decode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "generated_for_test.py").write_text(generated(tmp_path, DOCUMENT))
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("generated_for_test")
    happened = msgspec.json.decode(
        b'{"type": "Happened", "timestamp": "t", "class": 3, "things": [{"size": 1}], "from": "x"}',
        type=module.AnyEvent,
    )
    assert (happened.class_, happened.from_, happened.things[0].size) == (3, "x", 1)


def test_a_directory_without_documents_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no API documents"):
        generate.generate(tmp_path)


def test_one_name_with_two_meanings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(DOCUMENT))
    other = {"models": {"Thing": {"properties": {}}}}
    (tmp_path / "b.json").write_text(json.dumps(other))
    with pytest.raises(ValueError, match="defined twice"):
        generate.generate(tmp_path)


def test_the_checked_in_file_is_formatted() -> None:
    command = [sys.executable, "-m", "ruff", "format", "--check", str(generate.MODELS_FILE)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_every_event_is_in_the_decoder() -> None:
    leaves = {
        name
        for name, kind in vars(models).items()
        if isinstance(kind, type) and issubclass(kind, models.Event) and kind is not models.Event
    }
    listed = {kind.__name__ for kind in models.AnyEvent.__args__}
    assert leaves - listed == {"RESTResponse"}
    assert wire.Reply.__struct_config__.tag == "RESTResponse"
