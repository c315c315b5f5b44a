"""Which changed files a running Asterisk takes, and what it goes on with as it was started.

A reload passes over transports, SIP timers, modules and the address of ARI, and Asterisk tells only its own log. So a
start notes a sign of each beside the instance, and whoever looks at the instance compares: an address changed under a
running Asterisk is seen however often the engine is started meanwhile.

What a reload does take is noted too, before it is written and until it was reloaded: an engine that is killed in
between leaves an Asterisk that still knows old passwords, and nothing but this note tells the next engine.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from dialer_engine.pbx.instance import NodeConfig, write_private

_MODULES: Mapping[str, tuple[str, ...]] = {
    "pjsip.conf": (
        "res_pjsip",
        "res_pjsip_authenticator_digest",
        "res_pjsip_endpoint_identifier_ip",
        "res_pjsip_outbound_registration",
    ),
    "extensions.conf": ("pbx_config",),
    "logger.conf": ("logger",),
    "manager.conf": ("manager",),
    "ari.conf": ("res_ari",),
    "rtp.conf": ("res_rtp_asterisk",),
}
_PJSIP = "pjsip.conf"
_SECTION = re.compile(r"(?m)^\[([^\]]+)\].*$")


def reload_commands(changed: Collection[str]) -> list[str]:
    """Return the console's commands that let a running instance take the changed files."""
    modules = [module for name, each in _MODULES.items() if name in changed for module in each]
    return [
        f"{module} reload" if module in ("logger", "manager") else f"module reload {module}.so"
        for module in modules
    ]


def note_start(config: NodeConfig) -> None:
    """Keep a sign of everything in `etc/` that only a start takes up. Raises NodeError."""
    write_private(_place(config), json.dumps(_signs(config), indent=1), config.user)


def outdated(config: NodeConfig) -> set[str]:
    """Name the files, and sections of `pjsip.conf`, that the running instance has otherwise: it needs a restart.

    Nothing of an instance whose start was not noted. A transport that came by a reload is in use since then.
    """
    try:
        noted: dict[str, str] = json.loads(_place(config).read_text("utf-8"))
        present = _signs(config)
    except (OSError, ValueError):
        return set()
    came = {name for name in present.keys() - noted.keys() if not name.startswith(_PJSIP)}
    return came | {name for name, sign in noted.items() if present.get(name) != sign}


def owe(config: NodeConfig, names: Collection[str]) -> None:
    """Note, before these files are written, that a running instance has still to take them. Raises NodeError."""
    write_private(_debts(config), json.dumps(sorted(owed(config) | set(names))), config.user)


def owed(config: NodeConfig) -> set[str]:
    """Name the files that were written and perhaps not yet reloaded; every one when the note cannot be read."""
    try:
        return set(json.loads(_debts(config).read_text("utf-8")))
    except FileNotFoundError:
        return set()
    except (OSError, ValueError, TypeError):
        return set(_MODULES)


def owe_nothing(config: NodeConfig) -> None:
    """The instance has taken everything, by a reload or by its start."""
    _debts(config).unlink(missing_ok=True)


def _debts(config: NodeConfig) -> Path:
    return config.path("reload-owed.json")


def _place(config: NodeConfig) -> Path:
    return config.path("started-with.json")


def _signs(config: NodeConfig) -> dict[str, str]:
    signs: dict[str, str] = {}
    for path in sorted(config.path("etc").glob("*.conf")):
        text = path.read_text("utf-8")
        if path.name == _PJSIP:
            signs |= {f"{_PJSIP} [{name}]": _sign(words) for name, words in _fixed_sections(text)}
        elif path.name not in _MODULES:
            signs[path.name] = _sign(text)
    return signs


def _fixed_sections(text: str) -> Iterator[tuple[str, str]]:
    marks = list(_SECTION.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    for mark, end in zip(marks, ends, strict=True):
        name = mark.group(1)
        if name == "system" or name.startswith("transport-"):
            yield name, text[mark.end() : end]


def _sign(text: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    kept = "\n".join(line for line in lines if line and not line.startswith(";"))
    return hashlib.sha256(kept.encode()).hexdigest()
