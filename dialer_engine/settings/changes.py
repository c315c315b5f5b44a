"""What differs between two configurations: in words for people, and what a reload cannot change."""

from collections.abc import Iterator, Mapping
from datetime import time, timedelta
from typing import Any

from dialer_engine.settings.base import Model
from dialer_engine.settings.load import Config
from dialer_engine.settings.values import duration_text

_SECRETS = frozenset({"password", "ari_password", "ami_password", "url", "engine_url"})
_FIXED = ("database", "asterisk", "front", "control", "lab", "logging")
"""Parts of dialer.yaml that are in use from start to stop: ports, database, sockets, log."""
_OTHERS = ("front.limits.", "front.workers:", "front.sip_port:", "front.external_address:")
"""What of it the engine does not use: the front's keeper takes it by a reload of its own."""
_STEPS = "lab.clock"
"""A lab's new moment is a step of its clock: a fault on purpose, which the running engine must notice."""


def changed(old: Config, new: Config) -> list[str]:
    """Every difference as one line such as `trunks.main.max_channels: 10 -> 20`; secrets are not shown."""
    lines = list(_differences("", _plain(old.settings), _plain(new.settings)))
    for name in sorted({*old.campaigns, *new.campaigns}):
        before, after = old.campaigns.get(name), new.campaigns.get(name)
        lines += _campaign_lines(f"campaign {name}", before, after)
    if old.rules.version != new.rules.version:
        lines.append(f"calling rules: {old.rules.version} -> {new.rules.version}")
    if old.rules.tzdata != new.rules.tzdata:
        lines.append(f"time zone data: {old.rules.tzdata} -> {new.rules.tzdata}")
    if old.carriers != new.carriers:
        lines.append("meaning of carriers' codes: changed")
    if old.plan != new.plan:
        lines.append("number plan: changed")
    return lines


def restart_needed(old: Config, new: Config) -> list[str]:
    """The differences that a reload cannot apply: they need `dialer run` to be started again."""
    before, after = _plain(old.settings), _plain(new.settings)
    lines = (line for part in _FIXED for line in _differences(part, before[part], after[part]))
    return [line for line in lines if not line.startswith((f"{_STEPS}:", *_OTHERS))]


def _campaign_lines(name: str, before: Model | None, after: Model | None) -> Iterator[str]:
    if before is None or after is None:
        yield f"{name}: {'added' if before is None else 'removed'}"
        return
    for line in _differences("", _plain(before), _plain(after)):
        yield f"{name}: {line}"


def _plain(model: Model) -> dict[str, Any]:
    return model.model_dump(mode="python", by_alias=True)


def _differences(path: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _entry(f"{path}.{key}" if path else str(key), key, old, new)
    elif old != new:
        yield f"{path}: {_shown(old, path)} -> {_shown(new, path)}"


def _entry(path: str, key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    if key not in old or key not in new:
        yield f"{path}: {'added' if key not in old else 'removed'}"
    elif key in _SECRETS:
        if old[key] != new[key]:
            yield f"{path}: changed"
    else:
        yield from _differences(path, old[key], new[key])


def _shown(value: Any, path: str) -> str:
    if value is None:
        return "never" if path.startswith("retry.") else "not set"
    if isinstance(value, timedelta):
        return duration_text(value)
    if isinstance(value, time):
        return f"{value:%H:%M}"
    if isinstance(value, Mapping):
        shown = (f"{key}: {'...' if key in _SECRETS else _shown(item, path)}" for key, item in value.items())
        return "{" + ", ".join(shown) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_shown(item, path) for item in value) + "]"
    return str(value)
