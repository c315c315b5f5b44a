"""The JSON Schema of the two kinds of file, for editors that complete and check while one types."""

from typing import Any

from dialer_engine.settings.base import Model
from dialer_engine.settings.campaign import Campaign
from dialer_engine.settings.models import Settings

KINDS: dict[str, type[Model]] = {"dialer": Settings, "campaign": Campaign}


def json_schema(kind: str = "dialer") -> dict[str, Any]:
    """The JSON Schema of `dialer.yaml` ('dialer') or of a campaign file ('campaign')."""
    schema: dict[str, Any] = KINDS[kind].model_json_schema(by_alias=True, mode="validation")
    if kind == "campaign":
        # The file's own name stands in when the key is left out.
        schema["required"] = [name for name in schema["required"] if name != "name"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
