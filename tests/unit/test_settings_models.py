"""The models themselves: dial strings, immutability, the catalogue of keys and the JSON Schema."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from dialer_engine.settings.catalogue import ANY, keys
from dialer_engine.settings.models import Campaign, Settings, Trunk
from dialer_engine.settings.schema import json_schema

pytestmark = pytest.mark.unit
EXAMPLE = Path(__file__).parents[2] / "config" / "example"


@pytest.mark.parametrize(
    ("number_format", "prefix", "expected"),
    [
        ("e164", "", "+12102260100"),
        ("plus_less", "", "12102260100"),
        ("ten_digit", "", "2102260100"),
        ("plus_less", "12345678*", "12345678*12102260100"),
        ("e164", "0057", "0057+12102260100"),
    ],
)
def test_dial_strings(number_format: Any, prefix: str, expected: str) -> None:
    trunk = Trunk(host="sip.carrier.net", number_format=number_format, prefix=prefix)
    assert trunk.dial_string("+12102260100") == expected


def test_register_is_written_without_its_underscore() -> None:
    trunk = Trunk.model_validate({"host": "h", "username": "u", "password": "p", "register": "true"})
    assert trunk.register_ is True
    assert Trunk(host="h", username="u", password="p", register_=True) == trunk
    assert trunk.model_dump(by_alias=True)["register"] is True


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().database.__setattr__("pool", 3)


def test_secrets_do_not_appear_when_printed() -> None:
    trunk = Trunk(host="h", username="u", password="hunter2")
    settings = Settings.model_validate({"database": {"url": "postgresql://u:hunter2@h/d"}})
    assert "hunter2" not in f"{trunk!r}{trunk}{settings!r}"


def test_every_key_is_described() -> None:
    for model in (Settings, Campaign):
        for key in keys(model):
            assert key.description, key.path
            assert not key.description.endswith("."), key.path


def test_the_catalogue_knows_groups_and_names() -> None:
    paths = {".".join(key.path): key for key in keys(Settings)}
    assert paths[f"trunks.{ANY}.register"].allowed == ""
    assert paths[f"trunks.{ANY}.transport"].allowed == "udp, tcp, tls"
    assert paths["asterisk.node.rtp.start"].allowed == "1024 to 65534"
    assert paths[f"asterisk.nodes.{ANY}.ari_url"].required
    assert not paths["lab"].required


@pytest.mark.parametrize(("kind", "model"), [("dialer", Settings), ("campaign", Campaign)])
def test_the_schema_covers_every_key(kind: str, model: Any) -> None:
    schema = json_schema(kind)
    assert json.loads(json.dumps(schema)) == schema
    assert schema["additionalProperties"] is False
    for key in keys(model):
        assert key.path[-1] in _property_names(schema), key.path


def test_the_schema_takes_the_forms_that_editors_see() -> None:
    schema = json_schema("campaign")
    assert schema["required"] == ["member", "lists", "trunks", "caller_ids"]
    assert schema["properties"]["caller_ids"]["items"]["type"] == ["string", "integer"]
    assert schema["$defs"]["Retry"]["properties"]["busy"]["pattern"].endswith("|never)$")
    assert schema["$defs"]["Hours"]["properties"]["start"]["type"] == "string"
    dispositions = schema["properties"]["dispositions"]
    assert dispositions["propertyNames"]["enum"] == list("12345678")


@pytest.mark.parametrize(
    ("file", "kind"), [("dialer.yaml", "dialer"), ("campaigns/example.yaml", "campaign")]
)
def test_the_example_uses_only_keys_of_the_schema(file: str, kind: str) -> None:
    text = (EXAMPLE / file).read_text()
    assert text.startswith("# yaml-language-server: $schema=")
    assert text.splitlines()[0].endswith(f"schema/{kind}.json")
    assert set(yaml.safe_load(text)) <= set(json_schema(kind)["properties"])


def _property_names(schema: dict[str, Any]) -> set[str]:
    groups = [schema, *schema["$defs"].values()]
    return {name for group in groups for name in group.get("properties", {})}
