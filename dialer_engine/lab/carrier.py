"""The simulated carrier: an Asterisk whose dialplan is the table of behaviours and whose ledger is its own."""

from __future__ import annotations

from pathlib import Path

from dialer_engine.lab.behaviours import Behaviour, Table
from dialer_engine.lab.templates import fill

GREETING = (
    "Hello. You have reached the voice mail of a person who does not exist. "
    "Please leave a message after the tone."
)


def row(digits: int, does: Behaviour) -> str:
    """The dialplan lines that play one row of the table."""
    steps = (
        f"exten => row{digits:02d},1,Set(KIND={does.kind})",
        f" same => n,Set(RING={does.ring_s})",
        f" same => n,Set(TALK={does.talk_s})",
        f" same => n,Goto({does.kind},1)",
    )
    return "\n".join(steps)


def carrier_files(table: Table, *, bind: str, sip_port: int, ledger: Path, greeting: Path) -> dict[str, str]:
    """The carrier's own configuration files; `greeting` is a wav without its extension."""
    rows = "\n".join(row(digits, does) for digits, does in enumerate(table))
    return {
        "extensions.conf": fill(
            "carrier", "extensions.conf", rows=rows, ledger=str(ledger), greeting=str(greeting)
        ),
        "pjsip.conf": fill("carrier", "pjsip.conf", bind=bind, sip_port=sip_port),
        "modules.conf": fill("carrier", "modules.conf"),
    }
