"""Generate typed ARI models from the API documents that Asterisk ships.

Only names and types are taken over, none of the documents' texts. The result is checked in as `models.py`.
After an upgrade of Asterisk run

    python -m dialer_engine.pbx.ari.generate REST_API_DIRECTORY

A test regenerates it from the bundle and compares the bytes.
"""

import json
import keyword
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

MODELS_FILE = Path(__file__).with_name("models.py")

_HEADER = '''"""Types of Asterisk's REST interface. Generated from its API documents by `generate.py`."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

'''
_SCALARS = {
    "string": "str",
    "Date": "str",
    "int": "int",
    "long": "int",
    "double": "float",
    "boolean": "bool",
    "object": "Any",
}
# Documented as text or number, but another kind on the wire of 22.10; found by the corpus of captured events.
_WIRE_TYPES: Mapping[tuple[str, str], str] = {}
_ROOT = "Message"
_TAG = "type"


@dataclass(slots=True)
class Model:
    """One documented type: fields as (name, type, required), its parent, whether it is sent as a message."""

    name: str
    fields: list[tuple[str, str, bool]] = field(default_factory=list)
    parent: str = ""
    tagged: bool = False
    leaf: bool = True


def python_type(documented: str) -> str:
    """Translate a documented type, such as `List[string]`, into a Python annotation."""
    listed = re.fullmatch(r"List\[(\w+)\]", documented)
    if listed:
        return f"list[{python_type(listed[1])}]"
    return _SCALARS.get(documented, documented)


def read_models(directory: Path) -> dict[str, Model]:
    """Read every model of the API documents in `directory`; the same name must not mean two things."""
    raw: dict[str, dict[str, object]] = {}
    for document in sorted(directory.glob("*.json")):
        for name, body in json.loads(document.read_text("utf-8")).get("models", {}).items():
            if raw.setdefault(name, body) != body:
                raise ValueError(f"{document}: model {name} is defined twice, and differently")
    if _ROOT not in raw:
        raise ValueError(f"{directory}: no API documents of Asterisk (no model {_ROOT}) found here")
    models = {name: _model(name, body) for name, body in sorted(raw.items())}
    _link(raw, models)
    return models


def _model(name: str, body: Mapping[str, object]) -> Model:
    properties = body["properties"]
    if not isinstance(properties, dict):
        raise TypeError(f"model {name}: properties is not a table")
    fields = [
        (key, _WIRE_TYPES.get((name, key), python_type(value["type"])), bool(value.get("required")))
        for key, value in sorted(properties.items())
    ]
    return Model(name, fields)


def _link(raw: Mapping[str, Mapping[str, object]], models: Mapping[str, Model]) -> None:
    for name, body in raw.items():
        children = body.get("subTypes", [])
        if not isinstance(children, list):
            raise TypeError(f"model {name}: subTypes is not a list")
        for child in children:
            models[child].parent = name
            models[name].leaf = False
    for model in models.values():
        model.tagged = any(ancestor == _ROOT for ancestor in _ancestors(model, models))
        if model.tagged:
            model.fields = [each for each in model.fields if each[0] != _TAG]


def _ancestors(model: Model, models: Mapping[str, Model]) -> Iterator[str]:
    name = model.name
    while name:
        yield name
        name = models[name].parent


def _class(model: Model) -> str:
    bases = model.parent or "msgspec.Struct"
    options = f', kw_only=True, tag_field="{_TAG}", tag=True' if model.name == _ROOT else ", kw_only=True"
    lines = [_field(*each) for each in model.fields] or ["    pass\n"]
    return f"\nclass {model.name}({bases}{options}):\n{''.join(lines)}\n"


def _field(name: str, kind: str, required: bool) -> str:
    renamed = f"{name}_" if keyword.iskeyword(name) else name
    annotation = kind if required else f"{kind} | None"
    if renamed != name:
        arguments = f'name="{name}"' if required else f'default=None, name="{name}"'
        return f"    {renamed}: {annotation} = msgspec.field({arguments})\n"
    return f"    {name}: {annotation}\n" if required else f"    {name}: {annotation} = None\n"


def generate(directory: Path) -> str:
    """Return the text of `models.py` for the API documents in `directory`."""
    models = read_models(directory)
    ordered = sorted(models.values(), key=lambda model: (len(list(_ancestors(model, models))), model.name))
    parents = [model for model in ordered if not model.leaf]
    others = sorted((model for model in ordered if model.leaf), key=lambda model: model.name)
    events = [m.name for m in others if m.tagged and m.name != "RESTResponse"]
    union = "\n    | ".join(events)
    classes = "".join(_class(model) for model in parents + others)
    return f"{_HEADER}{classes}\nAnyEvent: TypeAlias = (\n    {union}\n)\n"


def main() -> int:
    """Write `models.py` from the directory named on the command line."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m dialer_engine.pbx.ari.generate REST_API_DIRECTORY\n")
        return 2
    MODELS_FILE.write_text(generate(Path(sys.argv[1])), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
